"""The curves that a ranking compares: what the forecast of each says, and joint draws that say who is ahead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from scalefit.corpora.parting import Parting, parting_of
from scalefit.corpora.ranking import (
    DRAWS,
    PLACES,
    Crossing,
    around,
    crossing,
    drawn_together,
    in_order,
    told_by,
)
from scalefit.doors.curves import Caution
from scalefit.errors import DesignError
from scalefit.forecasting.mixture import Mixture, predictives, reaches
from scalefit.forecasting.predictive import FARTHEST, Predictive
from scalefit.planning.plan import Cost, paid
from scalefit.types import Floats
from scalefit.units import format_count

# Of the doubt of corpora that share no sizes: .01 to .17 in five tables, .08 to .12 with each left out in turn
# (benchmarks/shared.py).
SHARED = 0.1
CLEAR = 0.001  # chances some .03 apart have an order
CROSSINGS = 31  # sizes at which curves are looked at, from the smallest to 1000 times the largest


@dataclass(frozen=True)
class RankedBy:
    """What is ranked by what: at a size, or by the tokens of a target."""

    at: float | None
    target: float | None
    columns: tuple[str, ...] = ("corpus",)
    cost: Cost | None = None
    level: float = 0.8
    seed: int = 0
    ratios: Mapping[str, float] | None = None  # of mixtures; empty where the names are the ratios

    @property
    def over(self) -> str:
        """What is ranked, in words."""
        return " · ".join(self.columns)

    def name(self, mixture: Mixture) -> str:
        """Return what a curve is called among those that it is ranked with."""
        return " · ".join(str(mixture.group[column]) for column in self.columns)

    def payer(self, mixture: Mixture) -> str:
        """Return whom costs are named by: the first column's value."""
        return str(mixture.group.get(self.columns[0]))

    def ratio(self, each: Sequence[Mixture]) -> Floats:
        """Return the mixture ratios of curves (C,); in percent where one lies above 1."""
        names = [m.group[self.columns[0]] for m in each]
        words = {re.sub(r"[\d.]+", "", str(name)) for name in names if "%" in str(name)}
        if len(words) > 1 and not self.ratios:
            raise DesignError(
                f"{self.over} names shares of unlike things ({', '.join(sorted(words))}): leave some out with where=, "
                "or give each its ratio: mixture={'30% code': 0.3, …}"
            )
        ratio = np.array([self._ratio(name) for name in names])
        return ratio / 100 if 1 < ratio.max() <= 100 else ratio

    def _ratio(self, name: Any) -> float:
        try:
            value = self.ratios[name] if self.ratios else name
            if isinstance(value, str) and "%" in value:  # 30% code
                return float(value.partition("%")[0].split()[-1]) / 100
            if isinstance(value, str) and "/" in value:  # 30/70 is three parts of ten
                one, other = map(float, value.split("/"))
                return one / (one + other)
            return float(value)
        except (LookupError, TypeError, ValueError, ZeroDivisionError):
            given = f"names {', '.join(self.ratios)}" if self.ratios else "names a column"
            raise DesignError(
                f"{self.over} {name!r} has no mixture ratio: mixture= {given}; give each corpus a number from 0 to "
                "1, a share such as 30% or parts such as 30/70, or leave it out with where="
            ) from None

    def __str__(self) -> str:
        if self.at is not None:
            return f"at {format_count(self.at)}"
        return f"{'tokens' if self.cost is None else 'cost'} for {self.target:g}"


@dataclass(frozen=True)
class Drawn:
    """Joint draws (C, draws) of what is ranked, with what is known of each corpus: told (C, P), costs, flags.

    ``moved`` says that forecasts contradicted the draws' order, ``smallest`` what each one's smallest size comes to,
    where a target is asked for, ``sight`` how far its tokens or cost are seen.
    """

    names: Sequence[str]
    values: Floats
    told: Floats
    costs: Sequence[float] | None
    flags: Sequence[Caution]
    moved: bool = False
    smallest: Sequence[float] | None = None
    sight: float = np.inf


