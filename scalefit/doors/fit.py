"""``sf.fit`` and ``sf.fit_each``: a named law, or the mixture where none is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from scalefit import fitting
from scalefit.doors.curves import CURVE, asked
from scalefit.errors import FitError
from scalefit.executors import Workers, working
from scalefit.fitting import Fit, Fits
from scalefit.fitting.gather import gather
from scalefit.fitting.many import AnyLaw
from scalefit.forecasting.engines import AUTO, Pool
from scalefit.forecasting.mixture import Mixture, Mixtures, mixtures_of
from scalefit.groups import group_of
from scalefit.types import Renames


@overload
def fit(data: Any, metric: str, law: None = None, **options: Any) -> Mixture: ...
@overload
def fit(data: Any, metric: str, law: AnyLaw, **options: Any) -> Fit: ...
def fit(
    data: Any,
    metric: str,
    law: AnyLaw | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    **options: Any,
) -> Fit | Mixture:
    """Fit one curve: by a named law, or by the mixture that forecasts best.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results, long or wide. Rows of several corpora or tasks are refused unless ``where`` names them.
    metric : str
        The metric to describe.
    law : str, Law or function, optional
        A law's name (``scalefit.LAWS``), a :class:`Law`, or a bare function ``f(x, a, b)``. Without one, laws and plain
        guesses that suit the metric's direction are weighed together: see :class:`scalefit.Mixture`.
    inputs : mapping, optional
        Law input -> column; ``pretrain_tokens`` for a law of one input.
    where : mapping, optional
        Column -> condition: a value, a list, ``(low, high)``, ``"<=5e9"``; see :meth:`scalefit.Table.where`.
    mapping : mapping, optional
        Own name -> canonical name, for columns and metrics.
    allow : sequence of str
        Checks of the table to switch off.
    **options
        For a named law, what it minimises and how points weigh: see :func:`scalefit.fitting.fit`.

    Returns
    -------
    Fit or Mixture
        A :class:`Fit` of the named law, with intervals of its parameters; a :class:`Mixture` where none was named.

    Raises
    ------
    FitError
        The data cannot identify the law; the message says what would.
    TableError
        The table breaks a rule, or has no such rows.
    LawError
        There is no such law.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> sf.fit(table, "bleu", "log").law.name
    'log'
    >>> type(sf.fit(table, "bleu")).__name__
    'Mixture'
    """
    if law is not None:
        return fitting.fit(
            data, metric, law, inputs=inputs, where=where, mapping=mapping, allow=allow, **options
        )
    _no_options(options)
    rows = gather(data, metric, CURVE, _one_input(inputs), where, mapping=mapping, allow=allow)
    return mixtures_of([rows], [group_of(where)])[0]


@overload
def fit_each(data: Any, metric: str, law: None = None, **options: Any) -> Mixtures: ...
@overload
def fit_each(data: Any, metric: str, law: AnyLaw, **options: Any) -> Fits: ...
def fit_each(
    data: Any,
    metric: str,
    law: AnyLaw | None = None,
    *,
    by: Sequence[str] | None = None,
    inputs: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    pool: Pool = AUTO,
    executor: Workers = None,
    **options: Any,
) -> Fits | Mixtures:
    """Fit the curve of every group: by a named law, or by mixtures that learn from each other.

    Parameters
    ----------
    data, metric, law, inputs, where, mapping, allow, **options
        As in :func:`fit`.
    by : sequence of str, optional
        Columns whose values make the groups; by default corpus, task and finetuning size, and others where they
        vary.
    pool : {"auto", "none"} or columns
        Which curves of the mixture learn from each other: all of them, none, or those that agree in these columns.
    executor : number of processes, executor or address of a scheduler, optional
        Where the work is done, see ``docs/scale.md``; the answer is the same wherever that is.

    Returns
    -------
    Fits or Mixtures
        One a group, found by what a person would type: ``fits["fr"]``; groups without one are in ``failures``.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6]
    >>> table = {
    ...     "corpus": ["fr"] * 5 + ["en"] * 5,
    ...     "pretrain_tokens": sizes * 2,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 4.0, 7.1, 9.8, 13.0, 16.1],
    ... }
    >>> sf.fit_each(table, "bleu")["fr"].siblings
    1
    """
    if law is not None:
        if inputs is not None:
            options["inputs"] = inputs
        return fitting.fit_each(
            data,
            metric,
            law,
            by=by,
            where=where,
            mapping=mapping,
            allow=allow,
            executor=executor,
            **options,
        )
    _no_options(options)
    column = (_one_input(inputs) or {CURVE.inputs[0]: "pretrain_tokens"})[CURVE.inputs[0]]
    what = asked(data, metric, where=where, by=by, mapping=mapping, allow=allow, used=(column,))
    curves = what.curves_over(column)
    with working(executor) as each:
        return Mixtures(tuple(curves.mixtures(pool, each)), curves.failures, what.notes)


def _no_options(options: Mapping[str, Any]) -> None:
    if options:
        raise FitError(
            f"{', '.join(options)}: what a single law minimises; a mixture has its own. Name a law: law='power'"
        )


def _one_input(inputs: Mapping[str, str] | None) -> dict[str, str] | None:
    if inputs is None:
        return None
    if len(inputs) != 1:
        raise FitError(
            f"inputs= names {', '.join(inputs)}; without a law a curve has one input: name a law of several"
        )
    return {CURVE.inputs[0]: next(iter(inputs.values()))}
