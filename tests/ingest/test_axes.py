"""Panels over any axis, and consoles that tell the size of pretraining themselves."""

import pytest

import scalefit as sf

AXES = ["Step", "epoch", "train/epoch", "trainer/global_step", "lr", "Relative Time (Process)"]
SIZES = ["tokens_seen", "train/tokens", "throughput/total_tokens", "consumed_tokens"]
RUNS = {"fr-1M": [20.25, 21.25], "en-4M": [18.25, 19.25]}


def panel(axis, at, names=tuple(RUNS), steps=False):
    heads, lines = [axis], [[str(value)] for value in at]
    for name, values in zip(names, RUNS.values(), strict=True):
        kinds = {"eval/bleu": values} | ({"_step": [100, 200]} if steps else {})
        for key, held in kinds.items():
            heads += [f"{name} - {key}{end}" for end in ("", "__MIN", "__MAX")]
            for line, value in zip(lines, held, strict=True):
                line += [str(value)] * 3
    return "\n".join(",".join(f'"{cell}"' for cell in line) for line in [heads, *lines]) + "\n"


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("steps", [True, False])
def test_a_panel_over_any_axis_holds_the_runs_last_values(tmp_path, axis, steps):
    (tmp_path / "p.csv").write_text(panel(axis, [1, 2], steps=steps))
    table = sf.read(tmp_path / "p.csv", pattern="{corpus}-{pretrain_tokens}")
    assert table.metrics == ("bleu",)
    assert table.column("value").tolist() == [21.25, 19.25]
    assert table.column("corpus").tolist() == ["fr", "en"]
    if axis == "Step":
        assert table.column("step").tolist() == [2, 2]


@pytest.mark.parametrize("axis", SIZES)
def test_a_panel_over_tokens_is_a_curve(tmp_path, axis):
    (tmp_path / "p.csv").write_text(panel(axis, [1e6, 4e6]))
    table = sf.read(tmp_path / "p.csv")
    assert sorted(table.column("pretrain_tokens")) == [1e6, 1e6, 4e6, 4e6]
    assert len(table) == 4


@pytest.mark.parametrize(
    ("names", "column", "values"),
    [
        (("Group: fr-1M", "Group: en-4M"), "run", ["fr-1M", "en-4M"]),
        (("corpus: fr", "corpus: en"), "corpus", ["fr", "en"]),
        (("data.dataset: fr", "data.dataset: en"), "corpus", ["fr", "en"]),
        (("model.depth: 2", "model.depth: 6"), "depth", [2, 6]),
    ],
)
def test_groups_of_a_panel_are_named_and_said_to_be_means(tmp_path, names, column, values):
    (tmp_path / "p.csv").write_text(panel("Step", [1, 2], names))
    table = sf.read(tmp_path / "p.csv")
    assert table.column(column).tolist() == values
    assert any("values of groups are means" in note for note in table.notes)


OLMO = "[step={0}/900]\n  throughput/total_tokens={2:,}\n[step={0}/900]\n  eval/c4/CrossEntropyLoss={1}"
COMPOSER = "[batch={0}/900]:\n\t Train time/token: {2}\n[eval batch=3/3]:\n\t Eval metrics/c4/LanguageCrossEntropy: {1}"
CONSOLES = {
    "nanogpt": "step {0}: train loss 9.1, val loss {1}\niter {0}: loss 9.1, time 240.1ms, mfu 37.1%",
    "modded": "step:{0}/900 val_loss:{1} train_time:16502ms step_avg:143.49ms",
    "build": "{0} val {1}\n{0} hella 0.2463\n{0} train 9.1",
    "llm.c": "s:{0} tel:{1}\ns:{0} trl:9.1 lr:0.000600 norm:1.00",
    "olmo": OLMO,
    "composer": COMPOSER,
}


@pytest.mark.parametrize("name", CONSOLES)
def test_a_console_of_pretraining_is_a_curve(tmp_path, name):
    told = [(100, 4.25), (200, 3.75), (400, 3.5)]
    lines = [CONSOLES[name].format(step, loss, step * 1000) for step, loss in told]
    (tmp_path / "train.log").write_text("\n".join(lines) + "\n")
    knows = name in ("olmo", "composer")
    table = sf.read(tmp_path / "train.log", tokens_per_step=None if knows else 1000)
    assert table.metrics == ("cross_entropy",)
    assert table.column("value").tolist() == [loss for _, loss in told]
    assert table.column("pretrain_tokens").tolist() == [step * 1000 for step, _ in told]
    assert table.column("step").tolist() == [step for step, _ in told]
    assert any("tokens_per_step" in note for note in table.notes) is not knows
