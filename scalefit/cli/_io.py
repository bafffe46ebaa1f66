"""What all commands read and write: text, pairs, numbers and stored fits in; tables, JSON and files out.

And what stands beside an answer, on standard error: errors, warnings, notes, progress, and ``-q``.
"""

from __future__ import annotations

import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalefit.errors import FormatError, ScalefitError, ScalefitWarning, TableError
from scalefit.files import writing
from scalefit.result import plain, to_json
from scalefit.rows import Row

if TYPE_CHECKING:
    from scalefit.fitting.result import Fit
    from scalefit.forecasting.mixture import Mixture


def read_text(path: str) -> str:
    """Read a text file, or stdin where the path is ``-``.

    Raises FormatError: it is no text in UTF-8, or stdin is closed.
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
    named: dict[str, str] = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            raise TableError(f"{flag} {option}: needed NAME=VALUE, e.g. {flag} task=en-fr")
        named[name.strip()] = value.strip()
    return named


def numbers(option: str, flag: str) -> list[float]:
    """Split ``1e9,3B`` into numbers; ``flag`` names the option in the error."""
    from scalefit.units import parse_count

    counts = []
    for text in names(option) or []:
        number = parse_count(text)
        if number is None:
            raise TableError(f"{flag}: {text!r} is no number; needed e.g. 1e9,3B")
        counts.append(number)
    return counts


def values(options: Sequence[str] | None) -> dict[str, list[float]]:
    """Turn ``["N=1B"]`` into ``{"N": [1e9]}``."""
    return {name: numbers(text, f"--at {name}") for name, text in pairs(options, "--at").items()}


def names(option: str | None) -> list[str] | None:
    """Split ``corpus,task`` at its commas; None stays None."""
    return None if option is None else [name.strip() for name in option.split(",") if name.strip()]


_PAGE = (
    "<!doctype html><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
    "<meta name='color-scheme' content='light dark'><style>body { font-family: sans-serif; overflow-x: auto } "
    "td, th { padding: .1em .7em .1em 0; text-align: left }</style>"
)
PICTURES = (".png", ".svg", ".pdf")
DRAWN = (*PICTURES, ".eps", ".jpg", ".jpeg", ".pgf", ".ps", ".svgz", ".tif", ".tiff", ".webp")
TABLES = (".csv", ".tsv", ".md", ".tex")


def pool(option: str) -> str | list[str]:
    """Return which curves learn from each other, as ``pool=`` takes it."""
    given = names(option) or []
    return given[0] if len(given) == 1 else given


def check_suffix(
    path: str | Path | None, known: Sequence[str] = (*PICTURES, *TABLES, ".json", ".html")
) -> None:
    """Refuse a file whose suffix says nothing, or which cannot be written, before any work is done.

    Raises FormatError: the message lists the suffixes there are, or names the folder that is not.
    """
    if path is None:
        return
    if Path(path).suffix.lower() not in known:
        raise FormatError(f"{path}: its suffix must say what to write: {', '.join(known)}")
    if not Path(path).absolute().parent.is_dir():
        raise FormatError(f"{path}: there is no folder {Path(path).parent}; make it first")


def show(result: Any) -> None:
    """Write a result for people: its line, its table as wide as the terminal, what stands below; notes to stderr."""
    from scalefit.result import Result

    if result.BARE or type(result).lines is not Result.lines:  # it has a text of its own
        say(str(result))
        return
    say("\n".join([result.heading, *result.above()]))
    if rows := result.shown():
        write_rows(rows)
    for line in result.beneath():
        say(line)
    write_notes(result.notes)


def say(text: str) -> None:
    """Write text of an answer, its cures as options."""
    print(in_shell(text), flush=True)


def check_table(path: Path | None) -> None:
    """Refuse a table that cannot be written, before anything is read."""
    if path is None:  # nothing heavy is loaded for --help
        return
    from scalefit.table.write import WRITERS

    check_suffix(path, known=[f".{kind}" for kind in WRITERS])


def document_of(result: Any) -> Any:
    """Return what ``sf.load`` and the commands after a pipe read."""
    from scalefit.store import document

    return document(result)


def save_result(result: Any, path: str, *, stored: bool = False) -> None:
    """Write a result to a file as its suffix says."""
    from scalefit.files import write_text

    suffix = Path(path).suffix.lower()
    if suffix in PICTURES:
        save_picture(result.plot(), path)
        return
    frame = result.to_frame
    texts: dict[str, Callable[[], str]] = {
        ".json": lambda: to_json(plain(document_of(result) if stored else result)) + "\n",
        ".html": lambda: _PAGE + in_shell(result._repr_html_().replace("&#x27;", "'")) + "\n",
        ".csv": lambda: frame().to_csv(index=False),
        ".tsv": lambda: frame().to_csv(index=False, sep="\t"),
        ".md": result.to_markdown,
        ".tex": result.to_latex,
    }
    write_text(path, texts[suffix]())
    aside(f"wrote {path}")


def write_json(value: Any) -> None:
    """Write a value as JSON to stdout; of results in it, what their ``to_dict`` gives."""
    print(to_json(plain(value)))


def meant(table: Any, metric: str) -> str:
    """Return the metric asked for; the only one there, with a note, where nobody named one."""
    from scalefit.ingest import metric_meant

    name, said = metric_meant(table, metric)
    write_notes(said)
    return name


def write_rows(rows: Iterable[Row], *, title: str = "") -> None:
    """Write plain rows as a readable table."""
    from scalefit.views.tables import terminal_table

    terminal_table(rows, title=title)


def save_picture(picture: Any, path: str) -> None:
    """Save a picture in the format of its suffix.

    Raises FormatError: no such format; the message lists those there are.
    """
    known = picture.canvas.get_supported_filetypes()
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in known:
        raise FormatError(f"{path}: no picture format {suffix!r}; there are {', '.join(known)}")
    with writing(path) as half:
        picture.savefig(half, dpi=150)
    aside(f"wrote {path}")


def read_fits(path: str) -> list[Fit | Mixture]:
    """Read the fits and mixtures that ``scalefit fit --json``, ``forecast --json`` or ``sf.save`` wrote.

    Raises FormatError: not JSON, not stored fits, or none among them.
    """
    from scalefit.fitting.many import Fits
    from scalefit.fitting.result import Fit
    from scalefit.forecasting.forecast import Forecast
    from scalefit.forecasting.mixture import Mixture, Mixtures
    from scalefit.store import loads

    name = "stdin" if path == "-" else path
    answer = loads(read_text(path), name=name)
    if isinstance(answer, Fit | Mixture):
        return [answer]
    fits: list[Fit | Mixture] = []
    if isinstance(answer, Fits | Mixtures):
        fits = list(answer)
    elif isinstance(answer, Forecast):
        fits = [outlook.quality for outlook in answer if outlook.quality is not None]
    if not fits:
        notes = answer.notes if isinstance(answer, Fits | Mixtures | Forecast) else ()
        why = notes[0] if notes else "needed the output of scalefit fit --json"
        raise FormatError(f"{name} holds no fit: {why}")
    return fits


BAD_INPUT = 2
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)

_QUOTED = r"\[?['\"]([^'\"]*)['\"]\]?"
_FLAGS = {
    "mapping": "--map", "where": "--where", "inputs": "--input", "baseline": "--baseline",
}  # fmt: skip
_PAIR = re.compile(rf"\b({'|'.join(_FLAGS)})=\{{{_QUOTED}: (?:{_QUOTED}|([^}}]*))\}}")
_SAME = (
    "against", "allow", "by", "checkpoints", "column", "design", "device", "goal", "law", "loss", "margin", "metric",
    "mixture", "objective", "over", "pool", "quality", "residual", "test", "through", "tokenize",
)  # fmt: skip
_NAMES = {"metrics": "--metric", "inputs": "--input", **{name: f"--{name}" for name in _SAME}}
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})={_QUOTED}")
_ALONE = (
    "at",
    "budget",
    "compute",
    "cost",
    "delta",
    "fit_smallest",
    "hold_out",
    "price",
    "target",
    "where",
)
_PLAIN = re.compile(rf"\b({'|'.join((*_ALONE, *_NAMES))})=(?:(\d+|…)|(?=[\s,;.)]|$))")
_COMMANDS = {
    "fit_each": "fit", "fit_joint": "joint", "variance": "seeds", "seeds_needed": "seeds", "tokens_for": "tokens",
    "compare_procedures": "compare", "read": "ingest", **{
        name: name
        for name in ("align", "allocate", "backtest", "fit", "forecast", "plan", "predict", "rank", "score", "value")
    },
}  # fmt: skip
_CALL = re.compile(rf"\bsf\.({'|'.join(_COMMANDS)})\b(?:\(([^()]*)\))?")
_PYTHON_ALONE = re.compile(r", or (?:give )?a? ?(?:Law|Spread)\(\.\.\.\)[a-z ]*")


def in_shell(message: str) -> str:
    """Return a message with its Python cures turned into options.

    Examples
    --------
    >>> in_shell("Try mapping={'loss': 'cross_entropy'}, or allow='range'")
    'Try --map loss=cross_entropy, or --allow range'
    >>> in_shell("fit each with sf.fit_each(..., by=['Layers'])")
    'fit each with --by Layers'
    >>> in_shell("leave them out with where=; sf.align judges falls")
    'leave them out with --where; scalefit align judges falls'
    >>> in_shell("name a law: sf.fit(data, metric, law=…)")
    'name a law: scalefit fit --law …'
    """
    turned = _PAIR.sub(lambda m: f"{_FLAGS[m[1]]} {shlex.quote(f'{m[2]}={m[3] or m[4]}')}", message)
    turned = _NAME.sub(lambda m: f"{_NAMES[m[1]]} {m[2]}", turned)
    turned = _PLAIN.sub(
        lambda m: f"{_NAMES.get(m[1], '--' + m[1].replace('_', '-'))} {m[2] or ''}".strip(), turned
    )
    return _PYTHON_ALONE.sub("", _CALL.sub(_command, turned))


def _command(call: re.Match[str]) -> str:
    """Return the command of a call, with the options it names; of the call at hand, ``...``, the options alone."""
    given = call[2] or ""
    called = [] if given.startswith("...") else [f"scalefit {_COMMANDS[call[1]]}"]
    return " ".join([*called, *re.findall(r"--[^,]+", given)])


def one_line(error: BaseException) -> str:
    """Put an error's message on one line; a message of several lines is joined by semicolons."""
    message = str(error) or type(error).__name__
    lines = (line.strip() for line in message.splitlines())
    return "; ".join(filter(None, lines)).replace(":; ", ": ")


