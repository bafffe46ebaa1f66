"""Equal to sacreBLEU to the last digit, from its statistics and from ours."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from scalefit.errors import ScoringError
from scalefit.scoring import sacre
from scalefit.scoring.statistics import bleu, chrf, compact, corpus_scores, ter

CLASSES = {
    "bleu": BLEU,
    "chrf": CHRF,
    "chrf++": lambda **more: CHRF(word_order=2, **more),
    "ter": TER,
}


@pytest.mark.parametrize("metric", CLASSES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_scores_equal_sacrebleu_to_the_last_digit(metric, count, corpus):
    references = [corpus.references, corpus.others, corpus.references][:count]
    scorer = sacre.Scorer(sacre.SacreSpec(metric), references)
    theirs = CLASSES[metric]()
    for lines in corpus.systems.values():
        statistics = compact(scorer.statistics(lines))
        assert scorer.score(statistics) == theirs.corpus_score(lines, references).score
    assert scorer.signature == str(theirs.get_signature())


@pytest.mark.parametrize(
    ("metric", "chosen"),
    [
        ("bleu", {"tokenize": "zh"}),
        ("bleu", {"tokenize": "char", "lowercase": True}),
        ("bleu", {"smooth_method": "floor", "smooth_value": 0.2}),
        ("bleu", {"smooth_method": "add-k", "effective_order": True}),
        ("bleu", {"max_ngram_order": 2}),
        ("chrf", {"beta": 3, "eps_smoothing": True, "whitespace": True}),
        ("chrf++", {"lowercase": True}),
        ("ter", {"normalized": True, "case_sensitive": True}),
    ],
)
def test_settings_reach_sacrebleu_and_our_formula(metric, chosen, corpus):
    scorer = sacre.Scorer(sacre.SacreSpec(metric, chosen), [corpus.references])
    theirs = CLASSES[metric](**chosen)
    lines = corpus.systems["fair"]
    statistics = scorer.statistics(lines)
    expected = theirs.corpus_score(lines, [corpus.references]).score
    assert scorer.score(statistics) == expected
    ours = corpus_scores(scorer.kind, scorer.options, statistics.sum(axis=0, dtype=float))
    assert float(ours) == pytest.approx(expected, rel=1e-12)
    assert scorer.signature == str(theirs.get_signature())


counts = st.lists(st.integers(0, 40), min_size=4, max_size=4)


@settings(max_examples=200)
@given(
    counts,
    counts,
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(["none", "exp", "floor", "add-k"]),
    st.booleans(),
)
def test_bleu_formula_is_sacrebleus_for_any_counts(more, correct, ours, theirs, method, effective):
    correct = sorted(correct, reverse=True)
    total = [a + b for a, b in zip(correct, sorted(more, reverse=True), strict=True)]
    metric = BLEU(smooth_method=method, effective_order=effective)
    expected = metric._compute_score_from_stats([ours, theirs, *correct, *total]).score
    sums = np.array([ours, theirs, *correct, *total], dtype=float)
    found = bleu(sums, smooth_method=method, effective_order=effective)
    assert float(found) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=6, max_size=6),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
)
def test_chrf_formula_is_sacrebleus_for_any_counts(orders, smoothed, beta):
    stats = [n for hyp, ref, match in orders for n in (hyp, ref, min(hyp, ref, match))]
    expected = CHRF(beta=beta, eps_smoothing=smoothed)._compute_score_from_stats(stats).score
    found = chrf(np.array(stats, dtype=float), beta=beta, eps_smoothing=smoothed)
    assert float(found) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("stats", [[3, 10], [3, 0], [0, 0], [25, 10], [2, 3.5]])
def test_ter_formula_is_sacrebleus(stats):
    assert float(ter(np.array(stats, dtype=float))) == TER()._compute_score_from_stats(stats).score


def test_the_guard_knows_this_release_of_sacrebleu():
    sacre.check_agreement.cache_clear()
    assert sacre.check_agreement() == sacrebleu.__version__


def test_the_guard_refuses_statistics_in_another_order(monkeypatch):
    count, read = BLEU._compute_segment_statistics, BLEU._compute_score_from_stats
    monkeypatch.setattr(BLEU, "_compute_segment_statistics", lambda *given: count(*given)[::-1])
    monkeypatch.setattr(
        BLEU, "_compute_score_from_stats", lambda self, stats: read(self, stats[::-1])
    )
    sacre.check_agreement.cache_clear()
    with pytest.raises(ScoringError, match=r"than 2.0 to 2.6, which scalefit knows \(bleu\)"):
        sacre.check_agreement()


def test_the_guard_refuses_statistics_that_are_no_numbers_per_segment(monkeypatch):
    monkeypatch.setattr(BLEU, "_extract_corpus_statistics", lambda *_: [[1.0]])
    sacre.check_agreement.cache_clear()
    with pytest.raises(ScoringError, match="keeps other segment statistics"):
        sacre.check_agreement()


def test_the_guard_refuses_a_release_without_them(monkeypatch):
    monkeypatch.delattr("sacrebleu.metrics.base.Metric._extract_corpus_statistics")
    sacre.check_agreement.cache_clear()
    with pytest.raises(ScoringError, match="pip install 'sacrebleu"):
        sacre.check_agreement()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (sacre.SacreSpec("blue"), "unknown metric 'blue'; known: bleu, chrf"),
        (sacre.SacreSpec("bleu", {"tokenize": "klingon"}), "does not take .*klingon"),
        (sacre.SacreSpec("chrf", {"tokenize": "zh"}), "CHRF does not take"),
    ],
)
def test_what_sacrebleu_does_not_take_is_said(spec, message):
    with pytest.raises(ScoringError, match=message):
        spec.build()


def test_a_tokenizer_that_is_not_installed_is_named(monkeypatch):
    def absent(**_):
        raise RuntimeError("Please install the following:\n pip install mecab")

    monkeypatch.setattr("sacrebleu.metrics.BLEU", absent)
    with pytest.raises(ScoringError, match=r"sacrebleu\[ja\]"):
        sacre.SacreSpec("bleu", {"tokenize": "ja-mecab"}).build()


def test_digests_tell_texts_apart_however_they_are_cut():
    assert sacre.key_of("ab", "c") != sacre.key_of("a", "bc") != sacre.key_of("abc")
    assert sacre.key_of("lone surrogate \ud800") == sacre.key_of("lone surrogate \ud800")
