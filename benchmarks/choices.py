"""Are choices of corpora as good as they say? Writes docs/simulations/choices.md.

    python benchmarks/choices.py --tables 600

The lab: its five smaller sizes are fitted and corpora are ranked at the sixth by `sf.rank`. Simulated tables: corpora
whose curves follow a ceiling law each, crossing or not, with what is said held against the truth. There the order of
corpora and their crossings come from how they part, and from no forecast: asked of that alone, thousands are judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations, pairwise
from pathlib import Path
from textwrap import fill

import numpy as np

import scalefit as sf
from scalefit.corpora.parting import BENT, parting
from scalefit.corpora.ranking import PLACES, crossing, standings
from scalefit.forecasting.series import Series, series_of

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "simulations" / "choices.md"
SEED = 20261127
CELL = ["task", "finetune_tokens", "domain"]
LEVEL, BEYOND, GRID = 0.95, 4.0, 31
DRAWS = 1000  # a table: a quarter of what a ranking takes, for more tables tell more
TIMES = (2.0, 4.0, 10.0)  # how far beyond the largest size choices are made in fresh worlds
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
        crossing = ", crossing" if self.cross else ""
        return f"{self.corpora} corpora, {self.sizes} × {self.seeds}, apart by {self.apart:g}{crossing}"


def curves(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tops and exponents of the corpora's ceilings; where they do not cross, they share an exponent."""
    tops = 30 + design.apart * rng.standard_normal(design.corpora)
    spread = 0.06 if design.cross else 0.0
    return tops, np.clip(0.25 + spread * rng.standard_normal(design.corpora), 0.08, 0.6)


def quality(tops: np.ndarray, rates: np.ndarray, size: np.ndarray | float) -> np.ndarray:
    """BLEU of every corpus at sizes (Q,): (C, Q)."""
    return tops[:, None] - 20 * (np.atleast_1d(size) / 1e6) ** -rates[:, None]


def simulated(
    tops: np.ndarray, rates: np.ndarray, design: Design, rng: np.random.Generator
) -> list[Series]:
    """Return each corpus' curve as it is measured."""
    sizes = np.repeat(np.geomspace(1e6, 1e8, design.sizes), design.seeds)
    truth = quality(tops, rates, sizes)
    return [
        series_of(sizes, y, top=100.0)
        for y in truth + design.noise * rng.standard_normal(truth.shape)
    ]


Pairs = list[tuple[float, float]]


