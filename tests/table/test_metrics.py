"""What is known about metrics, and how users add their own."""

import pytest

import scalefit as sf
from scalefit.errors import TableError
from scalefit.table.metrics import METRICS, canonical, known, metric


@pytest.fixture
def own():
    before = dict(METRICS)
    yield
    for name in set(METRICS) - set(before):
        METRICS.pop(name)


@pytest.mark.parametrize(
    "name", ["WER", "CER", "TER", "MetricX", "metricx-24-hybrid-xl", "perplexity", "bits per byte"]
)
def test_less_is_better(name):
    assert metric(name).direction == "-"


@pytest.mark.parametrize(
    "name",
    [
        "ROUGE-L",
        "rouge1",
        "spBLEU",
        "chrF++",
        "BLEURT",
        "XCOMET-XL",
        "COMET-20",
        "F1",
        "accuracy",
        "EM",
    ],
)
def test_more_is_better(name):
    assert metric(name).direction == "+"


@pytest.mark.parametrize(
    ("own_name", "name"),
    [
        ("chrF2++", "chrf++"),
        ("Rouge-Lsum", "rougelsum"),
        ("word_error_rate", "wer"),
        ("CE", "cross_entropy"),
        ("CE loss", "cross_entropy"),
        ("Acc.", "accuracy"),
        ("top-1", "accuracy"),
        ("top-1 err.", "error"),
        ("bits/byte", "bits_per_byte"),
        ("AUROC", "auc"),
        ("metricx-24-XL", "metricx-24-XL"),
        ("COMET-22", "comet"),
        ("Unbabel/wmt22-comet-da", "comet"),
        ("wmt20-comet-da", "wmt20-comet-da"),
        ("bleurt_stderr", "bleurt_stderr"),
    ],
)
def test_spellings(own_name, name):
    assert canonical(own_name) == name


def test_columns_beside_a_metric_are_none():
    assert known("bleurt_stderr") is None
    assert known("metricx_signature") is None


def test_a_metric_of_ones_own_is_one_line(own):
    sf.metrics.register(sf.Metric("adequacy", "-", lower=1, upper=5, title="Adequacy"))
    table = sf.as_table({"pretrain_tokens": [1, 2], "Adequacy": [3.25, 4.5]})
    assert table.metrics == ("adequacy",)
    assert metric("ADEQUACY").direction == "-"
    with pytest.raises(TableError, match="found adequacy 7; needed 1 to 5"):
        sf.as_table({"pretrain_tokens": [1, 2], "adequacy": [3.25, 7]})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sf.Metric("", "+"), "needed a name and"),
        (lambda: sf.Metric("x", "up"), r"needed a name and '\+' \(more is better\)"),
        (lambda: sf.Metric("x", "+", 5, 1), "found a range of 5 to 1"),
        (lambda: sf.metrics.register(sf.Metric("BLEU", "-")), "'bleu' is known already"),
    ],
)
def test_metrics_that_cannot_be(make, words):
    with pytest.raises(TableError, match=words):
        make()


@pytest.mark.parametrize("name", ["avg_acc", "mean accuracy", "accuracy_avg", "overall_accuracy"])
def test_a_mean_over_tasks_is_known_where_it_is_asked_for_and_no_column_of_its_own(name):
    asked = metric(name)
    assert (asked.direction, asked.lower, asked.upper) == ("+", 0.0, 100.0)
    assert known(name) is None
