"""The main job: every group answered, what is missing said."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError, FormatError, TableError
from scalefit.groups import group_columns
from scalefit.table.metrics import METRICS

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


def test_each_group_has_mixtures_baselines_points_and_tokens():
    (outlook,) = sf.forecast(table(), target=35.0)
    assert dict(outlook.group) == {"corpus": "fr", "task": "en-fr", "finetune_tokens": 100000}
    assert set(outlook.curves) == {"bleu", "cross_entropy"}
    assert outlook.baselines == pytest.approx({"bleu": 9.5, "cross_entropy": 3.6})
    assert outlook.tokens.estimate == sf.tokens_for(outlook.quality, 35.0).estimate
    np.testing.assert_array_equal(outlook.measured["bleu"][0], SIZES)


def test_the_verdict_names_all_that_cannot_be_told_apart_and_no_price():
    slower = rows("en", 11.9 * np.log10(SIZES / 1e4) ** 0.6, 1.6 + 40 * SIZES**-0.25)
    forecast = sf.forecast(table(slower), target=29.5)
    assert len(forecast) == 2
    assert (
        "groups likely (P ≥ .5) to reach BLEU 29.5 within 10× the largest size" in forecast.verdict
    )
    assert "not told apart from" in forecast.verdict
    assert "cheapest" not in forecast.verdict


def test_sizes_asked_for_are_forecast_and_others_are_said():
    (outlook,) = sf.forecast(table(), at=["1B", 1e7, "1T"])
    low, high = outlook.ahead["bleu"].interval(0.95)
    assert outlook.ahead["bleu"].x.tolist() == [1e9]
    assert low[0] < 12 * np.log10(1e5) ** 0.6 < high[0]
    assert any("10M, 1T" in note for note in outlook.notes)


def test_a_group_with_one_size_says_what_to_measure():
    short = [r for r in rows("de", SIZES**0.1, SIZES**-0.1) if r["pretrain_tokens"] < 2e6]
    de, fr = sf.forecast(table(short), target=40.0)
    assert (de.loss, de.quality, de.tokens, de.needs) == (None, None, None, "no forecast")
    assert "measured at one size" in de.notes[0]
    assert fr.quality is not None
    assert de.measured["bleu"][0].tolist() == [1e6]


def test_out_of_domain_rows_are_left_out_and_said_to_be():
    out = rows("fr", np.linspace(1, 6, 6), np.linspace(5, 4, 6), domain="out")
    forecast = sf.forecast(table(out), target=40.0)
    assert len(forecast) == 1
    assert any(note.startswith("12 out-of-domain rows are left out") for note in forecast.notes)


def test_out_of_domain_rows_are_kept_when_asked_for():
    out = rows("fr", [1, 2.1, 2.9, 4.2, 5, 6.1], np.linspace(5, 4, 6), domain="out")
    forecast = sf.forecast(table(out), target=40.0, by=["corpus", "domain"])
    assert sorted(o.group["domain"] for o in forecast) == ["in", "out"]


def test_a_baseline_stands_before_an_end_only_where_it_was_run():
    ends = {"bleu": 12 * np.log10(SIZES / 1e4) ** 0.6, "pretrain_tokens": SIZES}
    (alone,) = sf.forecast(ends, at="1B").shown()
    assert alone["bleu"] == f"{ends['bleu'][-1]:.4g}"
    pretrained = sf.forecast(
        table(rows("fr", ends["bleu"], 3 - 0.1 * np.arange(6))), at="1B"
    ).shown()
    assert any(row["bleu"].startswith("9.5 → ") for row in pretrained)


def test_one_metric_is_enough():
    (outlook,) = sf.forecast(table().where(metric="bleu"), target=40.0)
    assert outlook.loss is None


def test_a_loss_can_be_forecast_too():
    (outlook,) = sf.forecast(table(), "cross_entropy", target=1.7)
    assert 0 < outlook.tokens.within(1000) <= 1


def test_a_missing_metric_is_an_error_that_lists_what_is_there():
    with pytest.raises(TableError, match=r"no metric 'ter'.*bleu, cross_entropy"):
        sf.forecast(table(), "ter", target=40.0)


@pytest.mark.parametrize("target", [101.0, -1.0, np.nan])
def test_a_target_lies_on_the_metric_s_scale(target):
    with pytest.raises(DomainError, match="give the target on that scale"):
        sf.forecast(table(), target=target)


def test_comet_on_0_to_1_asked_for_85_is_an_error_and_not_unreachable():
    data = {"pretrain_tokens": SIZES, "comet": [0.5, 0.55, 0.6, 0.63, 0.66, 0.68]}
    with pytest.raises(DomainError, match="scale"):
        sf.forecast(data, "comet", target=85.0)


@pytest.mark.parametrize("metric", ["bleu", "BLEU", "Bleu", "sacreBLEU"])
def test_a_metric_counts_however_it_is_spelled(metric):
    forecast = sf.forecast(table(), metric, target=40.0, through="Cross-Entropy")
    assert forecast.to_dict() == sf.forecast(table(), target=40.0).to_dict()


def test_text_json_and_html_say_the_same():
    forecast = sf.forecast(table(), target=35.0)
    assert str(forecast).splitlines()[0] == forecast.verdict
    assert forecast.verdict.split(";")[0] in forecast._repr_html_()
    assert forecast.to_dict()["question"]["target"] == 35.0
    assert forecast.rows()[0]["tokens"] == forecast["fr"].tokens.estimate


def test_a_logged_forecast_is_scored_when_the_run_lands(tmp_path):
    log = tmp_path / "forecasts.jsonl"
    before = table().where(pretrain_tokens="<=1e8")
    assert sf.forecast(before, at="300M").log(log) == 2
    waiting = sf.forecast_score(before, log)
    assert (len(waiting.landed), waiting.waiting) == (0, 2)
    score = sf.forecast_score(table(), log)
    assert {row["metric"] for row in score.rows()} == {"bleu", "cross_entropy"}
    assert score.inside(95) == 1.0
    assert "2 forecasts have landed" in score.verdict


def test_a_log_that_is_none_names_its_line(tmp_path):
    log = tmp_path / "forecasts.jsonl"
    log.write_text('{"scalefit_forecast": 1}\n', encoding="utf-8")
    with pytest.raises(FormatError, match="line 1: not a logged forecast"):
        sf.forecast_score(table(), log)


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


@pytest.mark.parametrize("name", ["test_bleu", "val_loss", "loss", "dev_accuracy"])
def test_a_metric_is_forecast_under_the_name_of_its_column(name):
    values = np.array([0.50, 0.56, 0.61, 0.65, 0.68, 0.70])
    values = {"test_bleu": 30 * values, "dev_accuracy": values}.get(name, 3 - values)
    table = {"pretrain_tokens": [1e6, 2e6, 4e6, 8e6, 16e6, 32e6], name: values}
    later = sf.predict(sf.fit(table, name), "64M").estimate[0]
    assert (later > values[-1]) == (values[-1] > values[0])


@pytest.mark.parametrize(("last", "said"), [(0.0, True), (32.0, False)])
def test_a_last_size_that_collapsed_is_said(last, said):
    bleu = [10.0, 14.1, 18.2, 21.9, 26.0, 30.1, last]
    fit = sf.fit({"pretrain_tokens": [1e6 * 2**i for i in range(7)], "bleu": bleu}, "bleu")
    assert any("last size lies far below" in note for note in fit.notes) == said


@pytest.mark.parametrize(("metric", "sign"), [("bleu", 1), ("cross_entropy", -1)])
@pytest.mark.parametrize(("off", "said"), [(12.0, True), (0.0, False)])
def test_a_run_far_off_its_size_is_named_beside_the_forecast(metric, sign, off, said):
    runs = [
        (1e6 * 4**k, 20 + sign * (k + 0.1 * s - off * (k == 4 and s == 0)), s)
        for k in range(5)
        for s in range(4)
    ]
    sizes, values, seeds = zip(*runs, strict=True)
    table = {"pretrain_tokens": sizes, metric: values, "pretrain_seed": seeds}
    notes = sf.forecast(table, metric)[0].notes
    assert any("far off the other runs" in note for note in notes) == said


EITHER = [m.name for m in METRICS.values() if m.rises and m.upper == 100.0 and not m.percent]


@pytest.mark.parametrize("metric", [*EITHER[:8], "accuracy", "f1"])
def test_a_fraction_is_forecast_as_the_same_in_percent(metric):
    """ROUGE, exact match and benchmarks are written both ways; an accuracy in percent is let in by allow."""
    percent = np.array([20.0, 27.1, 32.2, 35.4, 37.6, 39.0])
    said = []
    for times in (1.0, 0.01):
        data = {"pretrain_tokens": SIZES, metric: times * percent}
        only = sf.forecast(data, metric, target=42.0 * times, at=10 * SIZES[-1], allow="range").only
        (ahead,), tokens = only.ahead.values(), only.tokens
        said.append([*(ahead.interval(0.8)[1] / times), *(ahead.median / times), tokens.within(10)])
    np.testing.assert_allclose(said[0], said[1], rtol=1e-6)
    fit = sf.fit({"pretrain_tokens": SIZES, metric: percent}, metric, law="log", allow="range")
    assert sf.predict(fit, 10 * SIZES[-1]).estimate[0] > 30
