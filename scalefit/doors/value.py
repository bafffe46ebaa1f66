"""``sf.value``: what pretraining is worth over none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from scalefit.arguments import BLEU
from scalefit.corpora.value import Value, Values
from scalefit.corpora.worth import Measure, MeasuredCell, over_start, value_of
from scalefit.doors.curves import Inquiry, inquire
from scalefit.errors import DesignError, DomainError, ScalefitError
from scalefit.fitting.points import points_of
from scalefit.forecasting.engines import ends_of
from scalefit.forecasting.series import between_runs, noise_of, series_of
from scalefit.groups import group_name
from scalefit.ingest import table_of
from scalefit.table import Table, as_table, cut
from scalefit.table import metric as metric_of
from scalefit.table.draft import is_text
from scalefit.table.metrics import untold_direction
from scalefit.table.names import KNOWN
from scalefit.types import Floats, Mask, Renames
from scalefit.units import check_level, format_count

_ENOUGH = 3  # degrees of freedom below which a group borrows the noise of the table
_FEW = 3.0  # degrees of freedom granted to a noise that curves alone tell
UNKNOWN = 1.0  # stands for a size that nobody says
_LEAST = 3  # finetuning sizes of a curve whose first one is the model before finetuning
SCRATCH = frozenset(
    [
        "scratch",
        "from scratch",
        "none",
        "random",
        "random init",
        "no pretraining",
        "not pretrained",
        "unpretrained",
    ]
)
NO = frozenset(["no", "false", "0", "0.0"])
_ASKS = re.compile("(is |was )?pre ?train(ed|ing)")  # a column that no such word needs to tell
Against = Literal["scratch", "zero-shot"]
SIZES = {"pretrain": "pretrain_tokens", "finetune": "finetune_tokens"}


def value(
    data: Any,
    metric: str = BLEU,
    *,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    baseline: Mapping[str, Any] | None = None,
    against: Against = "scratch",
    level: float = 0.8,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    seed: int = 0,
) -> Values:
    """Say what pretraining is worth: its gain, the finetuning data it replaces, where it fades and where it harms.

    Pretraining need not vary: two procedures over finetuning sizes, pretrained or from scratch, are enough; without
    finetuning sizes the gain alone is said. Against ``"zero-shot"`` it says what finetuning is worth instead, and
    whether its first examples harm.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        Rows with ``pretrain_tokens`` 0 are the models without pretraining; without them there is nothing to compare,
        unless ``baseline`` names them.
    metric : str
    where, by, mapping, allow
        As in :func:`scalefit.forecast`; ``by`` are the columns that make the groups, besides both sizes.
    baseline : column -> value of the models without pretraining: ``{"init": "scratch"}``. Where no row has
        ``pretrain_tokens`` 0, a column that says "scratch" is looked for.
    against : {"scratch", "zero-shot"}; what is compared with: models without pretraining, or the model before
        finetuning (the smallest finetuning size of each curve).
    level : confidence of intervals.
    seed : of the draws behind effective data and exchange rates.

    Returns Values: one a group: a cell for each pair of measured sizes, with P(helps), P(worthless), P(harms).

    Raises DesignError: no rows without pretraining, or none at the finetuning sizes of the others; or what finetuning
    is worth is asked of a table without finetuning sizes.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 3 + ["fr"] * 3,
    ...     "pretrain_tokens": [0] * 3 + [1e8] * 3,
    ...     "finetune_tokens": [1e5, 1e6, 1e7] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 12.1, 18.0, 24.0],
    ... }
    >>> first = sf.value(table, "bleu")["fr"].cells[0]
    >>> 0.8e6 < first.effective < 1.2e6
    True
    """
    if against not in ("scratch", "zero-shot"):
        raise DomainError(f"against is {against!r}; it is 'scratch' or 'zero-shot'")
    check_level(level)
    table, about = _with_baseline(
        data, metric, baseline, against, where=where, mapping=mapping, allow=allow
    )
    what = inquire(
        table, metric, where=None, by=by, mapping=None, allow=allow, used=tuple(SIZES.values())
    )
    if against == "zero-shot" and len(what.rows.pretrained().unique("pretrain_tokens")) > 1:
        # What finetuning adds is asked of each pretrained model: its size makes groups as a name does.
        what = replace(what, by=(*what.by, "pretrain_tokens"))
    name, rows = what.metric, what.rows
    start = against == "zero-shot"
    drafts, failures = _drafts(rows, what.by, _of_start if start else _draft)
    if not drafts:
        why = next(iter(failures.values()), "there are no rows with pretraining")
        raise DesignError(f"nothing can be valued: {why}")
    rises = not metric_of(name).falls
    if metric_of(name).direction is None:
        about = (*about, untold_direction(name))
    values, perhaps = [], _perhaps_sizes(what)
    if perhaps and _FAR * min(ends := what.rows.unique(perhaps[0])) <= max(ends):
        about = (*about, f"{_as_sizes(perhaps)} tells effective data, too")
    for one, dof in _with_noise(drafts, name, perhaps):
        of = Measure(name, one.group, rises, dof, level, seed)
        values.append(over_start(one.cells, of) if start else value_of(one.cells, one.below, of))
    return Values(tuple(_untold(v) for v in values), failures, (*about, *what.notes))


def _untold(value: Value) -> Value:
    """Return a value in which sizes that nobody says are none again."""
    cells = value.cells
    if all(c.finetune == UNKNOWN for c in cells):
        cells = tuple(replace(c, finetune=np.nan) for c in cells)
    if all(c.pretrain == UNKNOWN for c in cells):
        cells = tuple(replace(c, pretrain=np.nan, rate=np.nan) for c in cells)
    return replace(value, cells=cells)


_FAR = 10  # times the least of a column's numbers from which on they may be sizes


@dataclass(frozen=True)
class _Draft:
    """One group's cells, and those without pretraining."""

    group: Mapping[str, Any]
    cells: tuple[MeasuredCell, ...]
    below: tuple[MeasuredCell, ...] = ()


