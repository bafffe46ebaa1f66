"""``sf.refit_published``: whether what others found holds on these runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import DesignError
from scalefit.fitting.fit import fit_law
from scalefit.fitting.result import Fit
from scalefit.forecasting.backtest import NEAREST, Backtest, backtest_rows, law_of_rows
from scalefit.laws import get_law
from scalefit.laws.published import published_fit
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.units import short

PART = 5  # a fifth of the first input's values, the largest ones, is held out
_WIDE = 1.96


@dataclass(frozen=True, eq=False, repr=False)
class Refit(Result):
    """A published fit beside the same law on other runs.

    Attributes
    ----------
    name : of the published fit.
    fit : the law fitted to these runs.
    published : its parameters as published; ``stderr`` their standard errors, where given.
    tested : the law and the nearest run on the largest sizes, held out; None where none could be.
    notes : where the published numbers come from.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))
    >>> noise = 0.005 * np.resize([1.0, -1, 0.5, -0.7, 0.2], 25)
    >>> data = {"N": N, "D": D, "loss": sf.published()["besiroglu-2024"](N, D) + noise}
    >>> again = sf.refit_published("besiroglu-2024", data, "loss", inputs={"N": "N", "D": "D"})
    >>> again.state
    'holds'
    """

    name: str
    fit: Fit
    published: Mapping[str, float]
    stderr: Mapping[str, float]
    tested: Backtest | None = None
    notes: tuple[str, ...] = ()

    @property
    def apart(self) -> tuple[str, ...]:
        """Parameters whose published value lies outside the interval here, with 1.96 published errors allowed."""
        return tuple(
            name
            for name, i in self.fit.intervals().items()
            if not i.low - self._room(name) <= self.published[name] <= i.high + self._room(name)
        )

    def _room(self, name: str) -> float:
        digits = 1e-3 * abs(self.published[name])  # published numbers are rounded
        return max(_WIDE * self.stderr.get(name, 0.0), digits)

    @property
    def beaten(self) -> bool:
        """Whether the nearest run forecasts the held-out sizes better than the law."""
        if self.tested is None:
            return False
        law = self.fit.law.name
        return law not in self.tested.forecasters or self.tested.error(law) > self.tested.error(
            NEAREST
        )

    @property
    def state(self) -> str:
        """``beaten by a baseline``, ``not identified``, ``differs`` or ``holds``, in this order."""
        if self.beaten:
            return "beaten by a baseline"
        if self.fit.not_identified:
            return "not identified"
        return "differs" if self.apart else "holds"

    @property
    def verdict(self) -> str:
        """Whether it holds here, and what says so."""
        law = self.fit.law.name
        why = {
            "beaten by a baseline": f"the nearest run forecasts the largest sizes better than the {law} law",
            "not identified": f"these runs do not fix {', '.join(sorted(self.fit.not_identified))}",
            "differs": "; ".join(self._said(name) for name in self.apart),
            "holds": "every published parameter lies in its 95% interval here",
        }
        return f"{self.name}: {self.state}: {why[self.state]}; {self.fit.points.y.size} points"

    def _said(self, name: str) -> str:
        here = self.fit.intervals()[name]
        interval = f"{short(here.estimate)} [{short(here.low)}, {short(here.high)}]"
        return f"{name} {short(self.published[name])} published, {interval} here"

    def rows(self) -> list[Row]:
        """Return one row a parameter: published with its error, and the estimate here with its interval."""
        return [
            {
                "parameter": row["parameter"],
                "published": self.published[str(row["parameter"])],
                "stderr": self.stderr.get(str(row["parameter"]), float("nan")),
                **{k: row[k] for k in ("estimate", "low", "high", "identified")},
            }
            for row in self.fit.rows()
        ]

    def told(self) -> Row:
        """Return the state, the parameters and the errors on held-out sizes."""
        errors = (
            {}
            if self.tested is None
            else {n: self.tested.error(n) for n in self.tested.forecasters}
        )
        return {
            "name": self.name,
            "answer": self.state,
            "parameters": self.rows(),
            "errors": errors,
        }


def refit_published(
    name: str,
    data: Any,
    metric: str,
    *,
    inputs: Mapping[str, str],
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> Refit:
    """Fit a published fit's law to other runs, in its own way, and say whether it holds there.

    Parameters
    ----------
    name : of the published fit, see :func:`scalefit.published`.
    data, metric, where, mapping, allow : as in :func:`scalefit.fit`; numbers in the published units.
    inputs : law input -> column.

    Raises LawError: no published fit has this name; FitError: these runs cannot be fitted by the law at all.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> L = np.linspace(2.4, 5, 12)
    >>> data = {"L": L, "bleu": 70 * np.exp(-0.6 * L) + 0.02 * np.resize([1.0, -1, 0.5], 12)}
    >>> sf.refit_published("gordon-2021-bleu-de-en", data, "bleu", inputs={"L": "L"}).state
    'differs'
    """
    known = published_fit(name)
    law = get_law(known.law)
    fit = fit_law(
        data,
        metric,
        law,
        inputs=inputs,
        where=where,
        mapping=mapping,
        allow=allow,
        **known.minimised,
    )
    rows = fit.observations
    first = law.inputs[0]
    alone = law_of_rows(law, rows, fit.solution.problem.objective)
    held = max(1, np.unique(rows.inputs[first]).size // PART)
    try:
        tested = backtest_rows(rows, [alone], first, hold_out=held)
    except DesignError:
        tested = None
    return Refit(
        name, fit, dict(known.params), dict(known.stderr), tested, (known.about, *fit.notes)
    )
