"""Is the run that `plan` names next worth it? Writes docs/simulations/plans.md, plans_tokens.md, plans_lab.md.

    python benchmarks/plans.py --tables 60
    python benchmarks/plans.py --goal tokens --tables 60
    python benchmarks/plans.py --goal replay --tables 8

Every simulated table is played to its end: `sf.plan` names a run, the truth answers, and so on until the choice is sure
or the budget is spent; beside it stands the same budget spent on running everything at the largest size at once.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from choices import SEED, Design, curves, quality, written

import scalefit as sf
from scalefit.corpora.parting import GRID, RATES, Parting, parting
from scalefit.corpora.ranking import DRAWS
from scalefit.doors.plan import CONTENDS
from scalefit.forecasting.series import series_of
from scalefit.planning.plan import PlanStep

OUT = Path(__file__).parents[1] / "docs" / "simulations" / "plans.md"
START, BEYOND = np.geomspace(1e6, 27e6, 4), 10.0
EACH_RUN = 5e6  # what finetuning and evaluation cost beside the pretraining tokens of a run
MOST = 80  # runs of one table
NOISE = 0.4
LOOKS = 24  # of a sequence, at most
ROUNDS = START[-1] * np.array([1.0, 10.0, 2.0, 4.0])  # sizes of its rounds, by turns


@dataclass
class World:
    """Corpora whose truth is known, with the runs made so far."""

    tops: np.ndarray
    rates: np.ndarray
    rng: np.random.Generator
    rows: list[dict[str, object]]
    paid: float = 0.0

    @classmethod
    def of(cls, design: Design, rng: np.random.Generator) -> World:
        """Draw corpora, each run once at the starting sizes."""
        world = cls(*curves(design, rng), rng, [])
        for corpus in range(design.corpora):
            for size in START:
                world.run(corpus, float(size))
        world.paid = 0.0
        return world

    @property
    def at(self) -> float:
        """The size at which the choice is made."""
        return float(BEYOND * START[-1])

    @property
    def best(self) -> int:
        """The truly best corpus there."""
        return int(quality(self.tops, self.rates, self.at)[:, 0].argmax())

    def run(self, corpus: int, size: float) -> float:
        """Run once more and pay for it."""
        bleu = quality(self.tops, self.rates, size)[corpus, 0] + NOISE * self.rng.standard_normal()
        self.rows.append(
            {
                "corpus": f"c{corpus}",
                "pretrain_tokens": size,
                "pretrain_seed": len(self.rows),
                "bleu": bleu,
            }
        )
        self.paid += price({}, size)
        return float(bleu)

    @property
    def table(self) -> pd.DataFrame:
        """All runs."""
        return pd.DataFrame(self.rows)


def price(_: object, tokens: float) -> float:
    """Cost of one run."""
    return tokens + EACH_RUN


@dataclass(frozen=True)
class Played:
    """How one table ended: P said, whether the choice is right, whether it was called sure, what was paid."""

    said: float
    right: bool
    sure: bool
    paid: float
    by_all: bool
    by_rank: bool


def played(design: Design, rng: np.random.Generator, enough: float) -> Played:
    """Play one table to its end, and spend the same budget at the largest size."""
    seed = int(rng.integers(2**31))
    world = World.of(design, np.random.default_rng(seed))
    budget = design.corpora * price({}, world.at)
    plan = following(world, budget, enough)
    while plan.next is not None and len(world.rows) < len(START) * design.corpora + MOST:
        step = plan.next
        for corpus in _corpora(step) * step.times:
            world.run(int(corpus[1:]), step.size)
        if world.paid + price({}, START[0]) > budget:
            break
        plan = following(world, budget, enough)
    chosen, said = ranked(world)
    other = World.of(design, np.random.default_rng(seed))
    seen = [other.run(c, other.at) for c in range(design.corpora)]
    return Played(
        said,
        chosen == world.best,
        said >= enough,
        world.paid / budget,
        int(np.argmax(seen)) == other.best,
        ranked(other)[0] == other.best,
    )


def following(world: World, budget: float, enough: float) -> sf.Plan:
    """Ask for the next run that what is left of the budget pays for."""
    left = max(budget - world.paid, 1.0)
    return sf.plan(world.table, "bleu", at=world.at, budget=left, cost=price, enough=enough)


def ranked(world: World) -> tuple[int, float]:
    """Return the corpus that `sf.rank` would choose, and its P(best)."""
    best = sf.rank(world.table, "bleu", at=world.at)[0].best
    assert best is not None
    return int(best.corpus[1:]), best.p_best


DESIGNS = [
    Design(corpora, len(START), 1, apart, cross)
    for corpora in (3, 6)
    for apart, cross in ((0.3, False), (1.0, False), (1.0, True))
]

TEXT = """# Is the next run worth it?

