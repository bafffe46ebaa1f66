"""What to expect at a size that was not measured: a curve with its interval at chosen inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from scalefit.errors import DomainError, FitError
from scalefit.fitting.intervals import Interval
from scalefit.fitting.result import Fit
from scalefit.forecasting.forecasters import Given, drift, widened
from scalefit.forecasting.mixture import Mixture
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Kind
from scalefit.units import check_level, format_count, parse_count, short

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
    inputs : column of the table -> (Q,).
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
    (True, ['pretrain_tokens', 'estimate', 'low', 'high', 'level', 'kind'])
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
        at = ", ".join(
            f"{column.replace('_', ' ')} {format_count(x[-1])}" for column, x in self.inputs.items()
        )
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


FAR = 10.0
FANS = 3.0
"""How many times as large seed noise may become over the sizes before bands of one run say what they hold."""
Asked = float | str | Sequence[float | str] | Floats


def predict(
    fit: Fit | Mixture,
    x: Asked | None = None,
    *,
    level: float = 0.95,
    kind: Kind = "mean",
    given: Given | None = None,
    **inputs: Asked,
) -> Band:
    """Predict the metric at given inputs, with an interval that lies in the metric's range.

    Parameters
    ----------
    fit : Fit or Mixture
        A single law, or the mixture that ``sf.fit(data, metric)`` gives without one.
    x : number, count such as "3B", or sequence, optional; values of the only input; or give inputs by name.
    level : confidence of the interval.
    kind : {"mean", "run"}; interval of the mean curve, or of what one new run will show.
    given : {"law"}, optional; take a single law for the truth. Without it the interval holds doubt about the law too.
    **inputs : by the law's input name or by its column: ``pretrain_tokens=[1e9, "3B"]``; they broadcast.

    Raises DomainError: an input is missing or unknown, or lies where the law has no value or nothing is known; the
    kind is unknown.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> fit = sf.fit(table, "cross_entropy", "power")
    >>> print(round(float(sf.predict(fit, "4B").estimate[0]), 2))
    2.21
    >>> law, doubt = (sf.predict(fit, 1e10, given=g)[0] for g in ("law", None))
    >>> bool(law.width < doubt.width)
    True
    """
    check_level(level)
    check_fit(fit)
    if kind not in get_args(Kind):
        raise DomainError(f"kind {kind!r}: choose from {', '.join(get_args(Kind))}")
    columns = dict(fit.observations.columns)
    arrays = _inputs(columns, x, inputs)
    if isinstance(fit, Mixture):
        return _of_mixture(fit, columns, arrays[0], level, kind, given)
    return _of_law(fit, columns, arrays, level, kind, given)


def _of_law(
    fit: Fit,
    columns: dict[str, str],
    arrays: tuple[Floats, ...],
    level: float,
    kind: Kind,
    given: Given | None,
) -> Band:
    estimate = check_domain(fit, arrays)
    ends = fit.band(arrays, level, kind)
    if given is None:
        ends = widened(fit, estimate, ends, drift(fit, arrays), level)
    notes = _far(columns, arrays, fit.points.inputs) + _above(fit, arrays, estimate)
    notes += _fanning(fit, arrays[0]) if kind == "run" else []
    known = metric_of(fit.metric).up_to(float(fit.observations.values.max()))
    low, estimate, high = (
        np.clip(v, known.lower, known.upper) for v in (ends[0], estimate, ends[1])
    )
    return Band(
        fit.metric,
        dict(zip(columns.values(), arrays, strict=True)),
        estimate,
        low,
        high,
        level,
        kind,
        fit.uncertainty.method,
        "law" if given else "doubt",
        (*notes, *_carried(fit)),
    )


def check_fit(fit: Any) -> None:
    """Raise where something else stands in a fit's place."""
    if not isinstance(fit, Fit | Mixture):
        kind = type(fit).__name__
        if hasattr(fit, "tokens_for"):
            cure = f"a {kind} answers itself: .predict(pretrain, finetune), .tokens_for(target, finetune)"
        elif isinstance(fit, Results) and len(fit):
            cure = "one of them, by its group's name or its number: it holds several"
        else:
            cure = "scalefit.fit(data, metric), or scalefit.load(path) for a stored one"
        raise FitError(f"found a {kind}; needed a fit. Try: {cure}")


def _of_mixture(
    mixture: Mixture,
    columns: dict[str, str],
    x: Floats,
    level: float,
    kind: Kind,
    given: Given | None,
) -> Band:
    if given is not None:
        raise DomainError(
            "a mixture takes no law for the truth; name one: sf.predict(mixture.best, …, given='law'), "
            "or sf.fit(data, metric, law=…)"
        )
    said = mixture.predictive(x, kind)
    low, high = said.interval(level)
    notes = _far(columns, (x,), (mixture.series.x,))
    return Band(
        mixture.metric,
        {mixture.column: x},
        said.median,
        low,
        high,
        level,
        kind,
        "mixture",
        "mixture",
        (f"carried by {mixture.carried}", *notes),
    )


