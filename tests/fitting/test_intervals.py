"""Profile, Wald and jackknife behind one interface, against brute force; and which of them a fit gets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

import scalefit as sf
from scalefit.fitting.intervals.optimum import Wald, rss_of, standard_errors
from scalefit.fitting.intervals.profile import Profile, look
from scalefit.fitting.intervals.scatter import GROWTH, mixed_half
from scalefit.fitting.intervals.uncertainty import lay_together
from scalefit.fitting.problem import Objective

X = np.geomspace(1e6, 1e10, 7)
NOISE = np.random.default_rng(4).normal(size=7)


def log_fit(noise, **options):
    y = 20 * (np.log(X / 1e4) / np.log(1e8 / 1e4)) ** 1.2 + noise * NOISE
    return sf.fit({"D": X, "bleu": y}, "bleu", "log", inputs={"D": "D"}, **options)


def power_fit(noise, law="power"):
    return sf.fit({"D": X, "v": 1.7 + 400 * X**-0.3 + noise * NOISE}, "v", law, inputs={"x": "D"})


def alike(fit, level=0.95):
    """Intervals for noise that is known to be alike at all sizes: brute force and textbooks take it for that."""
    return fit.uncertainty.at(level).inner


def by_force(fit, quantity, level=0.95):
    """Extremes of a function of theta where the sum of squares stays under its limit, by a general optimiser."""
    best = fit.uncertainty.best
    problem, theta = best.problem, best.theta
    limit = best.rss + best.t(level) ** 2 * best.s2
    scale = np.maximum(np.abs(theta), 1e-3)

    def room(u):
        with np.errstate(all="ignore"):
            rss = rss_of(problem, problem.law.value(problem.inputs, u * scale), best.weights)
        return 1 - rss / limit if np.isfinite(rss) else -1e3

    bounds = [(low / s, high / s) for (low, high), s in zip(problem.limits, scale, strict=True)]
    ends = []
    for side in (1, -1):
        found = []
        for start in (1.0, 1.02, 0.98):
            done = optimize.minimize(
                lambda u, side=side: side * quantity(u * scale),
                np.clip(theta / scale * start, *np.array(bounds).T),
                constraints={"type": "ineq", "fun": room},
                bounds=bounds,
                method="SLSQP",
                options={"ftol": 1e-12, "maxiter": 500},
            )
            if room(done.x) > -1e-6:
                found.append(side * done.fun)
        ends.append(min(found) if side == 1 else max(found))
    return ends


def test_parameters_have_the_profile_that_a_general_optimiser_finds():
    fit = power_fit(0.03)
    for name, (low, high) in alike(fit).parameters().items():
        # A is far apart on a plain scale
        scale = (lambda v: np.log(max(v, 1e-9))) if name == "A" else float
        expected = by_force(fit, lambda t, n=name, f=scale: float(f(fit.law.params(t)[n])))
        ours = scale(low), scale(high)
        assert ours == pytest.approx(expected, abs=0.02 * (expected[1] - expected[0]))


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.4])
def test_a_bent_region_is_found_to_its_tips(noise):
    """The log-law's, on 800 × 800 shapes: D0 and beta are known to a factor, and their region is a banana."""
    fit = log_fit(noise)
    best = fit.uncertainty.best
    problem, (b, kappa) = best.problem, best.theta[1:]
    limit, around = best.rss + best.t(0.95) ** 2 * best.s2, min(0.5, 3 * noise)
    low, high = np.clip(kappa * (1 + 8 * noise * np.array([-1, 1])), *problem.limits[2])
    axes = b * np.linspace(1 - around, 1 + around, 800), np.linspace(low, high, 800)
    B, K = np.meshgrid(*axes, indexing="ij")
    gram = moment = square = 0.0
    for x, y, w in zip(X, problem.y, best.weights, strict=True):
        (phi,) = problem.law.columns((x,), (B, K))
        gram, moment, square = gram + w * phi**2, moment + w * phi * y, square + w * y**2
    inside = square - moment**2 / gram <= limit
    theta = np.stack([moment / gram, B, K], axis=-1)[inside]
    assert abs(theta[:, 1] / b - 1).max() < 0.99 * around, "all of it is on these shapes"
    for name in ("D0", "beta"):
        values, ours = fit.law.params(theta)[name], [*alike(fit).parameters()[name]]
        expected = [values.min(), values.max()]
        if name == "D0":  # known to a factor
            expected, ours = np.log(np.maximum([expected, ours], 1.0))
        if np.isfinite(expected).all():
            assert ours == pytest.approx(expected, abs=0.03 * (expected[1] - expected[0]))
        else:
            assert ours[1] > 100


