"""A curve with its interval at chosen inputs."""

from __future__ import annotations

from dataclasses import dataclass

from scalefit.fitting.interval import Interval
from scalefit.forecasting.predictive import Kind
from scalefit.result import Result, Row
from scalefit.types import Floats
from scalefit.units import format_count, short

SAYS = {
    "mixture": "a mixture of laws, doubt about the law included",
    "doubt": "one law, doubt about it included",
    "law": "one law, taken for the truth",
    "joint": "one law of both sizes, doubt about it included",
}


@dataclass(frozen=True, eq=False, repr=False)
class Band(Result):
    """A curve with its interval at chosen inputs.

    Attributes
    ----------
    metric : name of the metric.
    inputs : input's name -> (Q,).
    estimate, low, high : (Q,) each.
    level, kind : confidence, and whether it is for the ``mean`` curve or one new ``run``.
    method : how the interval was made.
    given : what it takes for granted: ``"mixture"``, ``"doubt"`` (one law and doubt about it) or ``"law"``.
    notes : what to know before trusting it: extrapolation, impossible values.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> band = sf.predict(sf.fit(table, "cross_entropy", "power"), ["2B", "4B"])
    >>> bool((band.low < band.estimate).all()), list(band.to_frame().columns)
    (True, ['x', 'estimate', 'low', 'high', 'level', 'kind'])
    """

    metric: str
    inputs: dict[str, Floats]
    estimate: Floats
    low: Floats
    high: Floats
    level: float
    kind: Kind
    method: str
    given: str = "doubt"
    notes: tuple[str, ...] = ()

    def __getitem__(self, i: int) -> Interval:
        estimate, low, high = (float(v[i]) for v in (self.estimate, self.low, self.high))
        return Interval(estimate, low, high, self.level, self.method)

    def __len__(self) -> int:
        return self.estimate.size

    @property
    def verdict(self) -> str:
        """What is predicted where, with the interval of the last point, and what that takes for granted."""
        what = "the mean curve" if self.kind == "mean" else "one new run"
        at = ", ".join(f"{name} {format_count(x[-1])}" for name, x in self.inputs.items())
        more = f" (the last of {len(self)} points)" if len(self) > 1 else ""
        return f"{self.metric} of {what} at {at}{more}: {self[-1]}, {self.level:.0%}; {SAYS[self.given]}"

    def rows(self) -> list[Row]:
        """One row a point: inputs, estimate, low, high, and what the interval is of."""
        return [
            {
                **{name: float(x[i]) for name, x in self.inputs.items()},
                "estimate": float(self.estimate[i]),
                "low": float(self.low[i]),
                "high": float(self.high[i]),
                "level": self.level,
                "kind": self.kind,
            }
            for i in range(len(self))
        ]

    def shown(self) -> list[Row]:
        """One row a point: inputs as counts, the interval in one cell under its level and kind."""
        what = "mean" if self.kind == "mean" else "new run"
        return [
            {
                **{name: format_count(float(x[i])) for name, x in self.inputs.items()},
                self.metric: self[i].estimate,
                f"{self.level:.0%} interval, {what}": f"[{short(self[i].low)}, {short(self[i].high)}]",
            }
            for i in range(len(self))
        ]
