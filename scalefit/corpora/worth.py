"""What pretraining is worth: its gain over none, the finetuning data it replaces, and where it stops helping.

Effective data D_T of a pretraining size D_p at a finetuning size D_f solve q(D_p, D_f) = q(0, D_f + D_T): how many
finetuning tokens more a model without pretraining needs for the same quality (Hernandez et al. 2021, arXiv 2102.01293,
"effective data transferred"). The exchange rate is the slope of a line of equal quality, finetuning tokens a
pretraining token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import stdtr, stdtrit

from scalefit.corpora.value import Harm, Value, Worth, largest
from scalefit.types import Floats

_DRAWS = 2000


@dataclass(frozen=True)
class MeasuredCell:
    """Means of one metric at one pretraining and one finetuning size, over how many independent runs.

    ``squares`` is their sum about the mean, ``noise`` the standard deviation of one run there.
    """

    pretrain: float
    finetune: float
    mean: float
    runs: int
    squares: float = 0.0
    noise: float = float("nan")

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(self.noise / np.sqrt(self.runs))


@dataclass(frozen=True)
class Measure:
    """What is valued, and how well it is known.

    Attributes
    ----------
    metric, group : of whom.
    rises : whether more of the metric is better.
    dof : degrees of freedom behind what is known of the noise.
    level : confidence of intervals.
    seed : of the draws.
    """

    metric: str
    group: Mapping[str, Any]
    rises: bool
    dof: float
    level: float
    seed: int = 0

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return 1.0 if self.rises else -1.0

    def doubts(self, rng: np.random.Generator) -> Floats:
        """Draw by which factor the noise may be larger than it seems: (_DRAWS,)."""
        return np.asarray(np.sqrt(self.dof / rng.chisquare(self.dof, _DRAWS)))


def value_of(cells: Sequence[MeasuredCell], baseline: Sequence[MeasuredCell], of: Measure) -> Value:
    """Value a corpus' cells against those without pretraining, which have every finetuning size of ``cells``."""
    base = {c.finetune: c for c in baseline}
    rng = np.random.default_rng(of.seed)
    doubts = of.doubts(rng)
    drawn = _Drawn(sorted(base.values(), key=lambda c: c.finetune), of.sign, doubts, rng)
    worths = [_worth(c, base[c.finetune], drawn.effective(c, of.sign), of) for c in cells]
    top = [c for c in cells if c.pretrain == cells[-1].pretrain]
    return Value(
        of.metric,
        dict(of.group),
        tuple(worths),
        _last_noise(cells),
        _fades(worths, {c.finetune: _least_told(c, base[c.finetune]) for c in top}),
        _exchange(cells, of.sign, doubts, of.level, rng),
        of.level,
        nearest=min(base),
        farthest=max(base),
    )


class _Drawn:
    """The baseline over finetuning sizes, drawn many times and made to rise: what effective data are read off."""

    def __init__(
        self, cells: Sequence[MeasuredCell], sign: float, doubts: Floats, rng: np.random.Generator
    ) -> None:
        self.u = np.log([c.finetune for c in cells])
        means = sign * np.array([c.mean for c in cells])
        sd = doubts[:, None] * [c.error for c in cells]
        raw = means + sd * rng.standard_normal((_DRAWS, means.size))
        self.curves = np.array([isotonic_regression(row).x for row in raw])
        self.doubts, self.rng = doubts, rng

    def effective(self, cell: MeasuredCell, sign: float) -> Floats:
        """Draw the finetuning tokens that a cell's pretraining replaces: (_DRAWS,); ±inf outside of the baseline."""
        if self.u.size < 2:
            return np.full(_DRAWS, np.nan)
        q = sign * cell.mean + self.doubts * cell.error * self.rng.standard_normal(_DRAWS)
        same = np.array([_inverted(self.u, y, v) for y, v in zip(self.curves, q, strict=True)])
        with np.errstate(over="ignore"):
            more = np.exp(same) - cell.finetune
        more = np.where(np.abs(more) < 1e-6 * cell.finetune, 0.0, more)
        return np.asarray(np.where(np.isneginf(same), -np.inf, more))


def _inverted(u: Floats, y: Floats, value: float) -> float:
    """Return ln of the size at which a rising curve takes a value; ends are ±inf."""
    if value > y[-1]:
        return float("inf")
    if value < y[0]:
        return float("-inf")
    at = max(int(np.searchsorted(y, value)), 1)
    step = y[at] - y[at - 1]
    return float(
        u[at - 1] + (u[at] - u[at - 1]) * ((value - y[at - 1]) / step if step > 0 else 0.0)
    )


