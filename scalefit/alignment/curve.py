"""One metric of one group as a curve: run means by size, what was replicated, and how.

Finetuning seeds are averaged within each pretraining run before anything is tested. Which rows
share a pretraining run is told by :mod:`scalefit.table.runs`, here in its cautious reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scalefit.alignment.noise import Design, NoiseProfile, profile_of
from scalefit.alignment.smooth import Straying, straying
from scalefit.errors import DesignError
from scalefit.groups import as_names
from scalefit.ingest import loss_beside, table_of
from scalefit.table import Table, runs_of
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Ints, Mask
from scalefit.units import check_level, some

# Which metrics are judged, and which groups have a curve.


QUALITY = ("bleu", "comet")


def judged_table(
    data: Any, quality: str | Sequence[str], loss: str, **reading: Any
) -> tuple[Table, list[str], str]:
    """Return the results, what of them is judged, and the loss beside it; ``reading`` as in ``table_of``."""
    table = table_of(data, metrics=[*as_names(quality), loss], **reading)
    wanted = [table.spelled(name) for name in as_names(quality)]
    there = [q for q in dict.fromkeys(wanted) if q in table.metrics]
    if quality is QUALITY and not there:  # nobody named one: the only one is meant
        known = map(metric_of, table.metrics)
        only = [m.name for m in known if m.direction and not (m.is_loss or m.is_perplexity)]
        there = only if len(only) == 1 else []
        note = f"no metric was named, and {some(only)} is taken: the table has no {some(QUALITY)}"
        table = replace(table, notes=(*table.notes, note))
    if not there:
        raise DesignError(
            f"none of the quality metrics {', '.join(wanted)} is in the table; it has "
            f"{', '.join(table.metrics)}. Try: quality={table.metrics[0]!r}"
        )
    table, loss = loss_beside(table, [*there, loss], loss)
    return table, there, loss


def level_of(confidence: float) -> float:
    """Return one less a confidence: the false-alarm rate of a verdict."""
    check_level(confidence)
    if not confidence > 0.5:
        raise DesignError(
            f"level is {confidence:g}; needed a confidence between 0.5 and 1, e.g. 0.95"
        )
    return round(1 - confidence, 12)


def pretrained(rows: Table) -> bool:
    """Whether any row was pretrained."""
    return bool((rows.column("pretrain_tokens") > 0).any())


Level = Literal["procedure", "checkpoints", "single"]
_NEAR, _TIMES = 1.1, 5.0


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric of one group.

    Attributes
    ----------
    sizes : (K,) pretraining tokens, ascending.
    values : (K, P) mean of each unit of replication at each size; nan where there is none.
    design : "separate" or "shared" units, see ``noise``; of single runs "shared" where the table names them as one.
    level : "procedure" (several pretraining runs), "checkpoints" (one run, several finetuning
        seeds) or "single" (one value a size).
    known : whether the table itself says which rows share a pretraining run.
    baseline : (B,) run means without pretraining.
    bins, score, rows : (n,) size index, value and place in the group's rows of every row used.
    stderr : (K,) test-set standard error of one value, nan where unknown.
    finetunings : finetuning runs averaged in one unit, on average.
    profile : how the noise of the sizes compares, where several groups of the table say it together.
    """

    metric: str
    sizes: Floats
    values: Floats
    design: Design
    level: Level
    known: bool
    baseline: Floats
    bins: Ints
    score: Floats
    rows: Ints
    stderr: Floats
    finetunings: float
    notes: tuple[str, ...] = field(default=())
    profile: NoiseProfile | None = None

    @cached_property
    def means(self) -> Floats:
        """Mean of each size over its units, (K,)."""
        return np.asarray(np.nanmean(self.values, axis=1))

    @cached_property
    def strays(self) -> Straying:
        """How far the means stray from a smooth course, of three sizes or more."""
        return straying(self.x, self.means)

    @cached_property
    def x(self) -> Floats:
        """Natural logarithm of the sizes."""
        return np.log(self.sizes)

    @property
    def mostly_single(self) -> bool:
        """Whether half of the sizes or more have one run, beside others with several: nothing tells their noise."""
        return self.level != "single" and 2 * int((self.runs > 1).sum()) <= len(self.sizes)

    @property
    def testable(self) -> bool:
        """Whether the noise has a degree of freedom, from replicates or from the scatter."""
        if self.level == "single":
            return len(self.sizes) >= 3
        return self.design == "shared" or int((self.runs - 1).sum()) >= 1

    def first(self, count: int) -> Curve:
        """Return the curve of the first `count` sizes."""
        values = self.values[:count]
        values = values[:, ~np.isnan(values).all(axis=0)]
        keep = self.bins < count
        linked = self.design == "shared" and (self.level == "single" or _linked(values))
        return replace(
            self,
            sizes=self.sizes[:count],
            values=values,
            design="shared" if linked else "separate",
            stderr=self.stderr[:count],
            bins=self.bins[keep],
            score=self.score[keep],
            rows=self.rows[keep],
            profile=None if self.profile is None else self.profile.first(count),
        )

    @cached_property
    def runs(self) -> Ints:
        """Units at each size, (K,)."""
        return np.asarray((~np.isnan(self.values)).sum(axis=1))


