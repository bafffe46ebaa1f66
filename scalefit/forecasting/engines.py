"""Which engine forecasts a metric (losses fall to a floor, quality rises in its range), and who learns from whom."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol

import numpy as np

from scalefit.errors import DomainError, TableError
from scalefit.forecasting.losses import Atoms, LawShares, learn_losses, settle_losses
from scalefit.forecasting.predictive import Predictive, Reach
from scalefit.forecasting.quality import Learned, forecast_quality, learn_quality, reach_quality
from scalefit.forecasting.series import Series
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Kind


class Engine(Protocol):
    """What both engines do: learn from a table, settle its curves, and answer for them, many at a time.

    ``learned`` is what one table teaches, shared by its curves; a curve that is settled holds it and all that sizes
    and targets do not change.
    """

    def learn(self, curves: Sequence[Series]) -> Any:
        """Return what the backtests of these curves teach."""

    def settle(self, curves: Sequence[Series], learned: Any) -> list[Any]:
        """Return what answers any size and target, one a curve."""

    def forecast(
        self, settled: Sequence[Any], at: Sequence[Floats], kind: Kind
    ) -> list[Predictive]:
        """Return the distribution of each curve at its sizes, all beyond the measured ones."""

    def reach(self, settled: Sequence[Any], targets: Sequence[float]) -> list[Reach]:
        """Return when each curve reaches its target."""


@dataclass(frozen=True)
class Losses:
    """Exact Bayes over laws with a discrepancy that bends with the residuals; siblings share the laws' weights."""

    def learn(self, curves: Sequence[Series]) -> LawShares | None:
        """Return what the evidences of the table's curves say of the laws together."""
        return learn_losses(curves)

    def settle(self, curves: Sequence[Series], learned: LawShares | None) -> list[Atoms]:
        """Integrate over laws, shapes and noise: nearly all that a forecast costs."""
        return settle_losses(curves, learned)

    def forecast(
        self, settled: Sequence[Atoms], at: Sequence[Floats], kind: Kind
    ) -> list[Predictive]:
        """Return the distribution of each curve at its sizes."""
        return [atoms.forecast(x, kind) for atoms, x in zip(settled, at, strict=True)]

    def reach(self, settled: Sequence[Atoms], targets: Sequence[float]) -> list[Reach]:
        """Return when each curve falls to its target."""
        return [atoms.reach(target) for atoms, target in zip(settled, targets, strict=True)]


@dataclass(frozen=True)
class Perplexities:
    """The loss whose exponential a perplexity is: laws hold for the loss, and its forecast is told in the metric."""

    loss: Losses = Losses()

    def learn(self, curves: Sequence[Series]) -> LawShares | None:
        """Return what the losses teach together."""
        return self.loss.learn([_logarithm(curve) for curve in curves])

    def settle(self, curves: Sequence[Series], learned: LawShares | None) -> list[Atoms]:
        """Integrate over the laws of the losses."""
        return self.loss.settle([_logarithm(curve) for curve in curves], learned)

    def forecast(
        self, settled: Sequence[Atoms], at: Sequence[Floats], kind: Kind
    ) -> list[Predictive]:
        """Return the distribution of each curve at its sizes."""
        said = self.loss.forecast(settled, at, kind)
        return [replace(p, values=np.exp(p.values)) for p in said]

    def reach(self, settled: Sequence[Atoms], targets: Sequence[float]) -> list[Reach]:
        """Return when each curve falls to its target."""
        return self.loss.reach(settled, [math.log(target) for target in targets])


def _logarithm(curve: Series) -> Series:
    """Return the curve of the loss; seeds differ by as much in it as they do in parts of the perplexity."""
    y = np.log(np.maximum(curve.y, 1.0))
    relative = curve.seed_var / float(curve.y[-1]) ** 2
    return replace(curve, y=y, seed_var=relative, bottom=0.0)


Taught = tuple[Series, Learned]


