"""Who names no metric is asked about BLEU, or about the one quality that a table has; who names one gets that one."""

import pytest

import scalefit as sf
from scalefit.cli import main
from scalefit.errors import DesignError, TableError

SIZES = [1e6, 4e6, 16e6, 64e6, 256e6]
CHRF = {"pretrain_tokens": SIZES * 2, "corpus": ["fr"] * 5 + ["en"] * 5}
CHRF["chrf"] = [30.25 + 3 * i for i in range(5)] + [29.25 + 2 * i for i in range(5)]
LOSS = [3.5 - 0.1 * i for i in range(5)] * 2
DOORS = {
    "forecast": sf.forecast,
    "rank": lambda data, *metric: sf.rank(data, *metric, at=1e9),
    "plan": lambda data, *metric: sf.plan(data, *metric, at=1e9),
}


@pytest.mark.parametrize("judge", [sf.align, sf.monitor])
def test_the_only_quality_is_judged_and_a_loss_never_for_one(judge):
    answer = judge({**CHRF, "cross_entropy": LOSS})
    assert any("chrf is taken: the table has no bleu, comet" in note for note in answer.notes)
    assert answer.verdict == judge({**CHRF, "cross_entropy": LOSS}, "chrf").verdict
    for wrong in ({**CHRF, "ter": [60.25 - i for i in range(10)]}, {**CHRF, "loss": LOSS}):
        if "loss" in wrong:
            del wrong["chrf"]
        with pytest.raises(DesignError, match="none of the quality metrics bleu, comet"):
            judge(wrong)
    with pytest.raises(DesignError, match="none of the quality metrics bleu, comet"):
        judge(CHRF, ("bleu", "comet"))


@pytest.mark.parametrize(
    "line",
    ["fit", "fit --law log", "seeds", "compare --a fr --b en", "align", "backtest --hold-out 1"],
)
def test_every_command_of_one_metric_takes_the_only_one(tmp_path, capsys, line):
    rows = {k: [*v, *v] for k, v in CHRF.items()}
    rows["chrf"] = [c + 0.3 * (i % 3) for i, c in enumerate(rows["chrf"])]
    sf.as_table({**rows, "pretrain_seed": [1] * 10 + [2] * 10}).write(tmp_path / "r.csv")
    command, *options = line.split()
    with pytest.raises(SystemExit) as end:
        main([command, str(tmp_path / "r.csv"), *options])
    told = "".join(capsys.readouterr())
    assert end.value.code == 0, told
    assert "no metric was named, and chrf is taken" in told


@pytest.mark.parametrize("door", DOORS)
def test_the_only_quality_is_meant_and_said(door):
    answer = DOORS[door]({**CHRF, "cross_entropy": LOSS})
    assert any("chrf is taken" in note for note in answer.notes)
    assert answer.rows() == DOORS[door]({**CHRF, "cross_entropy": LOSS}, "chrf").rows()


@pytest.mark.parametrize("door", DOORS)
def test_a_metric_asked_for_and_one_of_several_are_never_replaced(door):
    with pytest.raises(TableError, match="no metric 'bleu'"):
        DOORS[door](CHRF, "bleu")
    with pytest.raises(TableError, match="no metric 'bleu'"):
        DOORS[door]({**CHRF, "ter": [60.25 - i for i in range(10)]})


def test_the_shell_takes_it_too(tmp_path, capsys):
    sf.as_table(CHRF).write(tmp_path / "r.csv")
    for asked, code in (([], 0), (["--metric", "bleu"], 2)):
        with pytest.raises(SystemExit) as end:
            main(["forecast", str(tmp_path / "r.csv"), *asked])
        told = "".join(capsys.readouterr())
        assert end.value.code == code
        assert ("chrf is taken" in told) == (not asked)


def test_names_that_take_turns_along_the_sizes_have_a_curve_each():
    sizes = [10.0 ** (6 + i / 2) for i in range(8)]
    bleu = [10.25 + 2 * i + 5 * (i % 2) for i in range(8)]
    taken = sf.forecast({"pretrain_tokens": sizes, "Korpus": ["fr", "en"] * 4, "bleu": bleu})
    assert taken.by == ("Korpus",)
    assert len(taken) == 2
    remark = sf.forecast({"pretrain_tokens": sizes, "remark": list("xyxyzxyx"), "bleu": bleu})
    assert len(remark) == 1
    ladder = sf.forecast({"pretrain_tokens": sizes, "Stage": ["a"] * 4 + ["b"] * 4, "bleu": bleu})
    assert len(ladder) == 1
