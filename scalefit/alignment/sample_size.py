"""How many pretraining seeds would decide: the number that an inconclusive verdict names.

Two questions are asked of the curve's own shape, with the seed noise that was measured: would a fall of one margin at
the last size be confirmed, and would its absence be? Both are simulated with the very test that gives the verdict.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from scalefit.types import Floats

from . import hayter
from .falls import Falls, falls, passes
from .noise import Design, Noise, estimate

_DRAWS, _SEED, _MOST, _POWER = 1000, 11, 128, 0.8


@dataclass(frozen=True)
class SampleSize:
    """What it would take.

    Attributes
    ----------
    seeds : pretraining seeds at every size; 0 where not even the most that are looked at would do.
    confirm_fall : probability that they confirm a fall of `fall` at the last size.
    confirm_none : probability that they confirm "no fall beyond the margin" if there is none.
    fall, sd : the fall and the seed noise it was computed for.
    """

    seeds: int
    confirm_fall: float
    confirm_none: float
    fall: float
    sd: float

    def __str__(self) -> str:
        """Return the promise in words."""
        if not self.seeds:
            return f"more than {_MOST} pretraining seeds per size at a seed SD of {self.sd:.2g}"
        return (
            f"{self.seeds} pretraining seeds per size (at a seed SD of {self.sd:.2g}, a fall of "
            f"{self.fall:.2g} at the last size would be confirmed with probability "
            f"{self.confirm_fall:.2f}, and its absence with {self.confirm_none:.2f})"
        )


def isotonic(means: Floats) -> Floats:
    """Return the non-decreasing least-squares curve through oriented means (pool adjacent violators)."""
    # scipy.optimize has one: loading it takes longer than judging a table does.
    blocks: list[tuple[float, int]] = []
    for value in means:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (high, n), (low, m) = blocks[-2], blocks[-1]
            blocks[-2:] = [((high * n + low * m) / (n + m), n + m)]
    return np.concatenate([np.full(n, v) for v, n in blocks])


@dataclass(frozen=True, eq=False)
class PowerQuestion:
    """The question: a non-decreasing curve (K,), the seed noise, the design, margin and level."""

    means: Floats
    sd: float
    design: Design
    margin: float
    alpha: float

    def sees_fall(self, runs: int) -> float:
        """Power to confirm that the last size falls by one margin, by the very test in use."""
        return float(passes(self._fallen(runs), self.alpha).mean())

    def surely_sees_fall(self, runs: int) -> float:
        """Return the same without the refinement for steep curves: less, and much quicker."""
        fallen = self._fallen(runs)
        height = hayter.critical(len(self.means), fallen.noise.nu, self.alpha)
        return float((fallen.largest > height).mean())

    def sees_none(self, runs: int) -> float:
        """Power to confirm that no fall exceeds the margin, if there is none."""
        seen = self._seen(self.means, runs)
        return float((seen.upper(self.alpha) < self.margin).mean())

    def _fallen(self, runs: int) -> Falls:
        fallen = self.means.copy()
        fallen[-1] = self.means[:-1].max() - self.margin
        return self._seen(fallen, runs)

    def _seen(self, means: Floats, runs: int) -> Falls:
        noise = _noise(len(means), runs, self.design)
        return falls(replace(noise, effects=means + self.sd * noise.effects, sd=self.sd * noise.sd))


@lru_cache(maxsize=32)
def _noise(sizes: int, runs: int, design: Design) -> Noise:
    """Return what runs with a noise of one say of it: groups of one table ask for the same."""
    drawn = np.random.default_rng(_SEED).standard_normal((_DRAWS, sizes, runs))
    return estimate(drawn, design)


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int:
    """Smallest number in low .. high for which `enough` holds; it holds for `high`."""
    return low + bisect_left(range(low, high), True, key=enough)


def seeds_to_tell(
    means: Floats, sd: float, design: Design, margin: float, alpha: float
) -> SampleSize:
    """Fewest pretraining seeds with which both answers would be confirmed in four cases of five.

    Parameters
    ----------
    means : oriented means, (K,); the shape asked about is the rising curve through them.
    sd : standard deviation of one run.
    design : how the sizes share runs.
    margin, alpha : as in the verdict.
    """
    plan = PowerQuestion(isotonic(means), sd, design, margin, alpha)

    sees_none, sees_fall = cache(plan.sees_none), cache(plan.sees_fall)

    @cache
    def quick(runs: int) -> bool:
        return sees_none(runs) >= _POWER and plan.surely_sees_fall(runs) >= _POWER

    top = 4
    while not quick(top) and top < _MOST:
        top *= 2
    if top >= _MOST:
        return SampleSize(0, sees_fall(_MOST), sees_none(_MOST), margin, sd)
    high = _fewest(quick, 2, top)
    low = _fewest(lambda runs: sees_none(runs) >= _POWER, 2, high)
    seeds = _fewest(lambda runs: sees_fall(runs) >= _POWER, low, high) if low < high else high
    return SampleSize(seeds, sees_fall(seeds), sees_none(seeds), margin, sd)
