"""The same resamples as sacreBLEU, for all systems at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from scalefit.errors import ScoringError
from scalefit.scoring import bootstrap as module
from scalefit.scoring.bootstrap import compare_systems, drawn_counts, redrawn
from scalefit.scoring.sacre import SacreSpec, Scorer
from scalefit.scoring.statistics import SegmentStatistics, compact, stack

METRICS = {
    "bleu": BLEU,
    "chrf": CHRF,
    "chrf++": lambda: CHRF(word_order=2),
    "ter": TER,
}


@pytest.fixture
def statistics(corpus):
    def made(metric, references=None):
        scorer = Scorer(SacreSpec(metric), references or [corpus.references])
        rows = [compact(scorer.statistics(lines)) for lines in corpus.systems.values()]
        names = tuple(corpus.systems)
        return SegmentStatistics(
            metric, scorer.signature, names, stack(rows), scorer.kind, scorer.options
        )

    return made


@pytest.mark.parametrize("metric", METRICS)
def test_mean_and_interval_equal_sacrebleus_own_bootstrap(metric, statistics, corpus):
    drawn = redrawn(statistics(metric))
    low, high = drawn.interval()
    for place, lines in enumerate(corpus.systems.values()):
        theirs = METRICS[metric]().corpus_score(lines, [corpus.references], n_bootstrap=1000)
        assert drawn.mean[place] == pytest.approx(theirs._mean, abs=1e-5)
        assert (high - low)[place] / 2 == pytest.approx(theirs._ci, abs=1e-5)


def test_paired_comparison_equals_sacrebleus_paired_bootstrap(statistics, corpus):
    theirs = PairedTest(
        list(corpus.systems.items()), {"bleu": BLEU()}, [corpus.references], test_type="bs"
    )()[1]["BLEU"]
    ours = compare_systems(statistics("bleu"), "good")
    assert [d.system for d in ours.differences] == ["fair", "poor"]
    for mine, other in zip(ours.differences, theirs[1:], strict=True):
        assert mine.score == pytest.approx(other.score, abs=1e-9)
        assert mine.p_value == pytest.approx(other.p_value, abs=1e-9)


def test_comparison_reads_as_a_verdict(statistics):
    found = compare_systems(statistics("chrf"), "fair")
    assert str(found).startswith("2 of 2 systems differ from fair (chrf ")
    assert found.to_dict()["differences"][0]["system"] == "good"
    assert found.differences[0].low > 0 > found.differences[1].high


def test_a_system_does_not_differ_from_its_copy(statistics):
    one = statistics("bleu")
    twice = SegmentStatistics(
        "bleu", one.signature, ("a", "b"), one.values[[0, 0]].copy(), one.kind, one.options
    )
    (same,) = compare_systems(twice, "a").differences
    assert (same.difference, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 50), st.integers(0, 5))
def test_blocks_do_not_change_the_draws(segments, resamples, cells, seed):
    whole = np.concatenate(list(drawn_counts(segments, resamples, seed)))
    cut, module._CELLS = module._CELLS, cells
    try:
        pieces = np.concatenate(list(drawn_counts(segments, resamples, seed)))
    finally:
        module._CELLS = cut
    assert (whole == pieces).all()
    assert (whole.sum(axis=1) == segments).all()


def test_a_few_systems_at_a_time_give_the_same(statistics, monkeypatch):
    some = statistics("bleu")
    whole = redrawn(some, 50).scores
    monkeypatch.setattr(module, "_COLUMNS", 1)
    assert np.array_equal(redrawn(some, 50).scores, whole)


def test_standard_error_of_a_mean_is_the_textbooks():
    scores = np.random.default_rng(0).normal(size=(1, 400))
    values = np.stack([scores, np.ones_like(scores)], axis=-1)
    drawn = redrawn(SegmentStatistics("comet", "s", ("a",), values, "mean"), 4000)
    assert drawn.stderr[0] == pytest.approx(scores.std() / 20, rel=0.05)


def test_standard_error_of_few_resamples_counts_their_own_mean():
    assert module.Bootstrap(("a",), np.array([[1.0, 2.0, 6.0]])).stderr == [7**0.5]


def test_two_segments_and_two_resamples_are_enough_and_a_seed_is_heard(statistics):
    whole = statistics("chrf")
    two = SegmentStatistics(
        "chrf", "s", whole.systems, whole.values[:, :2].copy(), whole.kind, whole.options
    )
    assert redrawn(two, 2).scores.shape == (len(whole.systems), 2)
    with pytest.raises(ScoringError, match="2 segments and 1 resamples"):
        redrawn(two, 1)
    drawn = redrawn(whole, 30)
    assert (drawn.scores != redrawn(whole, 30, seed=7).scores).any()
    with pytest.raises(ValueError, match="read-only"):
        drawn.scores[0, 0] = 1.0


def test_each_system_has_the_limits_of_its_own_resamples():
    scores = np.array([[3.0, 1.0, 2.0, 4.0], [30.0, 10.0, 40.0, 20.0]])
    low, high = module.Bootstrap(("a", "b"), scores).interval(0.5)
    assert (low.tolist(), high.tolist()) == ([2.0, 20.0], [3.0, 30.0])


def test_only_what_lies_beyond_counts_against_a_difference():
    assert module.two_sided_p(np.array([2.0, 2.0, 0.0, 0.0]), 1.0) == 1 / 5
    assert module.two_sided_p(np.array([2.0, 2.0, 0.0, 0.0]), 0.9) == 3 / 5


def test_nothing_to_resample_is_said(statistics):
    one = statistics("bleu")
    single = SegmentStatistics(
        "bleu", "s", one.systems, one.values[:, :1].copy(), one.kind, one.options
    )
    with pytest.raises(ScoringError, match="1 segments and 1000 resamples"):
        redrawn(single)


def test_a_comparison_remembers_how_it_was_made(statistics):
    whole = statistics("chrf")
    told = compare_systems(whole, "fair", level=0.5, resamples=40, seed=3)
    assert (told.signature, told.level, told.resamples, told.seed) == (whole.signature, 0.5, 40, 3)
    drawn = redrawn(whole, 40, 3).scores
    first = told.differences[0]
    gap = drawn[whole.systems.index(first.system)] - drawn[whole.systems.index("fair")]
    assert (first.low, first.high) == (np.sort(gap)[10], np.sort(gap)[29])


def test_an_unknown_baseline_is_answered_with_those_there_are(statistics):
    with pytest.raises(ScoringError, match="no system 'best' under bleu; there are: good, fair"):
        compare_systems(statistics("bleu"), "best")