def _drafts(
    rows: Table, by: Sequence[str], draft: Callable[[Table, Mapping[str, Any], Table], _Draft]
) -> tuple[list[_Draft], dict[str, str]]:
    drafts, failures = [], {}
    for key, part in rows.pretrained().groups(by):
        group = dict(key)
        try:
            drafts.append(draft(rows, group, part))
        except ScalefitError as error:
            failures[group_name(group)] = str(error)
    return drafts, failures


def _draft(rows: Table, group: Mapping[str, Any], part: Table) -> _Draft:
    base = rows.baseline_for(group)
    if base is None:
        raise DesignError(
            "there are no rows without pretraining (pretrain_tokens 0): nothing tells what it adds; finetune a "
            "model from scratch at the same sizes, name its rows with baseline={'column': 'value'}, or ask what "
            "finetuning adds to the model before it with against='zero-shot'"
        )
    cells = measured_cells(*_of_sizes(part))
    y, f = base.column("value"), base.column("finetune_tokens")
    below = measured_cells(np.zeros_like(f), f, y)
    there = {c.finetune for c in below}
    if not any(c.pretrain for c in cells):
        raise DesignError("no row has pretrain_tokens above 0: there is no pretraining to value")
    kept = [c for c in cells if c.finetune in there]
    if not kept:
        raise DesignError(
            "the models without pretraining were finetuned on other sizes than the rest; measure both at one size"
        )
    return _Draft(group, tuple(kept), tuple(below))


def _of_sizes(part: Table) -> tuple[Floats, Floats, Floats]:
    points = points_of(cut(part, part.metrics[0], SIZES))
    return points.inputs[0], points.inputs[1], points.y


def _of_start(_: Table, group: Mapping[str, Any], part: Table) -> _Draft:
    """Return a curve over finetuning sizes; the smallest is the model before finetuning."""
    cells = measured_cells(*_of_sizes(part))
    sizes = {c.pretrain for c in cells}
    if len(sizes) > 1:
        raise DesignError(
            f"finetuning is valued for one pretraining size at a time; there are {len(sizes)}: group by "
            "pretrain_tokens, or choose one with where="
        )
    if len(cells) < _LEAST:
        raise DesignError(
            f"{len(cells)} finetuning sizes; the model before finetuning and two sizes after it are needed"
        )
    return _Draft(group, tuple(cells))


