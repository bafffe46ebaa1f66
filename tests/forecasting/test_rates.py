"""A rate has one forecast, whether it is told as what is right or as what is wrong; no forecast leaves its range."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.forecasting.engines import engine_for
from scalefit.forecasting.series import series_of
from scalefit.table.metrics import METRICS, TRAINED

SIZES = np.geomspace(1e8, 3.2e10, 8)
AT = SIZES[-1] * np.array([1.0, 1.7, 10.0, 100.0, 1000.0])
NAMES = {1.0: ("accuracy", "error"), 100.0: ("exact_match", "error")}


def table(metric, y, corpora=("fr",)):
    frames = [
        pd.DataFrame({"pretrain_tokens": SIZES, "corpus": c, metric: row})
        for c, row in zip(corpora, np.atleast_2d(y), strict=True)
    ]
    return pd.concat(frames)


def both(error, top=1.0):
    """Fit one curve told either way."""
    for metric, y in zip(NAMES[top], (top - top * error, top * error), strict=True):
        yield sf.fit(table(metric, y), metric, allow=["range"])


@pytest.mark.slow
@settings(max_examples=12, derandomize=True)  # as in losses/test_losses.py: rounding of 1 - (1 - e)
@given(
    start=st.floats(0.02, 0.95),
    rate=st.floats(0.0, 0.5),
    floor=st.floats(0.0, 0.05),
    noise=st.sampled_from([0.0, 0.003, 0.03]),
    top=st.sampled_from([1.0, 100.0]),
    seed=st.integers(0, 99),
)
def test_right_and_wrong_are_forecast_as_one(start, rate, floor, noise, top, seed):
    z = noise * np.random.default_rng(seed).standard_normal(SIZES.size)
    error = np.clip((floor + (start - floor) * (SIZES / SIZES[0]) ** -rate) * np.exp(z), 0, 1)
    right, wrong = both(error, top)
    close = {"rel": 1e-6, "abs": 1e-9 * top}
    for level in (0.8, 0.95):
        a, b = sf.predict(right, AT, level=level), sf.predict(wrong, AT, level=level)
        assert top - a.estimate == pytest.approx(b.estimate, **close)
        assert top - a.low == pytest.approx(b.high, **close)
        assert top - a.high == pytest.approx(b.low, **close)
    for share in (0.97, 0.7, 0.3):
        goal = top * error[-1] * share
        one, other = right.reach(top - goal), wrong.reach(goal)
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
    assert sorted(right.weights.values()) == pytest.approx(sorted(wrong.weights.values()), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("top", [1.0, 100.0])
def test_doors_decide_alike(top):
    rng = np.random.default_rng(3)
    error = [a * (SIZES / 1e8) ** -b for a, b in ((0.30, 0.2), (0.34, 0.23), (0.36, 0.19))]
    error = np.array(error) * np.exp(0.01 * rng.standard_normal((3, SIZES.size)))
    right, wrong = (
        table(metric, y, ("fr", "code", "web"))
        for metric, y in zip(NAMES[top], (top - top * error, top * error), strict=True)
    )
    wide = {"allow": ["range"]}
    for asked in ({"at": 1e11}, {"target": 0.96 * top}):
        mirrored = {k: v if k == "at" else top - v for k, v in asked.items()}
        a, b = (
            sf.rank(d, m, **q, **wide)[0].standings
            for d, m, q in zip((right, wrong), NAMES[top], (asked, mirrored), strict=True)
        )
        assert [s.corpus for s in a] == [s.corpus for s in b]
        assert [s.p_best for s in a] == pytest.approx([s.p_best for s in b], abs=1e-3)
    verdicts = [sf.align(d, m, **wide) for d, m in zip((right, wrong), NAMES[top], strict=True)]
    assert [e.verdict for e in verdicts[0]] == [e.verdict for e in verdicts[1]]
    tested = [
        sf.backtest(d, m, laws=[], hold_out=2, **wide)
        for d, m in zip((right, wrong), NAMES[top], strict=True)
    ]
    for who in ("mixture", "last value", "random walk"):
        assert tested[0].error(who) == pytest.approx(tested[1].error(who), rel=1e-6)
    steps = [
        sf.plan(d, m, budget=1e11, **wide).steps[0].group["corpus"]
        for d, m in zip((right, wrong), NAMES[top], strict=True)
    ]
    assert steps[0] == steps[1]


def test_near_its_ceiling_a_smooth_accuracy_is_known_as_well_as_its_error():
    """Error falls as a power law; by quality alone the band at twice the size was .94 to 1."""
    z = 3e-4 * np.random.default_rng(0).standard_normal(SIZES.size)
    fit = next(both(0.1 * (SIZES / 1e8) ** -0.215 * np.exp(z)))
    band = sf.predict(fit, 2 * SIZES[-1])
    truth = 1 - 0.1 * 640**-0.215
    assert band.low[0] < truth < band.high[0]
    assert band.high[0] - band.low[0] < 0.001
    assert "of the error" in fit.carried
    assert "slope" not in fit.carried


def test_what_is_never_wrong_is_left_to_quality():
    right, wrong = both(np.zeros(SIZES.size))
    assert all("of the error" not in name for name, share in right.weights.items() if share > 0)
    assert sf.predict(wrong, AT).low == pytest.approx(0.0, abs=1e-12)
    last = sf.predict(next(both(np.append(0.1 * 0.5 ** np.arange(7.0), 0.0))), AT[1:])
    assert (last.low < 1.0).all()  # no miss at the end is not "never again",
    assert last.high == pytest.approx(1.0)  # and may well come again


@pytest.mark.slow
def test_belief_has_no_step_along_the_range():
    """Moved up its range in small steps, a curve's band changes by small steps."""
    shape, ends = 0.004 * np.log(SIZES / SIZES[-1]), []
    rates = engine_for("accuracy")
    curves = [series_of(SIZES, top + shape, top=1.0) for top in np.linspace(0.05, 0.995, 80)]
    settled = rates.settle(curves, rates.learn(curves[:1]))
    for curve, said in zip(
        curves, rates.forecast(settled, [AT[1:3]] * len(curves), "run"), strict=True
    ):
        ends.append([curve.y[-1] - said.quantile(0.1), said.quantile(0.9) - curve.y[-1]])
    assert np.abs(np.diff(ends, axis=0)).max() < 0.02


