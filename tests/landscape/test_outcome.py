"""Prediction: exact where it can be worked out, level kept where there is nothing to find."""

import re

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import Predictor, distances, predict
from scalefit.landscape.trial import (
    correlation_within,
    group_mean,
    line_weights,
    nearest,
    p_swapped,
    verdict,
)

from .samples import apart, double_well, wells


@pytest.fixture
def found(rng):
    models, side = wells(rng, 16)
    scores = 0.5 + 0.4 * side + 0.02 * rng.standard_normal(16)
    return distances(models, double_well), scores


def test_wells_foretell_their_scores(found, rng):
    result = predict(*found, in_domain=rng.random(16))
    assert result.r > 0.95
    assert result.p == pytest.approx(0.001)
    assert result.eta_squared.value > 0.95
    assert result.mantel.value > 0.9
    assert result.mantel.p == pytest.approx(0.001)
    assert {p.name for p in result.baselines} >= {"Euclidean, 3 nearest", "in-domain score, line"}
    assert all(p.p > 0.05 for p in result.baselines if p.name.startswith("in-domain score"))


def test_shuffled_scores_are_not_foretold(found, rng):
    square, scores = found
    hits = [predict(square, rng.permutation(scores), permutations=99).p <= 0.05 for _ in range(40)]
    assert sum(hits) <= 5


def test_the_verdict_says_nothing_found(found):
    result = predict(found[0], np.random.default_rng(3).standard_normal(16))
    assert result.p > 0.05
    assert result.verdict.startswith("nothing found: the landscape does not foretell")


@pytest.mark.parametrize("places", ["cloud", "basins"])
def test_distances_that_know_nothing_keep_the_level(places):
    """Small version of benchmarks/simulate_landscape.py --only null."""
    rng, codes, found = np.random.default_rng(0), np.repeat([0, 1, 2], 8), []
    for _ in range(60):
        points = rng.standard_normal((24, 3)) + 3 * rng.standard_normal((3, 3))[codes]
        points[:, 0] += 4 * rng.choice([-1, 1], 24) * (places == "basins")
        scores = rng.choice([0.0, 1.0], 24) + 0.1 * rng.standard_normal(24) + codes
        one = predict(apart(points), scores, groups=codes, permutations=39)
        found.append([one.p, one.predictors[1].p, one.mantel.p, one.eta_squared.p])
    assert (np.mean(np.array(found) <= 0.05, axis=0) <= 0.12).all()


def test_planted_basins_are_seen():
    rng, codes, hits = np.random.default_rng(0), np.repeat([0, 1], 12), []
    for _ in range(20):
        side = rng.choice([-1.0, 1.0], 24)
        points = rng.standard_normal((24, 3))
        points[:, 0] += 2 * side
        scores = side + 0.3 * rng.standard_normal(24)
        hits.append(predict(apart(points), scores, groups=codes, permutations=39).p <= 0.05)
    assert np.mean(hits) >= 0.9


def rivals(rng, codes, worse):
    """Squared errors of two distances that see the same places through noise of their own."""
    truth, common = rng.choice([-1.0, 1.0], len(codes)), rng.standard_normal((len(codes), 2))
    scores, errors = truth + 0.3 * rng.standard_normal(len(codes)), []
    for scale in (1.0, worse):
        points = 0.5 * scale * (common + rng.standard_normal((len(codes), 2)))
        points[:, 0] += truth
        errors.append((nearest(apart(points), codes, 3) @ scores - scores) ** 2)
    return errors[1] - errors[0]


@pytest.mark.parametrize(("groups", "size"), [(1, 24), (4, 12), (8, 12)])
def test_a_rival_as_good_is_seldom_beaten(groups, size):
    """Swapping models one by one, undoubled, does so in 7 to 12 %."""
    rng, codes = np.random.default_rng(1), np.repeat(np.arange(groups), size)
    found = [p_swapped(rivals(rng, codes, 1.0), codes, 199) for _ in range(200)]
    assert np.mean(np.array(found) <= 0.05) <= 0.08


def test_a_worse_rival_is_beaten_by_groups():
    rng, codes = np.random.default_rng(1), np.repeat(np.arange(8), 12)
    found = [p_swapped(rivals(rng, codes, 3.0), codes, 199) for _ in range(20)]
    assert np.mean(np.array(found) <= 0.05) >= 0.9


def test_five_groups_swapped_whole_by_hand():
    codes, gains = np.repeat(np.arange(5), 2), np.ones(10)
    assert p_swapped(gains, codes, 20_000) == pytest.approx(1 / 32, abs=0.005)
    assert p_swapped(gains[:8], codes[:8], 20_000) == pytest.approx(2 / 256, abs=0.003)


