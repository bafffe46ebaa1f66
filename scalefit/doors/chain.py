"""``sf.chain``: from sizes to a loss, from the loss to a metric, against one law straight from the sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit import fitting
from scalefit.errors import DesignError, FitError, ScalefitError
from scalefit.fitting import Fit
from scalefit.fitting.points import gather_rows, input_columns
from scalefit.forecasting.backtest import Backtest, RowForecaster, Said, backtest_rows
from scalefit.forecasting.chain import CHAIN, DIRECT, Chain
from scalefit.forecasting.forecasters import said_by
from scalefit.forecasting.predictive import Predictive
from scalefit.ingest import table_of
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.types import Floats, Mask

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
        return fitting.fit_law(
            self.data, step.metric, law, inputs=inputs, where=where, **self.options
        )

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
    steps : sequence of Step
        The first law is one of sizes; every further one takes the metric before it.
    inputs : the first law's inputs -> columns; ``pretrain_tokens`` for a law of one input.
    direct : str or Law, optional
        A law of the same sizes for the last metric.
    along : the column whose largest values are held back; by default the first input's.
    hold_out : how many of its values to hold back, once; without it one to five, in turn.
    where, mapping, allow, **options : as in :func:`scalefit.fit`.

    Raises
    ------
    FitError
        A chain of less than two steps, a further law of several inputs, or a step that cannot be fitted.

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
    values = {}
    for level in _LEVELS:
        band = one.predict(level=level, kind="run", **sizes)
        values[0.5] = band.estimate
        values[0.5 - level / 2], values[0.5 + level / 2] = band.low, band.high
    p = sorted(values)
    return Predictive(values[0.5], np.array(p), np.stack([values[q] for q in p]))
