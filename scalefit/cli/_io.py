"""Reading and writing for all commands: a path or ``-`` in, a table or JSON out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalefit.cli._cures import in_shell
from scalefit.cli._quiet import aside
from scalefit.errors import ExecutorError, FormatError, TableError
from scalefit.files import writing
from scalefit.result import plain, to_json

Row = Mapping[str, Any]


def read_text(path: str) -> str:
    """Read a text file, or stdin where the path is ``-``.

    Raises
    ------
    FormatError
        It is no text in UTF-8, or stdin is closed.
    """
    name = "stdin" if path == "-" else path
    try:
        if path != "-":
            return Path(path).read_text(encoding="utf-8")
        if sys.stdin is None or sys.stdin.closed:
            raise FormatError("stdin: closed; needed the output of a scalefit command's --json")
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: no text in UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def pairs(options: Sequence[str] | None, flag: str) -> dict[str, str]:
    """Turn ``["task=en-fr"]`` into a dict; ``flag`` names the option in the error."""
    found: dict[str, str] = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            raise TableError(f"{flag} {option}: needed NAME=VALUE, e.g. {flag} task=en-fr")
        found[name.strip()] = value.strip()
    return found


def read_table(
    path: str,
    *,
    where: Sequence[str] | None = None,
    rename: Sequence[str] | None = None,
    config: Path | None = None,
    allow: str | None = None,
    metrics: Sequence[str] = (),
    needs: Collection[str] = ("pretrain_tokens",),
) -> Any:
    """Read results from a path or ``-``, rename columns, keep the rows asked for."""
    from scalefit.groups import condition
    from scalefit.ingest import table_of

    mapping = pairs(rename, "--map") or None
    table = table_of(
        path,
        mapping=mapping,
        config=config,
        allow=names(allow) or (),
        metrics=metrics,
        needs=needs,
    )
    for text in where or ():
        table = table.where(**dict([condition(text)]))
    return table


def workers(jobs: int | None, scheduler: str | None) -> int | str | None:
    """Return where work is done, as ``executor=`` takes it."""
    if jobs is not None and scheduler is not None:
        raise ExecutorError("give --jobs for this machine, or --scheduler for a cluster")
    return scheduler if jobs is None else jobs


def numbers(option: str, flag: str) -> list[float]:
    """Split ``1e9,3B`` into numbers; ``flag`` names the option in the error."""
    from scalefit.units import parse_count

    found = []
    for text in names(option) or []:
        number = parse_count(text)
        if number is None:
            raise TableError(f"{flag}: {text!r} is no number; needed e.g. 1e9,3B")
        found.append(number)
    return found


def values(options: Sequence[str] | None) -> dict[str, list[float]]:
    """Turn ``["N=1B"]`` into ``{"N": [1e9]}``."""
    return {name: numbers(text, f"--at {name}") for name, text in pairs(options, "--at").items()}


def names(option: str | None) -> list[str] | None:
    """Split ``corpus,task`` at its commas; None stays None."""
    return None if option is None else [name.strip() for name in option.split(",") if name.strip()]


PICTURES = (".png", ".svg", ".pdf")
DRAWN = (*PICTURES, ".eps", ".jpg", ".jpeg", ".pgf", ".ps", ".svgz", ".tif", ".tiff", ".webp")
TABLES = (".csv", ".tsv", ".md", ".tex")


def check_suffix(
    path: str | None, known: Sequence[str] = (*PICTURES, *TABLES, ".json", ".html")
) -> None:
    """Refuse a file whose suffix says nothing, or which cannot be written, before any work is done.

    Raises
    ------
    FormatError
        The message lists the suffixes there are, or names the folder that is not.
    """
    if path is None:
        return
    if Path(path).suffix.lower() not in known:
        raise FormatError(f"{path}: its suffix must say what to write: {', '.join(known)}")
    if not Path(path).absolute().parent.is_dir():
        raise FormatError(f"{path}: there is no folder {Path(path).parent}; make it first")


def deliver(result: Any, *, as_json: bool, output: str | None) -> None:
    """Write a result to the terminal, and to a file whose suffix says how: picture, table, JSON or page."""
    if as_json:
        write_json(result)
    else:
        show(result)
    if output is not None:
        save_result(result, output)


def show(result: Any) -> None:
    """Write a result for people: its line, its table as wide as the terminal, what stands below; notes to stderr."""
    from scalefit.result import Result

    if type(result).lines is not Result.lines:  # it has a text of its own
        print(result)
        return
    print("\n".join([result.heading, *result.above()]))
    write_rows(result.shown(), as_json=False)
    for line in result.beneath():
        print(line)
    write_notes(result.notes)


def save_result(result: Any, path: str) -> None:
    """Write a result to a file as its suffix says."""
    from scalefit.files import write_text

    check_suffix(path)
    suffix = Path(path).suffix.lower()
    if suffix in PICTURES:
        save_picture(result.plot(), path)
        return
    frame = result.to_frame
    texts: dict[str, Callable[[], str]] = {
        ".json": lambda: to_json(plain(result)) + "\n",
        ".html": lambda: f"<!doctype html><meta charset='utf-8'>{result._repr_html_()}\n",
        ".csv": lambda: frame().to_csv(index=False),
        ".tsv": lambda: frame().to_csv(index=False, sep="\t"),
        ".md": result.to_markdown,
        ".tex": result.to_latex,
    }
    write_text(path, texts[suffix]())
    aside(f"wrote {path}")


def write_json(value: Any) -> None:
    """Write a value, or what its ``to_dict`` gives, as JSON to stdout."""
    print(to_json(plain(value)))


def write_rows(rows: Iterable[Row], *, as_json: bool, title: str = "") -> None:
    """Write plain rows as a readable table, or as a JSON list."""
    rows = list(rows)
    if as_json:
        write_json(rows)
        return
    from scalefit.views.tables import terminal_table

    terminal_table(rows, title=title)


def write_notes(notes: Iterable[str]) -> None:
    """Write notes to stderr, one a line, so that stdout stays what was asked for."""
    for note in notes:
        aside(f"note: {in_shell(note)}")


def save_picture(picture: Any, path: str) -> None:
    """Save a picture in the format of its suffix.

    Raises
    ------
    FormatError
        No such format; the message lists those there are.
    """
    known = picture.canvas.get_supported_filetypes()
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in known:
        raise FormatError(f"{path}: no picture format {suffix!r}; there are {', '.join(known)}")
    with writing(path) as half:
        picture.savefig(half, dpi=150)
    aside(f"wrote {path}")


def write_result(result: Any, *, as_json: bool) -> None:
    """Write one of our results: its text, or the JSON of its ``to_dict``."""
    if as_json:
        write_json(result)
    else:
        print(result)
