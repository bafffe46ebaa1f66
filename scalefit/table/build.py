"""From a frame as it comes to a checked long table: flat, long, one metric a row, typed; each step noted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import TELLING, as_names, group_name, spelling
from scalefit.types import Ints, Mask
from scalefit.units import counted, format_count, some

from . import checks
from .columns import Columns
from .draft import (
    Cells,
    Draft,
    coded,
    column,
    count_cell,
    guess,
    is_missing,
    is_text,
    missing,
    number_cell,
    numbers,
    plain_cells,
    plain_text,
    texts,
)
from .heads import headed, melt
from .metrics import canonical, known
from .names import (
    COLUMNS,
    COUNTS,
    IDENTITY,
    KNOWN,
    NUMBERS,
    REQUIRED,
    SEED_WORDS,
    SEEDS,
    TEXTS,
    Named,
    in_unit,
    measured_column,
    rename,
    trained_beside,
)
from .records import open_records

_BESIDE = re.compile(
    r"\\(?:textbf|textit|emph|underline|mathbf|bm|num|scriptsize|tiny|small)\b|[*†‡${}~`]|\\[,;!]|\(p\s*[<=]\s*[\d.]+\)"
)
"""What papers put around numbers: bold letters, signs of significance, small print."""
_SPREAD = re.compile(r"_(?=\s*\{)|\\pm|\+/-|±")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_PRINTED = re.compile(
    rf"\s*({_NUMBER})\s*(%?)\s*((?:±[±\s]*|\(\s*(?:(?:{_NUMBER}\s*)?±\s*)?){_NUMBER}\s*%?\s*\)?)?\s*(%?)\s*",
    re.I,
)
_PER_METRIC = ("stderr", "signature")
_SUMMARIES = frozenset(
    "mean avg average median std sd stdev stderr min max overall total and".split()  # noqa: SIM905
)
_UNFINISHED = frozenset(
    """fail failed failure error crashed killed aborted cancelled canceled interrupted preempted pruned timeout oom
    out_of_memory node_fail diverged running pending queued waiting""".split()  # noqa: SIM905
)
"""What schedulers and trackers call a run that gave no result."""
_SPREADS = re.compile(r"(?:.*[\W_])?(std|sd|std_?dev|deviation|var|se|sem|ci\d*|±|\+/-)", re.I)
ALLOWABLE = {
    "signatures": "two scoring signatures under one metric",
    "tokenizers": "two tokenizers under one cross-entropy",
    "units": "two units under one metric, or fractions beside percentages",
    "fractions": "BLEU and its kin all at or below 1",
    "range": "values outside their metric's range",
    "conflicts": "two values under one key and the same seeds",
    "no_pretrain_tokens": "a table without pretrain_tokens, where a door asks for them",
    "direction": "a law that moves away from better values",
}
"""Checks that ``allow=`` switches off, each with what it then lets pass."""


def build(
    draft: Draft,
    *,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    inputs: Collection[str] = (),
) -> tuple[Columns, tuple[str, ...]]:
    """Return the columns of the checked long table and the notes; raise TableError with all problems."""
    draft.allow = _allowed(allow)
    open_records(draft)
    melt(draft, metrics, {*(mapping or {}), *inputs})
    rename(draft, mapping or {}, kept=inputs)
    if "parameters" in inputs and draft.has("model") and not draft.has("parameters"):
        _size_models(draft)
    _leave_out_summaries(draft)
    if not len(draft):
        raise TableError("the table has no rows; needed at least one measured value")
    _fill_merged(draft)
    to_long(draft, metrics, inputs)
    _leave_out_missing(draft)
    _type_columns(draft)
    checks.check_rows(draft)
    draft.raise_problems()
    order = [name for name in COLUMNS if draft.has(name)]
    draft.cells = {name: draft.cells[name] for name in dict.fromkeys([*order, *draft.cells])}
    columns = checks.check_between(draft, inputs)
    draft.raise_problems()
    return columns, tuple(draft.notes)


def drafted(frame: pd.DataFrame, metrics: Sequence[str] = ()) -> Draft:
    """Return a frame as plain columns of distinct names.

    Named levels of the index are columns. A pivot, whose columns are the values of a named level (``corpus``), becomes
    long again: its cells are the metric of that name, or the one metric asked for.

    Raises TableError: column names stand twice, or a pivot of which the metric is not known.

    Examples
    --------
    >>> wide = pd.DataFrame({"fr": [20.1, 22.4], "en": [19.0, 20.2]}, index=[1e6, 4e6])
    >>> draft = drafted(wide.rename_axis("pretrain_tokens").rename_axis("corpus", axis=1), ["bleu"])
    >>> list(draft.cells), len(draft)
    (['pretrain_tokens', 'corpus', 'bleu'], 4)
    """
    flat, notes = frame, list[str]()
    levels = [str(name) for name in frame.columns.names if name is not None]
    if levels and not set(levels) <= {"metric"}:
        flat, notes = _unpivoted(frame, metrics)
    if list(flat.index.names) == [None] and flat.index.dtype.kind in "fO":
        flat = flat.rename_axis("index label")  # no mere numbering: sizes, corpora
    axis = flat.index
    named = [name for name in axis.names if name is not None and name not in flat.columns]
    each = [plain_cells(axis.get_level_values(axis.names.index(name))) for name in named]
    each += [plain_cells(series) for _, series in flat.items()]
    cells = dict(zip(plain_names([*named, *flat.columns]), each, strict=True))
    place = _place(frame) if len(flat) == len(frame) else "row {}".format
    return Draft.of(cells, place, notes)


def _place(frame: pd.DataFrame) -> Callable[[int], str]:
    """Return what says where a frame's row stands: its label, and its source where it names one."""
    sources = frame["source"] if "source" in frame.columns else None

    def place(row: int) -> str:
        source = None if sources is None else sources.iloc[row]
        label = f"row {frame.index[row]}"
        return label if is_missing(source) else f"{source} ({label})"

    return place


