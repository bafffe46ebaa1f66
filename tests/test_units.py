import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit.table import METRICS, metric
from scalefit.units import format_count, parse_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1.5e9", 1.5e9),
        ("1.5B", 1.5e9),
        ("300M", 3e8),
        ("300 m tokens", 3e8),
        ("2k", 2000),
        ("0", 0),
        (" 7 ", 7),
        ("1,500,000", 1.5e6),
        ("1_500_000", 1.5e6),
        ("-3", -3),
        ("4.1M", 4_100_000),
        ("2T", 2e12),
        ("16 billion", 1.6e10),
        ("3 thousand tokens", 3000),
        ("1.5 trillions", 1.5e12),
        ("2,000,000 tokens", 2e6),
        ("10^9", 1e9),
        ("2*10^9 tokens", 2e9),
        ("1.6 × 10**10", 1.6e10),
    ],
)
def test_counts_as_people_write_them(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "1.5X",
        "1,50",
        "12,34,567",
        "0x10",
        "1 2",
        "M",
        "--",
        "10^",
        "3 zillion",
        "tokens",
    ],
)
def test_what_is_no_count_is_none(text):
    assert parse_count(text) is None


@given(st.integers(0, 10**15))
def test_plain_integers_are_read_exactly(count):
    assert parse_count(str(count)) == count


@given(st.text())
def test_any_text_is_a_count_or_none(text):
    assert parse_count(text) is None or isinstance(parse_count(text), float)


def test_counts_round_into_the_next_unit_and_beyond_all_units_are_numbers():
    assert [format_count(v) for v in (999_960.0, 999_940.0, 6.5e20)] == ["1M", "999.9k", "6.5e+20"]


def test_counts_are_shown_short():
    assert [format_count(v) for v in (0, 950, 16384, 3e8, 1.5e9)] == [
        "0",
        "950",
        "16.38k",
        "300M",
        "1.5B",
    ]


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("BLEU", "bleu"), ("chrF2", "chrf"), ("chrF++", "chrf++"), ("Cross-Entropy", "cross_entropy")],
)
def test_metrics_are_known_by_other_spellings(spelt, name):
    assert metric(spelt).name == name


def test_directions_and_the_unknown_metric():
    assert {n for n, m in METRICS.items() if m.direction == "-"} == {
        "cross_entropy",
        "cross_entropy_per_byte",
        "bits_per_byte",
        "bits_per_character",
        "perplexity",
        "ter",
        "wer",
        "cer",
        "metricx",
        "error",
    }
    assert metric("fluency").direction is None
    assert metric("fluency").upper == float("inf")


WRITTEN = ["2.5 Mio", "2.5 Mio.", "2.5MM", "~2.5M", "2.5 M tokens", "2.5M-tokens", "25×10⁵"]
WRITTEN += ["$2.5 \\times 10^{6}$", "2.5 x 10^6 toks"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_count_is_one_however_it_is_written(text):
    assert parse_count(text) == 2.5e6
