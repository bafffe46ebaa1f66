"""Pooled mean squares and limits of a difference, written out once more: for what levels alone would not notice."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scalefit.errors import DesignError
from scalefit.seeds import anova
from scalefit.seeds.anova import FINETUNE, PRETRAIN, MeanSquares, nested_squares
from scalefit.seeds.design import Cell, between_dof, crossed_cells, nested_cells


def cell(groups, first=0, size=1e6):
    runs = {p: dict(enumerate(values)) for p, values in enumerate(groups)}
    return Cell({"pretrain_tokens": size}, runs, {p: f"run {first + p}" for p in runs})


SMALL = cell([[1.0, 2.0], [4.0, 6.0]])
LARGE = cell([[1.0, 1.5, 3.0], [7.0], [2.0, 2.5, 2.5, 4.0], [9.0, 8.0]], first=10)


def test_cells_weigh_by_their_degrees_of_freedom():
    pooled = nested_cells([SMALL, LARGE])
    spread = [c.means.var(ddof=1) for c in (SMALL, LARGE)]
    inverse = np.mean([1 / 2, 1 / 2]), np.mean([1 / 3, 1, 1 / 4, 1 / 2])
    between, shared = np.average(spread, weights=[1, 3]), np.average(inverse, weights=[1, 3])
    assert pooled.of(PRETRAIN) == pytest.approx(between / shared)
    assert pooled.size == pytest.approx(1 / shared)
    assert pooled.dof.tolist() == [4, 2 + 6]


def test_lone_finetuning_runs_tell_nothing_of_finetuning_seeds():
    alone = nested_cells([cell([[1.0], [3.0]]), cell([[2.0], [6.0]], first=5)])
    assert alone.names == (f"{PRETRAIN} + {FINETUNE}",)
    assert alone.values.tolist() == [5.0]  # (2 + 8) / 2
    with_pairs = nested_cells([cell([[1.0], [3.0]]), cell([[2.0, 4.0], [6.0]], first=5)])
    assert with_pairs.of(FINETUNE) == 2.0
    assert with_pairs.dof[1] == 1


def test_cells_that_share_runs_count_by_what_these_have_in_common():
    ab, bc, cd = (Cell({}, {0: {0: 1.0}, 1: {0: 2.0}}, {0: a, 1: b}) for a, b in ("ab", "bc", "cd"))
    assert between_dof([ab, cd]) == 2
    assert between_dof([ab, ab]) == 1
    assert between_dof([ab, bc, cd]) == 9 / 4  # (a − b)² and (b − c)² correlate by a quarter


@pytest.mark.parametrize(
    ("alike", "least", "most"), [(0.0, 15.0, 24.0), (0.6, 8.0, 17.0), (1.0, 6, 6)]
)
def test_sizes_of_one_run_count_as_far_as_their_seeds_move_together(alike, least, most):
    rng = np.random.default_rng(0)
    dofs = []
    for _ in range(50):
        y = alike**0.5 * rng.normal(size=7) + (1 - alike) ** 0.5 * rng.normal(size=(4, 7))
        cells = [cell(size[:, None]) for size in y]
        dofs.append(between_dof(cells))
    assert least - 1e-9 <= np.mean(dofs) <= most + 1e-9
    assert min(dofs) >= 6 - 1e-9
    assert max(dofs) <= 24


def test_crossed_cells_pool_what_they_do_not_share():
    rng = np.random.default_rng(0)
    tables = rng.normal(size=(2, 4, 3))
    pooled = crossed_cells([cell(t, first=10 * i) for i, t in enumerate(tables)])
    each = anova.factorial(tables, (PRETRAIN, FINETUNE))
    assert pooled.values == pytest.approx(each.values.mean(0))
    assert pooled.dof.tolist() == [
        6,
        2,
        12,
    ]  # pretraining runs are other ones, finetuning seeds the same
    assert pooled.size == 3
    unlike = crossed_cells([cell(tables[0]), cell(tables[1][:3], first=10)])
    assert unlike.dof.tolist() == [5, 2, 6 + 4]


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 4)])
def test_what_is_complete_has_the_classical_squares(shape):
    names = ("a", "b", "c")[: len(shape)]
    y = np.random.default_rng(1).normal(size=shape)
    known = anova.factorial(y, names)
    subsets = [s for k in range(1, len(shape) + 1) for s in combinations(range(len(shape)), k)]
    squares, dof, *holds = np.array([anova._added(y, s, subsets) for s in subsets]).T
    assert squares / dof == pytest.approx(known.values)
    assert dof == pytest.approx(known.dof)
    inverse = np.linalg.inv(np.array(holds).T / dof[:, None])
    assert inverse == pytest.approx(np.array([known.components[n] for n in known.names]), abs=1e-9)


def test_an_effect_beside_gaps_is_what_it_adds_to_a_regression():
    y = np.random.default_rng(2).normal(size=(3, 4))
    y[1, 2] = y[0, 0] = np.nan
    at, values = np.argwhere(np.isfinite(y)), y[np.isfinite(y)]
    second = np.eye(4)[at[:, 1]]
    both = np.hstack([np.eye(3)[at[:, 0]], second])
    left = [np.linalg.lstsq(x, values, rcond=None)[0] for x in (second, both)]
    rest = [((values - x @ beta) ** 2).sum() for x, beta in zip((second, both), left, strict=True)]
    squares = anova.crossed([y], ("a", "b"))
    assert squares.of("a") == pytest.approx((rest[0] - rest[1]) / 2)
    assert squares.of("rest") == pytest.approx(rest[1] / (10 - 6))
    assert squares.dof.tolist() == [2, 3, 4]


def test_gaps_leave_components_unbiased_and_their_intervals_near_the_level():
    rng, pattern = np.random.default_rng(3), np.ones((5, 4))
    pattern[[0, 1, 2, 4], [0, 1, 2, 0]] = np.nan
    held, estimates = [], []
    for _ in range(400):
        y = rng.normal(size=(5, 1)) + 0.7 * rng.normal(size=(1, 4)) + 0.5 * rng.normal(size=(5, 4))
        squares = anova.crossed([y * pattern], ("a", "b"))
        estimates.append([squares.estimate(name) for name in ("a", "b", "rest")])
        low, high, _ = anova.component(squares, "a")
        held.append(low <= 1 <= high)
    error = np.std(estimates, axis=0) / 20
    assert (np.abs(np.mean(estimates, axis=0) - [1, 0.49, 0.25]) < 3.5 * error).all()
    assert np.mean(held) > 0.95 - 3.5 * np.sqrt(0.05 * 0.95 / 400)


def test_what_gaps_leave_unconnected_is_refused_by_name():
    nested = np.full((3, 6), np.nan)
    for i in range(3):
        nested[i, 2 * i : 2 * i + 2] = i + np.arange(2.0)
    with pytest.raises(DesignError, match="do not tell the part of 'a'"):
        anova.crossed([nested], ("a", "b"))


def mls(a, b, dof, level):
    """Ting et al. 1990: limits of E[a] − E[b] for a ≥ b."""
    tail, (n, m) = (1 - level) / 2, dof
    g1, h2 = 1 - n / stats.chi2.ppf(1 - tail, n), m / stats.chi2.ppf(tail, m) - 1
    h1, g2 = n / stats.chi2.ppf(tail, n) - 1, 1 - m / stats.chi2.ppf(1 - tail, m)
    up, down = stats.f.ppf(1 - tail, n, m), stats.f.ppf(tail, n, m)
    lower = ((up - 1) ** 2 - g1**2 * up**2 - h2**2) / up
    upper = ((1 - down) ** 2 - h1**2 * down**2 - g2**2) / down
    low = g1**2 * a**2 + h2**2 * b**2 + lower * a * b
    high = h1**2 * a**2 + g2**2 * b**2 + upper * a * b
    return a - b - np.sqrt(max(low, 0)), a - b + np.sqrt(max(high, 0))


@given(
    st.floats(0.1, 10),
    st.floats(1, 30),
    st.tuples(st.integers(2, 20), st.integers(2, 40)),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_limits_of_a_difference_are_those_of_their_source(b, ratio, dof, level):
    limits = anova.difference((ratio * b, b), dof, level)
    assert limits == pytest.approx(mls(ratio * b, b, dof, level), rel=1e-6, abs=1e-9 * b)
    # The same two mean squares, named the other way round.
    turned = MeanSquares(
        ("b", "a"),
        np.array([b, ratio * b]),
        np.array(dof[::-1], float),
        {"x": np.array([-0.5, 0.5])},
    )
    low, high, method = anova.component(turned, "x", level)
    assert method == "MLS"
    assert (2 * low, 2 * high) == pytest.approx(limits, rel=1e-6, abs=1e-9 * b)


def test_one_mean_square_alone_has_the_limits_of_chi_square():
    low, high = anova.difference((8.0, 0.0), (5, 9))
    assert (low, high) == pytest.approx([8 * 5 / stats.chi2.ppf(q, 5) for q in (0.975, 0.025)])
    assert anova.chi_square(np.array(8.0), 5) == pytest.approx((low, high))


def test_sums_are_no_differences_and_levels_are_heard():
    both = MeanSquares(("a", "b"), np.array([2.0, 3.0]), np.array([6.0, 8.0]), {"x": np.ones(2)})
    wide, narrow = (anova.component(both, "x", level) for level in (0.95, 0.5))
    assert wide[2] == "generalised"
    assert wide[0] < narrow[0] < 5 < narrow[1] < wide[1]
    assert anova.generalised(both, "x") == anova.generalised(both, "x")


def test_a_setting_with_no_scatter_inside_is_all_of_the_variance():
    point, low, high = anova.icc(nested_squares(4.0, 0.0, 3, 8, 3))
    assert (point, low, high) == (1, 1, 1)
