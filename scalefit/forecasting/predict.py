"""What quality to expect at a size that was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DomainError
from scalefit.fitting.interval import Interval, short
from scalefit.fitting.intervals.uncertainty import Kind
from scalefit.fitting.result import Fit
from scalefit.result import frame_of, html_notes, html_table
from scalefit.table import metric
from scalefit.units import format_count, parse_count

Array = NDArray[np.float64]
FAR = 10.0


@dataclass(frozen=True, eq=False)
class Band:
    """A curve with its interval at chosen inputs.

    Attributes
    ----------
    inputs : law input → (Q,).
    estimate, low, high : (Q,) each.
    level, kind : confidence, and whether it is for the ``mean`` curve or one new ``run``.
    notes : what to know before trusting it: extrapolation, impossible values.
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

    def rows(self) -> list[dict[str, Any]]:
        """One row a point, as plain numbers."""
        return [
            {
                **{name: float(x[i]) for name, x in self.inputs.items()},
                self.metric: float(self.estimate[i]),
                "low": float(self.low[i]),
                "high": float(self.high[i]),
            }
            for i in range(len(self))
        ]

    def to_frame(self) -> Any:
        """Return the rows as a DataFrame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; infinities become None."""
        rows = [{k: v if np.isfinite(v) else None for k, v in row.items()} for row in self.rows()]
        return {
            "metric": self.metric,
            "level": self.level,
            "kind": self.kind,
            "method": self.method,
            "rows": rows,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        what = "the mean curve" if self.kind == "mean" else "one new run"
        lines = [f"{self.metric} of {what}, {self.level:.0%} {self.method}"]
        for i in range(len(self)):
            at = ", ".join(f"{name} {format_count(x[i])}" for name, x in self.inputs.items())
            lines.append(f"  {at}: {self[i]}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        shown = [{k: short(v) for k, v in row.items()} for row in self.rows()]
        return html_table(shown) + html_notes(self.notes)


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