@dataclass(frozen=True, eq=False)
class Entrants:
    """Curves of one setting that are ranked by a question, and their flags.

    A misaligned corpus goes its own way: its fall would pass for the way in which all corpora part. It is not kept.
    """

    each: Sequence[Mixture]
    flags: Sequence[Caution]
    question: RankedBy

    @cached_property
    def names(self) -> list[str]:
        """What they are called."""
        return [self.question.name(m) for m in self.each]

    @cached_property
    def kept(self) -> list[int]:
        """Which of them part as the others do, and may be recommended."""
        return [i for i, flag in enumerate(self.flags) if not flag.bars]

    @cached_property
    def part(self) -> Parting | None:
        """How those kept part; None where too few sizes are shared to tell."""
        return parting_of([self.each[i].series for i in self.kept], self.each[0].metric)

    def drawn(self) -> Drawn:
        """Draw what is ranked, beside what the forecast of each says of it."""
        if self.question.at is not None:
            return self._at(self.question.at)
        assert self.question.target is not None
        return self._for(self.question.target)

    def _at(self, size: float) -> Drawn:
        at, question = np.array([size]), self.question
        said = predictives(self.each, [at] * len(self.each), "mean")
        told = told_by(said)
        values = drawn_together(told, SHARED, question.seed)
        if self.part is not None:
            values[self.kept] = self._around(self.part, [said[i] for i in self.kept])[:, :, 0]
        bottom, top = self.each[0].series.bottom, self.each[0].series.top
        values = np.clip(values, bottom, top)
        costs = (
            None
            if question.cost is None
            else self._price(np.full((len(told), 1), size))[:, 0].tolist()
        )
        moved = np.clip(in_order(told, values, self.kept), bottom, top)
        changed = not np.allclose(moved, told)
        return Drawn(self.names, values, moved, costs, self.flags, changed)

    def _for(self, target: float) -> Drawn:
        there, smallest = reaches(self.each, target), np.array([[m.series.x[0]] for m in self.each])
        sight = max(reach.largest for reach in there) * FARTHEST
        # "Never" counts as just beyond what is forecast: twice as much.
        tokens = np.array([[min(reach.quantile(p), 2 * sight) for p in PLACES] for reach in there])
        ln = drawn_together(np.log(tokens), SHARED, self.question.seed)
        if self.part is not None:
            ln[self.kept] = self._together(ln[self.kept], target, self.part)
        values, told = np.exp(ln), tokens.copy()
        # Medians beyond sight have no order to move them to: there all is told as the draws have it.
        far = [i for i in self.kept if np.median(told[i]) > sight]
        said, drawn = ((v[far] <= sight).mean(axis=1) for v in (told, values))
        swapped = np.subtract.outer(said, said) * np.subtract.outer(drawn, drawn) < -CLEAR
        if swapped.any():
            told[far] = np.quantile(values[far], PLACES, axis=1).T
        never = told > sight
        if self.question.cost is not None:
            top = float(self._price(np.full((len(tokens), 1), sight)).max())
            # Who never gets there is beyond the top price, however cheap.
            values, told = (
                np.where(v > sight, top * v / sight, self._price(v)) for v in (values, told)
            )
            sight, smallest = top, self._price(smallest)
        moved = np.exp(in_order(np.log(told), np.log(values), self.kept))
        changed = bool(swapped.any()) or not np.allclose(moved, told)
        told = np.where(never | (moved > sight), np.inf, moved)
        return Drawn(
            self.names, values, told, None, self.flags, changed, smallest[:, 0].tolist(), sight
        )

    def _price(self, tokens: Floats) -> Floats:
        """Return what tokens (C, N) cost."""
        cost, payers = self.question.cost, map(self.question.payer, self.each)
        assert cost is not None
        rows = zip(payers, tokens.tolist(), strict=True)
        return np.array([[paid(cost, name, t) for t in row] for name, row in rows])

    def _together(self, ln: Floats, target: float, part: Parting) -> Floats:
        """Return draws of ln tokens (C, draws) in the order of curves that part as the measured ones do.

        Forecast one by one, a corpus that was behind at every size may seem to get there first. Curves tell who does;
        when that is, forecasts know better. So all draws of all corpora keep their values and change their owners.
        """
        sign = 1.0 if self.each[0].rises else -1.0
        kept = [self.each[i] for i in self.kept]
        said = predictives(kept, [self._sizes] * len(kept), "mean")
        curves = self._around(part, said)
        order = np.argsort(_first(sign * curves, sign * target), axis=None)
        out = np.empty(ln.size)
        # No two are alike: "never" has an order too.
        out[order] = np.sort(ln, axis=None) + np.linspace(0.0, 1e-9, ln.size)
        return out.reshape(ln.shape)

    def _around(self, part: Parting, said: Sequence[Predictive]) -> Floats:
        """Draw curves (C, draws, Q) that part as the measured ones do, around what is said of them."""
        seed = self.question.seed
        own = part.draws(said[0].x, DRAWS, seed)
        if not (part.logs and self.each[0].rises):
            return around(said, own, part.logs, seed)
        top = self.each[0].series.top
        return np.asarray(top - around([s.missing(top) for s in said], own, True, seed))

    @cached_property
    def _sizes(self) -> Floats:
        """Sizes from the first that all have to the last that all can be forecast at."""
        low = max(float(m.series.x[0]) for m in self.each)
        high = min(float(m.series.x[-1]) for m in self.each) * FARTHEST
        return np.geomspace(low, max(high, low * (1 + 1e-9)), CROSSINGS)

    def crossings(self) -> tuple[Crossing, ...]:
        """Return where curves overtake each other, those that may be recommended."""
        if self.part is None:
            return ()
        drawn = self.part.draws(self._sizes, DRAWS, self.question.seed + 1)
        names, rises = [self.names[i] for i in self.kept], not self.part.logs
        pairs = combinations(zip(names, drawn, strict=True), 2)
        out = (
            crossing((a, b), first, second, self._sizes, rises, self.question.level)
            for (a, first), (b, second) in pairs
        )
        return tuple(c for c in out if c is not None)


def _first(curves: Floats, goal: float) -> Floats:
    """Return at which place of its sizes, joined, each curve (C, draws, Q) first meets a goal.

    One that never does comes after all, the later the farther it stays behind.
    """
    met = curves >= goal
    at = met.argmax(axis=2)
    before = np.maximum(at - 1, 0)
    low, high = (np.take_along_axis(curves, i[..., None], axis=2)[..., 0] for i in (before, at))
    # A goal that is met from the start was met the earlier the farther it is exceeded.
    early = -(high - goal)
    share = np.where(at > 0, (goal - low) / np.maximum(high - low, 1e-12), early)
    missed = curves.shape[2] + goal - curves.max(axis=2)
    return np.asarray(np.where(met.any(axis=2), before + share, missed))
