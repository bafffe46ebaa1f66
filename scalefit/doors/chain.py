"""Laws one after the other: from sizes to a loss, from the loss to a metric, against one straight from the sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from scalefit.errors import DesignError, DomainError, FitError, ScalefitError
from scalefit.fitting.fit import fit_law
from scalefit.fitting.points import gather_rows, input_columns
from scalefit.fitting.result import Fit
from scalefit.forecasting.backtest import Backtest, RowForecaster, Said, backtest_rows
from scalefit.forecasting.forecasters import said_by
from scalefit.forecasting.predict import Band, predict
from scalefit.forecasting.predictive import Predictive
from scalefit.ingest import table_of
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats, Kind, Mask
from scalefit.units import check_level

CHAIN, DIRECT = "chain", "direct"
READ_AT = (0.5, 0.8, 0.95, 0.99)  # of the bands that a step is read off by
_LEAST = 1e-3  # of the smallest measured loss: what the next law is asked at, at least
NODES = 24  # equally likely values that stand for a distribution between two steps


@dataclass(frozen=True, eq=False, repr=False)
class Chain(Result):
    """Fits in a row, each law's answer the next one's input.

    Attributes
    ----------
    fits : the first over sizes, every further one over the metric before it.
    direct : one law straight from sizes to the last metric, where one was asked for.
    tested : what both said of rows that were held back, and what those showed.
    notes : what stands against any of the fits, and what could not be tested.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e7, 1e10, 10)
    >>> loss = 1.8 + 90 * D**-0.25
    >>> data = {"D": D, "loss": loss, "error": 0.85 - 1.6 * np.exp(-0.6 * loss)}
    >>> steps = [sf.Step("loss", "power"), sf.Step("error", "loss_to_error")]
    >>> chain = sf.chain(data, steps, inputs={"x": "D"})
    >>> band = chain.predict(D=1e11)
    >>> bool(abs(band.estimate[0] - (0.85 - 1.6 * np.exp(-0.6 * (1.8 + 90 * 1e11**-0.25)))) < 1e-6)
    True
    """

    fits: tuple[Fit, ...]
    direct: Fit | None = None
    tested: Backtest | None = None
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """What the last law says."""
        return self.fits[-1].metric

    def predict(self, *, level: float = 0.95, kind: Kind = "mean", **inputs: Any) -> Band:
        """Predict the last metric at sizes, each step's doubt carried into the next.

        Parameters
        ----------
        level : confidence of the interval.
        kind : {"mean", "run"}; interval of the mean curve, or of what one new run will show.
        **inputs : sizes by the first law's input names or by column, as in :func:`scalefit.predict`.

        Raises DomainError: inputs are missing, or a step leaves the domain of the next law.
        """
        check_level(level)
        first = predict(self.fits[0], level=level, kind=kind, **inputs)
        said = _of_fit(self.fits[0], first.inputs, kind)
        estimate, notes = first.estimate, list(first.notes)
        for fit in self.fits[1:]:
            estimate = _middle(fit, estimate)
            said = _onwards(fit, said, kind)
        low, high = (_read(said, 0.5 + side * level / 2) for side in (-1, 1))
        low, high = np.minimum(low, estimate), np.maximum(high, estimate)
        return Band(
            self.metric,
            first.inputs,
            estimate,
            low,
            high,
            level,
            kind,
            "chain",
            "doubt",
            tuple(notes),
        )

    @property
    def errors(self) -> dict[str, float]:
        """Error on held-out rows of the chain, of the direct law and of the best baseline."""
        return (
            {}
            if self.tested is None
            else {n: self.tested.error(n) for n in self.tested.forecasters}
        )

    @property
    def verdict(self) -> str:
        """The way it goes, and whether it forecasts better than the direct law did."""
        way = " → ".join(f"{fit.metric} ({fit.law.name})" for fit in self.fits)
        if self.tested is None:
            return f"chain {way}; not tested on held-out rows"
        errors = self.errors
        best = min(errors, key=lambda name: errors[name])
        said = ", ".join(f"{name} {error:.3g}" for name, error in errors.items())
        advice = {CHAIN: "take the chain", DIRECT: "the direct law forecasts better: take it"}
        return f"chain {way}; error on held-out rows: {said}; {advice.get(best, 'neither beats the nearest run')}"

    def rows(self) -> list[Row]:
        """Return one row a step, and one for the direct law: its metric, law, typical error and points."""
        steps = [(f"step {i}", fit) for i, fit in enumerate(self.fits, 1)]
        steps += [] if self.direct is None else [(DIRECT, self.direct)]
        return [
            {
                "step": name,
                "metric": fit.metric,
                "law": fit.law.name,
                "typical_error": fit.typical_error,
                "points": fit.points.y.size,
            }
            for name, fit in steps
        ]

    def told(self) -> Row:
        """Return the steps, and errors on held-out rows."""
        return {"steps": self.rows(), "errors": self.errors}


Quantiles = tuple[Floats, Floats]  # probabilities (P,), and the value at each of them: (P, Q)


def _quantiles(band_at: Callable[[float], Band], levels: Sequence[float] = READ_AT) -> Quantiles:
    """Return the distribution that bands at several levels tell, ascending where they cross."""
    values = {}
    for level in levels:
        band = band_at(level)
        values[0.5] = band.estimate
        values[0.5 - level / 2], values[0.5 + level / 2] = band.low, band.high
    p = np.array(sorted(values))
    return p, np.maximum.accumulate(np.stack([values[q] for q in p.tolist()]))


def _of_fit(fit: Fit, inputs: dict[str, Any], kind: Kind) -> Quantiles:
    """Return the distribution of a fit's answer at inputs, doubt about the law included."""
    return _quantiles(lambda level: predict(fit, level=level, kind=kind, **inputs))


