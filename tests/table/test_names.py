"""One understanding of names: a known metric with a split before, behind or above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit.ingest.source import Names
from scalefit.table.metrics import METRICS
from scalefit.table.names import measured_column, split

SPLITS = {"eval": "eval", "valid": "valid", "val": "valid", "dev": "dev", "test": "test"}


def shouted(draw, word):
    return draw(st.sampled_from([word, word.upper(), word.capitalize()]))


@st.composite
def spelled(draw):
    """A metric and a split in one of the ways in which people join them."""
    metric, place = draw(st.sampled_from(sorted(METRICS))), draw(st.sampled_from(sorted(SPLITS)))
    one, other = shouted(draw, metric), shouted(draw, place)
    joined = draw(
        st.sampled_from(["{p}_{m}", "{p}/{m}", "{p}-{m}", "{p} {m}", "{m}/{p}", "{m}_{p}"])
    )
    return joined.format(m=one, p=other), (SPLITS[place], metric)


@given(spelled())
def test_a_known_metric_with_a_split_is_an_evaluation_however_it_is_joined(case):
    name, meant = case
    assert split(name) == meant
    assert measured_column(name) == meant


@given(st.sampled_from(sorted(METRICS)), st.sampled_from(["train", "training", "train_inner"]))
def test_training_numbers_are_none(metric, place):
    assert split(f"{place}_{metric}") is None
    assert split(f"{place}/{metric}") is None
    assert split(f"{metric}/{place}") is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bleu", (None, "bleu")),
        ("BLEU", (None, "bleu")),
        ("BLEU/val", ("valid", "bleu")),
        ("eval/ood/bleu", ("ood", "bleu")),
        ("inference_eval/wmt_de/bleu", ("wmt_de", "bleu")),
        ("wmt14-en-de/chrF++", ("wmt14-en-de", "chrf++")),
        ("val_loss", ("valid", "loss")),
        ("val_loss_epoch", ("valid", "loss")),
        ("val_loss_step", None),
        ("val_bleu/dataloader_idx_1", ("valid1", "bleu")),
        ("train_loss_epoch", None),
        ("eval_bleu_en-de", ("en_de", "bleu")),
        ("eval/c4_en-validation/CrossEntropyLoss", ("c4_en-validation", "cross_entropy")),
        ("lm loss validation", ("valid", "lm loss")),
        ("eval_fluency", ("eval", "fluency")),
        ("loss", None),
        ("accuracy", None),
        ("best/bleu", None),
        ("best_bleu", None),
        ("eval_samples_per_second", None),
        ("learning_rate", None),
        ("", None),
        ("/", None),
        ("eval_", None),
        ("x" * 500, None),
    ],
)
def test_names_of_logs(name, meant):
    assert split(name) == meant


@given(st.text(max_size=300))
def test_any_text_has_an_answer(name):
    named = split(name)
    assert named is None or (named[1] and named[1] == named[1].lower())
    measured_column(name)


@pytest.mark.parametrize(
    ("mapping", "name", "meant"),
    [
        ({"score": "bleu"}, "score", (None, "score")),
        ({"eval/score": "bleu"}, "eval/score", ("eval", "eval/score")),
        ({"accuracy": "accuracy"}, "accuracy", (None, "accuracy")),
        ({"steps": "step"}, "steps", None),
    ],
)
def test_the_users_names_are_judged_by_the_users_mapping(mapping, name, meant):
    assert Names(mapping).split(name) == meant


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("BLEU_score", (None, "bleu")),
        ("valid_bleu_score", ("valid", "bleu")),
        ("comet-score", (None, "comet")),
        ("eval_accuracy_score", ("eval", "accuracy")),
        ("bertscore", (None, "bertscore")),
        ("newstest2014.bleu", ("newstest2014", "bleu")),
        ("wmt22:chrF", ("wmt22", "chrf")),
        ("dev.bleu", ("dev", "bleu")),
        ("train.bleu", None),
        ("best.bleu", None),
        ("macro_f1", (None, "macro_f1")),
        ("eval_f1_macro", ("eval", "f1_macro")),
    ],
)
def test_names_of_scores_sets_and_averages(name, told):
    assert measured_column(name) == told


def test_averages_over_classes_are_told_apart_and_known():
    from scalefit.table.metrics import metric

    assert metric("macro_f1") != metric("micro_f1")
    assert metric("micro-F1").direction == metric("f1").direction == "+"
    assert metric("weighted accuracy").upper == metric("accuracy").upper


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ood_bleu", ("ood", "bleu")),
        ("newstest2014 BLEU", ("newstest2014", "bleu")),
        ("BLEU (newstest2014)", ("newstest2014", "bleu")),
        ("MMLU (5-shot)", ("5_shot", "mmlu")),
        ("mnli-accuracy", ("mnli", "accuracy")),
        ("best_bleu", None),
        ("target_bleu", None),
        ("mean_token_accuracy", None),
        ("mlm_loss", None),
    ],
)
def test_a_set_before_a_metric_in_a_table_is_where_it_was_measured(name, meant):
    assert measured_column(name) == meant
