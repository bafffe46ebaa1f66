"""Print the numbers of this set's card: fresh data seeds, and two negative controls.

Run ``python data/parity_landscape/measure.py 100 101 102``; some 40 seconds a seed on one idle core.
"""

from __future__ import annotations

import sys

import numpy as np
from parity import Recipe, Runs, experiment, finetuned, unrelated

from scalefit import landscape


def outcome(runs: Runs, scores: np.ndarray) -> landscape.Prediction:
    """Predict scores from barriers within each pretraining seed."""
    pairs = landscape.distances(runs.weights, runs.loss(), groups=runs.groups, progress=False)
    return landscape.predict(pairs, scores, in_domain=runs.in_domain)


def report(title: str, found: landscape.Prediction, runs: Runs) -> None:
    """Print scores' spread, then every predictor."""
    spread = [runs.out_of_domain[np.equal(runs.groups, g)].std(ddof=1) for g in set(runs.groups)]
    inside = runs.in_domain
    print(f"== {title}: in-domain {inside.mean():.4f} (sd {inside.std():.4f}), ", end="")
    print(f"out-of-domain sd within a pretraining seed {np.mean(spread):.2f}")
    print(found, flush=True)


def main(seeds: list[int]) -> None:
    """Measure."""
    for seed in seeds:
        runs = experiment(Recipe(data_seed=seed), finetuned)
        report(f"data seed {seed}, finetuned", outcome(runs, runs.out_of_domain), runs)
        mixed = np.random.default_rng(seed).permutation(runs.out_of_domain)
        report(f"data seed {seed}, shuffled scores", outcome(runs, mixed), runs)
        alone = experiment(Recipe(data_seed=seed), unrelated)
        report(f"data seed {seed}, unrelated models", outcome(alone, alone.out_of_domain), alone)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100])