def _inputs(
    columns: dict[str, str], x: Asked | None, inputs: dict[str, Asked]
) -> tuple[Floats, ...]:
    """Return the inputs in the law's order, as vectors of one length."""
    shown = ", ".join(f"{name} ({column})" for name, column in columns.items())
    if x is not None:
        if inputs or len(columns) != 1:
            raise DomainError(f"give each input of the fit once, by name: {shown}")
        inputs = {next(iter(columns)): x}
    unknown = set(inputs) - set(columns) - set(columns.values())
    if unknown:
        raise DomainError(f"the fit has no input {sorted(unknown)[0]!r}; its inputs are {shown}")
    given = []
    for name, column in columns.items():
        named = [key for key in dict.fromkeys((name, column)) if key in inputs]
        if len(named) != 1:
            raise DomainError(f"give each input of the fit once: {shown}")
        given.append(as_numbers(name, inputs[named[0]]))
    arrays = tuple(np.atleast_1d(a).astype(float) for a in np.broadcast_arrays(*given))
    if not arrays[0].size:
        raise DomainError(f"no value is asked for; give each input of the fit: {shown}")
    return arrays


def as_numbers(name: str, given: Any) -> Floats:
    """Return what was given as numbers; ``"1.5B"`` is a count."""
    values = np.asarray(given)
    counts = [parse_count(v) if isinstance(v, str) else v for v in values.reshape(-1).tolist()]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in counts):
        raise DomainError(f"{name} is {given!r}; give numbers, or counts such as '1.5B'")
    return np.array(counts, dtype=float).reshape(values.shape)


def check_domain(fit: Fit, inputs: tuple[Floats, ...]) -> Floats:
    """Curve at the inputs.

    Raises DomainError: the law has no finite value there, such as the log-law at or below D0.
    """
    if fit.law.takes == "share":
        fit.law.check_shares(inputs)
    with np.errstate(all="ignore"):
        value = fit.law.value(inputs, fit.solution.theta)
    bad = ~np.isfinite(value) | np.any([~np.isfinite(x) for x in inputs], axis=0)
    if fit.law.takes != "any":
        bad |= np.any([x < 0 for x in inputs], axis=0)
    low, high = fit.law.reach(fit.solution.theta)
    if fit.law.domain is not None:
        bad |= (inputs[0] <= low) | (inputs[0] >= high)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        pairs = zip(fit.law.inputs, inputs, strict=True)
        shown = ", ".join(f"{name} = {x[at]:.4g}" for name, x in pairs)
        where = f"; it has values above {fit.law.inputs[0]} = {low:.4g}" if low > 0 else ""
        raise DomainError(
            f"law {fit.law.name!r} has no value at {shown}{where}; ask within its domain"
        )
    return value


def _far(
    columns: dict[str, str], arrays: tuple[Floats, ...], seen: tuple[Floats, ...]
) -> list[str]:
    notes = []
    for name, x, known in zip(columns.values(), arrays, seen, strict=True):
        far = float(np.max(x) / np.max(known)) if np.max(known) > 0 else 1.0
        if far > FAR:
            notes.append(
                f"{name} lies {far:.3g}× beyond the largest measured: an extrapolation, not a measurement"
            )
    return notes


def _fanning(fit: Fit, x: Floats) -> list[str]:
    """Say what a band of one run holds where seed noise grows, or may (docs/simulations/intervals.md)."""
    line, known = fit.uncertainty.noise.line, fit.points.inputs[0]
    if line is None or x.max() <= known.max():
        return []
    span = np.log(known.max() / known[known > 0].min())
    least, usual, most = np.exp(
        span / 2 * (line.slope + np.nan_to_num(line.slope_stderr) * np.array([-2, 0, 2]))
    )
    if least <= 1 and most < FANS:
        return []
    grows = f"grows about {usual:.2g} ×" if least > 1 else f"may grow up to {most:.2g} ×"
    return [
        f"seed noise {grows} over the sizes: beyond them a band of one run holds 92 to 95 % of runs "
        "where 95 are promised, and 71 to 80 where 80 are"
    ]


def _above(fit: Fit, inputs: tuple[Floats, ...], estimate: Floats) -> list[str]:
    top = metric_of(fit.metric).up_to(float(fit.observations.values.max())).upper
    if not (np.isfinite(top) and (estimate > top).any()):
        return []
    at = float(inputs[0][np.argmax(estimate > top)])
    ceiling = "no ceiling" if fit.law.named("ceiling") is None else "a ceiling above the range"
    return [
        f"the law promises {fit.metric} {float(estimate.max()):.4g}, above its maximum {top:g} (first at "
        f"{fit.law.inputs[0]} = {at:.3g}): the law has {ceiling}, so do not use it there"
    ]


def _carried(fit: Fit) -> list[str]:
    """Return what stands against the fit and so against all that is computed from it."""
    p = fit.lack_of_fit
    if p is not None and p < 0.05:
        return [f"the law does not follow the data (lack of fit p = {p:.2g})"]
    return []