@dataclass(frozen=True)
class Quality:
    """Guesses anchored at the last value, weighed by what the table's own backtests showed."""

    def learn(self, curves: Sequence[Series]) -> Learned:
        """Return weights and doubt that the table's curves share."""
        return learn_quality(curves)

    def settle(self, curves: Sequence[Series], learned: Learned) -> list[Taught]:
        """Return the curves with what they learned; one call answers for curves that learned together."""
        return [(curve, learned) for curve in curves]

    def forecast(
        self, settled: Sequence[Taught], at: Sequence[Floats], kind: Kind
    ) -> list[Predictive]:
        """Return the distribution of each curve at its sizes."""
        longest = max(x.size for x in at)
        padded = np.stack([np.pad(x, (0, longest - x.size), mode="edge") for x in at])
        said = forecast_quality([c for c, _ in settled], padded, settled[0][1], kind=kind)
        return [replace(p.first(x.size), x=x) for p, x in zip(said, at, strict=True)]

    def reach(self, settled: Sequence[Taught], targets: Sequence[float]) -> list[Reach]:
        """Return when each curve rises to its target."""
        wanted = np.asarray(targets, dtype=float)
        return reach_quality([c for c, _ in settled], wanted, settled[0][1])


@dataclass(frozen=True, eq=False)
class RatesLearned:
    """What a table's curves teach of a rate: as quality what is right, as losses what is missing."""

    right: Learned
    missing: LawShares | None


@dataclass(frozen=True, eq=False)
class Rate:
    """A rate that both engines have settled."""

    right: Taught
    missing: Atoms


@dataclass(frozen=True)
class Rates:
    """A rate, told as what is right (accuracy) or as what is missing (error): one forecast for either.

    Near the top laws hold for what is missing, near the bottom they know less than the table's own backtests. So they
    are believed by how much is right, beside what is missing, and by how narrow their band is beside the other.
    """

    rises: bool
    quality: Quality = Quality()
    losses: Losses = Losses()

    def learn(self, curves: Sequence[Series]) -> RatesLearned:
        """Return what both engines learn."""
        right, missing = self._told(curves)
        return RatesLearned(self.quality.learn(right), self.losses.learn(missing))

    def settle(self, curves: Sequence[Series], learned: RatesLearned) -> list[Rate]:
        """Settle both."""
        right, missing = self._told(curves)
        taught = self.quality.settle(right, learned.right)
        return list(map(Rate, taught, self.losses.settle(missing, learned.missing)))

    def forecast(
        self, settled: Sequence[Rate], at: Sequence[Floats], kind: Kind
    ) -> list[Predictive]:
        """Return the distribution of each curve at its sizes: quantiles averaged, so that doubt is kept."""
        said = list(self._said(settled, at, kind))
        # Of the mean's band belief would be another, and its median not a new run's.
        known = said if kind == "run" else self._said(settled, [_NOWHERE] * len(at), "run")
        return [
            right.beside(missing, belief)
            for (right, missing, _), (_, _, belief) in zip(said, known, strict=True)
        ]

    def reach(self, settled: Sequence[Rate], targets: Sequence[float]) -> list[Reach]:
        """Return when each curve reaches its target."""
        tops = [rate.right[0].top for rate in settled]
        other = [top - target for top, target in zip(tops, targets, strict=True)]
        right, missing = (targets, other) if self.rises else (other, targets)
        said = zip(
            self.quality.reach([rate.right for rate in settled], right),
            self.losses.reach([rate.missing for rate in settled], missing),
            self._said(settled, [_NOWHERE] * len(settled), "run"),
            strict=True,
        )
        return [
            replace(q, probability=(1 - belief) * q.probability + belief * m.probability)
            for q, m, (_, _, belief) in said
        ]

    def _told(self, curves: Sequence[Series]) -> tuple[list[Series], list[Series]]:
        """Return the curves of what is right, and of what is missing; 1 where nothing is, which nobody believes."""
        other = [c.missing for c in curves]
        told = [c.missing for c in other]
        right, missing = (told, other) if self.rises else (other, told)
        return right, [c if c.y.any() else replace(c, y=np.ones_like(c.y)) for c in missing]

    def _said(
        self, rates: Sequence[Rate], at: Sequence[Floats], kind: Kind
    ) -> Iterator[tuple[Predictive, Predictive, float]]:
        """Yield what both engines say of each curve, in the metric's own unit, and how far the laws are believed."""
        # Belief is the same at all sizes and asks for one more: forecasts of their own would cost as much again.
        further = [np.append(x, _AHEAD * r.right[0].x[-1]) for x, r in zip(at, rates, strict=True)]
        right = self.quality.forecast([rate.right for rate in rates], further, kind)
        missing = self.losses.forecast([rate.missing for rate in rates], further, kind)
        for rate, q, m in zip(rates, right, missing, strict=True):
            top = rate.right[0].top
            q, m = (q, _turned(m, top, "error")) if self.rises else (_turned(q, top, "accuracy"), m)
            yield q.first(-1), m.first(-1), _belief(rate.right[0], q, m)


