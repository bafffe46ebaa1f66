"""Are choices of corpora as good as they say? Writes docs/simulations/choices.md.

    python benchmarks/choices.py --tables 200

The lab: its five smaller sizes are fitted and corpora are ranked at the sixth. Simulated tables: corpora whose curves
follow a ceiling law each, crossing or not, with what is said of the chosen one held against the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

import scalefit as sf

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "simulations" / "choices.md"
SEED = 20261127
CELL = ["task", "finetune_tokens", "domain"]
BINS = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.01)


def lab(metric: str) -> Iterator[tuple[float, bool, bool]]:
    """Yield P and rightness of every pair of corpora at the held-out size, and whether the fifth size ordered it."""
    frame = sf.datasets.transfer_lab().frame
    frame = frame[(frame.metric == metric) & (frame.corpus != "none")]
    for _, cell in frame.groupby(CELL):
        sizes = np.sort(cell.pretrain_tokens.unique())
        if len(sizes) < 6 or cell.corpus.nunique() < 2:
            continue
        last, before = (
            cell[cell.pretrain_tokens == size].groupby("corpus")["value"].mean()
            for size in (sizes[-1], sizes[-2])
        )
        ranking = sf.rank(cell[cell.pretrain_tokens < sizes[-1]], metric, at=float(sizes[-1]))[0]
        value = {s.corpus: s.estimate for s in ranking.standings}
        chance = {s.corpus: s.p_best for s in ranking.standings}
        for a, b in combinations(sorted(set(value) & set(last.index) & set(before.index)), 2):
            better = last[a] > last[b]
            total = chance[a] + chance[b]
            share = max(chance[a], chance[b]) / total if total > 0 else 0.5
            yield share, (value[a] > value[b]) == better, (before[a] > before[b]) == better


@dataclass(frozen=True)
class Design:
    """A simulated table: so many corpora, sizes and seeds; their curves part by ``apart`` BLEU, and cross or not."""

    corpora: int
    sizes: int
    seeds: int
    apart: float
    cross: bool
    noise: float = 0.4

    @property
    def name(self) -> str:
        """Say it in words."""
        return f"{self.corpora} corpora, {self.sizes} × {self.seeds}, apart by {self.apart:g}"


@dataclass
class Tally:
    """What was promised and what came, over tables of one design."""

    best: list[tuple[float, bool]] = field(default_factory=list)
    loss: list[tuple[float, float]] = field(default_factory=list)
    crossed: list[bool] = field(default_factory=list)
    never: list[tuple[float, bool]] = field(default_factory=list)


def curves(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tops and exponents of the corpora's ceilings; where they do not cross, they share an exponent."""
    tops = 30 + design.apart * rng.standard_normal(design.corpora)
    spread = 0.06 if design.cross else 0.0
    return tops, np.clip(0.25 + spread * rng.standard_normal(design.corpora), 0.08, 0.6)


def quality(tops: np.ndarray, rates: np.ndarray, size: np.ndarray | float) -> np.ndarray:
    """BLEU of every corpus at sizes (Q,): (C, Q)."""
    return tops[:, None] - 20 * (np.atleast_1d(size) / 1e6) ** -rates[:, None]


def tally(design: Design, tables: int, rng: np.random.Generator) -> Tally:
    """Rank so many tables at 4 times the largest size."""
    out = Tally()
    sizes = np.geomspace(1e6, 1e8, design.sizes)
    for _ in range(tables):
        tops, rates = curves(design, rng)
        truth = quality(tops, rates, sizes)
        values = truth[..., None] + design.noise * rng.standard_normal((*truth.shape, design.seeds))
        c, k, s = (a.ravel() for a in np.indices(values.shape))
        data = pd.DataFrame(
            {
                "corpus": [f"c{i}" for i in c],
                "pretrain_tokens": sizes[k],
                "pretrain_seed": s + 100 * k,
            }
        )
        ranking = sf.rank(data.assign(bleu=values.ravel()), "bleu", at=4e8, level=0.95)[0]
        _count(out, ranking, tops, rates, sizes)
    return out


def _count(
    out: Tally, ranking: sf.Ranking, tops: np.ndarray, rates: np.ndarray, sizes: np.ndarray
) -> None:
    at = quality(tops, rates, 4e8)[:, 0]
    for standing in ranking.standings:
        out.best.append((standing.p_best, int(at.argmax()) == int(standing.corpus[1:])))
    best = ranking.best
    assert best is not None
    out.loss.append((best.expected_loss, float(at.max() - at[int(best.corpus[1:])])))
    looked = np.geomspace(sizes[0], 1000 * sizes[-1], 400)
    course = quality(tops, rates, looked)
    said = {frozenset([c.overtakes, c.overtaken]): c for c in ranking.crossings}
    for a, b in combinations(range(len(tops)), 2):
        crossing = said.get(frozenset([f"c{a}", f"c{b}"]))
        if crossing is None:  # said to be never, P above .95
            gap = course[a] - course[b]
            out.never.append((1.0, not (gap[0] * gap < 0).any()))
            continue
        gap = np.subtract(*course[[int(crossing.overtakes[1:]), int(crossing.overtaken[1:])]])
        turn = np.flatnonzero((gap[:-1] <= 0) & (gap[1:] > 0))
        out.never.append((crossing.never, not turn.size))
        # judged over pairs that cross in range, and of which it is said
        if crossing.likely and turn.size and looked[turn[0]] <= sizes[-1]:
            low, high = crossing.low / 1.02, crossing.high * 1.02
            out.crossed.append(bool(low <= looked[turn[0]] <= high))