def test_the_curve_has_the_profile_that_a_general_optimiser_finds():
    fit = log_fit(0.3)
    for x in (1e7, 1e11):
        low, high = alike(fit).curve((np.array([x]),))
        expected = by_force(fit, lambda t, x=x: float(fit.law.value((np.array([x]),), t)[0]))
        assert (low[0], high[0]) == pytest.approx(expected, abs=0.01 * (expected[1] - expected[0]))


def test_a_parameter_that_is_no_linear_function_of_the_coefficients():
    """√A is quoted: its interval is the square root of the one that A has, and holds the estimate."""
    root = replace(
        sf.LAWS["pure_power"],
        name="root",
        reported=("root_A", "alpha"),
        report=lambda a, alpha, x_ref: {"root_A": np.sqrt(a * x_ref**alpha), "alpha": alpha},
        unreport=lambda root_A, alpha, x_ref: (root_A**2 * x_ref**-alpha, alpha),
    )
    data = {"D": X, "v": 400 * X**-0.3 * np.exp(0.02 * NOISE)}
    plain = alike(sf.fit(data, "v", "pure_power", inputs={"x": "D"})).parameters()["A"]
    rooted = sf.fit(data, "v", root, inputs={"x": "D"})
    low, high = alike(rooted).parameters()["root_A"]
    assert low < rooted.params["root_A"] < high
    assert (low**2, high**2) == pytest.approx(plain, rel=1e-3)


def test_a_ratio_of_coefficients_has_its_profile():
    line = sf.Law(
        name="ratio",
        formula="a + b·ln x",
        coefficients=(sf.Coefficient("a"), sf.Coefficient("b")),
        basis=lambda x: (1.0, np.log(x)),
        reported=("ratio", "b"),
        report=lambda a, b: {"ratio": a / b, "b": b},
        unreport=lambda ratio, b: (ratio * b, b),
    )
    fit = sf.fit({"x": X, "v": 2 + 0.5 * np.log(X) + 0.1 * NOISE}, "v", line, inputs={"x": "x"})
    expected = by_force(fit, lambda theta: float(theta[0] / theta[1]))
    assert alike(fit).parameters()["ratio"] == pytest.approx(expected, rel=1e-3)


def test_other_scatter_gives_other_intervals():
    """`dataclasses.replace` gives the right answer: nothing is remembered from the object it came from."""
    fit = power_fit(0.03)
    before = fit.uncertainty.parameters(0.95)["alpha"]
    best = replace(fit.uncertainty.best, s2=4 * fit.uncertainty.best.s2)
    after = replace(fit.uncertainty, best=best).parameters(0.95)["alpha"]
    assert after[1] - after[0] > 1.7 * (before[1] - before[0])
    assert fit.uncertainty.parameters(0.95)["alpha"] == before


def test_parameters_that_trade_places_have_no_interval():
    """a·b·x^−c: only the product is seen. A pseudo-inverse gave a the interval [−4.03, −3.89]."""
    v = [5.03, 4.49, 4.02, 3.58, 3.15, 2.86, 2.55, 2.27]
    x = [1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9, 3e9]
    fit = sf.fit({"x": x, "v": v}, "v", lambda x, a, b, c: a * b * x**-c, inputs={"x": "x"})
    ends = fit.intervals()
    assert np.isinf([ends["a"].low, ends["a"].high, ends["b"].low, ends["b"].high]).all()
    assert ends["c"].width < 0.01
    assert fit.not_identified == {"a", "b"}


def test_a_law_behind_a_logarithm_has_the_intervals_of_its_straight_line(product):
    """ln y = c + m·ln x is linear regression, whose intervals are Student's exactly."""
    y = np.exp(0.3 - 0.2 * np.log(X) + 0.05 * NOISE)
    fit = sf.fit({"x": X, "y": y}, "y", product, inputs={"x": "x"}, residual="log")
    design = np.column_stack([np.ones(7), np.log(X)])
    theta = np.linalg.lstsq(design, np.log(y), rcond=None)[0]
    s2 = np.sum((np.log(y) - design @ theta) ** 2) / 5
    covariance = s2 * np.linalg.inv(design.T @ design)
    errors = fit.uncertainty.stderr
    assert [errors["c"], errors["m"]] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    at = np.array([1.0, 12 * np.log(10)])
    half = fit.uncertainty.best.t(0.95) * np.sqrt(at @ covariance @ at)
    low, high = alike(fit).curve((np.array([1e12]),))
    assert np.log([low[0], high[0]]) == pytest.approx([at @ theta - half, at @ theta + half])


