"""What forecasts were worth on the table's own curves, when their ends were held back.

Where a curve has several inputs, the rows that lie farthest along one of them are its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scalefit.errors import DesignError, ScalefitError
from scalefit.executors import Each, here
from scalefit.fitting.fit import fit_observations
from scalefit.fitting.problem import Objective
from scalefit.forecasting.forecasters import BASELINES, Forecaster, said_by
from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.series import Series
from scalefit.laws.law import Law
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Mask
from scalefit.units import counted


def interval_score(y: Floats, low: Floats, high: Floats, level: float) -> Floats:
    """Return Winkler's score of intervals: width, plus a fine for what lies outside; lower is better.

    Parameters
    ----------
    y, low, high : (n,), what came, and the interval's ends.
    level : what the interval promises.

    Notes
    -----
    Source: Winkler 1972, JASA 67(337); Gneiting and Raftery 2007, JASA 102(477), eq. 43. Proper: it is least, on
    average, for the true quantiles.

    Examples
    --------
    >>> import numpy as np
    >>> interval_score(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 4.0]), 0.8).round(6).tolist()
    [2.0, 14.0]
    """
    fine = 2 / (1 - level)
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return np.asarray(high - low + fine * outside)


LEAST = 4  # sizes that a curve keeps: below, no law has a residual to judge itself by
DISTANCES = {"up to 2×": (0.0, 2.0), "2 to 10×": (2.0, 10.0), "over 10×": (10.0, np.inf)}
ORIGINS = 5
NEAREST = "nearest run"  # the baseline where a curve has several inputs
GUESSES = (*BASELINES, NEAREST)


@dataclass(frozen=True)
class Held:
    """One held-out size of one curve and what one forecaster said of it.

    Attributes
    ----------
    curve : index of the curve; ``origin`` and ``x``: the largest size it kept, and the one held out.
    y : mean of what was measured there.
    median, low80, high80, low95, high95 : the forecast of a new run.
    """

    forecaster: str
    curve: int
    origin: float
    x: float
    y: float
    median: float
    low80: float
    high80: float
    low95: float
    high95: float


@dataclass(frozen=True, eq=False, repr=False)
class Backtest(Result):
    """Forecasts of held-out sizes, scored.

    Attributes
    ----------
    relative : whether errors are in ln y (of a loss) and not in the metric's own unit.
    held : every held-out size of every curve at every origin, for every forecaster.
    groups : the curves, in the order that ``Held.curve`` counts.
    refused : forecaster -> held-out sizes that it could not say anything about.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e6, 1e9, 7)
    >>> data = {"pretrain_tokens": D, "bleu": 30 - 200 * D**-0.25}
    >>> tested = sf.backtest(data, "bleu", laws=["ceiling"], hold_out=2)
    >>> [(row["forecaster"], row["points"]) for row in tested.rows() if row["distance"] == "all"][:2]
    [('mixture', 2), ('ceiling', 2)]
    """

    metric: str
    relative: bool
    held: tuple[Held, ...]
    groups: tuple[Mapping[str, Any], ...]
    refused: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def forecasters(self) -> tuple[str, ...]:
        """Names, in the order they were asked for."""
        return tuple(dict.fromkeys(h.forecaster for h in self.held))

    def error(self, forecaster: str) -> float:
        """Mean over curves of the root mean square error of one forecaster."""
        return self._errors(forecaster, (0.0, np.inf))[0]

    @property
    def best_baseline(self) -> str:
        """The baseline with the least error, chosen afterwards."""
        return min((n for n in self.forecasters if n in GUESSES), key=self.error)

    @property
    def verdict(self) -> str:
        """Who forecast best, and whether the first one's intervals held."""
        first = self.forecasters[0]
        unit = "in ln y" if self.relative else f"{self.metric}"
        best = min(self.forecasters, key=self.error)
        base = self.best_baseline
        row = next(r for r in self.rows() if r["forecaster"] == first)
        line = (
            f"{first} errs {self.error(first):.3g} {unit} on {counted(row['points'], 'held-out size')} of "
            f"{counted(len({h.curve for h in self.held}), 'curve')}; best baseline {base} {self.error(base):.3g}"
        )
        won = "" if best in (first, base) else f"; best of all {best} {self.error(best):.3g}"
        return f"{line}{won}; its 95 % intervals hold {row['inside_95']:.0%}"

    def rows(self) -> list[Row]:
        """Return one row a forecaster over all distances, then one a forecaster and distance, if there are several."""
        apart = [b for b in DISTANCES.items() if any(_within(h, b[1]) for h in self.held)]
        bins = [("all", (0.0, np.inf)), *(apart if len(apart) > 1 else ())]
        return [
            row
            for label, ends in bins
            for name in self.forecasters
            if (row := self._row(name, label, ends)) is not None
        ]

    def _row(self, name: str, label: str, ends: tuple[float, float]) -> Row | None:
        inside = [h for h in self.held if h.forecaster == name and _within(h, ends)]
        if not inside:
            return None
        error, count = self._errors(name, ends)
        base = min(self._errors(b, ends)[0] for b in self.forecasters if b in GUESSES)
        return {
            "forecaster": name,
            "distance": label,
            "points": len(inside),
            "curves": count,
            "error": error,
            "to_best_baseline": error / base if base > 0 else float("nan"),
            **{f"inside_{level}": self._inside(inside, level) for level in (80, 95)},
            "interval_score_95": self._score(inside),
            "refused": self.refused.get(name, 0),
        }

    def _errors(self, name: str, ends: tuple[float, float]) -> tuple[float, int]:
        by: dict[int, list[float]] = {}
        for h in self.held:
            if h.forecaster == name and _within(h, ends):
                by.setdefault(h.curve, []).append(self._scale(h.median) - self._scale(h.y))
        each = [float(np.sqrt(np.mean(np.square(e)))) for e in by.values()]
        return (float(np.mean(each)) if each else float("inf")), len(each)

    def _scale(self, value: float) -> float:
        return float(np.log(max(value, 1e-12))) if self.relative else value

    def _inside(self, held: Sequence[Held], level: int) -> float:
        ends = [(getattr(h, f"low{level}"), getattr(h, f"high{level}"), h.y) for h in held]
        return float(np.mean([low - 1e-9 <= y <= high + 1e-9 for low, high, y in ends]))

    def _score(self, held: Sequence[Held]) -> float:
        y, low, high = (
            np.array([self._scale(getattr(h, name)) for h in held])
            for name in ("y", "low95", "high95")
        )
        return float(interval_score(y, low, high, 0.95).mean())


