"""``sf.seed_curves``: a distribution over seeds at every size, and what of it moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from scalefit.errors import DesignError
from scalefit.fitting.intervals import Interval
from scalefit.groups import group_name
from scalefit.ingest import table_of
from scalefit.result import Result, Results
from scalefit.rows import Row, estimated
from scalefit.seeds.design import Cell, answered, cells, telling
from scalefit.table.metrics import metric as known_metric
from scalefit.types import Floats, Mask, Renames
from scalefit.units import check_level, format_count

from .modes import Modes, two_modes
from .tails import Success, design_effect, failure_probability, far_off, quantile, success_law

QUANTILES = (0.1, 0.5, 0.9)
LEAST_SIZES, LEAST_RUNS, NAMED = 2, 8, 6
_SAYS = {
    "mixture shift": "a mixture shifts: more runs make it, those that do are as good as before",
    "everything shifts": "everything shifts: all runs move together",
    "both": "both: more runs make it, and all runs move",
    "no change": "no change with size is seen",
}


@dataclass(frozen=True)
class Rung:
    """The runs of one size.

    Attributes
    ----------
    size : the size; ``runs``, ``seeds`` how many runs and pretraining seeds.
    mean : over runs.
    quantiles : probability -> quantile over runs, with its distribution-free interval.
    success : chance that a run makes it, or None where success is not defined.
    given_success : mean of the runs that did, or None.
    """

    size: float
    runs: int
    seeds: int
    mean: float
    quantiles: Mapping[float, Interval]
    success: Interval | None
    given_success: float | None


@dataclass(frozen=True, eq=False, repr=False)
class SeedCurve(Result):
    """A distribution over seeds at every size, under one condition.

    Attributes
    ----------
    metric, column : what was measured, and what the sizes are.
    group : the condition, such as the domain.
    rungs : one a size, ascending.
    modes : whether the runs fall into two modes, and what moves with size.
    threshold : a run beyond it made it; None where membership of the better mode decides, or nothing does.
    success : chance of success over size; None where nothing defines it.
    trend : mean given success at the middle of ln x, and its change per factor ten, each with its interval.
    level : of all intervals.
    notes : outlying runs by name, and what to know.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> rng = np.random.default_rng(0)
    >>> sizes = np.repeat([1e6, 1e7, 1e8, 1e9], 10)
    >>> made = rng.random(40) < np.repeat([0.1, 0.3, 0.7, 0.9], 10)
    >>> runs = {"pretrain_tokens": sizes, "pretrain_seed": np.tile(range(10), 4),
    ...         "accuracy": 0.3 + 0.4 * made + 0.02 * rng.standard_normal(40)}
    >>> curve = sf.seed_curves(runs, "accuracy")[0]
    >>> curve.story, curve.modes.modes
    ('mixture shift', 2)
    """

    metric: str
    column: str
    group: Mapping[str, Any]
    rungs: tuple[Rung, ...]
    modes: Modes
    threshold: float | None
    success: Success | None
    trend: tuple[Interval, Interval] | None
    level: float
    notes: tuple[str, ...] = ()

    @property
    def story(self) -> str:
        """What moves with size: ``mixture shift``, ``everything shifts``, ``both`` or ``no change``."""
        return self.modes.story

    @property
    def verdict(self) -> str:
        """What moves with size, and how sure two modes are."""
        head = f"{group_name(self.group)}: " if self.group else ""
        modes = "one mode" if self.modes.modes == 1 else self._two()
        chance = ""
        if self.success is not None:
            first, last = (r.success for r in (self.rungs[0], self.rungs[-1]))
            assert first is not None
            assert last is not None
            chance = f"; P(success) {first.estimate:.2g} at {format_count(self.rungs[0].size)}"
            chance += f", {last.estimate:.2g} at {format_count(self.rungs[-1].size)}"
        return f"{head}{self.metric}: {_SAYS[self.story]} ({modes}){chance}"

    def _two(self) -> str:
        low, high = self.modes.centres
        return (
            f"two modes about {low:.3g} and {high:.3g}, criterion better by {self.modes.gain:.0f}"
        )

    def chance(self, sizes: Sequence[float] | Floats) -> list[Interval]:
        """Return the chance that a run makes it at sizes, with intervals.

        Raises DesignError: nothing says what success is.
        """
        if self.success is None:
            raise DesignError(
                "nothing says which runs made it: the runs have one mode. Try: success=0.5, a value of the metric"
            )
        p, low, high = self.success.at(np.asarray(sizes, dtype=float), self.level)
        return [
            Interval(float(p[i]), float(low[i]), float(high[i]), self.level, "logistic in ln x")
            for i in range(p.size)
        ]

    def rows(self) -> list[Row]:
        """Return one row a size: runs, mean, quantiles, chance of success, each with low and high."""
        out = []
        for rung in self.rungs:
            row: Row = {
                **self.group,
                self.column: rung.size,
                "runs": rung.runs,
                "seeds": rung.seeds,
                "mean": rung.mean,
            }
            for q, i in rung.quantiles.items():
                row |= estimated(f"q{100 * q:.0f}", i.estimate, i.low, i.high)
            s = rung.success
            ends = (None, None, None) if s is None else (s.estimate, s.low, s.high)
            row |= estimated("success", *ends)
            out.append({**row, "given_success": rung.given_success})
        return out

    def told(self) -> Row:
        """Return the story, the modes and the rows."""
        return {
            "story": self.story,
            "modes": self.modes.modes,
            "gain": self.modes.gain,
            "centres": self.modes.centres,
            "half": None if self.success is None else self.success.half,
            "group": self.group,
            "sizes": self.rows(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class SeedCurves(Results[SeedCurve]):
    """Distributions over seeds, one curve a condition: in and out of domain side by side.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> runs = {"pretrain_tokens": np.repeat([1e6, 1e7, 1e8], 4), "pretrain_seed": list(range(4)) * 3,
    ...         "bleu": [9.0, 9.4, 9.1, 9.3, 12.2, 12.0, 12.5, 12.1, 15.0, 15.4, 15.2, 15.1]}
    >>> sf.seed_curves(runs, "bleu").only.story
    'everything shifts'
    """

    MEMBERS = "curves"

    curves: tuple[SeedCurve, ...]
    about_data: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Each curve's own line."""
        return "; ".join(curve.verdict for curve in self.curves)

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the curves, then about the data."""
        return tuple(dict.fromkeys((*(n for c in self for n in c.notes), *self.about_data)))


def seed_curves(
    data: Any,
    metric: str,
    *,
    success: float | None = None,
    column: str = "pretrain_tokens",
    where: Mapping[str, Any] | None = None,
    level: float = 0.95,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> SeedCurves:
    """Describe the distribution over seeds at every size, and what of it moves with size.

    Parameters
    ----------
    data, metric, where, mapping, allow
        As in :func:`scalefit.fit`; every other condition (domain, task, corpus) gets a curve of its own.
    success : a run at this value or better made it. Without it the better of two modes says so, where there are two.
    column : what the sizes are.
    level : of all intervals.

    Raises DesignError: no condition has two sizes and eight runs.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> rng = np.random.default_rng(0)
    >>> runs = {"pretrain_tokens": np.repeat([1e6, 1e7, 1e8], 6), "pretrain_seed": list(range(6)) * 3,
    ...         "accuracy": np.repeat([0.3, 0.5, 0.7], 6) + 0.1 * rng.standard_normal(18)}
    >>> curve = sf.seed_curves(runs, "accuracy", success=0.5).only
    >>> [round(i.estimate, 2) for i in curve.chance([1e6, 1e8])]
    [0.09, 0.83]
    """
    check_level(level)
    table = table_of(
        data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=[column]
    )
    name = table.spelled(metric)
    every, notes = cells(table, name)
    groups: dict[tuple[tuple[str, Any], ...], list[Cell]] = {}
    for cell in every:
        if cell.key.get(column):
            rest = tuple((c, v) for c, v in cell.key.items() if c != column)
            groups.setdefault(rest, []).append(cell)
    keep = telling([dict(g) for g in groups], [c for c, _ in next(iter(groups), ())])
    if not groups:
        raise DesignError(f"no rows have {column}")
    curves, silent = answered(
        (({c: v for c, v in rest if c in keep}, inside) for rest, inside in groups.items()),
        lambda label, inside: _curve(name, label, _Ladder.of(column, inside), success, level),
    )
    return SeedCurves(tuple(curves), (*notes, *silent))


@dataclass(frozen=True, eq=False)
class _Ladder:
    """The runs of one condition, in cells of ascending sizes."""

    column: str
    cells: Sequence[Cell]

    @classmethod
    def of(cls, column: str, cells: Sequence[Cell]) -> _Ladder:
        ladder = cls(column, sorted(cells, key=lambda cell: float(cell.key[column])))
        if len(cells) < LEAST_SIZES or ladder.y.size < LEAST_RUNS:
            raise DesignError(
                f"{len(cells)} sizes and {ladder.y.size} runs; a distribution over sizes needs {LEAST_SIZES} sizes "
                f"and {LEAST_RUNS} runs at least, and tells modes apart from about ten runs a size"
            )
        return ladder

    @cached_property
    def groups(self) -> list[list[Floats]]:
        """Runs of each size and pretraining seed."""
        return [cell.groups for cell in self.cells]

    @cached_property
    def y(self) -> Floats:
        return np.concatenate([runs for size in self.groups for runs in size])

    @cached_property
    def counts(self) -> list[int]:
        return [sum(runs.size for runs in size) for size in self.groups]

    @cached_property
    def sizes(self) -> list[float]:
        return [float(cell.key[self.column]) for cell in self.cells]

    def cut(self, values: NDArray[Any]) -> list[list[NDArray[Any]]]:
        """Cut a vector over all runs into sizes and pretraining seeds."""
        ends = np.cumsum([runs.size for size in self.groups for runs in size])[:-1]
        flat = iter(np.split(values, ends))
        return [[next(flat) for _ in size] for size in self.groups]


def _curve(
    metric: str, label: Mapping[str, Any], ladder: _Ladder, threshold: float | None, level: float
) -> SeedCurve:
    sign = -1.0 if known_metric(metric).falls else 1.0
    y, x = ladder.y, np.repeat(ladder.sizes, ladder.counts)
    modes = two_modes(y, x)
    made = _made(y, threshold, modes, sign)
    law = trend = None
    if made is not None:
        together = design_effect([seed for size in ladder.cut(made) for seed in size])
        law = success_law(made.astype(float), x, max(1.0, together))
        trend = _trend(x[made], y[made], level)
    return SeedCurve(
        metric, ladder.column, label, _rungs(ladder, made, level), modes, threshold, law, trend,
        level, (*_outliers(ladder.cells, ladder.column, sign), *_few(ladder.counts)),
    )  # fmt: skip


def _rungs(ladder: _Ladder, made: Mask | None, level: float) -> tuple[Rung, ...]:
    successes = [None] * len(ladder.cells) if made is None else ladder.cut(made)
    rungs = []
    for size, cell, groups, of_size in zip(
        ladder.sizes, ladder.cells, ladder.groups, successes, strict=True
    ):
        runs = np.concatenate(groups)
        good = runs[:0] if of_size is None else runs[np.concatenate(of_size)]
        rungs.append(
            Rung(
                size=size,
                runs=runs.size,
                seeds=cell.pretrain,
                mean=float(np.mean([r.mean() for r in groups])),
                quantiles={q: quantile(runs, q, level) for q in QUANTILES},
                success=None if of_size is None else failure_probability(of_size, level),
                given_success=float(good.mean()) if good.size else None,
            )
        )
    return tuple(rungs)


def _made(y: Floats, threshold: float | None, modes: Modes, sign: float) -> Mask | None:
    """Return which runs made it; None where nothing tells."""
    if threshold is not None:
        return np.asarray(sign * y >= sign * threshold)
    if modes.modes == 1:
        return None
    return np.asarray((modes.upper if sign > 0 else 1 - modes.upper) >= 0.5)


def _trend(x: Floats, y: Floats, level: float) -> tuple[Interval, Interval] | None:
    """Return the mean of runs that made it at the middle of ln x, and its change per factor ten."""
    if np.unique(x).size < 2 or y.size < 4:
        return None
    u = np.log10(x) - np.log10(x).mean()
    slope = float(u @ y / (u @ u))
    dof = y.size - 2
    sd = float(np.sqrt(np.sum((y - y.mean() - slope * u) ** 2) / dof))
    far = float(scipy.stats.t.ppf(0.5 + level / 2, dof)) * sd
    ends = [(float(y.mean()), far / np.sqrt(y.size)), (slope, far / np.sqrt(float(u @ u)))]
    first, second = (Interval(v, v - d, v + d, level, "least squares in ln x") for v, d in ends)
    return first, second


def _outliers(inside: Sequence[Cell], column: str, sign: float) -> list[str]:
    """Name runs far beyond the others of their size; they stay in."""
    out = []
    for cell in inside:
        runs = [(p, f, v) for p, g in cell.runs.items() for f, v in g.items()]
        values = np.array([v for _, _, v in runs])
        far = far_off(values)
        if far is None:
            continue
        middle = float(np.median(values))
        for p, f, v in runs:
            if abs(v - middle) > far:
                side = "worse" if sign * (v - middle) < 0 else "better"
                out.append(
                    f"{column} {format_count(float(cell.key[column]))}: pretraining seed {p}, finetuning seed {f} "
                    f"shows {v:.4g}, far {side} than the others ({middle:.4g}); kept"
                )
    rest = [f"{len(out) - NAMED} further outlying runs"] if len(out) > NAMED else []
    return out[:NAMED] + rest


def _few(counts: Sequence[int]) -> list[str]:
    if np.median(counts) >= 10:
        return []
    return [
        f"{int(np.median(counts))} runs a size: the story is told right from about ten, see the simulations"
    ]
