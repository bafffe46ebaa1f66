"""The CPU's half of ``benchmarks/accelerator.py``: the same code that a GPU is measured by."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "accelerator.py"


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("accelerator", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_losses_are_the_same_in_half_precision(benchmark, capsys):
    benchmark.main(["--models", "2", "--batches", "1"])
    printed = capsys.readouterr().out
    assert "| landscape, evaluations | cpu | float16 |" in printed
    assert "GPU: " in printed


def test_a_row_that_says_something_else_fails(benchmark):
    row = benchmark.Row("COMET, segments", "cuda", "float16", 100.0, 10.0, 2e-3)
    with pytest.raises(SystemExit, match="from the CPU in float32"):
        benchmark.check([row])
    with pytest.raises(SystemExit):
        benchmark.check(
            [benchmark.Row("COMET, segments", "cuda", "float16", 1.0, 1.0, float("nan"))]
        )


@pytest.mark.comet
def test_comet_s_scores_are_the_same_in_half_precision(benchmark, tiny_hub, monkeypatch):
    from huggingface_hub import constants
    from transformers.utils import hub as transformers_hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tiny_hub.path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers_hub, "TRANSFORMERS_CACHE", str(tiny_hub.path))
    rows = benchmark.comet("scalefit-test/tiny-comet", 24)
    assert {(row.place, row.kind) for row in rows} >= {("cpu", "float32"), ("cpu", "float16")}
    benchmark.check(rows)
