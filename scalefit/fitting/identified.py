"""Which parameters the data fix: the one rule that the verdict, the notes and every report go by.

A parameter is identified where its 95 % interval is much smaller than what it was allowed to be, and off the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scalefit.fitting.intervals.optimum import Ends
from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.problem import side_by_side
from scalefit.fitting.solve import Solution
from scalefit.laws.law import one_law
from scalefit.types import Floats

LEVEL = 0.95
MUCH = 0.5  # of the range that a coordinate was allowed: an interval as long says no more than the range did
EDGE = 1e-6


@dataclass(frozen=True)
class Identified:
    """What the data say of each quoted parameter.

    Attributes
    ----------
    lost : parameters that are not identified.
    one_sided : identified from one side only, in the law's order.
    """

    lost: frozenset[str]
    one_sided: tuple[str, ...]

    @property
    def line(self) -> str:
        """Say it in one line."""
        if self.lost:
            return f"not identified: {', '.join(sorted(self.lost))}"
        if self.one_sided:
            return f"bounded on one side only: {', '.join(sorted(self.one_sided))}"
        return "all parameters identified"


class Allowed(NamedTuple):
    """What parameters could be at all: lowest and highest of each coordinate (p, 2), and of each quoted parameter.

    A quoted parameter's range is the one that it has while one coordinate after the other goes through its own.
    """

    coordinates: Floats
    quoted: dict[str, Ends]


def allowed_each(solutions: Sequence[Solution]) -> list[Allowed]:
    """Take the range of each coordinate from its bounds, and from the data for a floor or a ceiling."""
    out: dict[int, Allowed] = {}
    for part in side_by_side([solution.problem for solution in solutions]):
        out |= zip(part, _allowed_alike([solutions[i] for i in part]), strict=True)
    return [out[i] for i in range(len(solutions))]


def _allowed_alike(solutions: list[Solution]) -> list[Allowed]:
    problems = [solution.problem for solution in solutions]
    law, theta = one_law([p.law for p in problems]), np.array([s.theta for s in solutions])
    allowed = np.array([problem.limits for problem in problems], dtype=float)
    for j, coordinate in enumerate(law.coefficients):
        if law.link == "identity" and coordinate.role == "floor":
            allowed[:, j, 1] = np.minimum(allowed[:, j, 1], [p.y.min() for p in problems])
        if law.link == "identity" and coordinate.role == "ceiling":
            allowed[:, j, 0] = np.maximum(allowed[:, j, 0], [p.y.max() for p in problems])
    # A number far out stands for an open bound: infinity times a parameter of 0 would be nan.
    far, every = 1e9 * (np.abs(theta) + 1), np.arange(theta.shape[1])
    corners = np.repeat(theta[:, None], 2 * every.size, axis=1)
    corners[:, 2 * every, every] = np.maximum(allowed[..., 0], -far)
    corners[:, 2 * every + 1, every] = np.minimum(allowed[..., 1], far)
    with np.errstate(all="ignore"):
        quoted = law.params(corners)
        table = np.array([np.broadcast_to(v, corners.shape[:2]) for v in quoted.values()])
        ends = np.stack([np.fmin.reduce(table, axis=-1), np.fmax.reduce(table, axis=-1)], axis=-1)
    named = (
        dict(zip(quoted, map(tuple, rows), strict=True)) for rows in ends.swapaxes(0, 1).tolist()
    )
    return [Allowed(one, names) for one, names in zip(allowed, named, strict=True)]


def identify(solution: Solution, uncertainty: Uncertainty, allowed: Allowed) -> Identified:
    """Apply the rule to a fit."""
    law, theta = solution.problem.law, solution.theta
    loose = _loose(solution, uncertainty, allowed.coordinates)
    names = law.parameters
    lost = {
        name
        for j in np.flatnonzero(loose)
        for name in law.moved(theta, int(j), tuple(allowed.coordinates[j]))
    }
    ends = uncertainty.parameters(LEVEL)
    lost |= {n for n in names if np.isinf(ends[n]).all()}
    open_sided = (n for n in names if n not in lost and _open(ends[n], allowed.quoted[n]))
    return Identified(frozenset(lost), tuple(open_sided))


def _loose(solution: Solution, uncertainty: Uncertainty, allowed: Floats) -> Floats:
    """Which coordinates (p,) sit at a bound, do not move the curve, or may be almost anything that was allowed."""
    held = solution.at_bound
    at_bound = [name in held for name in solution.problem.law.coordinates]
    still = ~(uncertainty.best.at_points[1] != 0).any(axis=1)
    low, high = uncertainty.at(LEVEL).coordinates()
    with np.errstate(invalid="ignore"):
        length = np.minimum(high, allowed[:, 1]) - np.maximum(low, allowed[:, 0])
        wide = np.isinf(high - low) | (length > MUCH * (allowed[:, 1] - allowed[:, 0]))
    return np.asarray(at_bound | still | wide)


def within_reach(allowed: Allowed, ends: Mapping[str, Ends]) -> dict[str, Ends]:
    """Return intervals of quoted parameters without values that none of them can take: a scale is never below 0.

    Wald's, the jackknife's and widened intervals know no bounds; where a parameter cannot be negative, neither is the
    low end of its interval. An infinite end says that there is no interval, and stays.
    """
    return {
        name: (max(low, 0.0), high)
        if allowed.quoted[name][0] >= 0 and math.isfinite(low)
        else (low, high)
        for name, (low, high) in ends.items()
    }


def _open(ends: tuple[float, float], edges: tuple[float, float]) -> bool:
    """Whether an end is infinite, or lies at the edge of what was allowed."""
    (low, high), (lowest, highest) = ends, edges
    slack = EDGE * (high - low)
    return bool(
        math.isinf(low)
        or math.isinf(high)
        or low <= lowest + slack
        or (high >= highest - slack and lowest < highest)
    )
