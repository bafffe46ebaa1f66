"""Which parameters the data fix: the one rule that the verdict, the notes and every report go by.

A parameter is identified where its 95 % interval is much smaller than what it was allowed to be, and off the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.solve import Solution
from scalefit.laws.law import Law
from scalefit.types import Floats

Ends = tuple[float, float]
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


def identify(solution: Solution, uncertainty: Uncertainty) -> Identified:
    """Apply the rule to a fit."""
    law, theta = solution.problem.law, solution.theta
    allowed = _allowed(solution)
    loose = _loose(solution, uncertainty, allowed)
    names = law.parameters
    lost = {
        name
        for j in np.flatnonzero(loose)
        for name in law.moved(theta, int(j), (allowed[j, 0], allowed[j, 1]))
    }
    ends = uncertainty.parameters(LEVEL)
    lost |= {n for n in names if np.isinf(ends[n]).all()}
    edges = _edges(law, theta, allowed)
    open_sided = (n for n in names if n not in lost and _open(ends[n], edges[n]))
    return Identified(frozenset(lost), tuple(open_sided))


def _allowed(solution: Solution) -> Floats:
    """Lowest and highest value (p, 2) of each coordinate: its bounds, and the data for a floor or a ceiling."""
    law, y = solution.problem.law, solution.problem.y
    out = np.array(solution.problem.limits, dtype=float)
    for j, coordinate in enumerate(law.coefficients):
        if law.link == "identity" and coordinate.role == "floor":
            out[j, 1] = min(out[j, 1], float(y.min()))
        if law.link == "identity" and coordinate.role == "ceiling":
            out[j, 0] = max(out[j, 0], float(y.max()))
    return out


def _loose(solution: Solution, uncertainty: Uncertainty, allowed: Floats) -> Floats:
    """Which coordinates (p,) sit at a bound, do not move the curve, or may be almost anything that was allowed."""
    law, theta = solution.problem.law, solution.theta
    at_bound = [name in solution.at_bound for name in law.coordinates]
    still = ~(law.jacobian(solution.problem.inputs, theta)[1] != 0).any(axis=1)
    low, high = uncertainty.at(LEVEL).coordinates()
    with np.errstate(invalid="ignore"):
        length = np.minimum(high, allowed[:, 1]) - np.maximum(low, allowed[:, 0])
        wide = np.isinf(high - low) | (length > MUCH * (allowed[:, 1] - allowed[:, 0]))
    return np.asarray(at_bound | still | wide)


def within_reach(solution: Solution, ends: Mapping[str, Ends]) -> dict[str, Ends]:
    """Return intervals of quoted parameters without values that none of them can take: a scale is never below 0.

    Wald's, the jackknife's and widened intervals know no bounds; where a parameter cannot be negative, neither is the
    low end of its interval. An infinite end says that there is no interval, and stays.
    """
    edges = _edges(solution.problem.law, solution.theta, _allowed(solution))
    return {
        name: (max(low, 0.0) if edges[name][0] >= 0 and np.isfinite(low) else low, high)
        for name, (low, high) in ends.items()
    }


def _edges(law: Law, theta: Floats, allowed: Floats) -> dict[str, tuple[float, float]]:
    """Range of each quoted parameter while one coordinate after the other goes through what is allowed."""
    far = 1e9 * (np.abs(theta) + 1)
    corners = np.tile(theta, (allowed.size, 1))
    for j, (low, high) in enumerate(allowed):
        corners[2 * j, j], corners[2 * j + 1, j] = max(low, -far[j]), min(high, far[j])
    out = {}
    with np.errstate(all="ignore"):
        for name, values in law.params(corners).items():
            values = np.broadcast_to(values, allowed.size)
            out[name] = (
                float(np.nanmin(values, initial=np.inf)),
                float(np.nanmax(values, initial=-np.inf)),
            )
    return out


def _open(ends: tuple[float, float], edges: tuple[float, float]) -> bool:
    """Whether an end is infinite, or lies at the edge of what was allowed."""
    (low, high), (lowest, highest) = ends, edges
    slack = EDGE * (high - low)
    return bool(
        np.isinf([low, high]).any()
        or low <= lowest + slack
        or (high >= highest - slack and lowest < highest)
    )
