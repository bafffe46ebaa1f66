"""``sf.backtest`` and ``sf.compare_laws``: what laws are worth on a table's own curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalefit.distributions import f_tail
from scalefit.doors.curves import inquire
from scalefit.errors import DesignError, FitError, ScalefitError
from scalefit.executors import Workers, working
from scalefit.fitting.fit import AnyLaw, fit_observations, law_of
from scalefit.fitting.goodness import sum_of_squares
from scalefit.fitting.points import gather_rows
from scalefit.fitting.problem import Objective
from scalefit.fitting.result import Fit
from scalefit.forecasting.backtest import Backtest, backtest_rows, law_of_rows, run_backtest
from scalefit.forecasting.forecasters import (
    ALONE,
    BASELINES,
    Forecaster,
    alone_forecaster,
    baseline_forecaster,
    law_forecaster,
    mixture_forecaster,
)
from scalefit.groups import group_name
from scalefit.laws import LAWS
from scalefit.laws.law import Law
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Renames
from scalefit.units import short


@dataclass(frozen=True)
class Nested:
    """An F test of a law against one that it contains: a small p says that the larger one is needed."""

    inner: str
    outer: str
    p: float


@dataclass(frozen=True, eq=False, repr=False)
class LawComparison(Result):
    """Laws fitted to the same points.

    Attributes
    ----------
    fits : one a law, best AICc first.
    nested : tests of the laws that contain each other.
    backtest : Backtest or None
        Held-out errors on the same curve; None where it has no size to spare.
    failures : law -> why it has no fit.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e6, 1e9, 9)
    >>> noise = 1 + 0.002 * np.array([1, -1, 0.5, 1, -2, 0.3, -1, 1, 0.2])
    >>> data = {"pretrain_tokens": D, "cross_entropy": (1.7 + 40 * D**-0.3) * noise}
    >>> compared = sf.compare_laws(data, "cross_entropy", ["power", "pure_power"])
    >>> compared.best.law.name, compared.nested[0].p < 0.01
    ('power', True)
    """

    metric: str
    fits: tuple[Fit, ...]
    nested: tuple[Nested, ...]
    backtest: Backtest | None = None
    group: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> Fit:
        """The law with the least AICc."""
        return self.fits[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Laws without a fit, nested tests, and that the best in the data is often not the best beyond them."""
        tests = (
            f"{t.outer} contains {t.inner}: the larger law is {'needed' if t.p < 0.05 else 'not needed'} (p {t.p:.2g})"
            for t in self.nested
        )
        lost = (f"{name}: {why}" for name, why in self.failures.items())
        known = (
            "a law that is best in the data is often not best beyond them: averages forecast better"
        )
        return (*lost, *tests, known)

    @property
    def verdict(self) -> str:
        """The best law in the data, and the best one beyond them."""
        line = f"{self.metric}: {self._in_the_data()}"
        if self.backtest is None:
            return f"{line}; no size to spare for held-out errors"
        out = min(self.backtest.forecasters, key=self.backtest.error)
        return f"{line}; on held-out sizes {out} errs least"

    def _in_the_data(self) -> str:
        if not math.isfinite(self.best.goodness.aicc):
            return f"too few points to choose among {len(self.fits)} laws by AICc"
        line = f"{self.best.law.name} has the least AICc of {len(self.fits)} laws"
        if len(self.fits) == 1:
            return line
        more = self.fits[1].goodness.aicc - self.best.goodness.aicc
        return f"{line} (next {self.fits[1].law.name}, + {short(more)})"

    def rows(self) -> list[Row]:
        """Return one row a law: parameters, AICc and its weight, typical and held-out error."""
        criteria = np.array([fit.goodness.aicc for fit in self.fits])
        with np.errstate(invalid="ignore"):
            share = np.exp(-(criteria - np.min(criteria)) / 2)
        share = np.where(np.isfinite(share), share, 0.0)
        return [
            {
                "law": fit.law.name,
                "parameters": len(fit.law.parameters),
                "aicc": float(a),
                "weight": float(w / share.sum()) if share.sum() else float("nan"),
                "typical_error": fit.typical_error,
                "held_out_error": self._held_out(fit.law.name),
            }
            for fit, a, w in zip(self.fits, criteria, share, strict=True)
        ]

    def _held_out(self, law: str) -> float:
        tested = self.backtest
        return tested.error(law) if tested and law in tested.forecasters else float("nan")