`python benchmarks/plans.py --tables {tables} --sequences {looked} --enough {enough}`, seed {seed}.

Corpora as in [choices](choices.md), each run once at {sizes} sizes from 1M to 27M tokens; the choice is about 270M. A
run costs its tokens and 5M for finetuning and evaluation; the budget runs everything once at 270M. `plan` is followed
run by run, stopping where P(right choice) ≥ {enough}. Beside it: everything run at 270M, and the best value measured
there chosen (by value), or the best by `sf.rank` on all runs (by rank). Wrong where sure: the share of wrong choices
among the tables where the sequence stopped because it was sure; the whole sequence promises at most {most:.2f}.

| table | right: plan | by value | by rank | budget spent | sure | P said there | wrong where sure |
|---|---|---|---|---|---|---|---|
{rows}

## The error of whole sequences

The same rule of stopping on many more tables: after every round, in which each contender runs once at the largest size
or up to 10 times beyond by turns, P(right choice) is looked at, up to {looks} times. Of those that were sure: looks
until then, the chance of being wrong as said, and how often the choice was wrong; {most:.2f} at most is promised.
No course here is an S, but a corpus' own part may be one: what that costs stands beside, the same tables and noise
judged where none may. Last, tables that were wrong only with the S : only without it.

| table | sure | looks | wrong: said | came | without the S | flipped |
|---|---|---|---|---|---|---|
{sequences}
"""


def line(name: str, each: list[Played]) -> str:
    """Return one design's row."""
    sure = [p for p in each if p.sure]
    wrong = f"{sum(not p.right for p in sure)} of {len(sure)}"
    said = f"{np.mean([p.said for p in sure]):.2f}" if sure else "–"
    right, by_all, by_rank, paid = (
        np.mean([getattr(p, what) for p in each]) for what in ("right", "by_all", "by_rank", "paid")
    )
    return (
        f"| {name} | {right:.2f} | {by_all:.2f} | {by_rank:.2f} | {paid:.2f} "
        f"| {len(sure)} of {len(each)} | {said} | {wrong} |"
    )


@dataclass(frozen=True)
class Stopped:
    """How a sequence of looks ended: whether it was sure, of the right corpus, with which P, after how many looks."""

    sure: bool
    right: bool
    said: float
    looks: int

    @property
    def wrong(self) -> bool:
        """Whether it stopped because it was sure, of a wrong one."""
        return self.sure and not self.right


def stopped(design: Design, seed: list[int], enough: float, *, bends: bool) -> Stopped:
    """Look after every round of runs, as `plan` does: whatever is run next, the stop is by P(right choice) alone.

    A round runs each contender once, at the largest size or beyond it by turns. The noise of every round is drawn
    beforehand, so that with the S and without it (``bends``) one and the same table is judged.
    """
    rng = np.random.default_rng(seed)
    tops, rates = curves(design, rng)
    noise = NOISE * rng.standard_normal((LOOKS, design.corpora))
    sizes = [list(START) for _ in tops]
    truth = quality(tops, rates, START)
    values = [list(row) for row in truth + NOISE * rng.standard_normal(truth.shape)]
    at = float(BEYOND * START[-1])
    for look in range(LOOKS):
        each = zip(sizes, values, strict=True)
        part = parting([series_of(np.array(x), np.array(y), top=100.0) for x, y in each], False)
        assert part is not None
        final = (part if bends else unbent(part)).draws(np.array([at]), DRAWS, look)[..., 0]
        chance = np.bincount(final.argmax(axis=0), minlength=len(final)) / DRAWS
        said = float(chance.max())
        error = float(np.sqrt(said * (1 - said) / DRAWS))
        if sf.Plan("best", "", (), said, enough, np.inf, error=error).sure:
            break
        size = float(ROUNDS[look % len(ROUNDS)])
        for i in np.flatnonzero(chance >= CONTENDS):
            sizes[i].append(size)
            values[i].append(quality(tops, rates, size)[i, 0] + noise[look, i])
    best = int(quality(tops, rates, at)[:, 0].argmax())
    return Stopped(look < LOOKS - 1, int(chance.argmax()) == best, said, look + 1)