def run_backtest(
    curves: Sequence[Series],
    forecasters: Sequence[Forecaster],
    *,
    metric: str,
    relative: bool,
    groups: Sequence[Mapping[str, Any]],
    hold_out: int | None = None,
    fit_smallest: int | None = None,
    each: Each = here,
) -> Backtest:
    """Hold back the ends of curves and let every forecaster say what comes.

    Parameters
    ----------
    curves : the curves of one table.
    forecasters : each sees, at every origin, the shortened curves only.
    hold_out : hold out this many largest sizes, once; without it and ``fit_smallest``, 1 … 5 of them, in turn.
    fit_smallest : keep this many smallest sizes, once, and hold out the rest (Isik et al.: four).
    each : where every forecaster at every origin does its work.

    Raises DesignError: no curve has a size to spare.
    """
    held: list[Held] = []
    refused: dict[str, int] = {}
    asked = [
        (forecaster, kept)
        for kept in _origins(curves, hold_out, fit_smallest)
        for forecaster in forecasters
    ]
    for (forecaster, kept), every in zip(asked, each(partial(_say, curves), asked), strict=True):
        for (i, k), said in zip(kept, every, strict=True):
            if said is None:
                beyond = len(curves[i]) - k
                refused[forecaster.name] = refused.get(forecaster.name, 0) + beyond
                continue
            x, y = curves[i].x, curves[i].y
            held.extend(_held(forecaster.name, i, float(x[k - 1]), x[k:], y[k:], said))
    if not held:
        longest = max((len(c) for c in curves), default=0)
        raise DesignError(
            f"no curve has a size to hold out: the longest has {longest} sizes and must keep {LEAST}; "
            "measure more sizes, or ask for fewer with hold_out=1"
        )
    return Backtest(metric, relative, tuple(held), tuple(groups), refused)


def _say(
    curves: Sequence[Series], asked: tuple[Forecaster, list[tuple[int, int]]]
) -> list[Predictive | None]:
    """Return what a forecaster says of curves that are cut after so many sizes."""
    forecaster, kept = asked
    return forecaster.forecast(
        [curves[i].head(k) for i, k in kept], [curves[i].x[k:] for i, k in kept]
    )


