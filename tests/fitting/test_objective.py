"""What is minimised: losses summed over points, never averaged."""

import numpy as np
import pytest
from scipy import special

from scalefit.fitting.problem import Objective
from scalefit.fitting.solve import solve
from scalefit.laws import LAWS, Coefficient, Law, Shape

R = np.array([-3.0, -0.4, -0.1, 0.0, 0.1, 0.4, 3.0])


def test_huber_is_scipys():
    np.testing.assert_allclose(Objective("huber", 0.4).rho(R), special.huber(0.4, R))


def test_soft_l1_is_half_a_square_near_0_and_a_line_far_out():
    objective = Objective("soft_l1", 0.4)
    assert objective.rho(np.array([1e-4]))[0] == pytest.approx(0.5e-8, rel=1e-4)
    assert objective.rho(np.array([1e3]))[0] == pytest.approx(0.4 * 1e3, rel=1e-3)


@pytest.mark.parametrize(
    "objective", [Objective(), Objective("huber", 0.4), Objective("soft_l1", 0.4)]
)
def test_slope_is_the_derivative_of_the_loss(objective):
    step = 1e-6
    numeric = (objective.rho(R + step) - objective.rho(R - step)) / (2 * step)
    np.testing.assert_allclose(objective.slope(R), numeric, atol=1e-6)
    assert (objective.curvature(R) > 0).all()


def test_objectives_name_themselves():
    assert str(Objective()) == "residual:linear|objective:squared"
    assert str(Objective("huber", 1e-3, "log")) == "residual:log|objective:huber(0.001)"


X = np.geomspace(1e6, 1e9, 12)
Y = 1.7 + 400 * X**-0.3 + 0.05 * np.sin(np.arange(12.0))
OBJECTIVES = [
    Objective(),
    Objective(residual="log"),
    Objective("huber", 0.02),
    Objective("huber", 0.005, "log"),
    Objective("soft_l1", 0.02),
    Objective("soft_l1", 0.005, "log"),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("name", ["power", "pure_power", "bansal", "rectified", "log"])
def test_nothing_nearby_is_better(name, objective):
    """The optimum beats 2,000 points around it, and its objective is the sum that is promised."""
    y = Y if LAWS[name].falls else 40 - 4 * (Y - 1.7)
    found = solve(LAWS[name], (X,), y, objective=objective)
    assert found.converged
    problem = found.problem
    rng = np.random.default_rng(0)
    near = found.theta * (
        1
        + rng.normal(size=(2000, 1)) * 0.02 * rng.normal(size=(2000, 3 + 1))[:, : found.theta.size]
    )
    low, high = problem.law.bounds(problem.inputs)
    near = np.clip(near, low, high)
    value = problem.law.value(problem.inputs, near)
    assert (problem.total(value, None) >= found.objective * (1 - 1e-9)).all()
    r = np.log(y) - np.log(found.fitted) if objective.residual == "log" else y - found.fitted
    assert found.objective == pytest.approx(objective.rho(r).sum(), rel=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_weights_count_as_copies_of_a_point(objective):
    """A weight of 3 is the point three times over; a weight of 0 leaves it out."""
    weights = np.ones(12)
    weights[[2, 5]] = 3, 0
    weighted = solve(LAWS["power"], (X,), Y, objective=objective, weights=weights)
    times = weights.astype(int)
    copied = solve(LAWS["power"], (np.repeat(X, times),), np.repeat(Y, times), objective=objective)
    assert weighted.objective == pytest.approx(copied.objective, rel=1e-9)
    assert weighted.params == pytest.approx(copied.params, rel=1e-5)


def test_a_known_scale_divides_the_residuals():
    scale = np.linspace(0.5, 2, 12)
    scaled = solve(LAWS["power"], (X,), Y, scale=scale)
    weighted = solve(LAWS["power"], (X,), Y, weights=scale**-2)
    assert scaled.params == pytest.approx(weighted.params, rel=1e-6)
    assert scaled.objective == pytest.approx(np.sum(((Y - scaled.fitted) / scale) ** 2), rel=1e-9)


def test_a_wide_huber_is_half_the_squares():
    squared = solve(LAWS["power"], (X,), Y)
    huber = solve(LAWS["power"], (X,), Y, objective=Objective("huber", 100.0))
    assert huber.objective == pytest.approx(squared.objective / 2, rel=1e-9)
    assert huber.params == pytest.approx(squared.params, rel=1e-5)


def test_a_second_basin_is_reported():
    """A wave of one frequency under two: each is a minimum, and the stronger one is found."""
    wave = Law(
        name="wave",
        formula="a·sin(k·x)",
        coefficients=(Coefficient("a"),),
        shapes=(Shape("k", (0.5, 8.0), points=121),),
        basis=lambda x, k: (np.sin(k * x),),
    )
    x = np.linspace(0, 6, 40)
    y = np.sin(2 * x) + 1.2 * np.sin(5 * x)
    found = solve(wave, (x,), y)
    assert found.params["k"] == pytest.approx(5, abs=0.1)
    assert found.rival is not None
    assert found.rival[1] == pytest.approx(2, abs=0.1)
    assert found.gap > 0
    again = found.problem.law.value((x,), found.rival)
    assert np.sum((y - again) ** 2) == pytest.approx(found.objective * (1 + found.gap), rel=1e-6)
