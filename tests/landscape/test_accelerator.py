"""``benchmarks/accelerator.py`` on the CPU, and on a GPU where there is one: the same code measures both."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "accelerator.py"


@pytest.fixture
def accelerator():
    spec = importlib.util.spec_from_file_location("accelerator", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_losses_are_the_same_in_half_precision(accelerator, capsys):
    accelerator.main(["--models", "2", "--batches", "1", "--layers", "2", "--width", "64"])
    printed = capsys.readouterr().out
    assert all(
        f"| landscape, evaluations | {place} | {kind} |" in printed
        for place, kind in accelerator.places()
    )
    assert "GPU: " in printed


def test_a_row_that_says_something_else_fails(accelerator):
    row = accelerator.Row("COMET, segments", "cuda", "float16", 100.0, 10.0, 2e-3)
    with pytest.raises(SystemExit, match="from the CPU in float32"):
        accelerator.check([row])
    with pytest.raises(SystemExit):
        accelerator.check(
            [accelerator.Row("COMET, segments", "cuda", "float16", 1.0, 1.0, float("nan"))]
        )


@pytest.mark.comet
def test_comet_s_scores_are_the_same_in_half_precision(accelerator, tiny_hub, monkeypatch):
    from huggingface_hub import constants
    from transformers.utils import hub as transformers_hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tiny_hub.path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers_hub, "TRANSFORMERS_CACHE", str(tiny_hub.path))
    rows = accelerator.comet("scalefit-test/tiny-comet", 24)
    assert [(row.place, row.kind) for row in rows] == accelerator.places()
    assert rows[-1].kind == "float16"
    accelerator.check(rows)
