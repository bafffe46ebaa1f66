"""How runs scatter: tails heavier than the normal distribution's, and runs that stand apart from all others.

Intervals of variances rest on the fourth moment of what they count: with heavy tails a variance from 30 runs is known
as well as one from 10 normal ones. The moment is taken from all runs of a table at once, around their own groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from scalefit.distributions import t_tail
from scalefit.errors import DesignError
from scalefit.groups import group_name
from scalefit.seeds.anova import EXAMPLE, FINETUNE, REST, MeanSquares
from scalefit.seeds.design import Cell, nested_cells
from scalefit.types import Floats
from scalefit.units import some

FALSE_ALARMS = 0.05
"""Share of tables of normal runs in which one is said to stand apart, at most."""
HEAVY = 1.0
"""Excess kurtosis beyond its error from which tails are told in words."""
SEEN = "83 to 99"
"""Coverage, in percent, where heavy tails show (docs/simulations/seeds.md)."""
FEW = 200
"""Runs below which heavy tails or failures may go unseen (docs/simulations/seeds.md)."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """Values that should scatter alike, each group around its own mean.

    Attributes
    ----------
    residuals : (n,) values less their group's mean.
    sizes : (n,) how many values the group of each has; at least two.
    grain : smallest step between values where some tie, as rounded ones do; else 0.
    """

    residuals: Floats
    sizes: Floats
    grain: float = 0.0

    @classmethod
    def of(cls, groups: Sequence[Floats]) -> Scatter:
        """Gather groups; those of one value say nothing."""
        told = [g for g in groups if len(g) > 1]
        if not told:
            return cls(np.empty(0), np.empty(0))
        counts = [len(g) for g in told]
        off = np.concatenate([g - g.mean() for g in told])
        return cls(off, np.repeat(np.array(counts, dtype=float), counts), _grain(told))

    @property
    def kept(self) -> Floats:
        """Share of a value's variance that its residual keeps, (n,)."""
        return 1 - 1 / self.sizes

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the residuals."""
        return float(self.kept.sum())

    @property
    def variance(self) -> float:
        """Pooled variance of the values."""
        return float((self.residuals**2).sum()) / self.freedom if len(self.residuals) else 0.0

    @property
    def excess(self) -> float:
        """How much of the values' kurtosis lies beyond the normal distribution's; few runs hardly show any.

        It is counted whole: less its error it would leave normal runs their width, and heavy tails 3 to 5 points less
        of their level.
        """
        if not self.variance or self.freedom <= 1:
            return 0.0
        seen = float((self.kept**2).sum())
        fourth = float((self.residuals**4).sum()) / self.variance**2 / seen
        of_normal = 3 * self.freedom / (self.freedom + 2)
        return max(fourth - of_normal, 0.0) / self._shown

    @property
    def chance(self) -> float:
        """Standard error of the excess of normal runs."""
        return float(np.sqrt(24 / self.freedom)) / self._shown

    @property
    def most_excess(self) -> float:
        """Upper limit of the excess, by which intervals are widened.

        A large kurtosis is made by the few largest runs, so that it is known to about its own size: two of these
        errors more, less what chance shows of normal runs, which so keep their width.
        """
        return self.excess + 2 * max(self.excess - self.chance, 0.0) if self.excess else 0.0

    @property
    def _shown(self) -> float:
        """Share of a value's own excess that its residual shows: it mixes n values, and half is left in pairs."""
        n, seen = self.sizes, float((self.kept**2).sum())
        return float((self.kept**4 + (n - 1) / n**4).sum()) / seen

    @property
    def heavy(self) -> bool:
        """Whether the tails are beyond what normal runs show by chance."""
        return self.freedom > 1 and self.excess > HEAVY + self.chance

    def worth(self, dof: float, excess: float) -> float:
        """Degrees of freedom of normal values whose variance is known as well; at least one.

        Source: Shoemaker (2003), Amer. Statist. 57, 103–110: var(s²) = σ⁴ (excess / n + 2 / dof).

        Examples
        --------
        >>> import numpy as np
        >>> runs = Scatter.of([np.arange(5.0), np.arange(5.0)])
        >>> round(runs.worth(8, 0.0), 1), round(runs.worth(8, 5.0), 1)
        (8.0, 2.7)
        """
        free = self.freedom / len(self.residuals) if len(self.residuals) else 1.0
        return max(dof / (1 + excess / 2 * free), min(dof, 1.0))

    def apart(self) -> Floats:
        """Two-sided p of each value against the spread of all the others, (n,): Student's t with it deleted.

        A share of the smallest, times how many were looked at, is a test whose false alarms are bounded (Bonferroni).

        Source: Cook & Weisberg (1982), Residuals and Influence in Regression, §2.2.

        Examples
        --------
        >>> import numpy as np
        >>> Scatter.of([np.array([1.0, 1.2, 1.1]), np.array([2.0, 2.1, -8.0])]).apart().round(3).tolist()
        [0.981, 0.981, 1.0, 0.399, 0.383, 0.0]
        """
        rest = self.freedom - 1
        if rest < 1 or not self.variance:
            return np.ones(len(self.residuals))
        squares = self.residuals**2 / self.kept
        # Rounded runs that tie would have no spread at all, and the one that was rounded the other way would be named.
        least = rest * self.grain**2 / 12
        left = np.maximum(self.freedom * self.variance - squares, max(least, 1e-300))
        return np.asarray(2 * t_tail(np.sqrt(squares * rest / left), rest))


