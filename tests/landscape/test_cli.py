"""``scalefit landscape`` as a user runs it."""

import json
import sys

import numpy as np
import pytest

from .samples import wells

TASK = """
def loss(weights):
    w = weights["w"]
    return float((w[0] ** 2 - 1) ** 2 + 0.1 * (w[1:] ** 2).sum())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """Eight models in two wells, a loss, and scores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    models, side = wells(rng, 8)
    lines = ["name,ood,in_domain"]
    for number, (model, well) in enumerate(zip(models, side, strict=True)):
        np.savez(f"run{number}.npz", **model)
        lines.append(f"run{number},{well + 0.01 * number},{0.9 + 0.001 * number}")
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "well_task.py").write_text(TASK)
    return [f"run{number}.npz" for number in range(8)]


@pytest.fixture
def scalefit(capsys):
    from scalefit.cli import main

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return int(stopped.value.code or 0), streams.out, streams.err

    return run


def test_barriers_basins_and_foresight(scalefit, folder):
    loss = ("--loss", "well_task:loss", "--scores", "scores.csv", "--points", "5", "--json")
    code, out, err = scalefit("landscape", *folder, *loss)
    assert code == 0
    assert "28 pairs × 5 points = 140; ends are shared, so 92 evaluations" in err
    content = json.loads(out)
    assert content["basins"]["number"] == 2
    assert content["foresight"]["predictors"][0]["r"] > 0.9


def test_procedures_in_the_scores_are_compared(scalefit, folder, tmp_path):
    rows = (tmp_path / "scores.csv").read_text().splitlines()
    told = [f"{rows[0]},procedure", *(f"{row},web" for row in rows[1:])]
    calm = [f"calm{i}" for i in range(8)]
    for i, name in enumerate(calm):
        weights = {key: 0.9 + 0.001 * i * value for key, value in np.load("run0.npz").items()}
        np.savez(f"{name}.npz", **weights)
        told.append(f"{name},{0.5 + 0.001 * i},0.9,calm")
    (tmp_path / "scores.csv").write_text("\n".join(told) + "\n")
    asked = ("--loss", "well_task:loss", "--scores", "scores.csv", "--points", "5")
    code, out, _ = scalefit("landscape", *folder, *(f"{name}.npz" for name in calm), *asked)
    assert code == 0
    assert "web against calm: the surface told beforehand, web is the less robust" in out


def test_text_names_the_highest_barriers_first(scalefit, folder, tmp_path):
    options = ("--loss", "well_task:loss", "--store", "s.sqlite", "--plot", "paths.png")
    code, out, _ = scalefit("landscape", *folder, *options)
    assert code == 0
    assert out.startswith("barrier between 8 models: median")
    assert "2 basins of 4 + 4 models" in out
    assert (tmp_path / "s.sqlite").exists()
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_loss_distances_are_euclidean(scalefit, folder):
    assert scalefit("landscape", *folder[:3])[1].startswith("euclidean between 3 models")


def test_the_budget_alone(scalefit, folder):
    code, out, err = scalefit("landscape", *folder, "--budget")
    assert (code, out) == (0, "")
    assert "8 models, 28 pairs" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "well_task"], "needed MODULE:FUNCTION"),
        (["--loss", "well_task:cost"], "has no function 'cost'"),
        (["--loss", "no_such_task:loss"], "No module named 'no_such_task'"),
        (["--loss", "a:b", "--model", "c"], "found --loss and --model"),
        (["--model", "c"], "--model and --data belong together"),
        (["--data", "c"], "--model and --data belong together"),
        (["--kind", "height"], "no measure 'height'; there are barrier"),
        (["missing.npz"], "no such file"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(scalefit, folder, options, message):
    code, out, err = scalefit("landscape", *folder[:3], *options)
    assert (code, out) == (2, "")
    assert message in err


def test_scores_without_a_model(scalefit, folder, tmp_path):
    (tmp_path / "scores.csv").write_text("name,ood\nrun0,0.5\n")
    err = scalefit("landscape", *folder[:3], "--scores", "scores.csv")[2]
    assert "no row named 'run1'; its names are run0" in err