def _read(said: Quantiles, probability: float) -> Floats:
    """Return a quantile, linear in the normal score between those of the table."""
    p, values = said
    return np.array([np.interp(ndtri(probability), ndtri(p), v) for v in values.T])


def _nodes(said: Quantiles) -> Floats:
    """Return equally likely values: (NODES, Q)."""
    middle = (np.arange(NODES) + 0.5) / NODES
    return np.stack([_read(said, float(q)) for q in middle])


def _onwards(fit: Fit, said: Quantiles, kind: Kind) -> Quantiles:
    """Return the distribution of the next metric: what it would be at each likely value of the one before, mixed."""
    seen = float(np.min(fit.points.inputs[0]))
    # A band of few points may reach below 0, where no loss is and logarithms end.
    values = np.maximum(_nodes(said), _LEAST * seen) if seen > 0 else _nodes(said)
    name = fit.law.inputs[0]
    _refuse_outside(fit, values)
    inner = _of_fit(fit, {name: values.reshape(-1)}, kind)
    mixed = _nodes(inner).reshape(NODES * NODES, -1)
    return said[0], np.quantile(mixed, said[0], axis=0)


def _middle(fit: Fit, at: Floats) -> Floats:
    _refuse_outside(fit, at)
    return predict(fit, at).estimate


def _refuse_outside(fit: Fit, values: Floats) -> None:
    low, high = fit.law.reach(fit.solution.theta) if fit.law.domain else (-np.inf, np.inf)
    if ((values <= low) | (values >= high)).any():
        raise DomainError(
            f"the chain reaches {fit.observations.columns[fit.law.inputs[0]]} {float(values.min()):.4g}, where law "
            f"{fit.law.name!r} has no value (above {low:.4g} only); ask nearer to what was measured"
        )


_LEVELS = (0.95, 0.8)


@dataclass(frozen=True)
class Step:
    """One law of a chain: the metric it says, the law, and the rows it is fitted to.

    Examples
    --------
    >>> import scalefit as sf
    >>> sf.Step("error", "loss_to_error", where={"train_dataset": "c4"}).metric
    'error'
    """

    metric: str
    law: str | Law
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    """What every fit of a chain is made of."""

    data: Any
    steps: tuple[Step, ...]
    inputs: Mapping[str, str]
    options: Mapping[str, Any]
    direct: Law | None

    def fit(self, step: Step, law: Law, inputs: Mapping[str, str], rows: Mapping[str, Any]) -> Fit:
        where = {**step.where, **rows}
        if len(inputs) == len(law.inputs) == 1:  # laws of one input have names of their own for it
            inputs = dict(zip(law.inputs, inputs.values(), strict=True))
        return fit_law(self.data, step.metric, law, inputs=inputs, where=where, **self.options)

    def fits(self, rows: Mapping[str, Any]) -> tuple[Fit, ...]:
        """Fit every step, to some of the rows."""
        out = [self.fit(self.steps[0], get_law(self.steps[0].law), self.inputs, rows)]
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            law = get_law(step.law)
            out.append(self.fit(step, law, {law.inputs[0]: before.metric}, rows))
        return tuple(out)


