"""Do forecasts of BLEU hold where the truth is known? Bands of a new run and chances of targets, by simulation.

    python benchmarks/simulate_quality.py --tables 60       # writes docs/simulations/forecasts_quality.md, ten minutes
    python benchmarks/simulate_quality.py --tables 10 --out -

What users run: `sf.forecast(table, target=…, at=…)` at its defaults, on tables of one or six curves of a kind, 4 to 20
sizes over one to three decades, 1 to 5 runs a size. Constants that ship come from public curves, where most flatten.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from choices import written
from simulate_forecasts import reliability

import scalefit as sf

OUT = Path(__file__).parents[1] / "docs" / "simulations" / "forecasts_quality.md"
AHEAD = np.array([2.0, 4.0, 10.0])
SEED = 20261127
TOP = 100.0
Truth = Callable[[np.ndarray], np.ndarray]


def line(rng: np.random.Generator) -> Truth:
    start, slope = rng.uniform(3, 15), rng.uniform(1.0, 2.5)
    return lambda u: start + slope * u


def log_law(rng: np.random.Generator) -> Truth:
    start, beta, scale = rng.uniform(0.5, 2.0), rng.uniform(0.4, 1.0), rng.uniform(3, 8)
    return lambda u: scale * (start + u) ** beta


def ceiling(rng: np.random.Generator) -> Truth:
    low, top, rate = rng.uniform(1, 10), rng.uniform(20, 50), rng.uniform(0.1, 0.8)
    return lambda u: top - (top - low) * np.exp(-rate * u)


def logistic(rng: np.random.Generator) -> Truth:
    low, top = rng.uniform(0, 5), rng.uniform(20, 50)
    rate, middle = rng.uniform(0.5, 1.5), rng.uniform(0, 5)
    return lambda u: low + (top - low) / (1 + np.exp(-rate * (u - middle)))


def plateau(rng: np.random.Generator) -> Truth:
    rise, at = line(rng), rng.uniform(2, 5)
    return lambda u: rise(np.minimum(u, at))


def turn(rng: np.random.Generator) -> Truth:
    """Return a line that turns down, in the data or beyond them."""
    rise, at, down = line(rng), rng.uniform(2, 7), rng.uniform(0.2, 1.0)
    return lambda u: rise(np.minimum(u, at)) - down * np.maximum(u - at, 0)


def take_off(rng: np.random.Generator) -> Truth:
    """Return nothing for a while, then a line."""
    low, at, slope = rng.uniform(1, 5), rng.uniform(1, 4), rng.uniform(1, 4)
    return lambda u: low + slope * np.maximum(u - at, 0)


INSIDE = {"line in ln x": line, "log-law": log_law, "ceiling": ceiling, "logistic": logistic}
TRUTHS = {**INSIDE, "plateau": plateau, "turn": turn, "take-off": take_off}


@dataclass(frozen=True)
class Design:
    """How the tables of one row are made; sizes and runs are drawn anew for every table."""

    truth: str
    noise: float
    curves: int


def tables(design: Design, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Yield one row a held-back size of each curve of a table: what was said of it and what came."""
    n, runs = int(rng.choice([4, 6, 10, 20])), int(rng.choice([1, 3, 5]))
    u = np.linspace(0, rng.uniform(2.3, 6.9), n)
    ahead = u[-1] + np.log(AHEAD)
    truths = [TRUTHS[design.truth](rng) for _ in range(design.curves)]
    noisy = lambda y: np.clip(y + design.noise * rng.normal(size=y.shape), 0, TOP)  # noqa: E731
    table = pd.DataFrame(
        {"corpus": f"c{i}", "pretrain_tokens": 1e8 * np.exp(x), "pretrain_seed": seed, "bleu": y}
        for i, truth in enumerate(truths)
        for seed in range(runs)
        for x, y in zip(u, noisy(truth(u)), strict=True)
    )
    later = truths[0](u[-1] + np.log(np.array([rng.uniform(1.2, 20.0)])))[0]
    target = float(np.clip(later, 0.1, 99.0))
    forecast = sf.forecast(table, target=target, at=list(1e8 * np.exp(ahead)))
    for truth, outlook in zip(truths, forecast, strict=True):
        said, came = outlook.ahead["bleu"], truth(ahead)
        fresh = noisy(came)
        ends = {level: said.interval(level) for level in (0.95, 0.8)}
        inside = {f"in {q}": (low <= fresh) & (fresh <= high) for q, (low, high) in ends.items()}
        met = np.array([truth(np.linspace(0, a, 400)).max() >= target for a in ahead])
        open_ = (
            truth(u).max() < target - 2 * design.noise
        )  # what is as good as there is no forecast
        chance = [outlook.tokens.within(t) if open_ else np.nan for t in AHEAD]
        yield pd.DataFrame(
            {
                "times": AHEAD,
                "error": np.abs(said.median - came),
                "low": said.median < came,
                "width": ends[0.8][1] - ends[0.8][0],
                "said": chance,
                "met": met,
                **inside,
            }
        )