def unbent(part: Parting) -> Parting:
    """Return what corpora's own parts may be where no course is an S."""
    chance = np.where(GRID[:, 3] < len(RATES), part.chance, 0.0)
    return replace(part, chance=chance / chance.sum())


Both = list[tuple[Stopped, Stopped]]


def sequences(tables: int, enough: float) -> list[str]:
    """Return the rows of the error of whole sequences, one a design and all."""
    rows, whole = [], []
    for j, design in enumerate(DESIGNS):
        each: Both = []
        for i in range(tables):
            with_s, without = (
                stopped(design, [SEED, j, i], enough, bends=b) for b in (True, False)
            )
            each.append((with_s, without))
        whole += each
        rows.append(_ended(named(design), each))
        print(rows[-1], flush=True)
    return [*rows, _ended("all", whole)]


def _ended(name: str, each: Both) -> str:
    with_s, without = zip(*each, strict=True)
    sure = [e for e in with_s if e.sure]
    said = np.mean([1 - e.said for e in sure])
    looks = np.mean([e.looks for e in sure])
    only = (
        sum(a.wrong and not b.wrong for a, b in each),
        sum(b.wrong and not a.wrong for a, b in each),
    )
    return (
        f"| {name} | {len(sure)} of {len(each)} | {looks:.1f} | {said:.3f} "
        f"| {_wrong(with_s)} | {_wrong(without)} | {only[0]} : {only[1]} |"
    )


def _wrong(each: Sequence[Stopped]) -> str:
    wrong = np.mean([e.wrong for e in each if e.sure])
    error = np.sqrt(wrong * (1 - wrong) / sum(e.sure for e in each))
    return f"{wrong:.3f} ± {error:.3f}"


def named(design: Design) -> str:
    """Say a design in words."""
    crossing = ", crossing" if design.cross else ""
    return f"{design.corpora} corpora, apart by {design.apart:g}{crossing}"


LATER = np.array([2.0, 4.0])  # sizes of the log-spaced plan, in multiples of the largest


@dataclass(frozen=True)
class Narrowed:
    """The 80 % interval of a token count after a budget was spent, in ln tokens up to what is in sight."""

    low: float
    estimate: float
    high: float
    truth: float

    @property
    def width(self) -> float:
        """Length of the interval."""
        return self.high - self.low

    @property
    def held(self) -> bool:
        """Whether the truth lies in it."""
        return self.low <= self.truth <= self.high

    @property
    def needed(self) -> float:
        """By how much it had to be stretched about its estimate to just hold the truth."""
        end = self.high if self.truth > self.estimate else self.low
        return (self.truth - self.estimate) / (end - self.estimate or 1e-9)

    @property
    def score(self) -> float:
        """Interval score (Gneiting & Raftery 2007): its width, and what lies outside at 2 / .2."""
        return self.width + 10 * max(self.low - self.truth, 0.0, self.truth - self.high)


def narrowed(rng: np.random.Generator) -> tuple[Narrowed, Narrowed, Narrowed]:
    """Return the interval at the start, after following `plan`, and after log-spaced sizes for the same budget."""
    seed = int(rng.integers(2**31))
    design = Design(1, len(START), 1, 1.0, True)
    world, other = (World.of(design, np.random.default_rng(seed)) for _ in range(2))
    reached = START[-1] * 10 ** rng.uniform(0.5, 1.5)
    target = float(quality(world.tops, world.rates, reached)[0, 0])
    budget = sum(price({}, x) for x in LATER * START[-1])
    before = interval(world, target, reached)
    while world.paid + price({}, START[-1]) <= budget and len(world.rows) < len(START) + MOST:
        plan = sf.plan(
            world.table,
            "bleu",
            goal="tokens",
            target=target,
            budget=budget - world.paid,
            cost=price,
        )
        if plan.next is None:
            break
        for _ in range(plan.next.times):
            world.run(0, plan.next.size)
    for size in LATER * START[-1]:
        other.run(0, float(size))
    return before, interval(world, target, reached), interval(other, target, reached)


def interval(world: World, target: float, truth: float) -> Narrowed:
    """Return the interval of the target's tokens."""
    tokens = sf.tokens_for(sf.fit(world.table, "bleu"), target, level=0.8)
    ends = np.minimum([tokens.low, tokens.estimate, tokens.high], 1000 * START[-1])
    return Narrowed(*np.log(ends).tolist(), float(np.log(truth)))