def _origins(
    curves: Sequence[Series], hold_out: int | None, fit_smallest: int | None
) -> Iterator[list[tuple[int, int]]]:
    """Yield, an origin at a time, the curves that can be cut there and how many sizes each keeps."""
    if fit_smallest is not None:
        least = min(fit_smallest, LEAST)
        cuts = [[(i, fit_smallest) for i, c in enumerate(curves) if len(c) > fit_smallest]]
    else:
        least = LEAST if hold_out is None else 2
        lengths = range(1, ORIGINS + 1) if hold_out is None else (hold_out,)
        cuts = [[(i, len(c) - h) for i, c in enumerate(curves)] for h in lengths]
    for cut in cuts:
        kept = [(i, k) for i, k in cut if k >= least]
        if kept:
            yield kept


def _held(
    name: str, curve: int, origin: float, x: Floats, y: Floats, said: Predictive
) -> Iterator[Held]:
    """Yield what was said of sizes beyond the origin, and what was measured there."""
    (low80, high80), (low95, high95) = said.interval(0.8), said.interval(0.95)
    for row in zip(x, y, said.median, low80, high80, low95, high95, strict=True):
        yield Held(name, curve, origin, *map(float, row))


def _within(held: Held, ends: tuple[float, float]) -> bool:
    return ends[0] < held.x / held.origin <= ends[1]


Said = Predictive | None


@dataclass(frozen=True)
class RowForecaster:
    """A name, and what says something of some rows after seeing others; None where it cannot."""

    name: str
    forecast: Callable[[Mask, Mask], Said]


def law_of_rows(law: Law, data: Observations, objective: Objective) -> RowForecaster:
    """Return a law that is fitted to the rows it may see."""

    def forecast(seen: Mask, asked: Mask) -> Said:
        try:
            fit = fit_observations(data.only(seen), law, objective)
        except ScalefitError:
            return None
        return said_by(fit, tuple(x[asked] for x in data.inputs.values()))

    return RowForecaster(law.name, forecast)


def _nearest_run(data: Observations) -> RowForecaster:
    """Return the baseline: what the nearest row showed, in the logarithms of the inputs.

    Its doubt is what the same guess misses the rows by that it may see.
    """
    places = np.column_stack([_place(x) for x in data.inputs.values()])

    def forecast(seen: Mask, asked: Mask) -> Said:
        values = data.values[seen]
        apart = _distances(places[seen], places[seen])
        np.fill_diagonal(apart, np.inf)
        missed = values - values[apart.argmin(1)]
        guess = values[_distances(places[asked], places[seen]).argmin(1)]
        spread = np.quantile(missed, PROBABILITIES)[:, None]
        return Predictive(guess, PROBABILITIES, guess + spread - np.median(missed))

    return RowForecaster(NEAREST, forecast)


def backtest_rows(
    data: Observations,
    forecasters: Sequence[RowForecaster],
    along: str,
    *,
    hold_out: int | None = None,
) -> Backtest:
    """Hold back the rows at the largest values of the input ``along``; score forecasters, and the nearest run.

    Parameters
    ----------
    data : rows of one group.
    along : law's name of the input.
    hold_out : hold out so many of the largest values, once; without it, one to five of them in turn.

    Raises DesignError: there is no value to spare.
    """
    x, everyone = data.inputs[along], (*forecasters, _nearest_run(data))
    held: list[Held] = []
    refused: dict[str, int] = {}
    for origin in _origins_along(np.unique(x), hold_out):
        seen, asked = x <= origin, x > origin
        for forecaster in everyone:
            said = forecaster.forecast(seen, asked)
            if said is None:
                refused[forecaster.name] = refused.get(forecaster.name, 0) + int(asked.sum())
                continue
            held.extend(_held(forecaster.name, 0, origin, x[asked], data.values[asked], said))
    if not any(h.forecaster != NEAREST for h in held):
        raise DesignError(
            f"no law could be fitted with the largest {along} held out ({np.unique(x).size} values of it): measure "
            "more of them, or take a law with fewer parameters"
        )
    relative = metric_of(data.metric).relative
    return Backtest(data.metric, relative, tuple(held), ({},), refused)


def _origins_along(values: Floats, hold_out: int | None) -> Iterator[float]:
    for h in range(1, ORIGINS + 1) if hold_out is None else (hold_out,):
        if values.size - h >= 2:
            yield float(values[-h - 1])


def _place(x: Floats) -> Floats:
    """Logarithms where they exist, in units of their spread."""
    at = np.log(x) if (x > 0).all() else x
    return np.asarray(at / max(float(np.std(at)), 1e-12))


def _distances(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)))
