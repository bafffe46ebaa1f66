"""A small rerun of docs/simulations/intervals.md: the benchmark's own code, a fixed seed, binomial bounds."""

import importlib.util
import sys
from pathlib import Path

import pytest
from scipy import stats

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "simulate_intervals.py"
REPETITIONS = 100
# One in 10,000 runs of an exact 95 % interval would fall below; the seed is fixed, so it either does or not.
LOWEST = int(stats.binom.ppf(1e-4, REPETITIONS, 0.95))


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("simulate_intervals", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("law", "sizes", "seeds"), [("power", 6, 1), ("power", 8, 3), ("log", 6, 1), ("log", 8, 1)]
)
def test_intervals_cover(benchmark, law, sizes, seeds):
    result = benchmark.simulate(benchmark.Row(law, sizes, seeds, "log"), REPETITIONS)
    assert (result.covered.sum(axis=0) >= LOWEST).all()
    if sizes == 6:
        assert result.ratio[1] <= 1.005, "no longer than Wald's"
    if law == "power" and sizes == 6:
        assert result.ratio[0] <= 1.005


def test_checkpoints_are_not_independent_points(benchmark):
    """Negative control: taken for points, checkpoints of three runs cover the curve less than they promise."""
    row = benchmark.Row("power", 8, 3, checkpoints=True)
    result = benchmark.simulate(row, REPETITIONS)
    assert (result.covered.sum(axis=0) >= LOWEST).all()
    assert result.ratio[1] > 1.2