TOKENS = """# Does a plan narrow a token count?

`python benchmarks/plans.py --goal tokens --tables {tables}`, seed {seed}.

One corpus, run once at {sizes} sizes from 1M to 27M tokens; the target is reached 3 to 30 times beyond. The budget runs
2 and 4 times the largest size once; `plan --goal tokens` spends it run by run. Width of the 80 % interval in ln tokens,
up to 27B (mean, and in how many tables it is the narrower of the two), and how often it holds. Widths of unlike
coverage are not comparable: so all intervals of a row are stretched or drawn together by one factor until 80 % hold,
and the interval score (width, and 10 times what lies outside; less is better) stands beside.

| spent on | width | narrower | holds | width where 80 % hold | interval score |
|---|---|---|---|---|---|
{rows}
"""


def of_tokens(tables: int, rng: np.random.Generator) -> str:
    """Return the page about token counts."""
    each = [narrowed(rng) for _ in range(tables)]
    rows = []
    planned, spaced = (np.array([e[i].width for e in each]) for i in (1, 2))
    for i, name in enumerate(("nothing yet", "plan", "log-spaced sizes")):
        less = {1: planned < spaced, 2: spaced < planned}.get(i)
        narrower = "–" if less is None else f"{int(less.sum())} of {tables}"
        after = [e[i] for e in each]
        width, held, score = (
            np.mean([getattr(a, n) for a in after]) for n in ("width", "held", "score")
        )
        alike = width * np.quantile([a.needed for a in after], 0.8)
        rows.append(
            f"| {name} | {width:.2f} | {narrower} | {held:.2f} | {alike:.2f} | {score:.2f} |"
        )
        print(rows[-1], flush=True)
    return TOKENS.format(tables=tables, seed=SEED, sizes=len(START), rows="\n".join(rows))


LAB = """# A plan replayed on the lab

`python benchmarks/plans.py --goal replay --tables {tables}`, seed {seed}.

The lab's settings with three pretraining runs a cell, in an order drawn anew each time: every corpus starts with one
run at its three smallest sizes, and the choice is about the sixth. `plan` chooses among the cells that were measured
(a size it names stands for the nearest measured one) within what running everything once at the sixth size costs, and
stops where P(right choice) ≥ {enough}. Beside it, each from the same start: one run of everything at the fourth and
fifth size, and at the sixth, chosen by `sf.rank` on all runs; and by the value at the sixth alone. Right: the corpus
that is best by all runs of the sixth size; cost in tokens, of the budget.

| spent on | right | cost |
|---|---|---|
{rows}
"""


@dataclass
class Replay:
    """One setting of the lab: which of its runs have been looked at, in an order of their own."""

    cell: pd.DataFrame
    order: dict[tuple[str, float], np.ndarray]
    taken: dict[tuple[str, float], int]
    paid: float = 0.0

    @classmethod
    def of(cls, cell: pd.DataFrame, seed: int) -> Replay:
        """Start with one run of every corpus at its three smallest sizes."""
        rng, sizes = np.random.default_rng(seed), np.sort(cell.pretrain_tokens.unique())
        order = {
            key: rng.permutation(rows.pretrain_seed.unique())
            for key, rows in cell.groupby(["corpus", "pretrain_tokens"])
        }
        return cls(cell, order, {key: int(key[1] <= sizes[2]) for key in order})

    @property
    def sizes(self) -> np.ndarray:
        """Measured sizes, ascending."""
        return np.sort(self.cell.pretrain_tokens.unique())

    @property
    def table(self) -> pd.DataFrame:
        """What has been looked at."""
        seen = [
            self.cell[
                (self.cell.corpus == corpus)
                & (self.cell.pretrain_tokens == size)
                & self.cell.pretrain_seed.isin(self.order[corpus, size][:many])
            ]
            for (corpus, size), many in self.taken.items()
        ]
        return pd.concat(seen)

    def take(self, corpora: list[str], size: float) -> bool:
        """Look at one run more of each, and pay; False where one has none left."""
        keys = [(corpus, size) for corpus in corpora]
        if any(self.taken[key] >= self.order[key].size for key in keys):
            return False
        for key in keys:
            self.taken[key] += 1
            self.paid += size
        return True

    def chosen(self) -> str:
        """Return what `sf.rank` chooses at the largest size."""
        best = sf.rank(self.table, self.cell.metric.iloc[0], at=float(self.sizes[-1]))[0].best
        assert best is not None
        return best.corpus

    def follow(self, budget: float, enough: float) -> None:
        """Follow `plan` among the measured cells until it stops or the budget is spent."""
        while (left := budget - self.paid) > 0:
            plan = sf.plan(
                self.table,
                self.cell.metric.iloc[0],
                at=float(self.sizes[-1]),
                budget=left,
                enough=enough,
            )
            if plan.next is None or not any(self._taken(s, left) for s in plan.steps if s.told):
                return

    def _taken(self, step: PlanStep, left: float) -> bool:
        """Take what a step names, at the nearest measured size; False where it is not there or costs too much."""
        corpora = _corpora(step)
        size = float(self.sizes[np.abs(np.log(self.sizes / step.size)).argmin()])
        return size * len(corpora) <= left and self.take(corpora, size)


