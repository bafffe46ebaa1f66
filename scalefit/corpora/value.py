"""What pretraining is worth: its gain over none, the finetuning data it replaces, and where it stops helping.

Effective data D_T of a pretraining size D_p at a finetuning size D_f solve q(D_p, D_f) = q(0, D_f + D_T): how many
finetuning tokens more a model without pretraining needs for the same quality (Hernandez et al. 2021, arXiv 2102.01293,
"effective data transferred"). The exchange rate is the slope of a line of equal quality, finetuning tokens a
pretraining token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import stdtr, stdtrit

from scalefit.groups import group_name
from scalefit.result import Result, Results, Row
from scalefit.types import Floats
from scalefit.units import format_count, short

DRAWS = 2000
SURE = 0.9


@dataclass(frozen=True)
class Cell:
    """Means of one metric at one pretraining and one finetuning size: over how many independent runs."""

    pretrain: float
    finetune: float
    mean: float
    runs: int


@dataclass(frozen=True)
class Worth:
    """What pretraining is worth in one cell.

    Attributes
    ----------
    pretrain, finetune : the sizes.
    gain, gain_low, gain_high : quality over no pretraining, better is positive.
    effective, effective_low, effective_high : finetuning tokens that it replaces; inf where no measured amount does,
        nan where no baseline was measured at two finetuning sizes.
    rate : effective tokens a pretraining token.
    p_helps, p_worthless, p_harms : probabilities that the gain exceeds the noise of one run, lies within it, or is
        a loss beyond it.
    """

    pretrain: float
    finetune: float
    gain: float
    gain_low: float
    gain_high: float
    effective: float
    effective_low: float
    effective_high: float
    rate: float
    p_helps: float
    p_worthless: float
    p_harms: float

    @property
    def state(self) -> str:
        """Whether it helps, is worthless, harms, or nobody can tell."""
        named = {"helps": self.p_helps, "worthless": self.p_worthless, "harms": self.p_harms}
        word = max(named, key=lambda k: named[k])
        return word if named[word] >= SURE else "unsure"


@dataclass(frozen=True)
class Harm:
    """The deepest fall of quality below the model before finetuning.

    Attributes
    ----------
    size : finetuning size at which it is deepest.
    loss, low, high : how much is lost there.
    chance : probability that noise alone shows such a fall at one of the sizes.
    until : finetuning size from which on nothing is lost any more; inf where that is not in sight.
    """

    size: float
    loss: float
    low: float
    high: float
    chance: float
    until: float

    @property
    def sure(self) -> bool:
        """Whether noise hardly shows such a fall."""
        return self.chance <= 1 - SURE

    def __str__(self) -> str:
        lost = f"lose {_ends(self.loss, self.low, self.high)} at {format_count(self.size)} finetuning tokens"
        back = (
            "not made up in sight"
            if np.isinf(self.until)
            else f"made up from {format_count(self.until)} on"
        )
        return f"its first examples {lost} (P {1 - self.chance:.2g}), {back}"


@dataclass(frozen=True, eq=False, repr=False)
class Value(Result):
    """What one corpus is worth for one task, over pretraining and finetuning sizes.

    Attributes
    ----------
    metric : str
    group : mapping
        Corpus, task and what else the rows have in common.
    cells : tuple of Worth
        One a measured pair of sizes.
    noise : standard deviation of one run: what a gain is small against.
    fades : finetuning size at which the gain of the largest pretraining size falls below the noise; inf where it is
        not in sight, nan with fewer than two finetuning sizes.
    exchange : (estimate, low, high), finetuning tokens a pretraining token along a line of equal quality at the
        largest cell; nan without a grid.
    level : confidence of intervals.
    notes : tuple of str
    start : finetuning size of the model before finetuning, where that is what is compared with; else nan.
    harm : the deepest fall below that model; None where nothing was lost, or nothing of the kind was asked.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 4 + ["fr"] * 4,
    ...     "pretrain_tokens": [0] * 4 + [1e8] * 4,
    ...     "finetune_tokens": [1e5, 1e6, 1e7, 1e8] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 28.0, 12.1, 18.0, 24.0, 30.0],
    ... }
    >>> value = sf.value(table, "bleu")[0]
    >>> [round(c.gain, 1) for c in value.cells]
    [8.1, 6.0, 4.0, 2.0]
    """

    metric: str
    group: Mapping[str, Any]
    cells: tuple[Worth, ...]
    noise: float
    fades: float
    exchange: tuple[float, float, float]
    level: float = 0.8
    notes: tuple[str, ...] = ()
    start: float = float("nan")
    harm: Harm | None = None

    @property
    def over_start(self) -> bool:
        """Whether the model before finetuning is what is compared with."""
        return bool(np.isfinite(self.start))

    @property
    def verdict(self) -> str:
        """The gain of the largest pretraining size at both ends of the finetuning sizes, and what it replaces."""
        name = group_name(self.group)
        row = largest(self.cells)
        first, last = row[0], row[-1]
        head = f"{name}: " if name else ""
        if self.over_start:
            lost = f"; {self.harm}" if self.harm is not None and self.harm.sure else ""
            return f"{head}finetuning {_gained(last)} at {format_count(last.finetune)} finetuning tokens{lost}"
        where = f"at {format_count(first.finetune)} finetuning tokens"
        size = "" if np.isnan(first.pretrain) else f" on {format_count(first.pretrain)}"
        line = f"{head}pretraining{size} {_gained(first)} {where}"
        if last is not first:
            line += f", {_gained(last)} at {format_count(last.finetune)}"
        if np.isfinite(first.effective):
            line += f"; worth {_ends(first.effective, first.effective_low, first.effective_high)} finetuning tokens"
        if np.isfinite(self.fades):
            line += (
                f"; within the noise of a run from {format_count(self.fades)} finetuning tokens on"
            )
        return line

    def rows(self) -> list[Row]:
        """Return one row a cell."""
        return [
            {
                **self.group,
                "pretrain_tokens": c.pretrain,
                "finetune_tokens": c.finetune,
                "gain": c.gain,
                "low": c.gain_low,
                "high": c.gain_high,
                "effective_tokens": c.effective,
                "effective_tokens_low": c.effective_low,
                "effective_tokens_high": c.effective_high,
                "rate": c.rate,
                "p_helps": c.p_helps,
                "p_worthless": c.p_worthless,
                "p_harms": c.p_harms,
                "state": c.state,
            }
            for c in self.cells
        ]

    def shown(self) -> list[Row]:
        """Return one row a cell for people: the gain, the finetuning data it replaces, what is sure."""
        return [
            {
                **self.group,
                "pretrain_tokens": c.pretrain,
                "finetune_tokens": c.finetune,
                "gain": f"{c.gain:.3g} [{c.gain_low:.3g}, {c.gain_high:.3g}]",
                **({} if self.over_start else {"effective_tokens": c.effective}),
                "state": c.state,
            }
            for c in self.cells
        ]


@dataclass(frozen=True, eq=False, repr=False)
class Values(Results[Value]):
    """What every corpus is worth; ``values["fr"]`` is one or some of them.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 3 + ["fr"] * 3,
    ...     "pretrain_tokens": [0] * 3 + [1e8] * 3,
    ...     "finetune_tokens": [1e5, 1e6, 1e7] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 12.1, 18.0, 24.0],
    ... }
    >>> values = sf.value(table, "bleu")
    >>> len(values), len(values["fr"].cells)
    (1, 3)
    """

    MEMBERS = "values"

    values: tuple[Value, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    about_data: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the values say besides, and groups that could not be valued."""
        said = [note for value in self for note in value.notes]
        return (
            *self.about_data,
            *dict.fromkeys(said),
            *(f"{name}: {why}" for name, why in self.failures.items()),
        )

    @property
    def verdict(self) -> str:
        """How often pretraining helps, is worthless or harms."""
        if len(self) == 1:
            return self[0].verdict
        states = [c.state for v in self for c in v.cells]
        counts = ", ".join(
            f"{states.count(s)} {s}" for s in ("helps", "worthless", "harms", "unsure")
        )
        if self[0].over_start:
            harmed = [v.harm for v in self if v.harm is not None and v.harm.sure]
            lasting = sum(np.isinf(h.until) for h in harmed)
            return (
                f"{len(self)} models and tasks: in {len(harmed)} the first finetuning examples harm, in {lasting} of "
                f"them to the end; {len(states)} finetuning sizes: {counts}"
            )
        return f"{len(self)} corpora and tasks, {len(states)} cells of pretraining × finetuning size: {counts}"

    def rows(self) -> list[Row]:
        """Return one row a cell of every group."""
        return [row for value in self for row in value.rows()]

    def shown(self) -> list[Row]:
        """Return one row a cell of every group for people."""
        return [row for value in self for row in value.shown()]

    def above(self) -> tuple[str, ...]:
        """Return the verdict of every group, where there are several."""
        return tuple(value.verdict for value in self) if len(self) > 1 else ()