def curve_of(
    table: Table, metric: str, baseline: Table | None, keep: Mask | None = None
) -> Curve | None:
    """Cut the run means of `metric` out of a group's rows; None where it was not measured.

    Parameters
    ----------
    table : rows of one group, all metrics.
    metric : canonical name.
    baseline : rows without pretraining, or None.
    keep : mask over the metric's rows: False leaves a row out (a failed run).
    """
    if metric not in table.metrics:
        return None
    rows = table.where(metric=metric)
    use = np.isfinite(rows.column("value")) & (rows.column("pretrain_tokens") > 0)
    use = use if keep is None else use & keep
    if not use.any():
        return None
    told = runs_of(rows)
    runs, seeds = told.block, told.finetuning
    tokens, score = rows.column("pretrain_tokens")[use], rows.column("value")[use]
    bins, sizes, merged = size_bins(tokens, runs[use])
    design, level, unit = _replication(bins, runs[use], seeds[use])
    values = _averaged(bins, unit, score, len(sizes))
    if level == "single" and told.named and _comes_back(bins, runs[use]):
        design = "shared"
    elif design == "shared" and not _linked(values):
        design = "separate"
    notes = (f"pretrain_tokens within 10 % count as one size: {merged}",) if merged else ()
    return Curve(
        metric=metric,
        sizes=sizes,
        values=values,
        design=design,
        level=level,
        known=told.named,
        baseline=_baseline(baseline, metric),
        bins=bins,
        score=score,
        rows=np.flatnonzero(use),
        stderr=_stderr(rows, use, bins, len(sizes)),
        finetunings=len(score) / max(len(set(zip(bins, runs[use], strict=True))), 1),
        notes=(*notes, *told.notes),
    )


# Groups of one design from which a noise profile is learned; two would pay for it in power.
ALIKE = 3


def profiled(curves: Sequence[Curve | None]) -> list[Curve | None]:
    """Return curves of one metric; those of one design know together how noisy each size is that they share.

    Separate runs may have gaps and sizes of their own; runs that come back at every size are told apart only where
    all groups have the same.
    """
    alike: dict[Any, dict[int, Curve]] = {}
    for i, c in enumerate(curves):
        if c is None or c.level == "single" or c.runs.max() < 2:
            continue
        if c.design == "separate":
            alike.setdefault((c.design, c.level), {})[i] = c
        elif not np.isnan(c.values).any():
            alike.setdefault((c.design, c.level, c.values.shape, tuple(c.sizes)), {})[i] = c
    out = list(curves)
    for (design, *_), which in alike.items():
        for i, curve in zip(which, _together(list(which.values()), design), strict=True):
            out[i] = curve
    return out


def _together(curves: Sequence[Curve], design: Design) -> list[Curve]:
    sizes, counts = np.unique(np.concatenate([c.sizes for c in curves]), return_counts=True)
    sizes = sizes[counts >= ALIKE]
    place = {c: i for i, c in enumerate(c for c in curves if np.isin(c.sizes, sizes).sum() >= 3)}
    if len(place) < ALIKE:
        return list(curves)
    runs = max(c.values.shape[1] for c in place)
    values = np.full((len(place), len(sizes), runs), np.nan)
    for c, i in place.items():
        here = np.isin(c.sizes, sizes)
        values[i, np.searchsorted(sizes, c.sizes[here]), : c.values.shape[1]] = c.values[here]
    if ((~np.isnan(values)).sum(axis=-1) > 1).any(axis=-1).sum() < ALIKE:
        return list(curves)  # too few groups have runs to compare at the sizes that they share
    learned = profile_of(values, design)
    return [replace(c, profile=learned.of(c.sizes, sizes)) if c in place else c for c in curves]


def size_bins(tokens: Floats, runs: Sequence[Any]) -> tuple[Ints, Floats, str]:
    """Join sizes closer than 10 % that come from different runs; bins, sizes, what was joined."""
    distinct = np.unique(tokens)
    groups: list[list[float]] = []
    for size in distinct:
        near = bool(groups) and size / groups[-1][0] <= _NEAR
        if near and not _share_run(tokens, runs, [*groups[-1], float(size)]):
            groups[-1].append(float(size))
        else:
            groups.append([float(size)])
    index = {size: k for k, group in enumerate(groups) for size in group}
    joined = ", ".join(f"{g[0]:.4g} to {g[-1]:.4g}" for g in groups if len(g) > 1)
    sizes = np.array([float(np.exp(np.mean(np.log(g)))) if len(g) > 1 else g[0] for g in groups])
    return np.array([index[float(t)] for t in tokens], dtype=np.int64), sizes, joined


def _share_run(tokens: Floats, runs: Sequence[Any], group: list[float]) -> bool:
    """Whether one run has two of these sizes, so that they are different sizes after all."""
    seen: dict[Any, set[float]] = {}
    for token, run in zip(tokens, runs, strict=True):
        if float(token) in group:
            seen.setdefault(run, set()).add(float(token))
    return any(len(s) > 1 for s in seen.values())


