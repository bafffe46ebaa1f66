"""Every law's profile intervals against brute force: a general optimiser at the edge of the likelihood region."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import optimize

from scalefit.fitting.intervals.optimum import Optimum, rss_of
from scalefit.fitting.intervals.profile import Profile
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.solve import solve_problem
from scalefit.laws import LAWS
from tests.laws.test_contract import CASES, truths

NOISE = 0.005  # of the span of the curve
WALD = {
    "broken",
    "broken_twice",
    "data_constrained",
    "repeated_mixture",
    "skaling",
}  # of too many shapes
CLOSE = 1e-3  # of an interval's width


def optimum(name):
    """One truth of a law, with noise, fitted."""
    law, inputs = LAWS[name].anchored(CASES[name].inputs), CASES[name].inputs
    curve = law.value(inputs, law.theta(truths(name, 1, seed=3)[0]))
    noise = np.random.default_rng(10).standard_normal(curve.shape)
    problem = make_problem(law, inputs, curve + NOISE * np.ptp(curve) * noise, Objective())
    theta, dof = solve_problem(problem).theta, curve.size - len(law.coordinates)
    weights = np.ones(curve.size)
    rss = rss_of(problem, law.value(inputs, theta), weights)
    return Optimum(problem, weights, theta, rss / dof, dof)


@dataclass(frozen=True)
class Edge:
    """The region theta = best + axes · z, in coordinates z where it is a unit ball as far as the curve is a plane."""

    best: Optimum
    limit: float

    @property
    def room(self):
        return self.limit - self.best.rss

    @property
    def axes(self):
        u, s, _ = np.linalg.svd(self.best.at_points[1], full_matrices=False)
        return u / s * np.sqrt(self.room)

    def farthest(self, quantity, side, starts):
        """Largest side × quantity(theta) found in the region, by SLSQP from several starts."""
        best, axes, problem = self.best, self.axes, self.best.problem
        low, high = problem.bounds
        longest = np.abs(axes).sum(1)

        def at(z):
            return np.clip(best.theta + axes @ z, low, high)

        def left(z):
            value, jac = best.on_link(*problem.law.jacobian(problem.inputs, at(z)))
            off = problem.target - value
            return (self.limit - off @ off) / self.room, 2 * (jac @ off) @ axes / self.room

        def aim(z):
            return -side * quantity(at(z))

        rules = [{"type": "ineq", "fun": lambda z: left(z)[0], "jac": lambda z: left(z)[1]}]
        for bound, sign in ((low, 1.0), (high, -1.0)):
            keep = np.isfinite(bound)
            if keep.any():
                slopes = (sign * axes / longest[:, None])[keep]
                gap = (sign * (best.theta - bound) / longest)[keep]
                rule = {"fun": lambda z, a=slopes, b=gap: b + a @ z, "jac": lambda z, a=slopes: a}
                rules.append({"type": "ineq", **rule})
        scale = max(abs(aim(1e-3 * e) - aim(0 * e)) for e in np.eye(len(axes))) * 1e3
        found = -np.inf
        for start in starts:
            done = optimize.minimize(
                lambda z: (aim(z) - aim(0 * z)) / scale,
                start,
                constraints=rules,
                method="SLSQP",
                options={"ftol": 1e-10, "maxiter": 200},
            )
            if left(done.x)[0] > -1e-6:
                found = max(found, side * quantity(at(done.x)))
        return side * found


@pytest.mark.parametrize("name", sorted(set(LAWS) - WALD))
def test_ends_are_those_that_a_general_optimiser_finds(name):
    best = optimum(name)
    profile, size = Profile(best, 0.95), best.theta.size
    starts = [np.zeros(size), *np.random.default_rng(1).standard_normal((1, size)) * 0.3]
    edge = Edge(best, profile.limit)
    for quoted, (low, high) in profile.parameters().items():
        # what spans powers of ten is known to a factor
        scale = np.log if low > 0 and high > 10 * low else float

        def quantity(theta, quoted=quoted, scale=scale):
            return float(scale(best.problem.law.params(theta)[quoted]))

        with np.errstate(all="ignore"):
            force = [edge.farthest(quantity, side, starts) for side in (-1, 1)]
        ours = [float(scale(low)), float(scale(high))]
        assert ours == pytest.approx(force, abs=CLOSE * (force[1] - force[0])), quoted