def value_of(
    cells: Sequence[Cell],
    baseline: Sequence[Cell],
    *,
    metric: str,
    group: Mapping[str, Any],
    rises: bool,
    noise: float,
    dof: float,
    level: float,
    seed: int = 0,
) -> Value:
    """Value a corpus' cells against the cells without pretraining.

    Parameters
    ----------
    cells, baseline : sequence of Cell
        Measured means; the baseline's have ``pretrain`` 0, and every finetuning size of ``cells`` is among theirs.
    rises : bool
        Whether more of the metric is better.
    noise, dof : float
        Standard deviation of one run, and the degrees of freedom behind it.
    level : float
        Confidence of intervals.
    """
    sign = 1.0 if rises else -1.0
    base = {c.finetune: c for c in baseline}
    rng = np.random.default_rng(seed)
    sds = noise * np.sqrt(dof / rng.chisquare(dof, DRAWS))
    drawn = _Drawn(sorted(base.values(), key=lambda c: c.finetune), sign, sds, rng)
    worths = [
        _worth(c, base[c.finetune], drawn.effective(c, sign), sign, noise, dof, level)
        for c in cells
    ]
    return Value(
        metric,
        dict(group),
        tuple(worths),
        noise,
        _fades(worths, noise),
        _exchange(cells, sign, sds, level, rng),
        level,
    )