@contextmanager
def guarded() -> Iterator[None]:
    """Turn our errors, and files that cannot be opened, into one line and exit code 2; others are bugs and stay."""
    try:
        with warnings_on_one_line():
            yield
    except ScalefitError as error:
        _stop(in_shell(one_line(error)))
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or str(error)
        _stop(f"{error.filename}: {reason}" if error.filename else reason)


def _stop(message: str) -> None:
    print(f"scalefit: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)


@contextmanager
def warnings_on_one_line() -> Iterator[None]:
    """Show warnings of ours as ``scalefit: note: …``; leave others as they are."""
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", ScalefitWarning)

        def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            if issubclass(category, ScalefitWarning):
                aside(f"scalefit: note: {one_line(message)}")
            else:
                usual(message, category, *rest, **more)

        warnings.showwarning = show
        yield


@contextmanager
def quietly(wanted: bool) -> Iterator[None]:
    """Leave notes and progress out, where that is wanted."""
    before = _QUIET.set(wanted)
    try:
        yield
    finally:
        _QUIET.reset(before)


def aside(text: str) -> None:
    """Write a line beside the answer; not where only the answer was asked for."""
    if not _QUIET.get():
        print(text, file=sys.stderr)


def write_notes(notes: Iterable[str]) -> None:
    """Write notes, one a line, so that stdout stays what was asked for."""
    for note in notes:
        aside(f"note: {in_shell(note)}")


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show what is being done, with its seconds, while it is: one line on a terminal, nothing anywhere else."""
    if _QUIET.get() or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    look = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*look, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what)
        yield