def test_better_than_every_baseline_is_the_hardest_of_them(found):
    square, scores = found
    result = predict(square, scores, baselines={"nearly": scores + 0.5 * np.arange(16) % 0.7})
    assert result.p_every == max(b.p_beaten for b in result.baselines)
    assert predict(square.matrix(), scores).p_every is None


def predictor(name, skill, p=0.001, p_beaten=None):
    return Predictor(name, 0.3, skill, p, 0.1, p_beaten is not None, p_beaten)


@pytest.mark.parametrize(
    ("skill", "rivals", "words"),
    [
        (-0.1, [(0.0, 0.5)], "a trace, but no foresight"),
        (0.4, [], "no baseline was given"),
        (0.4, [(0.5, 0.9), (0.1, 0.01)], "but no better than baseline 0"),
        (0.4, [(0.3, 0.04), (0.1, 0.01)], r"\), clearly better than every baseline \(the best: baseline 0"),
        (0.4, [(0.3, 0.04), (0.1, 0.2)], r"better, though not clearly \(p = 0\.2\), than every"),
    ],
)  # fmt: skip
def test_verdicts(skill, rivals, words):
    baselines = [predictor(f"baseline {i}", s, p_beaten=p) for i, (s, p) in enumerate(rivals)]
    assert re.search(words, verdict(predictor("ours", skill), baselines))


def test_nearest_neighbours_by_hand():
    square = apart(np.array([[0.0], [1.0], [3.0], [7.0]]))
    codes = np.zeros(4, dtype=int)
    predicted = nearest(square, codes, 1) @ np.array([10.0, 20.0, 30.0, 40.0])
    assert predicted.tolist() == [20.0, 10.0, 20.0, 30.0]


def test_ties_all_count():
    predicted = nearest(1 - np.eye(4), np.zeros(4, dtype=int), 1) @ np.arange(4.0)
    np.testing.assert_allclose(predicted, [2, 5 / 3, 4 / 3, 1])


def test_neighbours_come_from_the_group():
    square = apart(np.array([[0.0], [0.1], [5.0], [5.1]]))
    weights = nearest(square, np.array([0, 1, 0, 1]), 1)
    assert weights[0].tolist() == [0, 0, 1, 0]


def test_line_is_least_squares_without_the_one(rng):
    x, y = rng.standard_normal(8), rng.standard_normal(8)
    expected = []
    for i in range(8):
        rest = np.arange(8) != i
        expected.append(np.polyval(np.polyfit(x[rest], y[rest], 1), x[i]))
    np.testing.assert_allclose(line_weights(x, np.zeros(8, dtype=int)) @ y, expected)


def test_knowing_nothing_correlates_at_minus_one(rng):
    codes, y = np.repeat([0, 1], 6), rng.standard_normal(12)
    assert correlation_within(group_mean(codes) @ y, y, codes) == pytest.approx(-1.0)


def test_a_difference_between_groups_is_no_foresight(rng):
    points, groups = rng.standard_normal((24, 2)), np.repeat([0, 1], 12)
    points[groups == 1] += 50
    scores = 10.0 * groups + rng.standard_normal(24)
    assert predict(apart(points), scores).r > 0.9
    assert abs(predict(apart(points), scores, groups=groups).r) < 0.6


def test_nearness_to_a_reference(found):
    square, scores = found
    result = predict(square, scores, reference=["model 1", "model 3", 4])
    reference = result.predictors[2]
    assert reference.name == "nearness to the reference"
    assert reference.r > 0.9


def test_scores_by_name(found):
    square, scores = found
    named = dict(zip(square.names, scores, strict=True))
    np.testing.assert_array_equal(predict(square, named).scores, scores)
    with pytest.raises(LandscapeError, match="no out-of-domain score for model 1"):
        predict(square, {name: s for name, s in named.items() if name != "model 1"})


def test_more_baselines(found):
    square, scores = found
    result = predict(square, scores, baselines={"the truth": scores})
    assert "no better than the truth" in result.verdict


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.arange(15.0), {}, r"score a model \(16\), found shape \(15,\)"),
        (np.full(16, np.nan), {}, "16 missing"),
        (np.ones(16), {}, "all out-of-domain scores are the same"),
        (np.arange(16.0), {"neighbours": 15}, "found 16 models, needed at least 17"),
        (np.arange(16.0), {"groups": [0] * 14 + [1] * 2}, "found 2 models in group 1"),
        (np.arange(16.0), {"reference": ["bert"]}, "no model is called 'bert'"),
        (np.arange(16.0), {"reference": [0]}, "name two or more a group"),
    ],
)
def test_what_cannot_be_predicted(found, scores, options, message):
    with pytest.raises(LandscapeError, match=message):
        predict(found[0], scores, **options)


def test_texts(found):
    text = str(predict(*found))
    assert "permutation p = 0.001" in text
    assert "Mantel" in text
    assert "eta²" in text