class _Drawn:
    """The baseline over finetuning sizes, drawn many times and made to rise: what effective data are read off."""

    def __init__(
        self, cells: Sequence[Cell], sign: float, sds: Floats, rng: np.random.Generator
    ) -> None:
        self.u = np.log([c.finetune for c in cells])
        means = sign * np.array([c.mean for c in cells])
        sd = sds[:, None] / np.sqrt([c.runs for c in cells])
        raw = means + sd * rng.standard_normal((DRAWS, means.size))
        self.curves = np.array([isotonic_regression(row).x for row in raw])
        self.sds, self.rng = sds, rng

    def effective(self, cell: Cell, sign: float) -> Floats:
        """Draw the finetuning tokens that a cell's pretraining replaces: (DRAWS,); inf beyond the largest baseline."""
        if self.u.size < 2:
            return np.full(DRAWS, np.nan)
        q = sign * cell.mean + self.sds / np.sqrt(cell.runs) * self.rng.standard_normal(DRAWS)
        same = np.array([_inverted(self.u, y, v) for y, v in zip(self.curves, q, strict=True)])
        with np.errstate(over="ignore"):
            more = np.exp(same) - cell.finetune
        return np.asarray(np.where(np.abs(more) < 1e-6 * cell.finetune, 0.0, more))


def _inverted(u: Floats, y: Floats, value: float) -> float:
    """Return ln of the size at which a rising curve takes a value; ends are ±inf."""
    if value > y[-1]:
        return float("inf")
    if value < y[0]:
        return float(u[0])
    at = max(int(np.searchsorted(y, value)), 1)
    step = y[at] - y[at - 1]
    return float(
        u[at - 1] + (u[at] - u[at - 1]) * ((value - y[at - 1]) / step if step > 0 else 0.0)
    )


def over_start(
    cells: Sequence[Cell],
    *,
    metric: str,
    group: Mapping[str, Any],
    rises: bool,
    noise: float,
    dof: float,
    level: float,
    seed: int = 0,
) -> Value:
    """Value finetuning over none: every size against the smallest, the model before finetuning.

    The first examples may harm: the deepest fall is the worst of many sizes, so its chance is that of the worst.
    """
    sign = 1.0 if rises else -1.0
    start, *rest = sorted(cells, key=lambda c: c.finetune)
    none = np.full(DRAWS, np.nan)
    worths = tuple(_worth(c, start, none, sign, noise, dof, level) for c in rest)
    harm = _harm(worths, [start, *rest], noise, dof, np.random.default_rng(seed))
    lost = (float("nan"),) * 3
    return Value(
        metric, dict(group), worths, noise, float("nan"), lost, level, (), start.finetune, harm
    )


def _harm(
    worths: Sequence[Worth],
    cells: Sequence[Cell],
    noise: float,
    dof: float,
    rng: np.random.Generator,
) -> Harm | None:
    deepest = min(worths, key=lambda w: w.gain)
    if deepest.gain >= 0:
        return None
    sds = noise * np.sqrt(dof / rng.chisquare(dof, DRAWS))[:, None]
    flat = sds * rng.standard_normal((DRAWS, len(cells))) / np.sqrt([c.runs for c in cells])
    chance = float(np.mean((flat[:, :1] - flat[:, 1:]).max(axis=1) >= -deepest.gain))
    return Harm(
        deepest.finetune,
        -deepest.gain,
        -deepest.gain_high,
        -deepest.gain_low,
        chance,
        _until(worths),
    )


