"""Do intervals of crossings hold? Writes docs/simulations/crossings.md.

    python benchmarks/crossings.py --tables 240

Crossings come from how corpora part, and from no forecast: asked of that alone, many more tables can be judged than
``choices.py`` ranks as a whole.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from choices import DESIGNS, SEED, Design, curves, quality

from scalefit.corpora.parting import parting
from scalefit.corpora.ranking import DRAWS, crossing
from scalefit.forecasting.series import Series, series_of

OUT = Path(__file__).parents[1] / "docs" / "simulations" / "crossings.md"
LEVEL, SIZES = 0.95, 31
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.951, 1.01)


@dataclass
class Judged:
    """Whether intervals held, table by table, and P(never) said with whether it came true."""

    held: list[list[bool]] = field(default_factory=list)
    never: list[tuple[float, bool]] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return the design's row; the error counts tables, for pairs of one table share their curves."""
        pairs = np.array(self.never, dtype=float)
        base = pairs[:, 1].mean()
        brier = np.mean((pairs[:, 0] - pairs[:, 1]) ** 2)
        each = np.array([(sum(h), len(h)) for h in self.held if h], dtype=float)
        share = each[:, 0].sum() / each[:, 1].sum()
        error = np.sqrt(((each[:, 0] - share * each[:, 1]) ** 2).sum()) / each[:, 1].sum()
        return (
            f"| {name} | {share:.3f} ± {error:.3f} | {int(each[:, 1].sum())} "
            f"| {brier:.3f} ({base * (1 - base):.3f}) |"
        )


def simulated(
    tops: np.ndarray, rates: np.ndarray, design: Design, rng: np.random.Generator
) -> list[Series]:
    """Return each corpus' curve as it is measured."""
    sizes = np.repeat(np.geomspace(1e6, 1e8, design.sizes), design.seeds)
    truth = quality(tops, rates, sizes)
    values = truth + design.noise * rng.standard_normal(truth.shape)
    return [series_of(sizes, y, top=100.0) for y in values]


def judge(design: Design, rng: np.random.Generator, out: Judged) -> None:
    """Judge all pairs of one table."""
    tops, rates = curves(design, rng)
    each = simulated(tops, rates, design, rng)
    part = parting(each, logs=False)
    assert part is not None
    smallest, largest = float(each[0].x[0]), float(each[0].x[-1])
    grid, looked = (np.geomspace(smallest, 1000 * largest, n) for n in (SIZES, 400))
    drawn, course = part.draws(grid, DRAWS, 1), quality(tops, rates, looked)
    held = []
    for a, b in combinations(range(design.corpora), 2):
        said = crossing((str(a), str(b)), drawn[a], drawn[b], grid, True, LEVEL)
        if said is None:
            gap = course[a] - course[b]
            out.never.append((1.0, not (gap[0] * gap < 0).any()))
            continue
        gap = course[int(said.overtakes)] - course[int(said.overtaken)]
        turn = np.flatnonzero((gap[:-1] <= 0) & (gap[1:] > 0))
        out.never.append((said.never, not turn.size))
        if said.likely and turn.size and looked[turn[0]] <= largest:
            held.append(bool(said.low / 1.02 <= looked[turn[0]] <= said.high * 1.02))
    out.held.append(held)


TEXT = """# Where curves cross

`python benchmarks/crossings.py --tables {tables}`, seed {seed}.

The tables of [choices](choices.md) whose curves cross, more of them: {level:.0%} intervals of crossings, over pairs
that cross in range and of which it is said; ± one standard error over tables. Brier score of P(never) over all pairs,
in brackets that of always saying the base rate.

| table | held | pairs | Brier of never |
|---|---|---|---|
{rows}

| P(never) said | came true | pairs |
|---|---|---|
{never}

P(never) includes tables whose curves run side by side and never cross: said as above, over all of them Brier {brier}.
"""


def reliability(pairs: np.ndarray) -> str:
    """P(never) said and come true, by bins of what was said."""
    rows = []
    for low, high in pairwise(BINS):
        here = (pairs[:, 0] >= low) & (pairs[:, 0] < high)
        if here.any():
            said, true = pairs[here].mean(axis=0)
            rows.append(f"| {said:.2f} | {true:.2f} | {here.sum()} |")
    return "\n".join(rows)


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tables", type=int, default=240, help="tables of three corpora")
    options.add_argument("--out", default=str(OUT))
    given = options.parse_args()
    rng, rows, whole, never = np.random.default_rng(SEED), [], Judged(), []
    for design in DESIGNS:
        done = Judged()
        for _ in range(max(8, given.tables * 3 // design.corpora) // (1 if design.cross else 4)):
            judge(design, rng, done)
        never += done.never
        if design.cross:
            whole = Judged(whole.held + done.held, whole.never + done.never)
            rows.append(done.row(design.name))
            print(rows[-1], flush=True)
    rows.append(whole.row("all"))
    pairs = np.array(never, dtype=float)
    base = pairs[:, 1].mean()
    brier = f"{np.mean((pairs[:, 0] - pairs[:, 1]) ** 2):.3f} ({base * (1 - base):.3f})"
    text = TEXT.format(
        tables=given.tables, seed=SEED, level=LEVEL, rows="\n".join(rows),
        never=reliability(pairs), brier=brier,
    )  # fmt: skip
    if given.out == "-":
        print(text)
    else:
        Path(given.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
