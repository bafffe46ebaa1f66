"""``sf.fit``, ``sf.fit_each`` and ``sf.fit_joint``: one curve, many, or quality over both sizes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from scalefit.arguments import BLEU
from scalefit.corpora.worth import MeasuredCell
from scalefit.errors import DesignError, DomainError, FitError
from scalefit.executors import Workers, working
from scalefit.fitting.fit import AnyLaw, fit_law
from scalefit.fitting.many import Fits, fit_law_each
from scalefit.fitting.points import gather_rows, points_of
from scalefit.fitting.result import Fit
from scalefit.forecasting.engines import AUTO, Pool, ends_of
from scalefit.forecasting.mixture import Mixture, Mixtures, mixtures_of
from scalefit.forecasting.quality import SizedCells
from scalefit.forecasting.surface import Surface, surface_of
from scalefit.groups import group_name, group_of
from scalefit.table import Table, cut
from scalefit.table import metric as metric_of
from scalefit.types import Renames
from scalefit.units import some

from .curves import CURVE, inquire
from .value import SIZES, measured_cells


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
    metric : the metric to describe.
    law : a law's name (``scalefit.LAWS``), a :class:`Law`, or a bare function ``f(x, a, b)``. Without one, laws and
        plain guesses that suit the metric's direction are weighed together: see :class:`scalefit.Mixture`.
    inputs : law input -> column; ``pretrain_tokens`` for a law of one input; of a law of several N, D, P, F and U are
        taken for parameters, pretraining tokens (D, P), finetuning and unique tokens.
    where : column -> condition: a value, a list, ``(low, high)``, ``"<=5e9"``; see :meth:`scalefit.Table.where`.
    mapping : own name -> canonical name, for columns and metrics.
    allow : checks of the table to switch off.
    **options : for a named law, what it minimises and how points weigh: see :func:`scalefit.fitting.fit.fit_law`.

    Returns Fit or Mixture: a :class:`Fit` of the named law, with intervals of its parameters; a :class:`Mixture`
    where none was named.

    Raises FitError: the data cannot identify the law; the message says what would; TableError: the table breaks a
    rule, or has no such rows; LawError: there is no such law.

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
        return fit_law(
            data, metric, law, inputs=inputs, where=where, mapping=mapping, allow=allow, **options
        )
    _no_options(options)
    rows = gather_rows(data, metric, CURVE, _one_input(inputs), where, mapping=mapping, allow=allow)
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
    data, metric, law, inputs, where, mapping, allow, **options : as in :func:`fit`.
    by : columns whose values make the groups; by default corpus, task and finetuning size, and others where they vary.
    pool : {"auto", "none"} or columns
        Which curves of the mixture learn from each other: all of them, none, or those that agree in these columns.
    executor : a number of processes, an executor or a scheduler's address (``docs/scale.md``); answers stay the same.

    Returns Fits or Mixtures: one a group, found by what a person would type: ``fits["fr"]``; groups without one are
    in ``failures``.

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
        return fit_law_each(
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
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow, used=(column,))
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


def fit_joint(
    data: Any,
    metric: str = BLEU,
    *,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Surface:
    """Fit one rising, bounded law of pretraining and finetuning sizes to all cells of a grid.

    It answers at finetuning sizes that nobody ran, and says how it did on the largest pretraining size when that was
    held back, beside forecasts of each finetuning size by itself.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        At least six cells over two pretraining and two finetuning sizes; rows with ``pretrain_tokens`` 0, not
        pretrained, are cells like any other.
    metric : a metric of which more is better, within a range: BLEU, chrF, COMET, accuracy.
    where, mapping, allow : as in :func:`scalefit.forecast`; ``where`` names one corpus and task.
    by : columns that make the groups, besides both sizes.

    Raises DesignError: the rows are of several groups; DomainError: less of the metric is better; FitError: cells or
    sizes are too few; the message says what to measure; MissingColumnError: the table has no finetuning sizes.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6], [1e4, 4e4, 16e4]))
    >>> bleu = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    >>> surface = sf.fit_joint({"pretrain_tokens": p, "finetune_tokens": f, "bleu": bleu}, "bleu")
    >>> surface.predict(16e6, 8e4).estimate.round().tolist()
    [31.0]
    """
    what = inquire(
        data, metric, where=where, by=by, mapping=mapping, allow=allow, used=tuple(SIZES.values())
    )
    known = metric_of(what.metric)
    if known.falls:
        cure = f"put a column 'accuracy' beside it, 1 - {what.metric} or 100 - {what.metric}, and ask for that"
        raise DomainError(
            f"the joint law rises, and less {what.metric} is better; "
            + (f"{cure}, or " if known.is_rate else "")
            + "fit a law of both sizes by name: sf.fit(data, metric, law='chinchilla', inputs=…), or ask for a quality"
        )
    groups = list(what.rows.pretrained().groups(what.by))
    if len(groups) != 1:
        names = some((group_name(dict(key)) for key, _ in groups), 8) or "none"
        raise DesignError(
            f"one law is for one corpus and task, found {len(groups)} groups: {names}; choose one with where=…"
        )
    group = dict(groups[0][0])
    cells = _all_cells(what.rows, group, groups[0][1])
    values = np.array([c.mean for c in cells])
    bottom, top = ends_of(what.metric, values)
    sizes = np.array([(c.pretrain, c.finetune) for c in cells])
    return surface_of(what.metric, SizedCells(sizes, values, top, bottom), group, what.notes)


def _all_cells(rows: Table, group: Mapping[str, Any], part: Table) -> list[MeasuredCell]:
    """Return the means of all pairs of sizes, those without pretraining among them."""
    points = points_of(cut(part, part.metrics[0], SIZES))
    cells = measured_cells(points.inputs[0], points.inputs[1], points.y)
    base = rows.baseline_for(group)
    if base is None:
        return cells
    f, y = base.column("finetune_tokens"), base.column("value")
    return [*measured_cells(np.zeros_like(f), f, y), *cells]