def over_start(cells: Sequence[MeasuredCell], of: Measure) -> Value:
    """Value finetuning over none: every size against the smallest, the model before finetuning.

    The first examples may harm: the deepest fall is the worst of many sizes, so its chance is that of the worst.
    """
    start, *rest = sorted(cells, key=lambda c: c.finetune)
    none = np.full(_DRAWS, np.nan)
    worths = tuple(_worth(c, start, none, of) for c in rest)
    harm = _harm(worths, [start, *rest], of)
    nan, group = float("nan"), dict(of.group)
    exchange, at = (nan, nan, nan), start.finetune
    return Value(
        of.metric, group, worths, _last_noise(cells), nan, exchange, of.level, (), at, harm
    )


def _harm(worths: Sequence[Worth], cells: Sequence[MeasuredCell], of: Measure) -> Harm | None:
    deepest = min(worths, key=lambda w: w.gain)
    if deepest.gain >= 0:
        return None
    rng = np.random.default_rng(of.seed)
    errors = of.doubts(rng)[:, None] * [c.error for c in cells]
    # Were all sizes alike, how often would the lowest of them look as bad? The deepest was picked after looking.
    flat = errors * rng.standard_normal((_DRAWS, len(cells)))
    chance = float(np.mean((flat[:, :1] - flat[:, 1:]).max(axis=1) >= -deepest.gain))
    lost = (-deepest.gain, -deepest.gain_high, -deepest.gain_low)
    return Harm(deepest.finetune, *lost, chance, _until(worths))


def _until(worths: Sequence[Worth]) -> float:
    """Return the finetuning size from which on nothing is lost, joined in ln D_f; inf where the last size loses."""
    last = max(i for i, w in enumerate(worths) if w.gain < 0)
    if last == len(worths) - 1:
        return float("inf")
    below, above = worths[last], worths[last + 1]
    share = -below.gain / (above.gain - below.gain)
    return float(below.finetune * (above.finetune / below.finetune) ** share)


def _worth(cell: MeasuredCell, base: MeasuredCell, draws: Floats, of: Measure) -> Worth:
    gain = of.sign * (cell.mean - base.mean)
    sd, one = np.hypot(cell.error, base.error), _one_run(cell, base)
    reach = float(stdtrit(of.dof, 0.5 + of.level / 2)) * sd
    below = [float(stdtr(of.dof, (x - gain) / max(sd, 1e-12))) for x in (-one, one)]
    low, middle, high = _quantiles(draws, of.level)
    size, gains = cell.pretrain, (gain, gain - reach, gain + reach)
    rate = middle / size if size > 0 else float("nan")
    chances = (1 - below[1], below[1] - below[0], below[0])
    return Worth(size, cell.finetune, *gains, middle, low, high, rate, *chances)


def _quantiles(draws: Floats, level: float) -> tuple[float, float, float]:
    if np.isnan(draws).all():
        return float("nan"), float("nan"), float("nan")
    ordered = np.sort(draws)  # not interpolated: between infinite draws there is no middle
    low, middle, high = (
        float(ordered[min(int(p * ordered.size), ordered.size - 1)])
        for p in (0.5 - level / 2, 0.5, 0.5 + level / 2)
    )
    return low, middle, high


def _one_run(cell: MeasuredCell, base: MeasuredCell) -> float:
    """Return the noise of one run that a gain is small against: pretrained or not."""
    return float(np.hypot(cell.noise, base.noise) / np.sqrt(2))


def _least_told(cell: MeasuredCell, base: MeasuredCell) -> float:
    """Return the least gain that is told from none: it exceeds one run's noise, and its own error."""
    return max(_one_run(cell, base), float(np.hypot(cell.error, base.error)))


def _last_noise(cells: Sequence[MeasuredCell]) -> float:
    return max(cells, key=lambda c: (c.finetune, c.pretrain)).noise


def _fades(worths: Sequence[Worth], noises: Mapping[float, float]) -> float:
    """Return where the gain of the largest pretraining size, joined in ln D_f, falls below the noise for good."""
    row = largest(worths)
    if len(row) < 2:
        return float("nan")
    noise = np.array([noises[w.finetune] for w in row])
    over = np.abs([w.gain for w in row]) - noise  # harm fades too
    u = np.log([w.finetune for w in row])
    above = np.flatnonzero(over > 0)
    if not above.size:
        return float(np.exp(u[0]))
    last = int(above[-1])
    if last == over.size - 1:
        return float("inf")
    share = over[last] / (over[last] - over[last + 1])
    return float(np.exp(u[last] + share * (u[last + 1] - u[last])))


def _exchange(
    cells: Sequence[MeasuredCell],
    sign: float,
    doubts: Floats,
    level: float,
    rng: np.random.Generator,
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
    sd = doubts[:, None] * [c.error for c in corner]
    y = sign * np.array([c.mean for c in corner])
    drawn = y + sd * rng.standard_normal((_DRAWS, y.size))
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