def _corpora(step: PlanStep) -> list[str]:
    return re.split(", | and ", str(step.group["corpus"]))


def of_lab(orders: int, enough: float, rng: np.random.Generator) -> str:
    """Return the page about the lab."""
    frame = sf.datasets.transfer_lab().frame
    frame = frame[(frame.corpus != "none") & frame.metric.isin(["bleu", "chrf"])]
    ended: dict[str, list[tuple[bool, float]]] = {}
    for _, cell in frame.groupby(["task", "finetune_tokens", "domain", "metric"]):
        if cell.pretrain_seed.nunique() < 3:
            continue
        sizes, corpora = np.sort(cell.pretrain_tokens.unique()), list(cell.corpus.unique())
        last = cell[cell.pretrain_tokens == sizes[-1]].groupby("corpus")["value"].mean()
        budget = float(sizes[-1] * len(corpora))
        for seed in rng.integers(2**31, size=orders):
            planned, spaced, all_ = (Replay.of(cell, int(seed)) for _ in range(3))
            planned.follow(budget, enough)
            for size in sizes[3:5]:
                spaced.take(corpora, float(size))
            all_.take(corpora, float(sizes[-1]))
            top = (
                all_.table[all_.table.pretrain_tokens == sizes[-1]]
                .groupby("corpus")["value"]
                .mean()
            )
            for name, which, choice in (
                ("plan", planned, planned.chosen()),
                ("fourth and fifth size", spaced, spaced.chosen()),
                ("sixth size, by rank", all_, all_.chosen()),
                ("sixth size, by value", all_, str(top.idxmax())),
            ):
                right = choice == last.idxmax()
                ended.setdefault(name, []).append((right, which.paid / budget))
    rows = []
    for name, each in ended.items():
        right, paid = np.mean(each, axis=0)
        rows.append(f"| {name} | {right:.2f} of {len(each)} | {paid:.2f} |")
        print(rows[-1], flush=True)
    return LAB.format(tables=orders, seed=SEED, enough=enough, rows="\n".join(rows))


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tables", type=int, default=60, help="tables of each design")
    options.add_argument("--sequences", type=int, default=600, help="tables of whole sequences")
    options.add_argument("--enough", type=float, default=0.95, help="certainty at which it stops")
    options.add_argument("--goal", choices=["best", "tokens", "replay"], default="best")
    options.add_argument("--out", default="")
    given = options.parse_args()
    rng = np.random.default_rng(SEED)
    if given.goal == "replay":
        text = of_lab(given.tables, given.enough, rng)
    else:
        text = of_tokens(given.tables, rng) if given.goal == "tokens" else of_choices(given, rng)
    stem = {"best": "plans", "tokens": "plans_tokens", "replay": "plans_lab"}[given.goal]
    out = given.out or str(OUT.with_stem(stem))
    written(text, out)


def of_choices(given: argparse.Namespace, rng: np.random.Generator) -> str:
    """Return the page about choices."""
    rows, whole = [], []
    for design in DESIGNS:
        each = [played(design, rng, given.enough) for _ in range(given.tables)]
        whole += each
        rows.append(line(named(design), each))
        print(rows[-1], flush=True)
    rows.append(line("all", whole))
    print(rows[-1], flush=True)
    return TEXT.format(
        tables=given.tables,
        enough=given.enough,
        most=1 - given.enough,
        seed=SEED,
        sizes=len(START),
        rows="\n".join(rows),
        looks=LOOKS,
        looked=given.sequences,
        sequences="\n".join(sequences(given.sequences, given.enough)),
    )


if __name__ == "__main__":
    main()
