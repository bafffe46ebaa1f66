"""What quality to expect at a size that was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DomainError
from scalefit.fitting.interval import Interval
from scalefit.fitting.intervals.uncertainty import Kind
from scalefit.fitting.result import Fit
from scalefit.result import Result, Row
from scalefit.table import metric
from scalefit.units import format_count, parse_count

Array = NDArray[np.float64]
FAR = 10.0


@dataclass(frozen=True, eq=False, repr=False)
class Band(Result):
    """A curve with its interval at chosen inputs.

    Attributes
    ----------
    inputs : law input → (Q,).
    estimate, low, high : (Q,) each.
    level, kind : confidence, and whether it is for the ``mean`` curve or one new ``run``.
    notes : what to know before trusting it: extrapolation, impossible values.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> band = sf.predict(sf.fit(table, "cross_entropy", "power"), pretrain_tokens=["2B", "4B"])
    >>> bool((band.low < band.estimate).all()), list(band.to_frame().columns)
    (True, ['x', 'estimate', 'low', 'high'])
    """

    metric: str
    inputs: dict[str, Array]
    estimate: Array
    low: Array
    high: Array
    level: float
    kind: Kind
    method: str
    notes: tuple[str, ...] = ()

    def __getitem__(self, i: int) -> Interval:
        return Interval(
            float(self.estimate[i]),
            float(self.low[i]),
            float(self.high[i]),
            self.level,
            self.method,
        )

    def __len__(self) -> int:
        return self.estimate.size

    @property
    def verdict(self) -> str:
        """What is predicted where, with the interval of the last point."""
        what = "the mean curve" if self.kind == "mean" else "one new run"
        at = ", ".join(f"{name} {format_count(x[-1])}" for name, x in self.inputs.items())
        more = f" (the last of {len(self)} points)" if len(self) > 1 else ""
        return f"{self.metric} of {what} at {at}{more}: {self[-1]}, {self.level:.0%} {self.method}"

    def rows(self) -> list[Row]:
        """One row a point: inputs, estimate, low, high."""
        return [
            {
                **{name: float(x[i]) for name, x in self.inputs.items()},
                "estimate": float(self.estimate[i]),
                "low": float(self.low[i]),
                "high": float(self.high[i]),
            }
            for i in range(len(self))
        ]

    def told(self) -> Row:
        """Return what the interval is of, and the points."""
        told = {name: getattr(self, name) for name in ("metric", "level", "kind", "method")}
        return {**told, "rows": self.rows()}

    def shown(self) -> list[Row]:
        """One row a point, inputs as counts."""
        counts = {
            name: [format_count(value) for value in x.tolist()] for name, x in self.inputs.items()
        }
        return [
            {**row, **{name: texts[i] for name, texts in counts.items()}}
            for i, row in enumerate(self.rows())
        ]


def predict(
    fit: Fit,
    x: float | str | Sequence[float | str] | Array | None = None,
    *,
    level: float = 0.95,
    kind: Kind = "mean",
    **inputs: float | str | Sequence[float | str] | Array,
) -> Band:
    """Predict the metric at given inputs, with an interval.

    Parameters
    ----------
    fit : Fit
    x : number, count or several, optional
        Where, for a law of one input.
    level : float
        Confidence of the interval.
    kind : {"mean", "run"}
        Interval of the mean curve, or of what one new run will show.
    **inputs
        By the law's input name or by its column: ``pretrain_tokens=[1e9, "3B"]``; they broadcast.

    Raises
    ------
    DomainError
        An input is missing or unknown, or lies where the law has no value.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> fit = sf.fit(table, "cross_entropy", "power")
    >>> print(round(float(sf.predict(fit, pretrain_tokens="4B").estimate[0]), 2))
    2.21
    """
    names = fit.law.inputs
    if x is not None and len(names) == 1:
        inputs[names[0]] = x
    elif x is not None:
        raise DomainError(f"the law has {len(names)} inputs; give each by name: {_inputs(fit)}")
    unknown = set(inputs) - set(names) - set(fit.observations.columns.values())
    if unknown:
        raise DomainError(
            f"the fit has no input {sorted(unknown)[0]!r}; its inputs are {_inputs(fit)}"
        )
    given = [_input(fit, name, inputs) for name in names]
    arrays = tuple(np.atleast_1d(a).astype(float) for a in np.broadcast_arrays(*given))
    estimate = check_domain(fit, arrays)
    low, high = fit.band(arrays, level, kind)
    return Band(
        metric=fit.metric,
        inputs=dict(zip(names, arrays, strict=True)),
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        kind=kind,
        method=fit.uncertainty.method,
        notes=tuple(_notes(fit, arrays, estimate, high)),
    )


def _inputs(fit: Fit) -> str:
    return ", ".join(f"{name} ({column})" for name, column in fit.observations.columns.items())


def _input(fit: Fit, name: str, inputs: dict[str, Any]) -> Array:
    column = fit.observations.columns[name]
    if (name in inputs) == (column in inputs) and name != column:
        raise DomainError(f"give each input of the fit once: {_inputs(fit)}")
    if name not in inputs and column not in inputs:
        raise DomainError(f"give each input of the fit: {_inputs(fit)}")
    return _numbers(name, inputs.get(name, inputs.get(column)))


def _numbers(name: str, given: Any) -> Array:
    """Return what was given as numbers; ``"1.5B"`` is a count."""
    values = np.asarray(given)
    counts = [parse_count(v) if isinstance(v, str) else v for v in values.reshape(-1).tolist()]
    if not all(isinstance(v, (int, float)) for v in counts):
        raise DomainError(f"{name} is {given!r}; give numbers, or counts such as '1.5B'")
    return np.array(counts, dtype=float).reshape(values.shape)


def check_domain(fit: Fit, inputs: tuple[Array, ...]) -> Array:
    """Curve at the inputs.

    Raises
    ------
    DomainError
        The law has no finite value there, such as the log-law at or below D0.
    """
    with np.errstate(all="ignore"):
        value = fit.law.value(inputs, fit.solution.theta)
    bad = ~np.isfinite(value) | np.any([~np.isfinite(x) | (x < 0) for x in inputs], axis=0)
    if fit.law.name == "log":
        bad |= inputs[0] <= fit.params["D0"]
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        shown = ", ".join(
            f"{name} = {x[at]:.4g}" for name, x in zip(fit.law.inputs, inputs, strict=True)
        )
        floor = f"; it starts above D0 = {fit.params['D0']:.4g}" if fit.law.name == "log" else ""
        raise DomainError(
            f"law {fit.law.name!r} has no value at {shown}{floor}; ask within its domain"
        )
    return value


def _notes(fit: Fit, inputs: tuple[Array, ...], estimate: Array, high: Array) -> list[str]:
    notes = []
    for name, x, seen in zip(fit.law.inputs, inputs, fit.points.inputs, strict=True):
        far = float(np.max(x) / np.max(seen)) if np.max(seen) > 0 else 1.0
        if far > FAR:
            notes.append(
                f"{name} lies {far:.3g}× beyond the largest measured: an extrapolation, not a measurement"
            )
    top = metric(fit.metric).upper
    if np.isfinite(top) and (estimate > top).any():
        at = float(inputs[0][np.argmax(estimate > top)])
        notes.append(
            f"the law promises {fit.metric} {float(estimate.max()):.4g}, above its maximum {top:g} (first at "
            f"{fit.law.inputs[0]} = {at:.3g}): the law has no ceiling, so do not use it there"
        )
    return notes
