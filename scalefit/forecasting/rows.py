"""Backtests where a curve has several inputs: hold back the rows that lie farthest along one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DesignError, ScalefitError
from scalefit.fitting import Objective, fit_observations
from scalefit.forecasting.backtest import NEAREST, ORIGINS, Backtest, Held
from scalefit.forecasting.forecasters import said_by
from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.laws.law import Law
from scalefit.table import Observations
from scalefit.types import Floats, Mask

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


def nearest_run(data: Observations) -> RowForecaster:
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
    relative: bool,
    hold_out: int | None = None,
) -> Backtest:
    """Hold back the rows at the largest values of the input ``along``, and score who forecasts them.

    Parameters
    ----------
    data : Observations
        Rows of one group.
    along : str
        Law's name of the input.
    relative : bool
        Judge errors in ln y.
    hold_out : int, optional
        Hold out so many of the largest values, once; without it, one to five of them in turn.

    Raises
    ------
    DesignError
        There is no value to spare.
    """
    x = data.inputs[along]
    held: list[Held] = []
    refused: dict[str, int] = {}
    for origin in _origins(np.unique(x), hold_out):
        seen, asked = x <= origin, x > origin
        for forecaster in forecasters:
            said = forecaster.forecast(seen, asked)
            if said is None:
                refused[forecaster.name] = refused.get(forecaster.name, 0) + int(asked.sum())
                continue
            held.extend(_held(forecaster.name, origin, x[asked], data.values[asked], said))
    if not any(h.forecaster != NEAREST for h in held):
        raise DesignError(
            f"no law could be fitted with the largest {along} held out ({np.unique(x).size} values of it): measure "
            "more of them, or take a law with fewer parameters"
        )
    return Backtest(data.metric, relative, tuple(held), ({},), refused)


def _origins(values: Floats, hold_out: int | None) -> Iterator[float]:
    for h in range(1, ORIGINS + 1) if hold_out is None else (hold_out,):
        if values.size - h >= 2:
            yield float(values[-h - 1])


def _held(name: str, origin: float, x: Floats, y: Floats, said: Predictive) -> Iterator[Held]:
    (low80, high80), (low95, high95) = said.interval(0.8), said.interval(0.95)
    for row in zip(x, y, said.median, low80, high80, low95, high95, strict=True):
        yield Held(name, 0, origin, *(float(v) for v in row))


def _place(x: Floats) -> Floats:
    """Logarithms where they exist, in units of their spread."""
    at = np.log(x) if (x > 0).all() else x
    return np.asarray(at / max(float(np.std(at)), 1e-12))


def _distances(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)))
