"""Print the numbers of this set's card: data seeds apart, all together, then negative controls.

Run ``python data/parity_landscape/measure.py $(seq 100 116)``; half a minute a seed on one idle core. The controls
are those of the first three data seeds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from parity import Recipe, Runs, Training, cue_weights, experiment, finetuned, renamed, unrelated

from scalefit import landscape
from scalefit.landscape import Distances, Prediction
from scalefit.landscape.trial import p_swapped

SHUFFLES, CONTROLS = 200, 3


@dataclass(frozen=True, eq=False)
class Found:
    """Models of one or more data seeds; a group is a pretraining seed of a data seed."""

    runs: list[Runs]
    pairs: list[Distances]

    @classmethod
    def of(cls, seed: int, training: Training) -> Found:
        """Train, and evaluate all paths within each pretraining seed."""
        runs = experiment(Recipe(data_seed=seed), training)
        loss, groups = runs.loss(), runs.groups
        return cls([runs], [landscape.distances(runs.weights, loss, groups=groups, progress=False)])

    @property
    def groups(self) -> list[tuple[int, int]]:
        """Data seed and pretraining seed of every model."""
        return [(seed, group) for seed, runs in enumerate(self.runs) for group in runs.groups]

    def scores(self, name: str = "out_of_domain") -> np.ndarray:
        """Join scores of all data seeds."""
        return np.concatenate([getattr(runs, name) for runs in self.runs])

    def matrix(self, kind: str) -> np.ndarray:
        """Put the distances of all data seeds on one diagonal."""
        groups = self.groups
        square, start = np.full((len(groups),) * 2, np.nan), 0
        for pairs in self.pairs:
            end = start + len(pairs.names)
            square[start:end, start:end] = pairs.matrix(kind)
            start = end
        return square

    def predict(self, scores: np.ndarray, permutations: int = 999) -> Prediction:
        """Predict from barriers, against all baselines, within every pretraining seed."""
        ends = np.concatenate([pairs.ends() for pairs in self.pairs])
        return landscape.predict(
            self.matrix("barrier"),
            scores,
            in_domain=self.scores("in_domain"),
            groups=self.groups,
            baselines={"Euclidean": self.matrix("euclidean"), "in-domain loss": ends},
            permutations=permutations,
        )

    def basins(self) -> list[int]:
        """Return the number of basins of every pretraining seed."""
        each = [(p, g) for p in self.pairs for g in dict.fromkeys(p.groups)]
        return [landscape.clusters(pairs.within(group)).number for pairs, group in each]


def joined(found: list[Found]) -> Found:
    """Join data seeds."""
    return Found([f.runs[0] for f in found], [f.pairs[0] for f in found])


def row(seed: int, found: Found) -> None:
    """Print one data seed of finetuned models, at once."""
    result, runs = found.predict(found.scores()), found.runs[0]
    groups = np.array(runs.groups)
    spread = np.mean([runs.out_of_domain[groups == g].std(ddof=1) for g in set(runs.groups)])
    named = {p.name: f"{p.r:.2f}, {p.skill:.2f}" for p in result.predictors}
    shown = ("distance, 3 nearest", "Euclidean, 3 nearest", "in-domain loss, line", "basin")
    cells = [
        f"{runs.in_domain.mean():.4f} ({runs.in_domain.std():.4f})",
        f"{spread:.2f}",
        f"{result.p:.3f}",
        *(named[name] for name in shown),
        f"{result.eta_squared.value:.2f}",
        " ".join(map(str, found.basins())),
    ]
    print(f"| {seed} | " + " | ".join(cells) + " |", flush=True)


def report(title: str, found: Found, scores: np.ndarray) -> None:
    """Print one prediction, and for how many pretraining seeds it errs less than Euclidean distance."""
    result, groups = found.predict(scores), found.groups
    other = landscape.predict(found.matrix("euclidean"), scores, groups=groups).predicted
    gains = (other - scores) ** 2 - (result.predicted - scores) ** 2
    each = [gains[[g == one for g in groups]].sum() > 0 for one in dict.fromkeys(groups)]
    ahead = f"{sum(each)} of {len(each)} pretraining seeds"
    print(f"\n== {title}: p of beating every baseline {result.p_every:.3g}", flush=True)
    print(f"== errs less than Euclidean distance in {ahead}")
    if len(found.runs) > CONTROLS:
        p = p_swapped(gains, np.array([seed for seed, _ in groups]), 9_999)
        print(f"== Euclidean distance beaten, whole data seeds swapped: p = {p:.3g}")
    print(result, flush=True)


def controls(ours: Found, alone: Found) -> None:
    """Print what models without a common start say, why they do, and what nothing says."""
    report("unrelated models", alone, alone.scores())
    for title, found in (("finetuned", ours), ("unrelated", alone)):
        lead = np.concatenate([cue_weights(runs) for runs in found.runs])
        known = landscape.predict(np.abs(lead[:, None] - lead), found.scores(), groups=found.groups)
        print(f"\n== {title} models, told where the cues are: {known.main}")
    rng = np.random.default_rng(1)
    report("unrelated models, cues named by coin", alone, renamed(alone.scores(), rng))
    report("finetuned models, shuffled scores", ours, rng.permutation(ours.scores()))
    shuffled = [ours.predict(rng.permutation(ours.scores()), 99).p for _ in range(SHUFFLES)]
    tossed = [alone.predict(renamed(alone.scores(), rng), 99).p for _ in range(SHUFFLES)]
    for what, p in (("shuffled scores, finetuned", shuffled), ("coins, unrelated", tossed)):
        print(f"== {what} models: p <= .05 in {np.mean(np.array(p) <= 0.05):.3f} of {SHUFFLES}")
    print(f"== basins of unrelated models: {alone.basins()}", flush=True)


def main(seeds: list[int]) -> None:
    """Measure."""
    head = ("data seed", "in domain (sd)", "out-of-domain sd", "p", "barrier: r, skill", "Euclidean",
            "in-domain loss, line", "basin", "η²", "basins")  # fmt: skip
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    ours = []
    for seed in seeds:
        ours.append(Found.of(seed, finetuned))
        row(seed, ours[-1])
    report("all finetuned models", joined(ours), joined(ours).scores())
    few = seeds[:CONTROLS]
    controls(joined(ours[:CONTROLS]), joined([Found.of(seed, unrelated) for seed in few]))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100])