def nested_tests(fits: Sequence[Fit]) -> list[Nested]:
    """Return an F test for every pair of these fits of which one law contains the other."""
    by = {fit.law.name: fit for fit in fits}
    pairs = [
        (special.law, outer)
        for outer in by
        if outer in LAWS
        for special in LAWS[outer].special
        if special.law in by and not special.inputs
    ]
    tests = [Nested(i, o, _p(by[i], by[o])) for i, o in pairs]
    return [test for test in tests if np.isfinite(test.p)]


def _p(inner: Fit, outer: Fit) -> float:
    n, more = outer.points.y.size, len(outer.law.parameters) - len(inner.law.parameters)
    rest = n - len(outer.law.parameters)
    small = sum_of_squares(outer.solution)
    if more <= 0 or rest <= 0 or small <= 0:
        return float("nan")
    ratio = max(sum_of_squares(inner.solution) - small, 0.0) / more / (small / rest)
    return float(f_tail(ratio, more, rest))


FALLING, RISING = ("power", "bansal", "rectified", "m4"), ("log", "ceiling", "logistic")


def backtest(
    data: Any,
    metric: str,
    laws: Sequence[AnyLaw] | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    along: str | None = None,
    hold_out: int | None = None,
    fit_smallest: int | None = None,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    objective: Objective | None = None,
    executor: Workers = None,
) -> Backtest:
    """Hold back the largest sizes of every curve, and score what the mixture, laws and baselines say of them.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
    laws : single laws to set beside the mixture; by default those that suit the metric's direction. ``"alone"`` among
        them is the mixture of each curve by itself: what learning from the table's other curves buys.
    inputs : mapping, optional
        Law input -> column, for laws of several inputs: all rows are then one surface, the baseline is the nearest run.
    along : the column whose largest values are held out; by default the first of ``inputs``.
    hold_out : hold out this many largest sizes, once. Without it and ``fit_smallest``: one to five of them, in turn.
    fit_smallest : fit this many smallest sizes and hold out the rest; 4 is Isik et al.'s protocol.
    where, by, mapping, allow : as in :func:`scalefit.forecast`.
    objective : what single laws minimise.
    executor : a number of processes, an executor or a scheduler's address (``docs/scale.md``); answers stay the same.

    Raises DesignError: no curve has a size to hold out.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e6, 1e9, 7)
    >>> data = {"pretrain_tokens": D, "bleu": 30 - 200 * D**-0.25}
    >>> tested = sf.backtest(data, "bleu", laws=["ceiling"], fit_smallest=4)
    >>> tested.error("ceiling") < tested.error("last value")
    True
    """
    minimised = objective or Objective()
    for name, held in (("hold_out", hold_out), ("fit_smallest", fit_smallest)):
        if held is not None and not (type(held) is int and held > 0):
            raise DesignError(f"{name} is {held!r}; needed a number of sizes, 1 or more")
    if inputs is not None and (len(inputs) > 1 or along is not None):
        if laws is None or fit_smallest is not None or by is not None:
            raise DesignError(
                "a surface over several inputs takes no by= and no fit_smallest=, and its laws by name: "
                "sf.backtest(data, metric, ['chinchilla'], inputs={'N': …, 'D': …}, along=…)"
            )
        known = [law_of(law, inputs) for law in laws]
        rows = gather_rows(data, metric, known[0], inputs, where, mapping=mapping, allow=allow)
        return _of_rows(rows, known, along, minimised, hold_out)
    used = tuple((inputs or {"x": "pretrain_tokens"}).values())
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow, used=used)
    name, curves = what.metric, what.curves_over(used[0])
    falls = metric_of(name).falls
    chosen = laws if laws is not None else (FALLING if falls else RISING)
    forecasters: list[Forecaster] = [mixture_forecaster(name)]
    forecasters += [
        alone_forecaster(name)
        if law == ALONE
        else law_forecaster(law_of(law, inputs), name, minimised)
        for law in chosen
    ]
    forecasters += [baseline_forecaster(base) for base in BASELINES]
    with working(executor) as each:
        tested = run_backtest(
            curves.series(),
            forecasters,
            metric=name,
            relative=metric_of(name).relative,
            groups=curves.groups,
            hold_out=hold_out,
            fit_smallest=fit_smallest,
            each=each,
        )
    left_out = (f"{group}: {why}" for group, why in curves.failures.items())
    return replace(tested, notes=(*what.notes, *left_out))