def _grain(groups: Sequence[Floats]) -> float:
    every = np.concatenate(groups)
    distinct = np.unique(every.round(9 - int(np.log10(np.abs(every).max() or 1.0))))
    return float(np.diff(distinct).min()) if 1 < distinct.size < every.size else 0.0


def _of_runs(cells: Sequence[Cell]) -> Scatter:
    return Scatter.of([group for cell in cells for group in cell.groups])


def _of_means(cells: Sequence[Cell]) -> Scatter:
    return Scatter.of([c.means for c in cells])


def with_tails(squares: MeanSquares, cells: Sequence[Cell]) -> MeanSquares:
    """Return mean squares with the degrees of freedom that their runs' tails leave them.

    Few pretraining seeds show no tails of their own; where the runs within them have some, seeds are held to the same.
    """
    runs, means = _of_runs(cells), _of_means(cells)
    within = runs.most_excess
    # Half a standard error is let go by chance, or normal runs would cost their seeds a quarter more width.
    between = max(runs.excess - runs.chance / 2 if runs.excess else 0.0, means.most_excess)
    inside = {FINETUNE: (runs, within), REST: (runs, within), EXAMPLE: (means, 0.0)}
    by = [inside.get(name, (means, between)) for name in squares.names]
    dof = [scatter.worth(d, excess) for (scatter, excess), d in zip(by, squares.dof, strict=True)]
    return replace(squares, dof=np.array(dof))


@dataclass(frozen=True)
class Stray:
    """A run, or all of a pretraining seed (``finetune`` None), that stands apart: where, and how surely."""

    cell: int
    pretrain: Any
    finetune: Any
    p: float

    def told(self, cells: Sequence[Cell]) -> str:
        """Name it."""
        cell = cells[self.cell]
        where = f", {group_name(cell.key)}" if len(cells) > 1 and cell.key else ""
        group = cell.runs[self.pretrain]
        if self.finetune is None:
            mean = np.mean(list(group.values()))
            return f"pretraining seed {self.pretrain} (mean {mean:.4g}{where})"
        seeds = f"pretraining seed {self.pretrain}, finetuning seed {self.finetune}"
        return f"{seeds} ({group[self.finetune]:.4g}{where})"


MASKED, HIDDEN = 2, 0.001
"""Runs taken away beyond those that stand apart, to see whether they hid each other, and the p that then tells."""