def _with_baseline(
    data: Any, metric: str, baseline: Mapping[str, Any] | None, against: str, **reading: Any
) -> tuple[Table, tuple[str, ...]]:
    """Return the table with both sizes, and ``pretrain_tokens`` 0 where a baseline was named or is called "scratch"."""
    table = table_of(data, metrics=(metric,), needs=("finetune_tokens",), **reading)
    sized, allow = table.has("pretrain_tokens"), reading["allow"]
    if against == "zero-shot":
        if not table.has("finetune_tokens"):
            raise DesignError(
                "against='zero-shot' asks what finetuning adds, and the table has no column finetune_tokens"
            )
        return _sized(table, allow), ()
    if baseline is None and not (sized and (table.column("pretrain_tokens") == 0).any()):
        baseline = _scratch(table)
        if not (baseline or sized):
            raise DesignError(
                "nothing tells which models were not pretrained: there is neither a column pretrain_tokens nor one "
                "that says 'scratch'; name them, e.g. baseline={'init': 'random'}"
            )
    if not baseline:
        return _sized(table, allow), ()
    none = np.isin(table.rows, table.where(**dict(baseline)).rows)
    named = ", ".join(f"{name}={wanted}" for name, wanted in baseline.items())
    if none.all():
        raise DesignError(f"all rows are {named}: no pretrained model is left to be valued")
    free = [name for name in baseline if name != "corpus"]
    sizes = table.column("pretrain_tokens")[none] if sized else np.zeros(1)
    though = [format_count(size) for size in np.unique(sizes[sizes > 0])]
    about = f", though pretrained on {', '.join(though)} tokens" if len(though) > 1 else ""
    return _sized(table, allow, none, free), (
        f"{named}: taken for models without pretraining{about}",
    )


def _sized(
    table: Table, allow: Sequence[str], none: Mask | None = None, free: Sequence[str] = ()
) -> Table:
    """Return a table that has both sizes, whose rows ``none`` were not pretrained; what names them groups nothing."""
    missing = [size for size in SIZES.values() if not table.has(size)]
    if none is None and not missing:
        return table
    # A size that nobody says is one size: cells are then told apart by the other one alone.
    frame = table.frame.assign(**dict.fromkeys(missing, UNKNOWN))
    if none is not None:
        frame["pretrain_tokens"] = frame["pretrain_tokens"].mask(none, 0.0)
        for name in free:
            left = frame.loc[~none, name].dropna().unique()
            frame = (
                frame.drop(columns=name)
                if len(left) < 2
                else frame.assign(**{name: frame[name].mask(none)})
            )
    # What the table's checks said stands; of a size that stands for none they would say that it is small.
    again = as_table(frame, inputs=("finetune_tokens",), allow=allow)
    return replace(again, notes=table.notes)


def _scratch(table: Table) -> dict[str, Any] | None:
    """Return the one column and value that say "not pretrained"; None where none or several do."""
    said = [
        (name, value)
        for name in table.frame.columns
        if name not in ("metric", "value")
        for value in table.frame[name].dropna().unique()
        if _words(value) in (SCRATCH | NO if _ASKS.fullmatch(_words(name)) else SCRATCH)
    ]
    return dict(said) if len(said) == 1 else None


def _words(said: object) -> str:
    return re.sub(r"[\s_-]+", " ", str(said).strip().lower())


def measured_cells(pretrain: Floats, finetune: Floats, y: Floats) -> list[MeasuredCell]:
    """Return the mean of every pair of sizes, and how its runs scatter."""
    pairs, at, runs = np.unique(
        np.column_stack([pretrain, finetune]), axis=0, return_inverse=True, return_counts=True
    )
    at = at.reshape(-1)
    means = np.bincount(at, y) / runs
    squares = np.bincount(at, (y - means[at]) ** 2)
    told = zip(*pairs.T.tolist(), means.tolist(), runs.tolist(), squares.tolist(), strict=True)
    return [MeasuredCell(*cell) for cell in told]


def _perhaps_sizes(what: Inquiry) -> list[str]:
    """Return columns of numbers that part the groups of a table without finetuning sizes."""
    if not np.all(what.rows.column("finetune_tokens") == UNKNOWN):
        return []
    named = what.rows.columns.named
    return [name for name in what.by if name not in KNOWN and not is_text(named[name].values)]


def _as_sizes(columns: Sequence[str]) -> str:
    name = columns[0]
    return f"where {name} is the finetuning size, mapping={{{name!r}: 'finetune_tokens'}}"


