"""Whether `sf.seed_curves` tells the right story, and how often it sees two modes where there is one.

Run: ``python benchmarks/simulate_distributions.py 60`` (data sets a line); some ten minutes of one core.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from scalefit.procedures.modes import two_modes
from scalefit.procedures.tails import success_law

TRUE = {
    "flat": "no change",
    "moves": "everything shifts",
    "moves, noise grows": "everything shifts",
    "moves, t(5) noise": "everything shifts",
    "moves, skewed noise": "everything shifts",
    "S-shaped": "everything shifts",
    "shares": "mixture shift",
    "shares and both modes": "both",
    "two modes move, shares do not": "everything shifts",
}
TWO = ("shares", "shares and both modes", "two modes move, shares do not")


def draw(kind: str, seeds: int, rng: np.random.Generator, sizes: int = 6) -> tuple[np.ndarray, ...]:
    """Scores, sizes, and whether each run made it; six sizes over three decades."""
    x = np.repeat(np.geomspace(1e6, 1e9, sizes), seeds)
    z = (np.log(x) - np.log(x).mean()) / np.log(10)
    noise = rng.standard_normal(x.size)
    made = rng.random(x.size) < (0.5 if kind == TWO[2] else 1 / (1 + np.exp(-2 * z)))
    moving = {
        "flat": noise,
        "moves": 2 * z + noise,
        "moves, noise grows": 2 * z + noise * np.exp(0.35 * z),
        "moves, t(5) noise": 2 * z + rng.standard_t(5, x.size),
        "moves, skewed noise": 2 * z + (rng.gamma(4, 1, x.size) - 4) / 2,
        "S-shaped": 4 / (1 + np.exp(-2 * z)) + noise,
        "shares": 6 * made + noise,
        "shares and both modes": 6 * made + z + noise,
        "two modes move, shares do not": 6 * made + z + noise,
    }
    return 20 + moving[kind], x, made


def stories(reps: int) -> None:
    """Print the share of right stories and of two modes."""
    print("| truth | seeds a size | right story | two modes |\n|---|---|---|---|")
    for seeds in (5, 10, 20):
        for kind, true in TRUE.items():
            rng = np.random.default_rng(seeds)
            found = [two_modes(*draw(kind, seeds, rng)[:2]) for _ in range(reps)]
            told = Counter(f.story for f in found)
            two = np.mean([f.modes == 2 for f in found])
            print(f"| {kind} | {seeds} | {told[true] / reps:.2f} | {two:.2f} |", flush=True)


def calibration(reps: int) -> None:
    """Print the Brier score of P(success) at a size ten times beyond, and how often its interval holds the truth."""
    print(
        "| seeds a size | Brier | of the truth | of the share so far | 95 % holds |\n|---|---|---|---|---|"
    )
    for seeds in (5, 10, 20):
        rng = np.random.default_rng(seeds)
        scores, held = [], []
        for _ in range(10 * reps):
            _, x, made = draw("shares", seeds, rng)
            true = 1 / (1 + np.exp(-2 * (np.log10(1e10 / x).mean())))
            said, low, high = (
                float(v[0]) for v in success_law(made.astype(float), x).at(np.array([1e10]))
            )
            new = rng.random(200) < true
            scores.append([np.mean((p - new) ** 2) for p in (said, true, made.mean())])
            held.append(low <= true <= high)
        brier = np.mean(scores, axis=0)
        print(
            f"| {seeds} | {brier[0]:.4f} | {brier[1]:.4f} | {brier[2]:.4f} | {np.mean(held):.3f} |"
        )


if __name__ == "__main__":
    calibration(int(sys.argv[1]))
    stories(int(sys.argv[1]))
