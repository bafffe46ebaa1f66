"""Which parameters the data fix: the one rule that the verdict, the notes and every report go by.

A parameter is identified where its 95 % interval is much smaller than what it was allowed to be, and off the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple

import numpy as np

from scalefit.fitting.intervals.optimum import Ends
from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.problem import side_by_side
from scalefit.fitting.solve import Solution
from scalefit.laws.law import one_law
from scalefit.types import Floats, Mask

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


def identify_each(
    solutions: Sequence[Solution], doubts: Sequence[Uncertainty], allowed: Sequence[Allowed]
) -> list[Identified]:
    """Apply the rule to many fits, those of one law together."""
    out: dict[int, Identified] = {}
    for part in side_by_side([solution.problem for solution in solutions]):
        some = [doubts[i] for i in part]
        known = _identify_alike([solutions[i] for i in part], some, [allowed[i] for i in part])
        out |= zip(part, known, strict=True)
    return [out[i] for i in range(len(solutions))]


def _identify_alike(
    solutions: list[Solution], doubts: list[Uncertainty], allowed: list[Allowed]
) -> list[Identified]:
    law = one_law([s.problem.law for s in solutions])
    theta, names = np.array([s.theta for s in solutions]), law.parameters
    low, high = np.array([a.coordinates for a in allowed]).transpose(2, 0, 1)
    ends = np.array([[d.parameters(LEVEL)[n] for n in names] for d in doubts])
    edges = np.array([[a.quoted[n] for n in names] for a in allowed])
    lost, loose = np.isinf(ends).all(-1), _loose(solutions, doubts, low, high)
    for j in np.flatnonzero(loose.any(0)).tolist():
        moved = law.moved(theta[:, None], j, low[:, j, None], high[:, j, None])
        seen = [np.broadcast_to(moved[n], (len(theta), 1)) for n in names]
        lost |= np.concatenate(seen, axis=1) & loose[:, [j]]
    sided = ~lost & _open(ends, edges)
    pairs = zip(lost.tolist(), sided.tolist(), strict=True)
    return [Identified(frozenset(compress(names, a)), tuple(compress(names, b))) for a, b in pairs]


def _loose(
    solutions: list[Solution], doubts: list[Uncertainty], lowest: Floats, highest: Floats
) -> Mask:
    """Which coordinates (B, p) sit at a bound, do not move the curve, or may be almost anything that was allowed."""
    theta = np.array([s.theta for s in solutions])
    limits = np.array([s.problem.limits for s in solutions], dtype=float)
    at_bound = (theta <= limits[..., 0]) | (theta >= limits[..., 1])
    still = ~(np.array([d.best.at_points[1] for d in doubts]) != 0).any(-1)
    low, high = np.array([d.at(LEVEL).coordinates() for d in doubts]).swapaxes(0, 1)
    with np.errstate(invalid="ignore"):
        length = np.minimum(high, highest) - np.maximum(low, lowest)
        wide = np.isinf(high - low) | (length > MUCH * (highest - lowest))
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


def _open(ends: Floats, edges: Floats) -> Mask:
    """Whether an end is infinite, or lies at the edge of what was allowed; ends and edges are (..., 2)."""
    (low, high), (lowest, highest) = np.moveaxis(ends, -1, 0), np.moveaxis(edges, -1, 0)
    with np.errstate(invalid="ignore"):
        slack = EDGE * (high - low)
        met = (low <= lowest + slack) | ((high >= highest - slack) & (lowest < highest))
    return np.asarray(np.isinf(ends).any(-1) | met)
