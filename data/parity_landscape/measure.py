"""Print the numbers of this set's card: fresh data seeds, then all together, and negative controls.

Run ``python data/parity_landscape/measure.py 100 101 102``; some 40 seconds a seed on one idle core.
"""

from __future__ import annotations

import sys

import numpy as np
from parity import Recipe, Runs, Training, experiment, finetuned, unrelated

from scalefit import landscape
from scalefit.landscape import Distances, Prediction

SHUFFLES = 40


def measured(seed: int, training: Training) -> tuple[Runs, Distances]:
    """Train, and evaluate all paths within each pretraining seed."""
    runs = experiment(Recipe(data_seed=seed), training)
    return runs, landscape.distances(runs.weights, runs.loss(), groups=runs.groups, progress=False)


def joined(found: list[tuple[Runs, Distances]], kind: str) -> np.ndarray:
    """Put the distances of several data seeds on one diagonal."""
    sizes = [len(runs.groups) for runs, _ in found]
    square, start = np.full((sum(sizes),) * 2, np.nan), 0
    for size, (_, pairs) in zip(sizes, found, strict=True):
        square[start : start + size, start : start + size] = pairs.matrix(kind)
        start += size
    return square


def together(found: list[tuple[Runs, Distances]], scores: np.ndarray, **options: int) -> Prediction:
    """Predict within every pretraining seed of every data seed."""
    groups = [(seed, g) for seed, (runs, _) in enumerate(found) for g in runs.groups]
    ends = np.concatenate([pairs.ends() for _, pairs in found])
    return landscape.predict(
        joined(found, "barrier"),
        scores,
        in_domain=np.concatenate([runs.in_domain for runs, _ in found]),
        groups=groups,
        baselines={"Euclidean": joined(found, "euclidean"), "in-domain loss": ends},
        **options,
    )


def outcomes(found: list[tuple[Runs, Distances]]) -> np.ndarray:
    """Join the out-of-domain scores."""
    return np.concatenate([runs.out_of_domain for runs, _ in found])


def level(found: list[tuple[Runs, Distances]]) -> float:
    """Return how often shuffled scores seem foretold at p <= .05."""
    rng, scores = np.random.default_rng(0), outcomes(found)
    tries = (together(found, rng.permutation(scores), permutations=99) for _ in range(SHUFFLES))
    return sum(result.p <= 0.05 for result in tries) / SHUFFLES


def spread(runs: Runs) -> str:
    """Say how in-domain and out-of-domain scores vary."""
    groups = np.array(runs.groups)
    inside = np.mean([runs.out_of_domain[groups == g].std(ddof=1) for g in set(runs.groups)])
    accuracy = runs.in_domain
    return (
        f"in-domain {accuracy.mean():.4f} (sd {accuracy.std():.4f}), out-of-domain sd {inside:.2f}"
    )


def report(title: str, found: list[tuple[Runs, Distances]], scores: np.ndarray) -> None:
    """Print one prediction, at once."""
    print(f"== {title}: {spread(found[0][0])}")
    print(together(found, scores), flush=True)


def basins(title: str, found: list[tuple[Runs, Distances]]) -> None:
    """Print how high barriers are, and how many basins each pretraining seed has."""
    numbers = [
        landscape.clusters(pairs.within(group)).number
        for runs, pairs in found
        for group in sorted(set(runs.groups))
    ]
    heights = np.concatenate([pairs.values("barrier") for _, pairs in found])
    print(f"== {title}: median barrier {np.median(heights):.2f}, basins {numbers}", flush=True)


def main(seeds: list[int]) -> None:
    """Measure."""
    ours, alone = [], []
    for seed in seeds:
        ours.append(measured(seed, finetuned))
        report(f"data seed {seed}, finetuned", ours[-1:], outcomes(ours[-1:]))
        mixed = np.random.default_rng(seed).permutation(outcomes(ours[-1:]))
        report(f"data seed {seed}, shuffled scores", ours[-1:], mixed)
        alone.append(measured(seed, unrelated))
        report(f"data seed {seed}, unrelated models", alone[-1:], outcomes(alone[-1:]))
    if len(seeds) > 1:
        report("all data seeds, finetuned", ours, outcomes(ours))
        report("all data seeds, unrelated models", alone, outcomes(alone))
    print(f"== shuffled scores: p <= .05 in {level(ours):.2f} of {SHUFFLES} shuffles", flush=True)
    basins("finetuned", ours)
    basins("unrelated", alone)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100])
