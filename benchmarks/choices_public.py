"""Are choices between learners as good as they say, on measured curves? Writes docs/simulations/choices_public.md.

    pip download lcdb==0.1.0 --no-deps --no-binary :all: && tar xf lcdb-0.1.0.tar.gz
    python benchmarks/choices_public.py lcdb-0.1.0/lcdb --tables 300

The learning curve database (Mohr, Viering, Loog & van Rijn 2022, https://github.com/fmohr/lcdb): twenty learners on 246
data sets, sizes √2 apart, up to 25 runs each. A table is a data set and some of its learners at some of its small
sizes, a few runs each; what came is the mean over all runs at a size beyond.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from choices import DRAWS, SEED, TIMES, Pairs, reliability, written

from scalefit.corpora.parting import parting_of
from scalefit.forecasting.series import Series, series_of

OUT = Path(__file__).parents[1] / "docs" / "simulations" / "choices_public.md"
FILES = {"accuracy": "accuracy", "f1": "f1", "cross_entropy": "logloss"}
COLUMNS = {"openmlid": "int32", "learner": "category", "size_train": "int32", "score_test": "float"}
STARTS, STEPS, SIZES, SEEDS, LEARNERS = (32, 64, 128, 256), (2, 2, 4), (3, 7), (1, 4), (3, 9)
ENOUGH = 10  # runs that a mean beyond is made of, at least
OFF = 0.12  # of a measured size from the one asked for, in logarithms

TEXT = """# Are choices as good as they say, on measured curves?

