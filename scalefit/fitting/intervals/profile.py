"""Profile-t intervals: the extremes over the likelihood region, for one curve or for many looked at together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from scalefit.fitting.intervals.face import Face
from scalefit.fitting.intervals.optimum import Ends, Optimum
from scalefit.fitting.intervals.region import (
    POINTS,
    POINTS_OF_ENDS,
    Regions,
    lay_regions,
    stack_optima,
)
from scalefit.fitting.problem import Problem, side_by_side
from scalefit.types import Floats

LARGE = 2_000  # points
# Sizes times cells at a time: temporaries of 128 kB stay in the cache, and malloc keeps them. Twice as many take
# half as long again.
_CELLS = 16_000
# Points times cells that are laid out at once: what a core's cache holds. Twice as many take longer, not less.
AT_ONCE = 150_000


def can_be_profiled(problem: Problem) -> bool:
    """Whether the region can be laid out: separable, few shapes, not too many points."""
    law = problem.law
    return law.separable and len(law.shapes) in POINTS and problem.y.size <= LARGE


class Extremes(NamedTuple):
    """Ends of the quoted parameters by name, and of the solver's coordinates: (p, 2)."""

    parameters: dict[str, Ends]
    coordinates: Floats


@dataclass(frozen=True, eq=False)
class Profile:
    """Profile-t intervals at one level: the extremes over the likelihood region, laid out once."""

    optimum: Optimum
    level: float
    method: str = "profile-t"

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        """The cells inside of the region, a face a way to hold coefficients at their bounds."""
        return _regions([self], POINTS).of(0)

    @cached_property
    def extremes(self) -> Extremes:
        """Ends of all parameters; :func:`look` finds those of many curves together."""
        return _extremes([self])[0]

    @property
    def limit(self) -> float:
        """Largest sum of squares in the region."""
        best = self.optimum
        # Exact data have no scatter; a limit of RSS itself would leave no ellipsoid to walk on.
        dust = 1e-30 * float(best.weights @ best.problem.target**2)
        return best.rss + max(best.t(self.level) ** 2 * best.s2, dust)

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        law = self.optimum.problem.law
        low, high = np.full(inputs[0].shape, np.inf), np.full(inputs[0].shape, -np.inf)
        for face in self.faces:
            shapes = tuple(face.shapes[:, 0, 0])
            block = max(1, _CELLS // max(face.rss.size, 1))
            for i in range(0, low.size, block):
                at = slice(i, i + block)
                columns = law.columns(tuple(x[at, None] for x in inputs), shapes)
                below, above = face.linear(columns, low[at].size)
                low[at], high[at] = np.minimum(low[at], below), np.maximum(high[at], above)
        return (np.exp(low), np.exp(high)) if law.link == "log" else (low, high)

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        ends = self.extremes.parameters
        return {name: ends[name] for name in names or ends}

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        low, high = self.extremes.coordinates.T
        return low, high

    def rise(self, weights: Floats, value: float) -> float:
        """How much the least RSS rises when Σ_j a_j c_j, ``weights`` (k,), is held at ``value``."""
        return min(face.cost_at(weights, value) for face in self.faces) - self.optimum.rss


def look(profiles: Sequence[Profile]) -> None:
    """Find the extremes of many curves' regions, those of one law and length together.

    They are the numbers that each profile finds alone. The regions themselves are not kept: of ten thousand curves
    they would take hundreds of megabytes.
    """
    for part in _packs([p for p in profiles if "extremes" not in vars(p)], POINTS_OF_ENDS):
        for profile, extremes in zip(part, _extremes(part), strict=True):
            vars(profile)["extremes"] = extremes  # where its cached property keeps it


def lay(profiles: Sequence[Profile]) -> None:
    """Lay the regions of some curves together and keep them, for the bands that are asked for next."""
    for part in _packs([p for p in profiles if "faces" not in vars(p)], POINTS):
        regions = _regions(part, POINTS)
        for row, profile in enumerate(part):
            vars(profile)["faces"] = regions.of(row)


def _packs(profiles: Sequence[Profile], points: Mapping[int, int]) -> Iterator[list[Profile]]:
    """Yield the curves of one law and length, as many as are laid out at once."""
    problems = [profile.optimum.problem for profile in profiles]
    cells = max((points[len(p.law.shapes)] ** len(p.law.shapes) for p in problems), default=1)
    for part in side_by_side(problems, lambda n: AT_ONCE // (n * cells)):
        yield [profiles[i] for i in part]


def _regions(profiles: Sequence[Profile], points: Mapping[int, int]) -> Regions:
    optima = stack_optima([p.optimum for p in profiles], [p.limit for p in profiles])
    return lay_regions(optima, points[len(optima.law.shapes)])


def _extremes(profiles: Sequence[Profile]) -> list[Extremes]:
    """Return the ends of each curve."""
    regions = _regions(profiles, POINTS_OF_ENDS)
    quoted, coordinates = regions.parameters(), regions.coordinates()
    named = zip(*(values.T.tolist() for values in quoted.values()), strict=True)
    return [
        Extremes(dict(zip(quoted, map(tuple, ends), strict=True)), coordinates[..., row])
        for row, ends in enumerate(named)
    ]