@dataclass
class Judged:
    """What was said and what came: the choice of each table, all corpora, crossings that held, pairs that never do."""

    chosen: Pairs = field(default_factory=list)
    loss: Pairs = field(default_factory=list)
    best: Pairs = field(default_factory=list)
    held: Pairs = field(default_factory=list)  # of each table: how many intervals hold, of how many
    never: Pairs = field(default_factory=list)
    noted: list[bool] = field(default_factory=list)

    def judge(self, design: Design, rng: np.random.Generator) -> None:
        """Draw a table, ask for its ranking at 4 times the largest size and its crossings, and judge both."""
        tops, rates = curves(design, rng)
        each = simulated(tops, rates, design, rng)
        part = parting(each, logs=False)
        assert part is not None
        largest = float(each[0].x[-1])
        grid = np.geomspace(float(each[0].x[0]), 1000 * largest, GRID)
        drawn = part.draws(np.append(grid, BEYOND * largest), DRAWS, 1)
        self.rank(drawn[..., -1], quality(tops, rates, BEYOND * largest)[:, 0])
        looked = np.geomspace(grid[0], grid[-1], 400)
        course, held = quality(tops, rates, looked), []
        for a, b in combinations(range(design.corpora), 2):
            held += self._cross(a, b, drawn[..., :-1], course, (grid, looked, largest))
        if held:
            self.held.append((sum(held), len(held)))

    def rank(self, drawn: np.ndarray, truth: np.ndarray) -> None:
        """Rank by draws (C, draws) and judge P(best) and expected loss."""
        names, none = [str(i) for i in range(truth.size)], [False] * truth.size
        told = np.quantile(drawn, PLACES, axis=1).T
        said = standings(
            names,
            drawn,
            told,
            best_high=True,
            level=LEVEL,
            barred=none,
            alignment=[""] * truth.size,
        )
        top, first = int(truth.argmax()), said[0]
        self.best += [(s.p_best, int(s.corpus) == top) for s in said]
        self.chosen.append((first.p_best, int(first.corpus) == top))
        self.loss.append((first.expected_loss, float(truth[top] - truth[int(first.corpus)])))

    def _cross(
        self,
        a: int,
        b: int,
        drawn: np.ndarray,
        course: np.ndarray,
        where: tuple[np.ndarray, np.ndarray, float],
    ) -> list[bool]:
        """Judge one pair; whether its interval held, where it crosses in range and that is said."""
        grid, looked, largest = where
        said = crossing((str(a), str(b)), drawn[a], drawn[b], grid, True, LEVEL)
        if said is None:  # said to be never, P above .95
            gap = course[a] - course[b]
            self.never.append((1.0, not (gap[0] * gap < 0).any()))
            return []
        gap = course[int(said.overtakes)] - course[int(said.overtaken)]
        turn = np.flatnonzero((gap[:-1] <= 0) & (gap[1:] > 0))
        self.never.append((said.never, not turn.size))
        if not (said.likely and turn.size and looked[turn[0]] <= largest):
            return []
        return [bool(said.low / 1.02 <= looked[turn[0]] <= said.high * 1.02)]

    def and_(self, other: Judged) -> Judged:
        """Return both together."""
        return Judged(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def short(self, name: str) -> str:
        """Return the row of a fresh kind: no crossings were looked at."""
        p, right = np.mean(self.chosen, axis=0)
        return f"| {name} | {p:.3f} / {right:.3f} | {self.cost()} |"

    def row(self, name: str) -> str:
        """Return the row of one design, or of all."""
        held, pairs = np.sum(self.held, axis=0) if self.held else (0.0, 0.0)
        crossed = f"{held / pairs:.3f} ± {self.error():.3f} of {pairs:.0f}" if pairs else "–"
        return f"{self.short(name)} {crossed} | {brier(self.never)} |"

    def cost(self) -> str:
        """Return the expected loss said and come true, with the error of the difference over tables."""
        said, came = np.array(self.loss).T
        error = np.std(came - said) / np.sqrt(came.size)
        return f"{said.mean():.4f} / {came.mean():.4f} ± {error:.4f}"

    def ratio(self) -> str:
        """Return the expected loss said over what came, with the error of the latter."""
        said, came = np.array(self.loss).T
        error = np.std(came - said) / np.sqrt(came.size)
        return f"{said.mean() / came.mean():.2f} ± {error / came.mean():.2f}"

    def error(self) -> float:
        """Error of the share that held; it counts tables, for pairs of one table share their curves."""
        held, pairs = np.array(self.held, dtype=float).T
        share = held.sum() / pairs.sum()
        return float(np.sqrt(((held - share * pairs) ** 2).sum()) / pairs.sum())


def brier(said: Pairs) -> str:
    """Return the Brier score beside that of always saying the base rate."""
    p, true = np.array(said, dtype=float).T
    base = true.mean()
    return f"{np.mean((p - true) ** 2):.3f} ({base * (1 - base):.3f})"


def bins(said: Pairs) -> list[tuple[float, float, int]]:
    """Chances said and come true, and how many, by bins of what was said."""
    p, true = np.array(said, dtype=float).T
    within = [(p >= low) & (p < high) for low, high in pairwise(BINS)]
    return [(p[here].mean(), true[here].mean(), int(here.sum())) for here in within if here.any()]


def reliability(said: Pairs) -> str:
    """Return the rows of a reliability table."""
    return "\n".join(
        f"| {p:.3f} | {share:.3f} ± {np.sqrt(share * (1 - share) / count):.3f} | {count} |"
        for p, share, count in bins(said)
    )


def summary(designs: Judged, others: Judged) -> str:
    """Say how far what was said is from what came."""
    apart = max(abs(p - share) for p, share, _ in bins([*designs.best, *others.best]))
    held, pairs = np.sum(designs.held, axis=0)
    return fill(
        f"Over all kinds of table together P(best) is within {apart:.3f} of what came true in every bin, "
        f"{held / pairs:.3f} of the 95 % intervals of crossings hold, and the expected loss of the chosen one, said ÷ "
        f"came, is {designs.ratio()} over the designs and {others.ratio()} over the fresh worlds.",
        120,
    )


# Means (C, Q) of corpora at u = ln size over the smallest: their tops, what each has of its own (z), an exponent.
FRESH = {
    "side by side": lambda u, tops, z, a: tops - 20 * np.exp(-a * u) + 0 * z,
    "exponents of their own": lambda u, tops, z, a: tops - 20 * np.exp(-np.clip(a + 0.06 * z, 0.08, 0.6) * u),
    "amplitudes of their own": lambda u, tops, z, a: tops - 20 * np.exp(0.15 * z - a * u),
    "straight lines": lambda u, tops, z, a: tops - 10 + 2 * (1 + 0.2 * z) * u,
    "gaps that gather speed": lambda u, tops, z, a: tops - 10 + 2 * u + 0.5 * z * np.expm1(0.3 * u),
    "S-curves, shifted": lambda u, tops, z, a: tops - 10 + 15 / (1 + np.exp(3 + 0.6 * z - u)),
}  # fmt: skip


def fresh(kind: str, rng: np.random.Generator) -> tuple[list[Series], np.ndarray, float]:
    """Return a table of a kind, the rest drawn: curves as measured, true values where ranked, and that size."""
    corpora, sizes, seeds = rng.choice([3, 4, 6, 12, 24]), rng.integers(3, 7), rng.integers(1, 4)
    apart, noise, strong = np.exp(rng.uniform(np.log([0.15, 0.2, 0.3]), np.log([4.0, 0.8, 2.0])))
    tops, z = (
        30 + apart * rng.standard_normal((corpora, 1)),
        strong * rng.standard_normal((corpora, 1)),
    )
    a, beyond = rng.uniform(0.12, 0.5), float(rng.choice(TIMES))
    x = np.repeat(np.geomspace(1e6, 1e8, sizes), seeds)
    truth = FRESH[kind](np.log(np.append(x, beyond * x[-1]) / x[0]), tops, z, a)
    y = truth[:, :-1] + noise * rng.standard_normal((corpora, x.size))
    return [series_of(x, row, top=100.0) for row in y], truth[:, -1], beyond * float(x[-1])


def judged(kind: str, tables: int, rng: np.random.Generator) -> dict[float, Judged]:
    """Judge choices in tables of one fresh kind, by how far beyond the largest size they are made."""
    done = {times: Judged() for times in TIMES}
    for _ in range(tables):
        each, truth, size = fresh(kind, rng)
        part = parting(each, logs=False)
        assert part is not None
        one = done[round(size / float(each[0].x[-1]))]
        one.noted.append(part.bent > BENT)
        one.rank(part.draws(np.array([size]), DRAWS, 1)[..., 0], truth)
    return done


def fresh_row(name: str, done: Judged) -> str:
    """Return the row of a fresh kind, or of a distance."""
    return f"{done.short(name)} {done.ratio()} | {np.mean(done.noted):.2f} |"


DESIGNS = [
    Design(corpora, sizes, seeds, apart, cross)
    for corpora, sizes, seeds in ((3, 4, 1), (3, 6, 3), (6, 6, 1), (12, 5, 2), (24, 6, 1))
    for apart, cross in ((0.3, False), (2.0, False), (2.0, True))
]


TEXT = """# Are choices as good as they say?

`python benchmarks/choices.py --tables {tables}`, seed {seed}.

{summary}

## The lab: its largest size held out

Pairs of corpora ordered right at the sixth size: by `sf.rank` from five sizes, and by the fifth size as measured.

| metric | pairs | right by rank | right by the fifth size | right where P ≥ .8 |
|---|---|---|---|---|
{lab}

## Simulated tables

Ceilings 30 − 20·(D/1M)^−.25 BLEU, tops apart as said, exponents apart by .06 where curves cross; noise .4 BLEU; sizes
× seeds from 1M to 100M, ranked at 4 × the largest. Said / true of the chosen one: P(best), and its expected loss in
BLEU ± one standard error of the difference. Crossings: share of 95 % intervals that hold, over pairs that cross in
range and are said to, ± one standard error over tables. Brier score of P(never) over all pairs (in brackets that of
always saying the base rate).

| table | P(best) said / true | loss said / true | crossings held | Brier of never |
|---|---|---|---|---|
{simulated}

## Fresh worlds

Tables of 3 to 24 corpora, 3 to 6 sizes and 1 to 3 seeds, tops apart by .15 to 4 BLEU, noise .2 to .8, ranked at 2, 4
or 10 times the largest. A ranking notes where the course looks like an S (share of tables with that note in the last
column). Gaps that gather speed while all rise on a line look like lines as far as they were measured. Below the kinds,
all of them by how far beyond the largest size the choice is made.

| kind | P(best) said / true | loss said / true | said ÷ true | noted |
|---|---|---|---|---|
{fresh}

## Reliability of P(best), all designs and fresh worlds

| said | came true | corpora |
|---|---|---|
{reliability}

## Reliability of P(never), all designs

| said | came true | pairs |
|---|---|---|
{never}
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
    options.add_argument("--tables", type=int, default=500, help="tables of three corpora")
    options.add_argument("--out", default=str(OUT))
    given = options.parse_args()
    rng, rows, whole = np.random.default_rng(SEED), [], Judged()
    of_lab = "\n".join(held_out(metric) for metric in ("bleu", "chrf"))
    print(of_lab, flush=True)
    for design in DESIGNS:
        done = Judged()
        for _ in range(max(8, given.tables * 3 // design.corpora)):
            done.judge(design, rng)
        whole = whole.and_(done)
        rows.append(done.row(design.name))
        print(rows[-1], flush=True)
    rows.append(whole.row("all"))
    by = {kind: judged(kind, given.tables, rng) for kind in FRESH}
    others = {kind: reduce(Judged.and_, done.values()) for kind, done in by.items()}
    for times in TIMES:
        others[f"{times:g} ×"] = reduce(Judged.and_, [done[times] for done in by.values()])
    fresh_ = reduce(Judged.and_, [others[f"{times:g} ×"] for times in TIMES])
    lines = [fresh_row(name, done) for name, done in {**others, "all": fresh_}.items()]
    print(*lines, sep="\n", flush=True)
    text = TEXT.format(
        tables=given.tables,
        seed=SEED,
        summary=summary(whole, fresh_),
        lab=of_lab,
        simulated="\n".join(rows),
        fresh="\n".join(lines),
        reliability=reliability([*whole.best, *fresh_.best]),
        never=reliability(whole.never),
    )
    written(text, given.out)


def written(text: str, out: str) -> None:
    """Write a page, or print it where ``out`` is a dash."""
    if out == "-":
        print(text)
    else:
        Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
