"""Forecasts that are remembered: what was said goes into a file, and is scored when the run lands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.errors import FormatError
from scalefit.forecasting.backtest import interval_score
from scalefit.forecasting.predictive import Predictive
from scalefit.result import Result, plain
from scalefit.rows import Row

KEY = "scalefit_forecast"
_LEVELS = (50, 80, 95)


@dataclass(frozen=True)
class Logged:
    """One forecast: of which group's metric, at which size, and the quantiles of a new run."""

    metric: str
    group: Mapping[str, Any]
    column: str
    x: float
    largest: float
    probabilities: tuple[float, ...]
    values: tuple[float, ...]
    made: str
    data: str

    def predictive(self) -> Predictive:
        """Return the quantiles as a distribution at one size."""
        values = np.array(self.values, dtype=float)[:, None]
        return Predictive(np.array([self.x]), np.array(self.probabilities, dtype=float), values)


def append(path: str | Path, entries: Iterable[Logged]) -> int:
    """Append one line of JSON a forecast; return how many."""
    lines = [json.dumps({KEY: 1, **plain(asdict(e))}, ensure_ascii=False) for e in entries]
    with Path(path).open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return len(lines)


def read_log(path: str | Path) -> list[Logged]:
    """Return the forecasts of a file.

    Raises FormatError: a line is not a logged forecast; the message names it.
    """
    names = {f.name for f in fields(Logged)}
    out = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            assert isinstance(content, dict)
            assert content.get(KEY) == 1
            told = {name: content[name] for name in names}
            vectors = {name: tuple(map(float, told[name])) for name in ("probabilities", "values")}
            logged = Logged(**{**told, **vectors})
            assert len(logged.values) == len(logged.probabilities)
            logged.predictive()
        except (ValueError, AssertionError, KeyError, TypeError):
            raise FormatError(
                f"{path}, line {number}: not a logged forecast; needed what forecast.log(path) or "
                "scalefit forecast --log writes"
            ) from None
        out.append(logged)
    return out


@dataclass(frozen=True)
class Landed:
    """A logged forecast and what came: the mean over the runs that landed at its size."""

    logged: Logged
    y: float
    runs: int

    @property
    def place(self) -> float:
        """Share of the forecast's distribution below what came: uniform where forecasts are calibrated."""
        one = self.logged.predictive()
        return 1.0 - float(one.reached(self.y, rises=True)[0])


@dataclass(frozen=True, eq=False, repr=False)
class ForecastScore(Result):
    """How logged forecasts did on runs that have landed since.

    Attributes
    ----------
    waiting : how many logged forecasts have no run yet.

    Examples
    --------
    >>> ForecastScore(landed=(), waiting=2).verdict
    'none of 2 logged forecasts has a run yet'
    """

    landed: tuple[Landed, ...]
    waiting: int
    notes: tuple[str, ...] = ()

    def inside(self, level: int) -> float:
        """Share of what came that lies inside the interval of this level (per cent)."""
        if not self.landed:
            return float("nan")
        return float(np.mean([abs(one.place - 0.5) <= level / 200 for one in self.landed]))

    @property
    def verdict(self) -> str:
        """How many landed, and how many of them where the intervals said."""
        if not self.landed:
            return f"none of {self.waiting} logged forecasts has a run yet"
        held = ", ".join(f"{level} % intervals hold {self.inside(level):.0%}" for level in _LEVELS)
        return f"{len(self.landed)} forecasts have landed, {self.waiting} wait; {held}"

    def rows(self) -> list[Row]:
        """Return one row a landed forecast: size, what was said, what came, where it lies."""
        return [self._row(one) for one in self.landed]

    def _row(self, one: Landed) -> Row:
        said = one.logged.predictive()
        low, high = (float(v[0]) for v in said.interval(0.8))
        median = float(said.median[0])
        score = interval_score(np.array([one.y]), np.array([low]), np.array([high]), 0.8)
        return {
            **one.logged.group,
            "metric": one.logged.metric,
            one.logged.column: one.logged.x,
            "forecast": median,
            "low": low,
            "high": high,
            "came": one.y,
            "runs": one.runs,
            "error": one.y - median,
            "place": one.place,
            "interval_score_80": float(score[0]),
            "made": one.logged.made,
        }
