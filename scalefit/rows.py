"""Plain rows as people read them: a frame, text, Markdown, HTML.

What is the same in all rows is said once, above them, and both ends of an interval stand behind their estimate.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scalefit.units import format_count, short

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
ROWS_SHOWN = 40  # of a text, before it counts the rest
COUNTED = ("parameters", "params", "model_size", "cost")  # columns that are written like tokens: 3M
KEYS = (
    "corpus",
    "task",
    "finetune_tokens",
    "model",
    "domain",
    "eval_set",
    "metric",
    "largest_tokens",
)


def frame_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return plain rows as a data frame, the one place that makes them of rows; keys in order of first appearance.

    Examples
    --------
    >>> frame_of([{"corpus": "fr", "low": 1.0}, {"corpus": "en"}])["low"].tolist()
    [1.0, nan]
    """
    import pandas as pd

    listed = list(rows)
    shapes = dict.fromkeys(map(tuple, listed))
    names = dict.fromkeys(n for shape in shapes for n in shape)
    if len(shapes) == 1:  # rows of one shape are turned in one go, three times as fast
        whole = zip(*(row.values() for row in listed), strict=True)
        cells = {name: list(column) for name, column in zip(names, whole, strict=True)}
    else:
        cells = {name: [row.get(name) for row in listed] for name in names}
    frame = pd.DataFrame(cells, columns=list(names), index=range(len(listed)))
    for name in [n for n in frame.columns if frame[n].isna().all()]:
        frame[name] = float("nan")  # a number that no row has is still a number
    return frame


def cell(value: Any, column: str = "") -> str:
    """Write one value for people: four significant digits, tokens as 3M, a missing one as a dash.

    Examples
    --------
    >>> cell(3e6, "pretrain_tokens"), cell(3e6, "cost_low"), cell(0.123456), cell(None), cell(True)
    ('3M', '3M', '0.1235', '–', 'yes')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    name = column.removesuffix("_low").removesuffix("_high").removesuffix("_if_reached")
    if isinstance(value, int | float) and ("tokens" in name or name in COUNTED):
        return format_count(value)
    return short(value) if isinstance(value, float) else str(value)


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys of the rows in order; one that the first row lacks stands behind its neighbour, not at the end.

    Examples
    --------
    >>> columns([{"corpus": "fr", "high": 2}, {"corpus": "en", "low": 1, "high": 2}])
    ['corpus', 'low', 'high']
    """
    names: list[str] = []
    for shape in dict.fromkeys(map(tuple, rows)):
        place = len(names)
        for key in shape:
            if key not in names:
                names.insert(place, key)
            place = names.index(key) + 1
    return names


def text_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    r"""Return rows as lines of aligned cells below their columns' names; long tables end with a count.

    Examples
    --------
    >>> print("\n".join(text_table([{"corpus": "fr", "tokens": 3e6}, {"corpus": "en", "tokens": 1e9}])))
    corpus  tokens
    fr      3M
    en      1B
    """
    names = columns(rows)
    if not names:
        return []
    cells = [[cell(row.get(name), name) for name in names] for row in rows[:ROWS_SHOWN]]
    table = [[name.replace("_", " ") for name in names], *cells]
    widths = [max(len(line[i]) for line in table) for i in range(len(names))]
    lines = [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    more = len(rows) - ROWS_SHOWN
    return [*lines, f"… and {more} more rows"] if more > 0 else lines


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as a table in Markdown.

    Examples
    --------
    >>> print(markdown_table([{"corpus": "fr", "tokens": 3e6}]), end="")
    | corpus | tokens |
    | --- | --- |
    | fr | 3M |
    """
    names = columns(rows)
    head = [name.replace("_", " ") for name in names]
    cells = [[cell(row.get(n), n).replace("|", "\\|") for n in names] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(names), *cells])


LONG = 40  # letters beyond which a cell of a page may break
PAGE = 60  # rows of a page, before it counts the rest


def html_table(rows: Sequence[Mapping[str, Any]], *, caption: str = "") -> str:
    """Return rows as an HTML table; what stands beyond PAGE rows is counted below it."""
    if not rows:
        return f"<p>{html.escape(caption)}</p>" if caption else ""
    names = columns(rows)
    heads = (html.escape(str(name).replace("_", " ")) for name in names)
    head = "".join(f'<th style="white-space: normal">{name}</th>' for name in heads)
    lines = ("".join(_html_cell(cell(row.get(n), n)) for n in names) for row in rows[:PAGE])
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = f"<p>… and {len(rows) - PAGE} more rows</p>" if len(rows) > PAGE else ""
    title = f'<caption style="text-align: left">{html.escape(caption)}</caption>' if caption else ""
    whole = f"{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    # A narrow notebook moves a table sideways; without this it breaks "3 × 2" into three lines instead.
    return f'<table style="white-space: nowrap">{whole}</table>{more}'


def _html_cell(text: str) -> str:
    long = ' style="white-space: normal; min-width: 18em"' if len(text) > LONG else ""
    return f"<td{long}>{html.escape(text)}</td>"


def estimated(name: str, estimate: Any, low: Any, high: Any) -> Row:
    """Return an estimate and both ends of its interval in columns of their own; :func:`with_intervals` joins them."""
    return {name: estimate, f"{name}_low": low, f"{name}_high": high}


def with_intervals(rows: Sequence[Row]) -> list[Row]:
    """Put both ends of an interval behind their estimate, where three columns say it.

    Examples
    --------
    >>> with_intervals([{"corpus": "fr", "tokens": 4e6, "tokens_low": 3e6, "tokens_high": float("inf")}])
    [{'corpus': 'fr', 'tokens': '4M [3M, ∞]'}]
    """
    names = columns(rows)
    ends = {
        name: (low, high)
        for name, low, high in zip(names, names[1:], names[2:], strict=False)
        if (low, high) in (("low", "high"), (f"{name}_low", f"{name}_high"))
    }
    left = {end for pair in ends.values() for end in pair}
    return [
        {
            k: _interval(row, k, *ends[k]) if k in ends else v
            for k, v in row.items()
            if k not in left
        }
        for row in rows
    ]


def _interval(row: Row, name: str, low: str, high: str) -> str:
    estimate, *ends = (cell(row.get(k), name) for k in (name, low, high))
    return estimate if ends == ["–", "–"] else f"{estimate} [{', '.join(ends)}]"


def without_shared(
    rows: Sequence[Row], names: Sequence[str] = KEYS
) -> tuple[tuple[str, ...], list[Row]]:
    """Take what is the same in all rows out of them, in a line of words: of the keys, or of these columns."""
    if len(rows) < 2:
        return (), list(rows)
    shared = [k for k in names if k in rows[0] and len({row.get(k) for row in rows}) == 1]
    said = {k: cell(rows[0][k], k) for k in shared}
    words = " · ".join(f"{k.replace('_', ' ')} {text}" for k, text in said.items() if text != "–")
    left = [{k: v for k, v in row.items() if k not in shared} for row in rows]
    return (words,) if words else (), left


def for_people(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[Row]]:
    """Return what all rows share as a line, and the rest of them, both ends of an interval behind their estimate.

    Examples
    --------
    >>> for_people([{"task": "en-fr", "corpus": c, "bleu": 9.5, "low": 9.0, "high": 10.0} for c in ("fr", "en")])
    (('task en-fr',), [{'corpus': 'fr', 'bleu': '9.5 [9, 10]'}, {'corpus': 'en', 'bleu': '9.5 [9, 10]'}])
    """
    return without_shared(with_intervals(rows))