def _with_noise(
    drafts: Sequence[_Draft], metric: str, perhaps: Sequence[str]
) -> list[tuple[_Draft, float]]:
    """Return drafts whose cells know the noise of one run there, and its degrees of freedom.

    From a group's own replicates where there are enough, else from those of the whole table, else from how curves bend.
    """
    each = [(*d.cells, *d.below) for d in drafts]
    every = [c for both in each for c in both]
    scale, free = _Scale.of(metric, every), [sum(c.runs - 1 for c in both) for both in each]
    bends = [] if sum(free) else [b for d in drafts for b in _bends(d, scale)]
    if not (sum(free) or bends):
        raise DesignError(
            "no cell has two runs and no curve three sizes, so nothing tells noise from gain; finetune once more "
            f"with another seed{f'; {_as_sizes(perhaps)}' if perhaps else ''}"
        )
    whole = scale.line(every) if sum(free) else (float(np.median(bends)), 0.0)
    out = []
    for draft, both, own in zip(drafts, each, free, strict=True):
        enough = own >= _ENOUGH
        line, dof = scale.line(both) if enough else whole, own if enough else sum(free) or _FEW
        cells, below = (
            tuple(scale.noisy(c, *line) for c in part) for part in (draft.cells, draft.below)
        )
        out.append((replace(draft, cells=cells, below=below), float(dof)))
    return out


@dataclass(frozen=True)
class _Scale:
    """What noise goes with: a loss or an error itself, what is missing to a rate; and the finetuning size.

    On measured learning curves runs differ by the less the more was learned, nearly in proportion to it, and by a
    little less at larger sizes too: one noise for all holds too few of the gains at small sizes.
    """

    top: float
    sign: float
    least: float  # of what is missing; nan where noise goes with nothing
    first: float
    last: float

    @staticmethod
    def of(metric: str, cells: Sequence[MeasuredCell]) -> _Scale:
        """Return the scale of a metric's cells."""
        known, means = metric_of(metric), np.array([c.mean for c in cells])
        sizes = [c.finetune for c in cells if c.finetune > 0]
        sign, top = (1.0, 0.0) if known.falls else (-1.0, ends_of(metric, means)[1])
        missing = top + sign * means if known.falls or known.is_rate else np.zeros(1)
        least = float(missing[missing > 0].min(initial=np.inf))
        return _Scale(top, sign, least if np.isfinite(least) else np.nan, min(sizes), max(sizes))

    def unit(self, mean: float) -> float:
        """Return what the noise at a mean is told in."""
        return 1.0 if np.isnan(self.least) else max(self.top + self.sign * mean, self.least / 2)

    def line(self, cells: Sequence[MeasuredCell]) -> tuple[float, float]:
        """Return the variance of one run at the last size, in units, and its trend in ln size."""
        told = [(self._place(c), c.squares / self.unit(c.mean) ** 2, c.runs - 1) for c in cells]
        return between_runs(*np.array(told).T)

    def noisy(self, cell: MeasuredCell, variance: float, trend: float) -> MeasuredCell:
        """Return a cell that knows its noise."""
        there = np.sqrt(variance * np.exp(trend * self._place(cell)))
        return replace(cell, noise=float(there * self.unit(cell.mean)))

    def _place(self, cell: MeasuredCell) -> float:
        return float(np.log(max(cell.finetune, self.first) / self.last))


def _bends(draft: _Draft, scale: _Scale) -> list[float]:
    """Return what second differences say of the noise, along every line of the grid; a size of 0 has no logarithm."""
    both = [*draft.cells, *draft.below]
    lines = [
        [(c.pretrain, c.mean) for c in row if c.pretrain > 0]
        for row in _lines(draft.cells, "finetune")
    ]
    lines += [
        [(c.finetune, c.mean) for c in row if c.finetune > 0] for row in _lines(both, "pretrain")
    ]
    return [
        noise_of(series_of(*np.array(line).T))
        / float(np.mean([scale.unit(y) ** 2 for _, y in line]))
        for line in lines
        if len(line) > 2
    ]


def _lines(cells: Sequence[MeasuredCell], held: str) -> list[list[MeasuredCell]]:
    by: dict[float, list[MeasuredCell]] = {}
    for cell in cells:
        by.setdefault(getattr(cell, held), []).append(cell)
    return [row for row in by.values() if len(row) > 2]
