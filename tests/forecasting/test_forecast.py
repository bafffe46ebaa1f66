"""The main job: every group answered, what is missing said."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import TableError
from scalefit.groups import group_columns

SIZES = np.array([1e6, 3e6, 1e7, 3e7, 1e8, 3e8])


def rows(corpus, quality, loss, *, domain="in", **more):
    curves = (("bleu", quality), ("cross_entropy", loss))
    key = {"corpus": corpus, "task": "en-fr", "finetune_tokens": 1e5, "domain": domain, **more}
    return [
        {**key, "pretrain_tokens": x, "metric": metric, "value": float(v)}
        for metric, values in curves
        for x, v in zip(SIZES, values, strict=True)
    ]


def table(*parts):
    wobble = 1 + 0.01 * np.array([1, -1, 1, 1, -1, -1])
    good = rows("fr", 12 * np.log10(SIZES / 1e4) ** 0.6 * wobble, 1.5 + 40 * SIZES**-0.25 * wobble)
    base = {"corpus": "none", "task": "en-fr", "finetune_tokens": 1e5, "pretrain_tokens": 0}
    scratch = [
        {**base, "domain": "in", "metric": m, "value": v, "pretrain_seed": seed}
        for m, values in (("bleu", (9.0, 10.0)), ("cross_entropy", (3.5, 3.7)))
        for seed, v in enumerate(values)
    ]
    found = [*good, *scratch, *(row for part in parts for row in part)]
    names = dict.fromkeys(name for row in found for name in row)
    return sf.as_table({name: [row.get(name) for row in found] for name in names})


def test_each_group_has_fits_baselines_points_and_tokens():
    (outlook,) = sf.forecast(table(), 40.0)
    assert dict(outlook.group) == {"corpus": "fr", "task": "en-fr", "finetune_tokens": 100000}
    assert outlook.loss.law.name == "power"
    assert outlook.quality.law.name == "log"
    assert outlook.baselines == pytest.approx({"bleu": 9.5, "cross_entropy": 3.6})
    assert outlook.tokens.estimate == sf.tokens_for(outlook.quality, 40.0).estimate
    np.testing.assert_array_equal(outlook.measured["bleu"][0], SIZES)


def test_the_verdict_names_the_cheapest_group():
    slower = rows("en", 10 * np.log10(SIZES / 1e4) ** 0.6, 1.6 + 40 * SIZES**-0.25)
    found = sf.forecast(table(slower), 35.0)
    assert len(found) == 2
    assert (
        "groups reach BLEU 35 within 1000× the largest size measured; cheapest: fr" in found.verdict
    )


def test_four_points_do_not_win_the_verdict():
    steep = rows("de", 20 * np.log10(SIZES / 1e4) ** 0.9, 1.6 + 40 * SIZES**-0.25)
    found = sf.forecast(table([r for r in steep if r["pretrain_tokens"] < 1e8]), 35.0)
    assert [(o.group["corpus"], o.sound) for o in found] == [("de", False), ("fr", True)]
    assert "cheapest: fr" in found.verdict


def test_a_group_that_cannot_be_fitted_says_why():
    short = [r for r in rows("de", SIZES**0.1, SIZES**-0.1) if r["pretrain_tokens"] < 1e7]
    de, fr = sf.forecast(table(short), 40.0)
    assert (de.loss, de.quality, de.tokens, de.needs) == (None, None, None, "no fit")
    assert "2 points cannot fix the 3 parameters" in de.notes[0]
    assert fr.quality is not None
    assert de.measured["bleu"][0].tolist() == [1e6, 3e6]


def test_out_of_domain_rows_are_left_out_and_said_to_be():
    out = rows("fr", np.linspace(1, 6, 6), np.linspace(5, 4, 6), domain="out")
    found = sf.forecast(table(out), 40.0)
    assert len(found) == 1
    assert any(note.startswith("12 out-of-domain rows are left out") for note in found.notes)


def test_out_of_domain_rows_are_kept_when_asked_for():
    out = rows("fr", [1, 2.1, 2.9, 4.2, 5, 6.1], np.linspace(5, 4, 6), domain="out")
    found = sf.forecast(table(out), 40.0, by=["corpus", "domain"])
    assert [o.group["domain"] for o in found] == ["in", "out"]


def test_one_metric_is_enough():
    (outlook,) = sf.forecast(table().where(metric="bleu"), 40.0)
    assert outlook.loss is None
    assert "cross-entropy" not in sf.forecast(table().where(metric="bleu"), 40.0).shown()[0]


def test_neither_metric_is_an_error_that_lists_what_is_there():
    with pytest.raises(TableError, match=r"neither 'chrf' nor 'ter'.*bleu, cross_entropy"):
        sf.forecast(table(), 40.0, quality="chrf", loss="TER")


@pytest.mark.parametrize("quality", ["bleu", "BLEU", "Bleu", "sacreBLEU"])
def test_a_metric_counts_however_it_is_spelled(quality):
    """Case A10."""
    found = sf.forecast(table(), 40.0, quality=quality, loss="Cross-Entropy")
    assert found.to_dict() == sf.forecast(table(), 40.0).to_dict()


def test_text_json_and_html_say_the_same():
    found = sf.forecast(table(), 40.0)
    assert repr(found).splitlines()[0] == found.verdict
    assert found.verdict.split(";")[0] in found._repr_html_()
    assert found.to_dict()["groups"][0]["tokens"]["target"] == 40.0
    assert found.shown()[0]["tokens for BLEU 40"] == found["fr"].needs
    assert found.to_frame()["tokens"][0] == found["fr"].tokens.estimate


def test_a_column_that_repeats_another_makes_no_groups():
    parts = (
        rows("fr", SIZES**0.1, SIZES**-0.1, domain="out", eval_set="far"),
        rows("fr", SIZES**0.1, SIZES**-0.1, domain="in", eval_set="near", model="b"),
    )
    both = sf.as_table(
        {k: [r.get(k) for p in parts for r in p] for k in {**parts[0][0], "model": 0}}
    )
    assert group_columns(both) == ("corpus", "task", "finetune_tokens", "model")
    assert group_columns(both, used=["finetune_tokens"]) == ("corpus", "task", "model")
    assert group_columns(table()) == ("corpus", "task", "finetune_tokens")