def strays(cells: Sequence[Cell]) -> tuple[list[Stray], list[Cell]]:
    """Name runs that stand apart, the surest first, and return the cells without them.

    The next is looked for among what is left, and all up to the last that stands apart are named: two that failed
    make a spread in which neither does. The first bounds false alarms.

    Source: Rosner (1983), Technometrics 25, 165-172.
    """
    named: list[Stray] = []
    lefts, sure = [list(cells)], 0
    units = max(len(_of_runs(cells).residuals), sum(c.pretrain for c in cells if c.pretrain > 2))
    while len(named) < min(units // 3, sure + 1 + MASKED):
        one = _farthest(lefts[-1])
        if one is None:
            break
        rest = [_without(c, one) if i == one.cell else c for i, c in enumerate(lefts[-1])]
        try:
            nested_cells(rest)
        except DesignError:
            break
        named, lefts = [*named, one], [*lefts, rest]
        if one.p < (FALSE_ALARMS if len(named) == sure + 1 else HIDDEN):
            sure = len(named)
    return named[:sure], lefts[sure]


def _farthest(cells: Sequence[Cell]) -> Stray | None:
    """Return what lies farthest off among all and in its own cell, too, for that may be a noisy one."""
    runs, seeds = _apart_runs(cells), _apart_seeds(cells)
    looks = len(runs) + len(seeds)
    first, second = (
        min(
            (replace(s, p=max(s.p * looks, own)) for s, own in kind),
            key=lambda s: s.p,
            default=None,
        )
        for kind in (runs, seeds)
    )
    # Runs come first: one that failed takes the mean of its seed with it.
    if first is None or (second is not None and second.p < FALSE_ALARMS <= first.p):
        return second
    return first


def _apart_runs(cells: Sequence[Cell]) -> list[tuple[Stray, float]]:
    """Each run's p against all runs of the table, and that of its own cell, times how many it has."""
    groups = [(i, seed) for i, c in enumerate(cells) for seed, g in c.runs.items() if len(g) > 1]
    every = iter(_of_runs(cells).apart())
    own = {i: iter(_own(_of_runs([c]))) for i, c in enumerate(cells)}
    looks = [sum(n if n > 2 else 1 for n in c.finetune) for c in cells]
    told = []
    for i, seed in groups:
        group = cells[i].runs[seed]
        ps = {name: (float(next(every)), float(next(own[i]))) for name in group}
        # Of a pair both lie as far from their mean: the one farther from the cell is meant, and the two are one look.
        names = [_farther(cells[i], group)] if len(group) == 2 else list(group)
        told += [(Stray(i, seed, n, ps[n][0]), ps[n][1] * looks[i]) for n in names]
    return told


def _own(scatter: Scatter) -> Floats:
    return scatter.apart() if scatter.freedom >= 2 else np.zeros(len(scatter.residuals))


def _farther(cell: Cell, pair: Any) -> Any:
    middle = float(np.median(cell.every))
    return max(pair, key=lambda name: abs(pair[name] - middle))


def _apart_seeds(cells: Sequence[Cell]) -> list[tuple[Stray, float]]:
    """Each seed mean's p, of cells with three and more, and that of its own cell, times how many it has."""
    told = [(i, c) for i, c in enumerate(cells) if c.pretrain > 2]
    every = iter(Scatter.of([c.means for _, c in told]).apart())
    return [
        (Stray(i, seed, None, float(next(every))), float(own) * c.pretrain)
        for i, c in told
        for seed, own in zip(c.runs, _own(Scatter.of([c.means])), strict=True)
    ]


def _without(cell: Cell, one: Stray) -> Cell:
    runs = {seed: dict(group) for seed, group in cell.runs.items()}
    if one.finetune is None or len(runs[one.pretrain]) == 1:
        del runs[one.pretrain]
    else:
        del runs[one.pretrain][one.finetune]
    return replace(cell, runs=runs, units={seed: cell.units[seed] for seed in runs})


# What of it a reader is told.


def scatter_notes(
    cells: Sequence[Cell],
    estimated: Callable[[Sequence[Cell]], Mapping[str, float]],
    what: str = "runs",
) -> tuple[str, ...]:
    """Note what takes intervals of variances below their level, where the data show it or cannot.

    ``estimated`` gives the components' variances as the answer has them; ``what`` is what each value is of.
    """
    told = [*_strays_note(cells, estimated), *_tails_note(cells)]
    runs = sum(sum(c.finetune) for c in cells)
    if not told and runs < FEW:
        share = 1 - FALSE_ALARMS ** (1 / runs)
        told = [
            f"{runs} {what} cannot show heavy tails, nor failures of up to {100 * share:.2g} % of {what}: the "
            f"intervals hold for {what} that scatter normally, and not the variance that rare failures would add"
        ]
    return (*_uneven(cells), *told)


def _uneven(cells: Sequence[Cell]) -> list[str]:
    values = [c.means if c.pretrain > 1 else c.every for c in cells]
    told = [(v, c) for v, c in zip(values, cells, strict=True) if len(v) > 2]
    off = [v - np.median(v) for v, _ in told]
    if len(told) < 2 or np.ptp(np.concatenate(off)) == 0:
        return []
    p = float(scipy.stats.levene(*off).pvalue)
    if p >= FALSE_ALARMS:
        return []
    sds = [float(v.std(ddof=1)) for v, _ in told]
    loudest = group_name(told[int(np.argmax(sds))][1].key)
    return [
        f"cells differ in seed noise (p = {p:.2g}; SD {min(sds):.3g} to {max(sds):.3g}, the most in {loudest}): the "
        "components are their average, and no single cell's"
    ]


def _strays_note(
    cells: Sequence[Cell], estimated: Callable[[Sequence[Cell]], Mapping[str, float]]
) -> list[str]:
    named, left = strays(cells)
    if not named:
        return []
    it = "it" if len(named) == 1 else "them"
    try:
        without = f"; without, {_sds(estimated(left))}"
    except DesignError:
        without = ""  # without them a crossed design may hang together no more
    return [f"{stand_apart(cells, named)}: with {it} {_sds(estimated(cells))}{without}"]


def stand_apart(cells: Sequence[Cell], named: Sequence[Stray]) -> str:
    """Name the runs that stand apart, and how surely they do."""
    who = some([s.told(cells) for s in named], 3, "; ")
    return (
        f"{who} {'stands' if len(named) == 1 else 'stand'} apart from all other runs (p = {named[0].p:.2g}; at "
        "most one table of normal runs in 20 names any)"
    )


def _sds(variances: Mapping[str, float]) -> str:
    return ", ".join(f"{name} SD {max(v, 0.0) ** 0.5:.3g}" for name, v in variances.items())


def _tails_note(cells: Sequence[Cell]) -> list[str]:
    scatters = [s for s in (_of_runs(cells), _of_means(cells)) if s.heavy]
    if not scatters:
        return []
    return [
        f"failed runs, heavy tails or cells of unequal noise (excess kurtosis {max(s.excess for s in scatters):.2g}): "
        f"intervals are widened for it, and hold the variance of such runs in {SEEN} % of cases, not surely 95"
    ]