def test_the_region_holds_the_optimum_of_exact_data():
    fit = power_fit(0.0)
    assert isinstance(alike(fit), Profile)
    for interval in fit.intervals().values():
        assert interval.low <= interval.estimate * (1 + 1e-9)
        assert interval.high >= interval.estimate * (1 - 1e-9)


def test_quality_is_compared_by_its_logarithms_and_loss_by_its_values():
    assert log_fit(0.2).solution.problem.objective == Objective(residual="log")
    assert power_fit(0.03).solution.problem.objective == Objective()
    assert log_fit(0.2, residual="linear").solution.problem.objective == Objective()


@given(st.integers(0, 2**31 - 1), st.integers(5, 14), st.sampled_from([0.0, 0.5, 0.9]))
@settings(max_examples=25, derandomize=True)
def test_naming_the_run_never_narrows(seed, size, correlation):
    """Checkpoints of one run: saying so can only add doubt, at every size and for every parameter."""
    rng = np.random.default_rng(seed)
    x, e = np.geomspace(1e7, 1e10, size), rng.normal(size=size)
    for i in range(1, size):
        e[i] = correlation * e[i - 1] + np.sqrt(1 - correlation**2) * e[i]
    data = {"pretrain_tokens": x, "cross_entropy": 1.7 + 400 * x**-0.3 + 0.03 * e}
    at = (np.geomspace(1e6, 1e12, 7),)
    plain = sf.fit(data, "cross_entropy", "power")
    for column in ("pretrain_run", "pretrain_seed"):
        named = sf.fit({**data, column: [1] * size}, "cross_entropy", "power")
        (low, high), (named_low, named_high) = plain.band(at), named.band(at)
        assert (named_high - named_low >= (high - low) * (1 - 1e-9)).all()
        for name, interval in named.intervals().items():
            assert interval.width >= plain.intervals()[name].width * (1 - 1e-9)
        assert any("checkpoints of one run" in note for note in named.notes)


