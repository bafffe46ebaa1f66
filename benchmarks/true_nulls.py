"""True nulls of real runs: ten BERTs that differ in seed only, split into five against five.

Run: ``SCALEFIT_SHARED=… OMP_NUM_THREADS=1 python benchmarks/true_nulls.py`` (two minutes on one core). It needs the
correctness of each example of Zhou et al. (2020), ``hans_100_seeds/zhou2020_correct.npz``. Seed 20261126.
"""

import os
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from scalefit.estimate import one_sample, welch
from scalefit.procedures import crossed

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "procedures"))
from real_seeds import zhou  # noqa: E402

SEED, LEVEL, DRAWS = 20261126, 0.05, 2_000
HALVES = [list(half) for half in combinations(range(10), 5) if 0 in half]
TESTS = ("examples, paired", "runs × examples", "examples, unpaired", "multi-bootstrap",
         "t over seeds", "default")  # fmt: skip


def pooled(a, b):
    """Return p where every answer of every run counts as independent."""
    mean = (a.mean() + b.mean()) / 2
    error = (2 * mean * (1 - mean) / a.size) ** 0.5
    return 2 * stats.norm.sf(abs(b.mean() - a.mean()) / max(error, 1e-12))


def multi_bootstrap(scores, rng, draws=DRAWS):
    """Return p of every split: example draws are shared by all splits, seeds are drawn for each."""
    n = scores.shape[1]
    counts = (rng.multinomial(n, np.full(n, 1 / n), 100) for _ in range(draws // 100))
    means = np.concatenate([some @ scores.T / n for some in counts])
    found = []
    for half in HALVES:
        other = [i for i in range(10) if i not in half]
        a, b = (
            (means[:, side] * rng.multinomial(5, [0.2] * 5, draws)).sum(1) / 5
            for side in (half, other)
        )
        found.append(2 * min(np.mean(b <= a), np.mean(b >= a)))
    return np.array(found)


def p_values(scores, rng):
    """Return the p-values of all tests on all splits, (tests, splits)."""
    found = []
    for half in HALVES:
        a, b = scores[half], scores[[i for i in range(10) if i not in half]]
        found.append(
            (one_sample(b.mean(0) - a.mean(0)).p, pooled(a, b), welch(a.mean(0), b.mean(0)).p,
             welch(a.mean(1), b.mean(1)).p, crossed.unpaired(a, b).p)
        )  # fmt: skip
    rows = np.array(found).T
    return np.insert(rows, 3, multi_bootstrap(scores, rng), axis=0)


def table(ten, rng):
    """Print how often each test rejects; the last row is the mean over the 30 subcases."""
    print("\n## True-null halves, nominal 5 %: share of 126 splits in which a test rejects\n")
    print("| scored on | " + " | ".join(TESTS) + " |\n|" + "---|" * (len(TESTS) + 1))
    entailed = ten.of("le_")
    every = {
        "HANS, lexical, non-entailed": ten.lexical,
        "HANS, lexical, entailed": entailed,
        "HANS, lexical, both": np.concatenate([ten.lexical, entailed], axis=1),
        "HANS": ten.hans,
        "MNLI": ten.mnli,
    }
    for name, scores in every.items():
        _row(f"{name} ({scores.shape[1]})", np.mean(p_values(scores, rng) < LEVEL, axis=1))
    cases = [np.mean(p_values(ten.of(c), rng) < LEVEL, axis=1) for c in dict.fromkeys(ten.subcases)]
    _row("mean over the 30 subcases of HANS (1000 each)", np.mean(cases, axis=0))


def _row(name, shares):
    print(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |", flush=True)


def limits(ten, rng):
    """Print the multi-bootstrap's limits of a mean, and how much a thousand draws vary."""
    print("\n## Multi-bootstrap interval of a mean over 10 seeds\n")
    print("| | limits, 40,000 draws | SD of a limit from 1,000 draws |\n|---|---|---|")
    for name, scores in (("HANS", ten.hans), ("MNLI", ten.mnli)):
        n, drawn = scores.shape[1], []
        for _ in range(400):
            counts = rng.multinomial(n, np.full(n, 1 / n), 100)
            seeds = rng.multinomial(10, [0.1] * 10, 100)
            drawn.append(((counts @ scores.T / n) * seeds).sum(1) / 10)
        ends = np.quantile(np.concatenate(drawn), [0.025, 0.975])
        few = np.quantile(np.reshape(drawn, (40, 1000)), [0.025, 0.975], axis=1)
        spread = few.std(axis=1, ddof=1)
        print(f"| {name} | {ends[0]:.4f}, {ends[1]:.4f} | {spread[0]:.4f}, {spread[1]:.4f} |")


def main():
    ten = zhou(Path(os.environ.get("SCALEFIT_SHARED", ROOT.parent / "shared" / "data")))
    rng = np.random.default_rng(SEED)
    limits(ten, rng)
    table(ten, rng)


if __name__ == "__main__":
    main()