def test_a_forecast_asks_each_engine_once(monkeypatch):
    """How far either is believed takes no forecast of its own, and a mean's band is about a new run's median."""
    rates = engine_for("accuracy")
    curve = series_of(np.repeat(SIZES, 2), 0.9 - 1e3 * np.repeat(SIZES, 2) ** -0.5, top=1.0)
    settled, asked = rates.settle([curve], rates.learn([curve])), []
    for engine in (rates.quality, rates.losses):
        once = type(engine).forecast
        monkeypatch.setattr(
            type(engine), "forecast", lambda *a, once=once: asked.append(a) or once(*a)
        )
    (run,) = rates.forecast(settled, [AT[1:]], "run")
    assert len(asked) == 2
    assert run.x.tolist() == AT[1:].tolist()
    (mean,) = rates.forecast(settled, [AT[1:]], "mean")
    assert mean.weights == run.weights


BOUNDED = {  # one metric of each range and kind, in each unit
    (m.lower, top, m.direction, m.is_rate, m.unit in TRAINED): (m.name, top)
    for m in METRICS.values()
    for top in (1.0, 100.0, m.upper)
    if m.direction and m.up_to(0.9 * top if top > 1 else 1.0).upper == top < np.inf
}


@pytest.mark.parametrize(("metric", "top"), sorted(BOUNDED.values()))
@pytest.mark.parametrize("end", [0.03, 0.6, 0.97, 0.998])
def test_no_band_leaves_the_range(metric, top, end):
    known = METRICS[metric]
    u = np.log(SIZES / SIZES[-1]) * (1 if known.rises else -1)
    z = 0.002 * np.random.default_rng(int(end * 1000)).standard_normal(SIZES.size)
    data = table(metric, top * np.clip(end + 0.02 * (1 - end) * u + z, 1e-4, 1))
    for law in (None, "ceiling" if known.rises else "power"):
        fit = sf.fit(data, metric, law, allow=["range", "fractions"])
        for kind in ("run", "mean"):
            band = sf.predict(fit, AT, level=0.95, kind=kind)
            values = np.array([band.low, band.estimate, band.high])
            assert (
                known.up_to(top).lower - 1e-12 <= values.min() <= values.max() <= top * (1 + 1e-12)
            )