_AHEAD = 4.0  # where the engines' bands are set beside each other, over the largest size
_NOWHERE = np.empty(0)


def _belief(right: Series, quality: Predictive, losses: Predictive) -> float:
    """Return what the laws of what is missing carry, once both odds are halved in logarithms: few sizes say either."""
    misses = right.missing.y
    if not misses.all():  # fewer than can be told: logarithms know no zero, and no law reaches it
        return 0.0
    wide, narrow = (
        float(np.ptp(p.interval(0.8), axis=0)[-1]) + 1e-12 * right.top for p in (quality, losses)
    )
    against = misses[-1] / max(right.y[-1], 1e-12) * narrow / wide
    return float(1 / (1 + against**0.5))


def _turned(said: Predictive, top: float, told: str) -> Predictive:
    """Return a forecast of what is left to the top: its laws and notes say of what."""
    weights = {f"{name} of the {told}": share for name, share in said.weights.items()}
    notes = tuple(f"as {told}: {note}" for note in said.notes)
    return replace(said.missing(top), weights=weights, notes=notes)


def engine_for(metric: str) -> Engine:
    """Return the engine of a metric, by its direction.

    Raises DomainError: nobody knows whether more of this metric is better.
    """
    known = metric_of(metric)
    if known.direction is None:
        raise DomainError(
            f"nobody told whether more {metric} is better, so no law can be chosen for it; name a law "
            f"(law='power' falls, law='ceiling' rises), or register the metric with its direction and range"
        )
    if known.is_rate:
        return Rates(known.rises)
    if known.rises:
        return Quality()
    return Perplexities() if known.is_perplexity else Losses()


def check_target(target: float, metric: str, values: Floats) -> None:
    """Refuse a target on another scale than the metric's.

    Raises DomainError: the target is no number, or lies where the metric never is; the message says where it was
    measured.
    """
    if isinstance(target, bool) or not isinstance(target, Real):
        raise DomainError(f"target is {target!r}; give a number in the metric's own unit")
    bottom, top = ends_of(metric, values)
    if not (np.isfinite(target) and bottom <= target <= top):
        raise DomainError(
            f"target is {target:g}; {metric} lies between {bottom:.4g} and {top:.4g} (measured: "
            f"{np.min(values):.4g} to {np.max(values):.4g}); give the target on that scale"
        )


def ends_of(metric: str, y: Floats) -> tuple[float, float]:
    """Return the range in which forecasts of a metric lie.

    A rising metric without an upper end (a reward) gets one four times as far above its values as they reach.
    """
    known = metric_of(metric).up_to(float(np.max(y, initial=-np.inf)))
    low, high = known.lower, known.upper
    if known.rises and not (np.isfinite(low) and np.isfinite(high)):
        span = float(np.ptp(y)) or max(abs(float(np.max(y))), 1.0)
        low = low if np.isfinite(low) else min(0.0, float(np.min(y)) - span)
        high = high if np.isfinite(high) else float(np.max(y)) + 4.0 * span
    return low, high


Pool = str | Sequence[str]
AUTO, NONE = "auto", "none"


def pools_of(groups: Sequence[Mapping[str, Any]], pool: Pool = AUTO) -> list[list[int]]:
    """Return the indices of the curves of each pool.

    Parameters
    ----------
    groups : what the rows of each curve have in common.
    pool : {"auto", "none"} or columns; all curves of the table; each alone; or those that agree in these columns.

    Raises TableError: a column that does not make the groups.

    Examples
    --------
    >>> groups = [{"corpus": c, "task": t} for t in ("en-de", "en-fr") for c in ("fr", "code")]
    >>> pools_of(groups), pools_of(groups, ["task"])
    ([[0, 1, 2, 3]], [[0, 1], [2, 3]])
    """
    if pool == AUTO:
        return [list(range(len(groups)))]
    if pool == NONE:
        return [[i] for i in range(len(groups))]
    columns = [pool] if isinstance(pool, str) else list(pool)
    known = list(dict.fromkeys(key for group in groups for key in group))
    for column in columns:
        if column not in known:
            raise TableError(
                f"pool={column!r}: curves learn from each other within columns that make the groups, found "
                f"{', '.join(known) or 'none'}; or pool='auto' (all curves), 'none' (each alone)"
            )
    by: dict[tuple[Any, ...], list[int]] = {}
    for i, group in enumerate(groups):
        by.setdefault(tuple(group.get(column) for column in columns), []).append(i)
    return list(by.values())
