"""Which law describes a curve: in-sample criteria, nested tests, and what held-out sizes say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.distributions import f_tail
from scalefit.fitting import Fit
from scalefit.fitting.goodness import sum_of_squares
from scalefit.forecasting.backtest import Backtest
from scalefit.laws import LAWS
from scalefit.result import Result, Row


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
    metric : str
    fits : tuple of Fit
        One a law, best AICc first.
    nested : tuple of Nested
        Tests of the laws that contain each other.
    backtest : Backtest or None
        Held-out errors on the same curve; None where it has no size to spare.
    group : mapping
    failures : mapping
        Law -> why it has no fit.

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
        first = self.best.law.name
        line = f"{self.metric}: {first} has the least AICc of {len(self.fits)} laws"
        if len(self.fits) > 1:
            line += f" (next {self.fits[1].law.name}, + {self.fits[1].goodness.aicc - self.best.goodness.aicc:.3g})"
        if self.backtest is None:
            return f"{line}; no size to spare for held-out errors"
        out = min(self.backtest.forecasters, key=self.backtest.error)
        return f"{line}; on held-out sizes {out} errs least"

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
