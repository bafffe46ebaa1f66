"""Chances, losses and crossings: calibrated where the truth is known, and the winner is not praised for its luck."""

import numpy as np
import pytest
from scipy.special import ndtri

from scalefit.corpora.ranking import crossing, drawn_together, draws_of, standings
from scalefit.forecasting.predictive import PROBABILITIES, Predictive


def normal(mean, sd, size=1):
    means = np.broadcast_to(np.asarray(mean, dtype=float), (size,))
    values = means + sd * ndtri(PROBABILITIES)[:, None]
    return Predictive(np.arange(1.0, size + 1), PROBABILITIES, values)


def ranked(values, **options):
    plain = {
        "best_high": True,
        "level": 0.8,
        "barred": [False] * len(values),
        "alignment": [""] * len(values),
    }
    names = [str(i) for i in range(len(values))]
    return standings(names, values, **{**plain, **options})


@pytest.fixture(scope="module")
def simulated():
    """Eight corpora a table, true spread 1, forecast error 1: what is said of the chosen one, and what is true."""
    rng = np.random.default_rng(0)
    said = []
    for table in range(400):
        truth = rng.normal(0, 1, 8)
        forecast = truth + rng.normal(0, 1, 8)
        drawn = draws_of([normal(m, 1.0) for m in forecast], 0.0, table, draws=800)[:, :, 0]
        best = ranked(drawn_together(drawn))[0]
        i = int(best.corpus)
        raw = float(forecast[i])
        said.append(
            (
                best.p_best,
                float(i == truth.argmax()),
                best.expected_loss,
                truth.max() - truth[i],
                best.estimate,
                truth[i],
                best.low <= truth[i] <= best.high,
                raw,
            )
        )
    return np.array(said).T


def test_the_chance_of_being_best_is_calibrated(simulated):
    p, right = simulated[0], simulated[1]
    assert p.mean() == pytest.approx(right.mean(), abs=0.09)


def test_the_expected_loss_of_the_chosen_is_what_it_costs(simulated):
    assert simulated[2].mean() == pytest.approx(simulated[3].mean(), rel=0.25)


def test_the_winner_is_not_praised_for_its_luck(simulated):
    """Its own forecast is too high by about 0.7; what is said of it is not."""
    estimate, truth, raw = simulated[4], simulated[5], simulated[7]
    assert (raw - truth).mean() > 0.4
    assert (estimate - truth).mean() == pytest.approx(0.0, abs=0.12)


def test_the_interval_of_the_chosen_holds(simulated):
    assert simulated[6].mean() == pytest.approx(0.8, abs=0.06)


def test_a_barred_corpus_is_last_and_never_best():
    values = draws_of([normal(5.0, 0.1), normal(4.0, 0.1), normal(9.0, 0.1)], 0.0, 0)[:, :, 0]
    order = ranked(values, barred=[False, False, True])
    assert [s.corpus for s in order] == ["0", "1", "2"]
    assert order[2].p_best == 0.0
    assert order[0].p_best == pytest.approx(1.0)
    assert order[0].expected_loss == pytest.approx(0.0, abs=1e-9)


def test_what_corpora_share_cancels_in_their_difference():
    said = [normal(10.0, 2.0), normal(11.0, 2.0)]
    alone, together = (ranked(draws_of(said, s, 0)[:, :, 0])[0].p_best for s in (0.0, 0.9))
    assert alone < 0.7 < 0.82 < together


def test_corpora_that_differ_by_chance_are_drawn_together():
    values = draws_of([normal(m, 1.0) for m in (9.8, 10.0, 10.2, 10.1)], 0.0, 0)[:, :, 0]
    centre = drawn_together(values).mean(axis=1)
    assert np.ptp(centre) < 0.2
    assert centre.mean() == pytest.approx(10.03, abs=0.1)


def test_where_curves_cross():
    sizes = np.geomspace(1.0, 1e4, 41)
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 0.3, (500, 1))
    slow = 10 + 1.0 * np.log(sizes) + 0 * shift
    fast = 8 + 1.5 * np.log(sizes) + shift
    where = crossing(("slow", "fast"), slow, fast, sizes, True, 0.8)
    assert (where.overtakes, where.overtaken) == ("fast", "slow")
    assert where.size == pytest.approx(np.exp(4.0), rel=0.1)
    assert where.low < where.size < where.high
    assert where.never < 0.01


def test_parallel_curves_do_not_cross():
    sizes = np.geomspace(1.0, 1e4, 11)
    noise = np.random.default_rng(0).normal(0, 0.1, (300, 1))
    assert crossing(("a", "b"), np.log(sizes) + noise, np.log(sizes) + 5, sizes, True, 0.8) is None


def test_errors_bend_over_the_sizes_that_were_measured():
    """One error for all sizes made crossings too sure: their 80 % intervals held 65 %."""
    sizes = np.geomspace(1.0, 100.0, 5)
    z = np.array([normal(0.0, 1.0).values[:, 0]] * 5).T
    flat = Predictive(sizes, normal(0.0, 1.0).probabilities, z)
    stiff, bent = (draws_of([flat], 0.0, 0, bend)[0] for bend in (np.inf, np.log(100.0)))
    assert np.corrcoef(stiff[:, 0], stiff[:, -1])[0, 1] == pytest.approx(1.0)
    assert np.corrcoef(bent[:, 0], bent[:, -1])[0, 1] == pytest.approx(np.exp(-0.5), abs=0.05)
    assert np.corrcoef(bent[:, 0], bent[:, 1])[0, 1] > 0.9