def _of_rows(
    rows: Observations,
    laws: Sequence[Law],
    along: str | None,
    objective: Objective,
    hold_out: int | None,
) -> Backtest:
    """Backtest laws of the same inputs on the rows of one group."""
    for law in laws:
        if set(law.inputs) != set(rows.columns):
            raise DesignError(
                f"law {law.name!r} takes {', '.join(law.inputs)}, but the rows have {', '.join(rows.columns)}; compare "
                "laws of the same inputs"
            )
    name = next((n for n, c in rows.columns.items() if along in (n, c, None)), None)
    if name is None:
        raise DesignError(f"along={along!r} is none of {', '.join(rows.columns.values())}")
    ways = [law_of_rows(law, rows, objective) for law in laws]
    return backtest_rows(rows, ways, name, hold_out=hold_out)


def compare_laws(
    data: Any,
    metric: str,
    laws: Sequence[AnyLaw] | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    objective: Objective | None = None,
) -> LawComparison:
    """Fit several laws to one curve: AICc, nested tests, and errors on held-out sizes.

    Parameters
    ----------
    data, metric, where, mapping, allow : as in :func:`scalefit.fit`; the rows must make one curve.
    laws : by default those that suit the metric's direction.
    objective : what the laws minimise.

    Raises FitError: no law could be fitted.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e6, 1e9, 9)
    >>> noise = 1 + 0.002 * np.array([1, -1, 0.5, 1, -2, 0.3, -1, 1, 0.2])
    >>> data = {"pretrain_tokens": D, "cross_entropy": (1.7 + 40 * D**-0.3) * noise}
    >>> sf.compare_laws(data, "cross_entropy").best.law.name
    'power'
    """
    what = inquire(data, metric, where=where, by=None, mapping=mapping, allow=allow)
    name, curves = what.metric, what.curves
    if len(curves.rows) != 1:
        groups = "; ".join(group_name(g) for g in curves.groups[:3])
        why = next(iter(curves.failures.values()), f"there are {len(curves.rows)} curves: {groups}")
        raise FitError(f"laws are compared on one curve; {why}; choose one with where=")
    rows, group = curves.rows[0], curves.groups[0]
    falls = metric_of(name).falls
    chosen = laws if laws is not None else (FALLING if falls else RISING)
    minimised = objective or Objective()
    fits, failures = [], {}
    for law in (law_of(one, None) for one in chosen):
        try:
            fits.append(fit_observations(rows, law, minimised, group=group))
        except ScalefitError as error:
            failures[law.name] = str(error)
    if not fits:
        raise FitError(f"no law could be fitted: {next(iter(failures.values()))}")
    ranked = tuple(sorted(fits, key=lambda fit: fit.goodness.aicc))
    try:
        tested = backtest(what.rows, name, chosen, objective=minimised)
    except DesignError:
        tested = None
    return LawComparison(name, ranked, tuple(nested_tests(ranked)), tested, group, failures)