def line(design: Design, done: Tally) -> str:
    """One design's row."""
    said, came = np.array(done.loss).T
    chance, right = np.array(done.best, dtype=float).T
    picked = chance >= 0.5
    never = np.array(done.never, dtype=float).reshape(-1, 2)
    brier = _brier(never)
    held = f"{np.mean(done.crossed):.2f} of {len(done.crossed)}" if done.crossed else "–"
    sure = f"{chance[picked].mean():.2f} / {right[picked].mean():.2f}" if picked.any() else "–"
    cross = "yes" if design.cross else "no"
    return (
        f"| {design.name} | {cross} | {sure} | {np.mean((chance - right) ** 2):.3f} "
        f"| {said.mean():.2f} / {came.mean():.2f} | {held} | {brier} |"
    )


def _brier(pairs: np.ndarray) -> str:
    """Return the Brier score beside that of always saying the base rate."""
    base = pairs[:, 1].mean()
    return f"{np.mean((pairs[:, 0] - pairs[:, 1]) ** 2):.3f} ({base * (1 - base):.3f})"


def reliability(pairs: list[tuple[float, bool]]) -> str:
    """P(best) said and come true, by bins of what was said."""
    said, true = np.array(pairs, dtype=float).T
    rows = []
    for low, high in pairwise(BINS):
        here = (said >= low) & (said < high)
        if here.sum() >= 15:
            rows.append(f"| {said[here].mean():.2f} | {true[here].mean():.2f} | {here.sum()} |")
    return "\n".join(rows)


DESIGNS = [
    Design(corpora, sizes, seeds, apart, cross)
    for corpora, sizes, seeds in ((3, 4, 1), (3, 6, 3), (6, 6, 1), (12, 5, 2), (24, 6, 1))
    for apart, cross in ((0.3, False), (2.0, False), (2.0, True))
]


TEXT = """# Are choices as good as they say?

`python benchmarks/choices.py --tables {tables}`, seed {seed}.

What it says: P(best) and the expected loss hold to within what so few tables show, over all kinds of table taken
together. Crossings are judged on many more tables in [crossings](crossings.md); here a handful of tables decides each
line. On the lab a ranking from five sizes orders the sixth better than the fifth size itself does.

## The lab: its largest size held out

Pairs of corpora ordered right at the sixth size: by `sf.rank` from five sizes, and by the fifth size as measured.

| metric | pairs | right by rank | right by the fifth size | right where P ≥ .8 |
|---|---|---|---|---|
{lab}

## Simulated tables

Ceilings 30 − 20·(D/1M)^−.25 BLEU, tops apart as said, exponents apart by .06 where curves cross; noise .4 BLEU; ranked
at 4 × the largest size. Said / true: P(best) of what has .5 or more; expected loss of the chosen one in BLEU.
Crossing: 95 % intervals, over pairs that cross in range and are said to. Brier scores of P(best) over all corpora, and
of P(never) over all pairs (in brackets that of always saying the base rate).

| table | cross | P(best) said / true | Brier | loss said / true | crossing held | Brier of never |
|---|---|---|---|---|---|---|
{simulated}

## Reliability of P(best), all designs

| said | came true | corpora |
|---|---|---|
{reliability}

## Reliability of P(never), all designs

| said | came true | pairs |
|---|---|---|
{never}

All together: {crossed} of the 95 % intervals hold; Brier score of P(never) {brier} (always the base rate: in brackets).
"""


def held_out(metric: str) -> str:
    """Return the lab's row of one metric."""
    share, ours, fifth = np.array(list(lab(metric))).T
    sure = ours[share >= 0.8]
    return (
        f"| {metric} | {ours.size} | {ours.mean():.2f} | {fifth.mean():.2f} "
        f"| {sure.mean():.2f} of {sure.size} |"
    )


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tables", type=int, default=200, help="tables of three corpora")
    options.add_argument("--out", default=str(OUT))
    given = options.parse_args()
    rng, rows = np.random.default_rng(SEED), []
    pairs, never, crossed = [], [], []
    of_lab = "\n".join(held_out(metric) for metric in ("bleu", "chrf"))
    print(of_lab, flush=True)
    for design in DESIGNS:
        done = tally(design, max(8, given.tables * 3 // design.corpora), rng)
        pairs, never, crossed = (
            pairs + done.best,
            never + done.never,
            crossed + done.crossed,
        )
        rows.append(line(design, done))
        print(rows[-1], flush=True)
    text = TEXT.format(
        tables=given.tables,
        seed=SEED,
        lab=of_lab,
        simulated="\n".join(rows),
        reliability=reliability(pairs),
        never=reliability(never),
        crossed=f"{np.mean(crossed):.3f} of {len(crossed)}",
        brier=_brier(np.array(never, dtype=float)),
    )
    if given.out == "-":
        print(text)
    else:
        Path(given.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
