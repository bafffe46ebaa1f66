"""Verdicts on tables whose truth is known, and on awkward tables."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError, MissingColumnError


@pytest.mark.parametrize(
    ("shape", "verdict", "flag"),
    [
        ("rising", "aligned", ""),
        ("falling", "deteriorating", "misaligned"),
        ("waves", "fluctuating", "misaligned"),
        ("flat_end", "saturated", ""),
    ],
)
def test_verdicts_with_seeds(make_table, shapes, shape, verdict, flag):
    found = sf.align(make_table(shapes[shape], runs=5, sd=(0.15, 0.15)))[0]
    assert (found.verdict, found.flag, found.strength) == (verdict, flag, "confirmed")
    assert found.scope == "the pretraining procedure"


@pytest.mark.parametrize(
    ("means", "verdict", "flag"),
    [
        ((20, 23, 25, 26.5, 27.5, 28.3), "aligned", ""),
        ((20, 23, 25, 26, 26.5, 22), "deteriorating", "suspected"),
        ((20, 24, 22, 25, 21, 24), "inconclusive", ""),
        ((20, 24, 26, 26.2, 26.1, 26.3), "saturated", ""),
        ((20, 23, 25, 25.4, 26.5, 25.5), "saturated", ""),
        ((20, 23, 25, 25.4, 27.5, 25.5), "inconclusive", ""),
    ],
)
def test_one_seed_answers_but_never_confirms(make_table, means, verdict, flag):
    found = sf.align(make_table(means, runs=1, finetunings=1, sd=(0, 0)))[0]
    assert (found.verdict, found.flag) == (verdict, flag)
    assert found.strength in ("provisional", "open")
    assert not found.misaligned
    assert "One run a size" in found.reason
    assert "not testable" in found.scope


def test_one_pretraining_run_speaks_of_these_checkpoints_only(make_table, shapes):
    found = sf.align(make_table(shapes["falling"], runs=1, finetunings=4, sd=(0, 0.2)))[0]
    assert found.verdict == "deteriorating"
    assert found.strength == "these checkpoints only"
    assert not found.misaligned


def test_pseudo_replicates_are_averaged_before_anything_is_tested(make_table, shapes):
    table = make_table(shapes["falling"])
    averaged = table.groupby(["pretrain_tokens", "pretrain_seed"], as_index=False).mean()
    full, small = sf.align(table)[0], sf.align(averaged)[0]
    assert full.p == pytest.approx(small.p)
    assert full.evidence.fall.nu == small.evidence.fall.nu == 10


def test_harmful_below_the_baseline(make_table):
    table = make_table([20.0, 20.5, 20.8, 21.0], sd=(0.1, 0.1))
    base = make_table([24.0], runs=4, finetunings=1, sd=(0.1, 0.1), seed=3)
    base["pretrain_tokens"], base["cross_entropy"] = 0, base["cross_entropy"] + 1
    found = sf.align(pd.concat([table, base]))[0]
    assert found.verdict == "harmful"
    assert found.flag == "misaligned"


def test_a_fall_without_cross_entropy_is_no_misalignment(make_table, shapes):
    found = sf.align(make_table(shapes["falling"]).drop(columns="cross_entropy"))[0]
    assert found.verdict == "deteriorating"
    assert found.flag == ""
    assert "No cross-entropy" in found.reason


def test_a_fall_with_worsening_cross_entropy_is_no_misalignment(make_table, shapes):
    table = make_table(shapes["falling"])
    table["cross_entropy"] = 6 - table["cross_entropy"]
    found = sf.align(table)[0]
    assert (found.verdict, found.flag) == ("deteriorating", "")
    assert any(c.name == "overtraining" and c.status == "likely" for c in found.causes)


@pytest.mark.parametrize("metric", ["ter", "cross_entropy"])
def test_reversed_metrics(make_table, shapes, metric):
    scale = {"ter": 1.0, "cross_entropy": 0.1}[metric]
    for shape, verdict in (("falling", "deteriorating"), ("rising", "aligned")):
        table = make_table(shapes[shape], runs=5, sd=(0.1, 0.1)).drop(columns="cross_entropy")
        table[metric] = (90 - table.pop("bleu")) * scale
        assert sf.align(table, quality=metric)[0].verdict == verdict


def test_comet_gives_one_verdict_on_both_its_scales(make_table, shapes):
    table = make_table(shapes["falling"])
    table["comet"] = 50 + table.pop("bleu")
    percent = sf.align(table)
    fraction = sf.align(table.assign(comet=table["comet"] / 100))
    assert fraction[0].verdict == percent[0].verdict == "deteriorating"
    assert fraction[0].p == pytest.approx(percent[0].p, rel=1e-3)
    assert fraction[0].evidence.scale.margin == pytest.approx(0.0035, rel=0.02)
    assert percent[0].evidence.scale.margin == pytest.approx(0.35, rel=0.02)
    assert any("70% of human rankings agree" in note for note in fraction.notes)


def test_margins_of_their_own(make_table, shapes):
    table = make_table(shapes["rising"])
    assert sf.align(table, margin={"bleu": 2.0})[0].evidence.scale.margin == 2.0


def test_two_seeds(make_table, shapes):
    found = sf.align(make_table(shapes["falling"], runs=2, sd=(0.1, 0.1)))[0]
    assert found.verdict == "deteriorating"
    assert any("two pretraining runs" in note for note in found.notes)


@pytest.mark.parametrize("named", [False, True])
def test_missing_cells(make_table, shapes, named):
    table = make_table(shapes["falling"], sd=(0.1, 0.1))
    if named:
        table["pretrain_run"] = "run" + table["pretrain_seed"].astype(str)
    gone = (table["pretrain_seed"] == 1) & (table["pretrain_tokens"] < 2e7)
    found = sf.align(table[~gone])[0]
    assert found.verdict == "deteriorating"
    assert any("2 to 3 pretraining runs" in note for note in found.notes)


def test_too_few_shared_cells_count_as_separate_runs(make_table, shapes):
    table = make_table(shapes["falling"], runs=2, finetunings=1)
    kept = table["pretrain_seed"].eq(0) | table["pretrain_tokens"].lt(5e6)
    found = sf.align(table[kept])[0].evidence
    assert (found.quality.design, found.fall.nu) == ("separate", 2)


def test_unequal_sizes_between_seeds_count_as_one_size(make_table, shapes):
    table = make_table(shapes["falling"])
    table["pretrain_tokens"] *= 1 + 0.02 * table["pretrain_seed"]
    found = sf.align(table)[0]
    assert len(found.evidence.quality.sizes) == 6
    assert found.verdict == "deteriorating"
    assert any("within 10 %" in note for note in found.notes)


def test_checkpoints_and_separate_runs_are_told_apart(make_table, shapes):
    table = make_table(shapes["rising"])
    table["pretrain_run"] = "p" + table["pretrain_seed"].astype(str)
    together = sf.align(table)[0].evidence.quality
    table["pretrain_run"] += table["pretrain_tokens"].astype(str)
    apart = sf.align(table)[0].evidence
    assert (together.design, together.known) == ("shared", True)
    assert (apart.quality.design, apart.fall.nu) == ("separate", 12)


def test_metrics_in_several_sets_are_never_averaged(make_table, shapes):
    first = make_table(shapes["rising"], eval_set="news")
    second = make_table(shapes["falling"], eval_set="web", seed=1)
    found = sf.align(pd.concat([first, second]), by=["corpus"])
    assert {r.group["eval_set"]: r.verdict for r in found}["web"] == "deteriorating"
    assert len(found) == 2
    assert any("eval_set" in note for note in found.notes)


@pytest.mark.parametrize("sizes", [1, 2])
def test_too_few_sizes_are_inconclusive_not_an_error(make_table, shapes, sizes):
    found = sf.align(make_table(shapes["rising"][:sizes]))[0]
    assert found.verdict == "inconclusive"
    assert "at least 3" in found.reason


def test_failed_runs_are_named_and_left_out_once(make_table, shapes):
    table = make_table(shapes["rising"], sd=(0.1, 0.1))
    table.loc[[50, 51], "bleu"] -= 15
    found = sf.align(table)[0]
    assert found.failed == 2
    assert found.verdict != "deteriorating"
    assert found.without_failed == "aligned"


def test_no_failed_runs_among_ordinary_ones(make_table, shapes):
    assert sum(sf.align(make_table(shapes["rising"], seed=s))[0].failed for s in range(5)) <= 1


def test_inconclusive_names_the_seeds_that_would_decide(make_table):
    found = sf.align(make_table([25.0] * 6, sd=(0.4, 0.2)), margin=0.5)[0]
    assert found.verdict == "inconclusive"
    assert found.size.seeds > 3
    assert f"{found.size.seeds} pretraining seeds per size" in found.advice


def test_known_seed_noise_decides_single_runs(make_table, shapes):
    table = make_table(shapes["falling"], runs=1, finetunings=1, sd=(0, 0))
    assert sf.align(table, seed_sd=0.2)[0].verdict == "deteriorating"
    assert sf.align(table, seed_sd=1.5)[0].verdict == "inconclusive"


def test_waves_of_single_runs_are_noise_unless_the_noise_is_known(make_table, shapes):
    table = make_table(shapes["waves"], runs=1, finetunings=1, sd=(0, 0))
    assert sf.align(table)[0].verdict == "inconclusive"
    assert "smallest fall that one run a size could show" in sf.align(table)[0].reason
    assert sf.align(table, seed_sd=0.7)[0].verdict == "fluctuating"


def test_identical_runs_do_not_divide_by_zero(make_table, shapes):
    found = sf.align(make_table(shapes["falling"], sd=(0, 0)))[0]
    assert found.verdict == "deteriorating"


def test_family_of_groups(make_table, shapes):
    names = ["falling", *["rising"] * 4]
    parts = [make_table(shapes[n], seed=i, corpus=f"c{i}") for i, n in enumerate(names)]
    found = sf.align(pd.concat(parts))
    assert found[0].group["corpus"] == "c0"
    assert found.flags("holm")[0] == found.flags("bh")[0] == "misaligned"
    assert [r.group["corpus"] for r in found.flagged("holm")] == ["c0"]
    assert found.verdicts("holm")[0] == "deteriorating"
    assert all(a >= r.p_misaligned for a, r in zip(found.adjusted("holm"), found, strict=True))


def test_repetition_and_brevity_are_told(make_table, shapes):
    table = make_table(shapes["falling"])
    table["unique_tokens"] = np.minimum(table["pretrain_tokens"], 5e7)
    last = table["pretrain_tokens"] == table["pretrain_tokens"].max()
    table["brevity_penalty"] = np.where(last, 0.93, 1.0)
    causes = {c.name: c.status for c in sf.align(table)[0].causes}
    assert causes["repetition"] == "likely"
    assert causes["brevity penalty"] == "likely"


def test_a_large_finetuning_set_is_no_misalignment(make_table, shapes):
    small = make_table(shapes["rising"], finetune_tokens=10_000)
    large = make_table([28.0] * 6, seed=1, sd=(0.02, 0.02), finetune_tokens=1_000_000)
    found = {r.group["finetune_tokens"]: r for r in sf.align(pd.concat([small, large]))}
    assert found[1_000_000].verdict == "saturated"
    assert any("large finetuning set (likely)" in line for line in found[1_000_000].lines())


def test_a_loss_of_which_more_is_better(make_table, shapes):
    table = make_table(shapes["falling"])
    table["accuracy"] = 1 - 0.2 * table.pop("cross_entropy")
    assert sf.align(table, loss="accuracy")[0].flag == "misaligned"


def test_errors_teach(make_table, shapes):
    table = make_table(shapes["rising"])
    with pytest.raises(DesignError, match="none of the quality metrics comet"):
        sf.align(table, quality="comet")
    with pytest.raises(DesignError, match="not known to be better high or low"):
        sf.align(sf.as_table(table.assign(fluency=1.0), metrics=["fluency"]), quality="fluency")
    with pytest.raises(DesignError, match="margin is -1"):
        sf.align(table, margin=-1)
    with pytest.raises(DomainError, match="level is 2"):
        sf.align(table, level=2)
    with pytest.raises(MissingColumnError, match="no column 'language'"):
        sf.align(table, by=("language",))


def test_text_html_and_plain_values(make_table, shapes):
    import json

    found = sf.align(make_table(shapes["falling"]))
    assert "MISALIGNED, deteriorating" in str(found)
    assert "<li>" in found[0]._repr_html_()
    assert "deteriorating" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["results"][0]["flag"] == "misaligned"
    assert list(found.to_frame()["verdict"]) == ["deteriorating"]


def test_monitor_stops_at_the_fall_and_not_before(make_table, shapes):
    for planned in (None, 8):
        watch = sf.monitor(make_table(shapes["falling"], sd=(0.1, 0.1)), planned=planned)[0]
        assert (watch.decision, watch.look, watch.misaligned) == ("stop", 5, True)
    assert sf.monitor(make_table(shapes["rising"]))[0].decision == "go on"


def test_monitor_names_the_run_that_would_decide(make_table):
    table = make_table([20, 23, 25, 24.2], runs=2, finetunings=1, sd=(0.3, 0), seed=2)
    watch = sf.monitor(table)[0]
    assert watch.decision == "decide"
    assert "would decide" in watch.advice


def test_monitor_refuses_more_sizes_than_planned(make_table, shapes):
    with pytest.raises(DesignError, match="planned=3"):
        sf.monitor(make_table(shapes["rising"]), planned=3)


def test_one_size_of_several_seeds_is_not_called_one_run_a_size() -> None:
    table = {
        "pretrain_tokens": [1e9] * 3,
        "pretrain_seed": [0, 1, 2],
        "bleu": [20.11, 20.42, 19.73],
    }
    (one,) = sf.align(table)
    assert one.decision.scope == "not testable: too few sizes for a curve"