@pytest.mark.slow
@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from(["power", "pure_power", "rectified", "two_powers", "bansal", "log", "ceiling"]),
    st.sampled_from([0.0, 1e-3, 0.03, 0.3]),
)
@settings(max_examples=30, derandomize=True)
def test_curves_looked_at_together_have_the_intervals_they_have_alone(seed, law, noise):
    """Whatever stands beside a curve: other lengths, curves that meet a bound or have none of the law's trend."""
    rng, rises = np.random.default_rng(seed), law in ("log", "ceiling")
    fits = []
    for _ in range(5):
        x = np.geomspace(1e6, 10 ** rng.uniform(9, 11), int(rng.integers(6, 9)))
        trend = 30 - 200 * x**-0.25 if rises else 1.7 + 400 * x**-0.3
        curve = np.where(rng.random() < 0.2, trend.mean(), trend)
        data = {"D": x, "v": curve * np.exp(noise * rng.normal(size=x.size))}
        if np.ptp(data["v"]) > 0:
            fits.append(sf.fit(data, "v", law, inputs={sf.LAWS[law].inputs[0]: "D"}))
    together, alone = ([Profile(f.uncertainty.best, 0.95) for f in fits] for _ in range(2))
    look(together)
    for one, other in zip(together, alone, strict=True):
        assert "faces" not in vars(one)
        for name, ends in other.parameters().items():
            assert one.parameters()[name] == pytest.approx(ends, rel=1e-9, abs=1e-12)
        for ours, theirs in zip(one.coordinates(), other.coordinates(), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_a_law_that_looks_at_all_sizes_sees_its_own_curve_s():
    """Of somebody's own: beside other curves ``x.max()`` would be theirs."""
    own = sf.Law(
        name="own",
        formula="c + m·ln(x / max x)",
        coefficients=(sf.Coefficient("c"), sf.Coefficient("m")),
        basis=lambda x: (1.0, np.log(x / x.max())),
    )
    fits = [
        sf.fit(
            {"x": X * scale, "v": 2 + 0.5 * np.log(X) + 0.1 * NOISE}, "v", own, inputs={"x": "x"}
        )
        for scale in (1.0, 10.0)
    ]
    profiles = [Profile(f.uncertainty.best, 0.95) for f in fits]
    look(profiles)
    assert profiles[0].parameters()["c"] == pytest.approx(profiles[1].parameters()["c"])


def test_wald_is_the_estimate_and_t_standard_errors():
    best = log_fit(0.2).uncertainty.best
    wald, errors, t = Wald(best, 0.9), standard_errors(best), best.t(0.9)
    center = best.problem.law.params(best.theta)
    for name, (low, high) in wald.parameters().items():
        assert (low + high) / 2 == pytest.approx(float(center[name]))
        assert high - low == pytest.approx(2 * t * errors[name])
    name = next(iter(errors))
    assert list(wald.parameters([name])) == [name]
    low, high = wald.coordinates()
    assert (low + high) / 2 == pytest.approx(best.theta)
    assert high - low == pytest.approx(2 * t * np.sqrt(np.diag(best.covariance(np.eye(low.size)))))


def test_what_the_data_do_not_see_has_no_standard_error():
    saw = sf.fit({"D": X, "v": 2 + np.arange(7) % 2 / 10}, "v", "power", inputs={"x": "D"})
    assert set(standard_errors(saw.uncertainty.best).values()) == {np.inf}


@settings(max_examples=10)
@given(seed=st.integers(0, 999), law=st.sampled_from(["power", "log", "ceiling"]))
def test_bands_laid_out_together_are_those_of_each_fit_alone(seed, law):
    rng, x = np.random.default_rng(seed), np.geomspace(1e6, 1e9, 8)
    clean = 2 + 30 * x**-0.2 if law == "power" else 30 - 400 * x**-0.25
    tables = [{"D": x, "v": clean * (1 + 0.01 * rng.standard_normal(8))} for _ in range(3)]

    def fits():
        return [sf.fit(t, "v", law, inputs={sf.LAWS[law].inputs[0]: "D"}) for t in tables]

    levels, at = (0.5, 0.9), (np.geomspace(1e6, 1e11, 9),)
    together = fits()
    lay_together([fit.uncertainty for fit in together], levels)
    for one, alone in zip(together, fits(), strict=True):
        for level in levels:
            for mine, theirs in zip(one.band(at, level), alone.band(at, level), strict=True):
                assert mine == pytest.approx(theirs, rel=1e-9)


def test_the_error_of_a_mean_where_noise_grows_is_that_of_weighted_residuals():
    flat = sf.Law("flat", "c", coefficients=(sf.Coefficient("c"),), basis=lambda x: (1.0,))
    y = 5 + 0.1 * NOISE
    unequal = sf.fit({"x": X, "v": y}, "v", flat, inputs={"x": "x"}).uncertainty.unequal
    place = (np.log(X) - np.log(X).mean()) / np.ptp(np.log(X))
    residual, errors, logs = y - y.mean(), [], []
    otherwise = 2 * np.log(y[-1] / y[0])  # what values change by whose logarithms are equally noisy
    for growth in GROWTH:
        noise = np.exp(growth * place)
        middle = np.average(residual, weights=1 / noise)
        rss = np.sum((residual - middle) ** 2 / noise)
        errors.append(np.sqrt(rss * noise.sum()))
        usual = np.logaddexp(-((growth / 2) ** 2) / 2, -(((growth - otherwise) / 2) ** 2) / 2)
        logs.append(usual - 0.5 * (np.log(np.mean(1 / noise)) + 6 * np.log(rss)))
    ours = unequal.errors(np.ones((1, 1)))[:, 0]
    np.testing.assert_allclose(ours, errors / errors[6], rtol=1e-9)
    shares = np.exp(logs) / np.exp(logs).sum()
    np.testing.assert_allclose(unequal.weights, shares, rtol=1e-9)


@pytest.mark.parametrize("dof", [2.0, 7.5, 40.0])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_a_mixture_of_students_distributions_has_the_level(dof, level):
    weights, errors = np.exp(-((GROWTH / 2.6) ** 2)), np.exp(0.2 * GROWTH + 0.02 * GROWTH**2)
    weights /= weights.sum()
    half = mixed_half(weights, errors[:, None], dof, level)
    outside = weights @ (2 * special.stdtr(dof, -half / errors))
    assert outside == pytest.approx(1 - level, rel=0.01)


@pytest.mark.slow
def test_bands_hold_where_noise_grows_with_size():
    """Eight runs, the last four times as noisy as the first: taken for alike, bands beyond them hold too seldom."""
    rng, x, at = np.random.default_rng(0), np.geomspace(1e7, 1e10, 8), (np.array([1e11]),)
    sd, truth, held = 0.03 * (x / 10**8.5) ** (np.log(4) / np.log(1e3)), 1.7 + 400 * 1e11**-0.3, []
    for _ in range(200):
        data = {"D": x, "v": 1.7 + 400 * x**-0.3 + sd * rng.standard_normal(8)}
        fit = sf.fit(data, "v", "power", inputs={"x": "D"})
        held.append([low <= truth <= high for low, high in (fit.band(at), alike(fit).curve(at))])
    ours, plain = np.mean(held, axis=0)
    assert ours > 0.9
    assert ours > plain + 0.02