def _until(worths: Sequence[Worth]) -> float:
    """Return the finetuning size from which on nothing is lost, joined in ln D_f; inf where the last size loses."""
    last = max(i for i, w in enumerate(worths) if w.gain < 0)
    if last == len(worths) - 1:
        return float("inf")
    below, above = worths[last], worths[last + 1]
    share = -below.gain / (above.gain - below.gain)
    return float(below.finetune * (above.finetune / below.finetune) ** share)


def _worth(
    cell: Cell, base: Cell, draws: Floats, sign: float, noise: float, dof: float, level: float
) -> Worth:
    gain = sign * (cell.mean - base.mean)
    sd = noise * np.sqrt(1 / cell.runs + 1 / base.runs)
    reach = float(stdtrit(dof, 0.5 + level / 2)) * sd
    below = [float(stdtr(dof, (x - gain) / max(sd, 1e-12))) for x in (-noise, noise)]
    low, middle, high = _quantiles(draws, level)
    return Worth(
        cell.pretrain,
        cell.finetune,
        gain,
        gain - reach,
        gain + reach,
        middle,
        low,
        high,
        middle / cell.pretrain if cell.pretrain > 0 else float("nan"),
        1 - below[1],
        below[1] - below[0],
        below[0],
    )


def _quantiles(draws: Floats, level: float) -> tuple[float, float, float]:
    if np.isnan(draws).all():
        return float("nan"), float("nan"), float("nan")
    ordered = np.sort(draws)
    low, middle, high = (
        float(ordered[min(int(p * ordered.size), ordered.size - 1)])
        for p in (0.5 - level / 2, 0.5, 0.5 + level / 2)
    )
    return low, middle, high


def largest(worths: Sequence[Worth]) -> list[Worth]:
    """Return the cells of the largest pretraining size, nan where none is known, by ascending finetuning size."""
    top = max(w.pretrain for w in worths)
    return sorted(
        (w for w in worths if w.pretrain == top or np.isnan(top)), key=lambda w: w.finetune
    )


def _fades(worths: Sequence[Worth], noise: float) -> float:
    """Return where the gain of the largest pretraining size, joined in ln D_f, falls below the noise for good."""
    row = largest(worths)
    if len(row) < 2:
        return float("nan")
    gains = np.abs([w.gain for w in row])  # harm fades too
    u = np.log([w.finetune for w in row])
    above = np.flatnonzero(gains > noise)
    if not above.size:
        return float(np.exp(u[0]))
    last = int(above[-1])
    if last == gains.size - 1:
        return float("inf")
    share = (gains[last] - noise) / (gains[last] - gains[last + 1])
    return float(np.exp(u[last] + share * (u[last + 1] - u[last])))


def _exchange(
    cells: Sequence[Cell], sign: float, sds: Floats, level: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return ∂q/∂D_p ÷ ∂q/∂D_f at the largest cell of a grid, from a plane in both logarithms through its corner."""
    lost = (float("nan"),) * 3
    pretrain = sorted({c.pretrain for c in cells if c.pretrain > 0})[-3:]
    finetune = sorted({c.finetune for c in cells})[-3:]
    corner = [c for c in cells if c.pretrain in pretrain and c.finetune in finetune]
    if len(pretrain) < 2 or len(finetune) < 2 or len(corner) < 4:
        return lost
    design = np.array([[1.0, np.log(c.pretrain), np.log(c.finetune)] for c in corner])
    if np.linalg.matrix_rank(design) < 3:
        return lost
    sd = sds[:, None] / np.sqrt([c.runs for c in corner])
    y = sign * np.array([c.mean for c in corner])
    drawn = y + sd * rng.standard_normal((DRAWS, y.size))
    slopes = drawn @ np.linalg.pinv(design).T
    with np.errstate(divide="ignore", invalid="ignore"):
        # dq = s_p·dD_p/D_p + s_f·dD_f/D_f: per token, each slope is over its own size
        rate = np.where(
            slopes[:, 2] > 0,
            np.maximum(slopes[:, 1], 0.0) / pretrain[-1] / (slopes[:, 2] / finetune[-1]),
            np.inf,
        )
    low, middle, high = _quantiles(rate, level)
    return middle, low, high


def _gained(worth: Worth) -> str:
    word = "gains" if worth.gain >= 0 else "loses"
    return f"{word} {_ends(abs(worth.gain), *sorted((worth.gain_low, worth.gain_high)))} ({worth.state})"


def _ends(middle: float, low: float, high: float) -> str:
    shown = format_count if max(abs(middle), abs(low) if np.isfinite(low) else 0) >= 1000 else short
    low_, high_ = ("∞" if np.isinf(v) else shown(v) for v in (low, high))
    return f"{shown(middle)} [{low_}, {high_}]"