def simulated(designs: list[Design], count: int) -> pd.DataFrame:
    """One row a curve and distance."""
    parts = []
    for i, design in enumerate(designs):
        rng = np.random.default_rng([SEED, i])
        for _ in range(count):
            parts += [rows.assign(**vars(design)) for rows in tables(design, rng)]
    return pd.concat(parts, ignore_index=True)


def shares(rows: pd.DataFrame, by: list[str]) -> str:
    """Return what bands hold, how wide they are and how often the middle lies below the truth, as Markdown."""
    lines = [
        f"| {' | '.join(by)} | 95 % holds | 80 % holds | width of 80 %, BLEU | error, BLEU | middle below the truth |",
        "|---" * (len(by) + 5) + "|",
    ]
    for key, group in rows.groupby(by, sort=False):
        far = group.groupby("times")
        held = [far[c].mean() for c in ("in 0.95", "in 0.8")]
        middle = [far[c].median() for c in ("width", "error")] + [far["low"].mean()]
        forms = (".2f", ".2f", ".1f", ".2f", ".2f")
        cells = [
            " / ".join(format(v, f) for v in c) for c, f in zip(held + middle, forms, strict=True)
        ]
        lines.append("| " + " | ".join([*map(str, key), *cells]) + " |")
    return "\n".join(lines)


def page(count: int) -> str:
    designs = [Design(t, sd, curves) for t in TRUTHS for sd in (0.2, 0.6) for curves in (1, 6)]
    rows = simulated(designs, count)
    inside = rows[rows.truth.isin(list(INSIDE))]
    held = [
        f"{100 * q:g} % holds {inside[f'in {q}'].mean():.3f} where the truth is a law of the mixture, "
        f"{rows[f'in {q}'].mean():.3f} over all"
        for q in (0.95, 0.8)
    ]
    return "\n\n".join(
        [
            "# Simulations of forecasts: quality",
            f"`python benchmarks/simulate_quality.py --tables {count}` prints this page. Triples are for 2×, 4× and "
            "10× the largest size. Noise is the standard deviation of one run, in BLEU; a table has so many curves of "
            "one kind, which learn from each other.",
            "## Do bands of a new run hold?",
            shares(rows, ["truth", "noise", "curves"]),
            "; ".join(held) + ".",
            "What goes on nearly straight for another decade is forecast too low, within its band, unless its sizes "
            "are enough to be sure that it is straight: public curves of bounded metrics flatten, and what ships was "
            "learned from them. What takes off or turns leaves 80 % bands more often than it should. Where you know "
            "that yours go on straight, name the law: "
            '`sf.fit(data, "bleu", law="log")`.',
            "## Is the chance of reaching a target what it says?",
            "Targets are values of the first curve between 1.2× and 20×; curves that are as good already are left out.",
            reliability(rows.dropna(subset="said")),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=60, help="tables a row")
    parser.add_argument("--out", default=str(OUT), help="file to write, or - for standard output")
    options = parser.parse_args()
    written(page(options.tables) + "\n", options.out)


if __name__ == "__main__":
    main()