def _replication(
    bins: Ints, runs: NDArray[Any], seeds: NDArray[Any]
) -> tuple[Design, Level, NDArray[Any]]:
    """Design, level and the unit of replication of every row."""
    if _replicated(bins, runs):
        return ("shared" if _comes_back(bins, runs) else "separate"), "procedure", runs
    if _replicated(bins, seeds):
        return ("shared" if _comes_back(bins, seeds) else "separate"), "checkpoints", seeds
    return "separate", "single", np.zeros(len(bins), dtype=np.int64)


def _replicated(bins: Ints, units: NDArray[Any]) -> bool:
    """Whether units repeat within sizes often enough for at least two degrees of freedom."""
    pairs = set(zip(bins.tolist(), units.tolist(), strict=True))
    return len(pairs) - len(set(bins.tolist())) >= 2


def _comes_back(bins: Ints, units: NDArray[Any]) -> bool:
    """Whether most units are found at more than one size."""
    pairs = set(zip(bins.tolist(), units.tolist(), strict=True))
    sizes = Counter(unit for _, unit in pairs)
    return sum(n > 1 for n in sizes.values()) * 2 > len(sizes)


def _linked(values: Floats) -> bool:
    """Whether shared runs link all sizes, and leave two degrees of freedom for their noise."""
    there = np.argwhere(~np.isnan(values))
    sizes, runs = values.shape
    columns = np.hstack([np.eye(sizes)[there[:, 0]], np.eye(runs)[there[:, 1]]])
    return bool(
        np.linalg.matrix_rank(columns) == sizes + runs - 1 and len(there) >= sizes + runs + 1
    )


def _averaged(bins: Ints, unit: NDArray[Any], score: Floats, sizes: int) -> Floats:
    """Mean value of every unit at every size, (K, P)."""
    names, column = np.unique(unit, return_inverse=True)
    total, count = np.zeros((2, sizes, len(names)))
    at = (bins, column)
    np.add.at(total, at, score)
    np.add.at(count, at, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / count
    return _packed(means)


def _packed(means: Floats) -> Floats:
    """Separate runs need no columns of their own: move them to the left, keep no empty column."""
    once = (~np.isnan(means)).sum(axis=0) <= 1
    if not once.all():
        return means
    most = int((~np.isnan(means)).sum(axis=1).max())
    packed = np.full((len(means), most), np.nan)
    for k, row in enumerate(means):
        there = row[~np.isnan(row)]
        packed[k, : len(there)] = there
    return packed


def _baseline(table: Table | None, metric: str) -> Floats:
    if table is None or metric not in table.metrics:
        return np.empty(0)
    rows = table.where(metric=metric)
    use = np.isfinite(rows.column("value"))
    if not use.any():
        return np.empty(0)
    told = runs_of(rows)
    unit = told.block if len(set(told.block[use].tolist())) > 1 else told.finetuning
    zero = np.zeros(int(use.sum()), dtype=np.int64)
    return _averaged(zero, unit[use], rows.column("value")[use], 1).ravel()


def _stderr(rows: Table, use: Mask, bins: Ints, sizes: int) -> Floats:
    of_size = np.full(sizes, np.nan)
    if not rows.has("stderr"):
        return of_size
    errors = rows.column("stderr")[use]
    for k in range(sizes):
        there = errors[(bins == k) & np.isfinite(errors)]
        of_size[k] = np.sqrt(np.mean(there**2)) if len(there) else np.nan
    return of_size


def failed_rows(curve: Curve, sign: float) -> Ints:
    """Rows (places in the group's rows of this metric) below median - 5 MAD of their size.

    The median absolute deviation is pooled over the sizes with three rows or more; the rows that
    are themselves the median are left out of it, as they would make few rows look too much alike.
    """
    residual = np.full(len(curve.score), np.nan)
    for k in range(len(curve.sizes)):
        here = curve.bins == k
        if here.sum() >= 3:
            residual[here] = sign * (curve.score[here] - np.median(curve.score[here]))
    spread = np.abs(residual[np.isfinite(residual) & (residual != 0)])
    if len(spread) < 6:
        return np.empty(0, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        return np.asarray(curve.rows[residual < -_TIMES * np.median(spread)])


def without_failed(
    rows: Table, curve: Curve, baseline: Table | None, sign: float
) -> tuple[Curve | None, int]:
    """Return a group's curve without its failed runs, and how many failed; the curve itself where none did."""
    bad = failed_rows(curve, sign)
    if not len(bad):
        return curve, 0
    keep = np.ones(len(rows.where(metric=curve.metric)), dtype=bool)
    keep[bad] = False
    return curve_of(rows, curve.metric, baseline, keep), len(bad)


def common(sizes: Floats, others: Floats) -> tuple[Ints, Ints]:
    """Return the indices of the sizes that both curves have, closer than 10 %."""
    if np.array_equal(sizes, others):
        return np.arange(len(sizes)), np.arange(len(sizes))
    pairs = [
        (i, int(j))
        for i, size in enumerate(sizes)
        if abs(np.log(others[j := np.argmin(np.abs(np.log(others / size)))] / size))
        <= np.log(_NEAR)
    ]
    places = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]