def chain(
    data: Any,
    steps: Sequence[Step],
    *,
    inputs: Mapping[str, str] | None = None,
    direct: str | Law | None = None,
    along: str | None = None,
    hold_out: int | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    **options: Any,
) -> Chain:
    """Fit laws in a row, and test them on held-out sizes against one law that goes straight there.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        Results; every metric of the chain was measured on the same runs.
    steps : the first law is one of sizes; every further one takes the metric before it.
    inputs : the first law's inputs -> columns; ``pretrain_tokens`` for a law of one input.
    direct : a law of the same sizes for the last metric.
    along : the column whose largest values are held back; by default the first input's.
    hold_out : how many of its values to hold back, once; without it one to five, in turn.
    where, mapping, allow, **options : as in :func:`scalefit.fit`.

    Raises FitError: a chain of less than two steps, a further law of several inputs, or a step that cannot be fitted.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e7, 1e10, 10)
    >>> loss = 1.8 + 90 * D**-0.25
    >>> data = {"D": D, "loss": loss, "error": 0.85 - 1.6 * np.exp(-0.6 * loss)}
    >>> steps = [sf.Step("loss", "power"), sf.Step("error", "loss_to_error")]
    >>> chained = sf.chain(data, steps, inputs={"x": "D"}, direct="power", hold_out=2)
    >>> chained.errors["chain"] < chained.errors["direct"]
    True
    """
    steps = tuple(steps)
    _check(steps)
    first = get_law(steps[0].law)
    columns = input_columns(first, inputs)
    wide = table_of(
        data,
        mapping=mapping,
        where=where,
        allow=allow,
        metrics=[step.metric for step in steps],
        needs=columns.values(),
    ).wide()
    straight = None if direct is None else get_law(direct)
    plan = _Plan(wide, steps, columns, options, straight)
    fits = plan.fits({})
    notes = [f"{fit.metric}: {fit.misfit.line}" for fit in fits if fit.misfit.seen]
    try:
        tested = _tested(plan, along or next(iter(columns.values())), hold_out)
    except (DesignError, FitError) as error:
        tested, notes = None, [*notes, f"not tested: {error}"]
    one = None if straight is None else plan.fit(steps[-1], straight, columns, {})
    return Chain(fits, one, tested, tuple(dict.fromkeys(notes)))


def _check(steps: tuple[Step, ...]) -> None:
    if len(steps) < 2:
        raise FitError(
            f"found {len(steps)} steps; needed two or more: sf.Step('loss', 'power'), then "
            "sf.Step('error', 'loss_to_error')"
        )
    for step in steps[1:]:
        law = get_law(step.law)
        if len(law.inputs) != 1:
            raise FitError(
                f"step {step.metric!r}: law {law.name!r} takes {', '.join(law.inputs)}; needed a law of one input, the "
                "metric before it: loss_to_error, sigmoid, loss_to_loss, ce_to_bleu"
            )


def _tested(plan: _Plan, column: str, hold_out: int | None) -> Backtest:
    """Hold back the largest values of a column from every step."""
    name = next((n for n, c in plan.inputs.items() if c == column), None)
    if name is None:
        raise FitError(f"along={column!r} is none of {', '.join(plan.inputs.values())}")
    last, first = plan.steps[-1], get_law(plan.steps[0].law)
    rows = gather_rows(plan.data, last.metric, first, plan.inputs, {})
    x = rows.inputs[name]

    def sizes(asked: Mask) -> dict[str, Any]:
        return {n: v[asked] for n, v in rows.inputs.items()}

    def by_chain(seen: Mask, asked: Mask) -> Said:
        try:
            return _said(Chain(plan.fits(_up_to(column, x[seen]))), sizes(asked))
        except ScalefitError:
            return None

    def straight(seen: Mask, asked: Mask) -> Said:
        assert plan.direct is not None
        try:
            fit = plan.fit(last, plan.direct, plan.inputs, _up_to(column, x[seen]))
        except ScalefitError:
            return None
        return said_by(fit, tuple(sizes(asked).values()))

    ways = [RowForecaster(CHAIN, by_chain)]
    ways += [] if plan.direct is None else [RowForecaster(DIRECT, straight)]
    return backtest_rows(rows, ways, name, hold_out=hold_out)


def _up_to(column: str, seen: Floats) -> dict[str, Any]:
    return {column: (float(seen.min()), float(seen.max()))}


def _said(one: Chain, sizes: dict[str, Any]) -> Predictive:
    """Return what a chain says of new runs, at the levels that a backtest judges."""
    p, values = _quantiles(lambda level: one.predict(level=level, kind="run", **sizes), _LEVELS)
    return Predictive(values[p.size // 2], p, values)