`python benchmarks/choices_public.py lcdb-0.1.0/lcdb --tables {tables}`, seed {seed}. The data are those of
`pip download lcdb==0.1.0 --no-deps --no-binary :all:` (https://github.com/fmohr/lcdb).

Learners (kernel machines, forests, nearest neighbours, …) are less alike than corpora are: their curves cross, bend
and stop by turns. A table is a data set, 3 to 8 learners, 3 to 6 sizes 2 or 4 times apart, 1 to 3 runs each; they are
ranked at 2, 4 and 10 times the largest, where the mean over all runs (10 to 25) says what came. Losses in ln of the log
loss, or of what is missing to an accuracy. The choice is the one of least expected loss; beside it, how often the one
of highest P(best) and the one that is best at the largest size measured are right, and what they lose.

| metric, beyond | P(best) said / true | loss said / true | by P(best): right, loss | by the last size: right, loss |
|---|---|---|---|---|
{rows}

## Reliability of P(best), all tables

| said | came true | learners |
|---|---|---|
{reliability}
"""


@dataclass
class Came:
    """What was said and what came, of the chosen one, of all, and of the best at the last size."""

    chosen: Pairs = field(default_factory=list)
    loss: Pairs = field(default_factory=list)
    best: Pairs = field(default_factory=list)
    likeliest: Pairs = field(default_factory=list)
    last: Pairs = field(default_factory=list)

    def judge(self, metric: str, curves: list[Series], size: float, left: np.ndarray) -> None:
        """Rank learners at a size by how their curves part; ``left`` is ln of what is left to learn there."""
        part = parting_of(curves, metric)
        assert part is not None
        drawn = part.draws(np.array([size]), DRAWS, 1)[..., 0]
        chance = np.bincount(drawn.argmin(axis=0), minlength=len(curves)) / DRAWS
        loss = (drawn - drawn.min(axis=0)).mean(axis=1)
        first, likeliest, best = int(loss.argmin()), int(chance.argmax()), int(left.argmin())
        sign = -1 if metric == "cross_entropy" else 1
        last = int(np.argmax([sign * c.y[-1] for c in curves]))
        self.best += [(p, i == best) for i, p in enumerate(chance.tolist())]
        self.chosen.append((float(chance[first]), first == best))
        self.loss.append((float(loss[first]), float(left[first] - left[best])))
        for others, one in ((self.likeliest, likeliest), (self.last, last)):
            others.append((float(left[one] - left[best]), one == best))

    def row(self, name: str) -> str:
        """Return the row of a metric at one distance."""
        p, right = np.mean(self.chosen, axis=0)
        said, came = np.mean(self.loss, axis=0)
        others = " | ".join(
            f"{right:.3f}, {lost:.3f}"
            for lost, right in (np.mean(each, axis=0) for each in (self.likeliest, self.last))
        )
        return f"| {name} | {p:.3f} / {right:.3f} | {said:.3f} / {came:.3f} | {others} |"

    def and_(self, other: Came) -> Came:
        """Return both together."""
        return Came(*(getattr(self, name) + getattr(other, name) for name in vars(self)))


def table(
    runs: pd.DataFrame, metric: str, beyond: float, rng: np.random.Generator
) -> tuple[list[Series], float, np.ndarray] | None:
    """Draw a table of a data set: curves, the size to rank at, ln of what is left there; None where it is too small."""
    sizes, learners = (int(rng.integers(*ends)) for ends in (SIZES, LEARNERS))
    seeds, start, step = int(rng.integers(*SEEDS)), rng.choice(STARTS), rng.choice(STEPS)
    asked = start * float(step) ** np.arange(sizes)
    asked = np.append(asked, beyond * asked[-1])
    there = np.sort(runs.size_train.unique())
    at = there[np.abs(np.log(there[:, None] / asked)).argmin(axis=0)]
    if (np.abs(np.log(at / asked)) > OFF).any():
        return None
    count = runs.pivot_table("score_test", "learner", "size_train", "count", observed=True)
    enough = (count[at[:-1]] >= seeds).all(axis=1) & (count[at[-1]] >= ENOUGH)
    names = count.index[enough].tolist()
    if len(names) < LEARNERS[0]:
        return None
    curves, left = [], []
    for name in rng.permutation(names)[:learners]:
        own = runs[runs.learner == name].groupby("size_train").score_test
        y = [rng.permutation(own.get_group(size))[:seeds] for size in at[:-1]]
        top = np.inf if metric == "cross_entropy" else 1.0
        curves.append(
            series_of(np.repeat(at[:-1].astype(float), seeds), np.concatenate(y), top=top)
        )
        mean = own.get_group(at[-1]).mean()
        left.append(np.log(max(mean if np.isinf(top) else 1 - mean, 1e-6)))
    return curves, float(at[-1]), np.array(left)


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path, help="of the database's files")
    options.add_argument("--tables", type=int, default=300, help="of each metric")
    options.add_argument("--out", default=str(OUT))
    given = options.parse_args()
    rows, whole, rng = [], Came(), np.random.default_rng(SEED)
    for metric, name in FILES.items():
        runs = pd.read_csv(
            given.folder / f"database-{name}.csv", usecols=list(COLUMNS), dtype=COLUMNS
        )
        if (
            metric == "cross_entropy"
        ):  # of support vector machines there is none: they give no probabilities
            runs = runs[~runs.learner.str.startswith("SVC")]
        sets = [part for _, part in runs.dropna().groupby("openmlid")]
        done = {times: Came() for times in TIMES}
        while sum(len(c.chosen) for c in done.values()) < given.tables:
            beyond = min(TIMES, key=lambda t: len(done[t].chosen))
            drawn = table(sets[rng.integers(len(sets))], metric, beyond, rng)
            if drawn is not None:
                done[beyond].judge(metric, *drawn)
        rows += [came.row(f"{metric}, {times:g} ×") for times, came in done.items()]
        whole = reduce(Came.and_, done.values(), whole)
        print(*rows[-len(TIMES) :], sep="\n", flush=True)
    rows, chances = "\n".join([*rows, whole.row("all")]), reliability(whole.best)
    text = TEXT.format(tables=given.tables, seed=SEED, rows=rows, reliability=chances)
    written(text, given.out)


if __name__ == "__main__":
    main()