def plain_names(own: Sequence[Hashable]) -> list[str]:
    """Return columns' names as texts; refuse equal ones, tell those apart that only look so (1 and "1")."""
    names = [_text(name) for name in own]
    counts = Counter(names)
    if len(set(own)) < len(own) or any(n > 1 and name in KNOWN for name, n in counts.items()):
        twice = sorted(name for name, n in counts.items() if n > 1)
        raise TableError(f"column names stand twice: {some(twice)}. Try: rename one of them")
    seen, told = Counter[str](), list[str]()
    for name in names:
        told.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return told


def _text(name: Any) -> str:
    parts = [str(part) for part in name if str(part)] if isinstance(name, tuple) else [str(name)]
    return " ".join(plain_text("_".join(parts)).split())


def _unpivoted(frame: pd.DataFrame, metrics: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    levels = frame.columns
    if isinstance(levels, pd.MultiIndex):
        named = [name for name in levels.names if name not in (None, "metric")]
        rest = frame.stack(named, future_stack=True)
        return _measured(pd.DataFrame(rest)), [_told(named)]
    name = str(levels.name)
    if any(measured_column(str(c)) or str(c) in KNOWN for c in levels):
        return frame.rename_axis(None, axis=1), []  # a label of the columns, not of their values
    if len(metrics) != 1:
        raise TableError(
            f"the columns are values of {name!r} ({some(levels, 5)}), and nothing says what their "
            "cells measure. Try: metrics=['bleu'], or frame.stack().rename('bleu').reset_index()"
        )
    stacked = pd.DataFrame({metrics[0]: frame.stack(future_stack=True)})
    return _measured(stacked), [_told([name])]


def _measured(stacked: pd.DataFrame) -> pd.DataFrame:
    return stacked.dropna(how="all").rename_axis(None, axis=1)


def _told(names: Sequence[Any]) -> str:
    return f"a pivot: its columns taken as values of {', '.join(map(str, names))}"


def _allowed(allow: Sequence[str]) -> frozenset[str]:
    names = frozenset(as_names(allow))
    unknown = sorted(names - set(ALLOWABLE))
    if unknown:
        listed = "; ".join(f"{k}: {v}" for k, v in ALLOWABLE.items())
        raise TableError(f"allow has {', '.join(unknown)}; needed any of {listed}")
    return names


def _size_models(draft: Draft) -> None:
    """Take the sizes of models from their names, where a law is of them and every name has one."""
    told = [
        re.findall(r"(?<![\w.])\d+(?:\.\d+)?[mb](?![a-z\d])", str(n).lower())
        for n in draft.cells["model"]
    ]
    if told and all(len(sizes) == 1 for sizes in told):
        draft.cells["parameters"] = column([sizes[0] for sizes in told])
        draft.note("parameters are those that the models' names say, rounded as they are")


def _where(cells: Cells, meets: Callable[[Any], bool]) -> Mask:
    """Return which cells meet a condition, asked once of each text."""
    values, codes = coded(cells)
    return np.array([meets(value) for value in values], dtype=bool)[codes]


def _sums_up(cell: Any) -> bool:
    words = re.findall(r"[^\W\d_]+", str(cell).lower())
    return bool(words) and _SUMMARIES.issuperset(words)


def _failed(cell: Any) -> bool:
    return str(cell).strip().lower() in _UNFINISHED


def _leave_out_summaries(draft: Draft) -> None:
    """Leave out rows that sum up others (``mean`` is no seed and no corpus), and those of runs that did not finish."""
    own = ("corpus", "model", *IDENTITY, *SEED_WORDS)
    for name in [n for n in draft.cells if n in own or n.lower().endswith(("status", "state"))]:
        meets, why = (
            (_sums_up, "is a summary of others") if name in own else (_failed, "says unfinished")
        )
        gone = _where(draft.cells[name], meets) if is_text(draft.cells[name]) else np.zeros(1, bool)
        if gone.any() and not gone.all():
            told = counted(int(gone.sum()), "row")
            draft.note(f"{told} whose {name} {why} left out: {draft.some(gone)}")
            draft.keep(~gone)


def _fill_merged(draft: Draft) -> None:
    """Give cells below a merged one its name: each stands once, at the head of several rows."""
    sizes = draft.cells.get("pretrain_tokens", np.ones(len(draft)))
    own = numbers(sizes, count_cell)[0] != 0  # a row without pretraining has no corpus to be named
    above = np.zeros(len(draft), dtype=np.int64)
    for name in filter(draft.has, ("corpus", "model", "task")):
        cells = draft.cells[name]
        there = ~_where(cells, is_missing) if is_text(cells) else np.ones(len(draft), bool)
        parts, above = above, np.cumsum(there)
        empty, head = own & ~there, above - 1
        if not empty.any() or not there.any():
            continue
        if empty.sum() > 1 and _is_merged(cells[there], parts[there], head[own]) and there[0]:
            draft.cells[name] = column(np.where(empty, cells[there][head], cells).tolist())
            told = f"{counted(int(empty.sum()), 'empty cell')} of {name} read as merged with the one above"
            draft.note(told)
        else:
            told = f"{counted(int(empty.sum()), 'row')} without {name}, which others have"
            draft.note(f"{told}: {draft.some(empty)}")


def _is_merged(heads: Cells, parts: Ints, head: Ints) -> bool:
    """Whether cells were merged: each stands over two rows or more, and none comes again within a part above it."""
    rows = np.bincount(head[head >= 0], minlength=len(heads))
    once = len({*zip(parts, heads, strict=True)}) == len(heads)
    return once and bool((rows != 1).all())


def _theirs(draft: Draft) -> list[str]:
    """Return the columns that somebody wrote: readers add where each row stands."""
    return [name for name in draft.cells if name != "source"]


def to_long(draft: Draft, metrics: Sequence[str] = (), inputs: Collection[str] = ()) -> None:
    """Turn a wide draft into a long one; leave a long one as it is.

    Columns among ``metrics`` are metrics, whatever they are called; those among ``inputs`` are none.
    """
    if draft.has("metric") and draft.has("value"):
        return
    if draft.has("metric") or draft.has("value"):
        there, absent = ("metric", "value") if draft.has("metric") else ("value", "metric")
        or_what = ", or mapping={'value': 'bleu'}, whatever it measures" * draft.has("value")
        raise MissingColumnError(
            f"the table has a column {there!r} but none named {absent!r} "
            f"(columns: {some(_theirs(draft))}). "
            f"Try mapping={{'your column': '{absent}'}}{or_what}"
        )
    wide = _wide_metrics([name for name in draft.cells if name not in inputs], metrics)
    for name in trained_beside(wide):
        draft.note(
            f"column {name!r} is taken for training's, beside {wide.pop(name)[1]} of an evaluation, and left out. "
            f"Where it is none: mapping={{{name!r}: 'test/{name}'}}"
        )
        del draft.cells[name]
    if not wide:
        raise MissingColumnError(
            "the table has neither columns 'metric' and 'value' nor a column named after a metric "
            f"(columns: {some(_theirs(draft))}). Needed: metric and value, or bleu, cross_entropy, mmlu, …. "
            f"Try {_nearest(draft)}"
        )
    _turn(draft, wide)


def _nearest(draft: Draft) -> str:
    """Return what would make metrics of the columns: a name for one that is near, else the numbers' own names."""
    words = {
        name: re.findall(r"[a-z]+", name.lower()) for name in _theirs(draft) if name not in KNOWN
    }
    near = [f"{n!r}: {canonical(word)!r}" for n, of in words.items() for word in of if known(word)]
    plain = [
        name
        for name in words
        if not (_SPREADS.fullmatch(name) or numbers(draft.cells[name], number_cell)[1].any())
    ]
    melted = f"; where {some(plain, 3)} are seeds, corpora, tasks or sizes of one metric, a row each (pandas.melt)"
    melted = melted if len(plain) > 1 else ""
    if near:
        return f"mapping={{{near[0]}}}{melted}"
    if sum(headed(name) is not None for name in plain) > 1:
        return f"metrics=['bleu'], if they hold BLEU{melted}"
    own = f"metrics={plain[-1:] or ['your column']!r}{melted}"
    return f"{own}, or mapping={{'loss': 'cross_entropy'}} where loss is in nats per target token"


def _wide_metrics(columns: Sequence[str], extra: Sequence[str]) -> dict[str, Named]:
    """Return the metrics among columns, as column name -> (evaluation set, metric)."""
    names = [name for name in columns if name not in KNOWN]
    metrics = {c: named for c in names if (named := measured_column(c)) is not None}
    wanted = {spelling(name) for name in extra}
    metrics.update({c: (None, canonical(c)) for c in names if spelling(c) in wanted})
    told = "eval_set" in columns  # beside the column, the sets in names would be lost
    kinds = [(not told and place, metric) for place, metric in metrics.values()]
    doubled = [c for c, kind in zip(metrics, kinds, strict=True) if kinds.count(kind) > 1]
    if doubled:
        raise TableError(
            f"columns {', '.join(map(repr, doubled))} are all read as {metrics[doubled[0]][1]!r}. "
            "Try: keep one of them, or turn the file into columns metric and value"
        )
    return metrics


def _turn(draft: Draft, wide: Mapping[str, Named]) -> None:
    """Make a row of every measured cell, in the rows' order."""
    cells = draft.cells
    beside = {own: _beside(cells, own, metric) for own, (_, metric) in wide.items()}
    taken = {*wide, *_PER_METRIC, *(c for columns in beside.values() for c in columns.values())}
    there = {own: np.flatnonzero(~missing(cells[own])) for own in wide}
    row = np.concatenate(list(there.values()))
    order = np.argsort(row, kind="stable")  # a row's metrics stay together, in the columns' order
    row, which = row[order], np.repeat(np.arange(len(wide)), list(map(len, there.values())))[order]
    rest = {name: of for name, of in cells.items() if name not in taken}
    if spreads := [name for name in rest if _SPREADS.fullmatch(name)]:
        draft.note(
            f"{some(spreads)} beside the values is not used; where it is a deviation over n seeds, a column stderr "
            "with deviation / √n weighs the values, and rows for each seed tell more"
        )
    long = {name: of[row] for name, of in rest.items()}
    long["metric"] = column([metric for _, metric in wide.values()])[which]
    long["value"] = np.concatenate([cells[own][there[own]] for own in wide])[order]
    if not draft.has("eval_set") and any(place is not None for place, _ in wide.values()):
        long["eval_set"] = column([place for place, _ in wide.values()])[which]
    units = [in_unit(own)[1] for own in wide]
    if not draft.has("unit") and any(units):
        long["unit"] = column(units)[which]
    for target in dict.fromkeys(target for columns in beside.values() for target in columns):
        held = [_held(cells, beside[own].get(target), rows) for own, rows in there.items()]
        long[target] = np.concatenate(held)[order]
    draft.cells, draft.origin = long, draft.origin[row]
    draft.wide = {named[1]: own for own, named in wide.items()}
    for own, rows in there.items():
        if gaps := len(cells[own]) - len(rows):
            told = counted(gaps, "empty cell")
            draft.note(f"{told} of column {own!r} left out{_bare(rest, rows)}{_ends(rest, rows)}")


def _held(cells: Mapping[str, Cells], name: str | None, rows: Ints) -> Cells:
    return np.full(len(rows), np.nan) if name is None else cells[name][rows]


def _bare(cells: Mapping[str, Cells], measured: Ints) -> str:
    """Say which corpora, tasks or models have rows but none of a metric: no answer would name them."""
    told = []
    for name in filter(cells.__contains__, TELLING):
        without = set(cells[name].tolist()) - set(cells[name][measured].tolist())
        without = {value for value in without if not is_missing(value)}
        if without:
            told.append(f"; {name} {some(sorted(map(str, without)), 4)} has none at all")
    return "".join(told)


def _ends(cells: Mapping[str, Cells], measured: Ints) -> str:
    """Say whose largest size has no value: a run that diverged ends its curve too early, and nothing else tells."""
    if "pretrain_tokens" not in cells:
        return ""
    sizes = np.nan_to_num(numbers(cells["pretrain_tokens"], count_cell)[0])
    names = [name for name in (*TELLING, "metric") if name in cells]
    columns = Columns({"size": sizes} | {name: texts(cells[name]) for name in names})
    group = columns.labels(names)
    most, there = np.zeros((2, len(sizes)))
    np.maximum.at(most, group, sizes)
    np.maximum.at(there, group[measured], sizes[measured])
    lost = [
        f"{group_name({n: columns.cells[n][np.argmax(group == one)] for n in names})} {format_count(most[one])}"
        for one in np.flatnonzero((there > 0) & (there < most))
    ]
    if not lost:
        return ""
    return f"; nothing was measured at the largest size ({some(lost, 4).strip()}): did it diverge?"


def _beside(columns: Collection[str], own: str, metric: str) -> dict[str, str]:
    """Return the columns that hold a metric's own standard error and signature."""
    return {
        target: name
        for target in _PER_METRIC
        for name in (target, f"{own}_{target}", f"{metric}_{target}")  # the last that is there
        if name in columns
    }


def _leave_out_missing(draft: Draft) -> None:
    gone = missing(draft.cells["value"])
    if gone.any():
        draft.note(
            f"{counted(int(gone.sum()), 'row')} without a value left out: {draft.some(gone)}"
            f"{_ends(draft.cells, np.flatnonzero(~gone))}"
        )
        draft.keep(~gone)
    if not len(draft):
        raise TableError("no row has a value; needed at least one measured value")
    for name in REQUIRED[:2]:
        if draft.has(name):
            empty = missing(draft.cells[name])
            hint = "fill it in" + (", 0 = no pretraining" if name == "pretrain_tokens" else "")
            draft.blame(empty, name, lambda _: "nothing", "a value", hint)


def _type_columns(draft: Draft) -> None:
    for name in list(draft.cells):
        cells = draft.cells[name]
        if name in COUNTS:
            draft.cells[name] = _numbers(draft, name, count=True)
        elif name in NUMBERS:
            draft.cells[name] = _numbers(draft, name, count=False)
        elif name in SEEDS:
            values, bad = numbers(cells, number_cell)
            plain = not (bad.any() or np.isinf(values).any())
            draft.cells[name] = values if plain else texts(cells)
        else:
            draft.cells[name] = texts(cells) if name in TEXTS else guess(cells)


def _numbers(draft: Draft, name: str, *, count: bool) -> Cells:
    cells = draft.cells[name]
    values, bad = numbers(cells, count_cell if count else number_cell)
    if name == "value" and bad.any() and is_text(cells):
        cells = _printed(draft)
        values, bad = numbers(cells, number_cell)
    needed = "a count such as 1500000, 1.5e6, 1.5M or 300M" if count else "a number"
    hint = "" if count or not bad.any() else _cure([str(cell) for cell in cells[bad]])
    draft.blame(bad, name, lambda i: repr(cells[i]), needed, hint)
    return values


def _cure(refused: list[str]) -> str:
    """Return what helps against cells that are no numbers."""
    for sign, cure in (
        ("[", "a row for each value"),
        (",", "a decimal point, no comma"),
        ("%", "the number without its %"),
    ):
        if all(sign in cell and any(map(str.isdigit, cell)) for cell in refused):
            return cure
    return "an empty cell where nothing was measured"


def _printed(draft: Draft) -> Cells:
    r"""Take the value out of cells such as ``21.3 ± 0.4`` or ``\textbf{71.2%}``: whose spread that is, no cell says."""
    cells, codes = coded(draft.cells["value"])
    plain = [v.replace("−", "-") if isinstance(v, str) else "" for v in cells]
    told = [_PRINTED.fullmatch(_BESIDE.sub(" ", _SPREAD.sub("±", v))) for v in plain]
    spread, percent = (
        np.array([m is not None and any(map(m.group, of)) for m in told])[codes]
        for of in ((3,), (2, 4))
    )
    if spread.any():
        draft.note(
            f"{counted(int(spread.sum()), 'value')} with a ± or a bracket, which is left out (a deviation over "
            f"seeds and a standard error look alike; a column 'stderr' says it): {draft.some(spread)}"
        )
    if percent.any():
        units = draft.cells.get("unit", np.full(len(draft), None))
        draft.cells["unit"] = np.where(percent, "%", units).astype(object)
    return column([m[1] if m else v for m, v in zip(told, cells, strict=True)])[codes]
