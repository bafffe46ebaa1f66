"""A fit: frozen, with everything needed to question it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scalefit.errors import DomainError
from scalefit.fitting.card import Card
from scalefit.fitting.checks import answer_notes, design_notes, floor_notes, outlier_notes
from scalefit.fitting.contour import Contour, contour_of, posterior_draws
from scalefit.fitting.goodness import Goodness, Influence, goodness_of, influence_of, typical_error
from scalefit.fitting.identified import (
    Allowed,
    Identified,
    allowed_each,
    identify_each,
    within_reach,
)
from scalefit.fitting.intervals import Interval
from scalefit.fitting.intervals.optimum import correlation
from scalefit.fitting.intervals.uncertainty import Uncertainty, doubt_notes, uncertainty_of
from scalefit.fitting.lack_of_fit import LackOfFit, lack_of_fit
from scalefit.fitting.lmfit_bridge import result_of
from scalefit.fitting.noise import PointWeights
from scalefit.fitting.points import Points
from scalefit.fitting.solve import Draws, Solution, leave_out
from scalefit.fitting.stack import leave_one_out
from scalefit.groups import group_name
from scalefit.laws.law import Law, count_or_number, in_numbers
from scalefit.result import Result, alike
from scalefit.rows import Row
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Kind
from scalefit.units import short
from scalefit.version import __version__

if TYPE_CHECKING:
    import lmfit


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Result):
    """A law fitted to one group of results.

    Attributes
    ----------
    observations : the rows it was fitted to.
    points : the same with finetuning seeds averaged within each pretraining run.
    noise : where the weights of the points came from.
    solution : the optimum and how it was verified.
    group : what the rows have in common, such as ``{"corpus": "fr", "task": "en-fr"}``.
    draws : bootstrap refits, where they were asked for.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> fit = sf.fit(table, "cross_entropy", "power")
    >>> round(fit.params["E"], 2), fit.law.name
    (2.04, 'power')
    >>> list(fit.to_frame().columns)
    ['parameter', 'estimate', 'low', 'high', 'stderr', 'identified']
    >>> fit.equation
    'cross_entropy = 2.043 + 121.6·x^−0.2971'
    """

    # What is doubted about an optimum costs twenty times the optimum: of ten thousand fits it is worked out for those
    # that are looked at. Files keep it, so that loading fits nothing.
    KEPT = ("misfit", "uncertainty", "notes")

    observations: Observations
    points: Points
    noise: PointWeights
    solution: Solution
    group: Mapping[str, Any] = field(default_factory=dict)
    draws: Draws | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both are one law fitted to the same rows, with the same answer to the last bit."""
        return alike(self, other)

    def __hash__(self) -> int:
        """Equal fits have equal hashes."""
        return hash((self.law.name, self.metric, self.objective))

    @property
    def law(self) -> Law:
        """The law, its constants set."""
        return self.solution.problem.law

    @cached_property
    def misfit(self) -> LackOfFit:
        """Whether the law follows the data, and how that was judged."""
        return lack_of_fit(self.points, self.solution.problem, self.solution.theta)

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """What the intervals rest on."""
        return uncertainty_of(self.solution, self.points, self.noise, lambda: self.misfit)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Everything a reader of the numbers should know."""
        return (
            *self.observations.notes,
            *self.points.notes,
            *self.noise.notes,
            *design_notes(self.law, self.points),
            *answer_notes(self.solution, self.points),
            *outlier_notes(self.solution, self.points, lambda: self.left_out),
            *floor_notes(self.uncertainty),
            *doubt_notes(self.uncertainty, self.solution, self.points, self.misfit),
        )

    @cached_property
    def left_out(self) -> Draws:
        """Refits without each point in turn; ``note_together`` finds those of many fits together."""
        return leave_one_out([self.solution])[0]

    @property
    def metric(self) -> str:
        """Name of the fitted metric."""
        return self.observations.metric

    @property
    def params(self) -> dict[str, float]:
        """Estimates by name, in full precision."""
        return self.solution.params

    @property
    def lack_of_fit(self) -> float | None:
        """p-value of the law against the data, or None where they cannot say."""
        return self.misfit.p

    @property
    def derived(self) -> dict[str, float]:
        """Further numbers that follow from the parameters, often badly conditioned."""
        if self.law.derive is None:
            return {}
        values = self.law.derive(*self.solution.theta, **self.law.constants)
        return {k: float(v) for k, v in values.items()}

    @property
    def objective(self) -> float:
        """Summed loss at the optimum."""
        return self.solution.objective

    @property
    def residuals(self) -> Floats:
        """Value minus curve at each point: (n,)."""
        return self.points.y - self.solution.fitted

    @cached_property
    def goodness(self) -> Goodness:
        """R², typical error, AICc, and what the largest size is missed by when it is held out."""
        return goodness_of(self.solution, self.points)

    @property
    def typical_error(self) -> float:
        """Root mean square of the residuals with n − p degrees of freedom; nan without any."""
        return typical_error(self.solution, self.points)

    @property
    def equation(self) -> str:
        """The formula with its numbers in it: ``cross_entropy = 2.043 + 121.6·x^−0.2971``."""
        said = in_numbers(self.law, {**self.derived, **self.params})
        return f"{self.metric} = {said}" if said else ""

    @property
    def correlation(self) -> dict[str, dict[str, float]]:
        """Linearised correlation of the estimates, by name and name; nan for what the data do not see."""
        return correlation(self.uncertainty.best)

    def influence(self) -> Influence:
        """Fit again without each point, or without each pretraining run where one gives several points.

        Examples
        --------
        >>> import scalefit as sf
        >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
        >>> sf.fit(table, "bleu", "log").influence().heaviest
        0
        """
        runs = self.points.design == "checkpoints" and int(self.points.run.max()) > 0
        refits = leave_out(self.solution, self.points.run) if runs else self.left_out
        return influence_of(self.solution, self.points, self.metric, refits, self.group)

    def contour(self, first: str, second: str, *, level: float = 0.95, points: int = 41) -> Contour:
        """Profile two quoted parameters together, over a little more than their intervals.

        Parameters
        ----------
        first, second : names of two parameters.
        level : confidence of the intervals that the grid reaches across.
        points : cells along each side.

        Raises DomainError: no such parameters, the data do not fix one of them, or too few of the others for a
        profile to be found.
        """
        loose = sorted(self.not_identified - {first, second})
        if len(loose) > 1:
            raise DomainError(
                f"{' and '.join(loose)} are not identified, so that no profile over them can be trusted. "
                "Try a law with fewer parameters"
            )
        ends = self.intervals(level)
        spans = {
            n: (ends[n].low, ends[n].high) if n in ends else (np.nan, np.nan)
            for n in (first, second)
        }
        return contour_of(
            self.uncertainty.best, spans, points, metric=self.metric, group=self.group
        )

    @cached_property
    def identified(self) -> Identified:
        """Which parameters the data fix: the one rule for verdict, notes and reports."""
        return identify_each([self.solution], [self.uncertainty], [self.allowed])[0]

    @cached_property
    def allowed(self) -> Allowed:
        """What the parameters could be at all."""
        return allowed_each([self.solution])[0]

    @property
    def not_identified(self) -> frozenset[str]:
        """Parameters that the data do not fix; see :mod:`scalefit.fitting.identified`."""
        return self.identified.lost

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Return the interval of every parameter."""
        ends, params = within_reach(self.allowed, self.uncertainty.parameters(level)), self.params
        return {
            name: Interval(params[name], low, high, level, self.uncertainty.method)
            for name, (low, high) in ends.items()
        }

    def value(self, *inputs: Any) -> Floats:
        """Curve at the inputs, in the law's order: broadcast arrays."""
        flat = [np.atleast_1d(np.asarray(x, dtype=float)) for x in np.broadcast_arrays(*inputs)]
        return self.law.value(tuple(flat), self.solution.theta)

    def band(
        self, inputs: tuple[Floats, ...], level: float = 0.95, kind: Kind = "mean"
    ) -> tuple[Floats, Floats]:
        """Low and high of the mean curve, or of one new run, at the inputs (each (Q,))."""
        return self.uncertainty.curve(inputs, level, kind)

    @property
    def signature(self) -> str:
        """One line that tells whether two people's numbers compare."""
        parts = [
            f"law:{self.law.name}",
            str(self.solution.problem.objective),
            f"weights:{self.uncertainty.noise.label}",
            f"interval:{self.uncertainty.method}",
            f"n:{self.points.y.size}",
            f"runs:{np.unique(self.points.run).size if self.points.design != 'unknown' else '?'}",
            f"data:{self.observations.digest}",
            f"scalefit:{__version__}",
        ]
        return "|".join(parts)

    @property
    def verdict(self) -> str:
        """What came out, in one line."""
        x = ", ".join(self.observations.columns.values())
        name = group_name(self.group)
        head = f"{name}: " if name else ""
        state = self.identified.line if self.solution.converged else "optimum not verified"
        missed = f"; {self.misfit.line}" if self.misfit.seen else ""
        error = self.typical_error
        scatter = "no scatter left to judge by" if np.isnan(error) else f"typical error {error:.3g}"
        about = (
            f"{self.metric} = {self.law.name} law of {x}; {scatter}, {self.points.y.size} points"
        )
        return f"{head}{about}; {state}{missed}"

    def rows(self, level: float = 0.95) -> list[Row]:
        """Return the parameters, one row each: estimate, ends of its interval, whether the data fix it."""
        lost, errors = self.not_identified, self.uncertainty.stderr
        return [
            {
                "parameter": name,
                "estimate": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "stderr": errors.get(name, float("nan")),
                "identified": name not in lost,
            }
            for name, interval in self.intervals(level).items()
        ]

    def shown(self, level: float = 0.95) -> list[Row]:
        """Return the parameters for people: a number that the data do not fix is not shown."""

        def said(row: Row, name: str) -> str:
            return count_or_number(self.law, str(row["parameter"]), row[name])

        return [
            {
                "parameter": row["parameter"],
                "estimate": said(row, "estimate") if row["identified"] else "not identified",
                "standard error": said(row, "stderr") if row["identified"] else "–",
                # Where every part of the data has a limit for its best, the limit is no interval.
                f"{level:.0%} interval": f"[{said(row, 'low')}, {said(row, 'high')}]"
                if row["identified"] or row["low"] < row["high"]
                else "–",
            }
            for row in self.rows(level)
        ]

    def beneath(self) -> tuple[str, ...]:
        """Return the equation, how good it is, what is derived from the parameters, and the signature."""
        told = (self.equation, self.goodness.line, *self._derived(), self.signature)
        return tuple(line for line in told if line)

    def _derived(self) -> list[str]:
        """Say what follows from the parameters: the slope at the reference, and what the paper quotes instead."""
        numbers = dict(self.derived)
        lines: list[str] = []
        if self.law.reference:
            at = count_or_number(
                self.law, self.law.reference, self.law.constants[self.law.reference]
            )
            slope = short(numbers.pop("slope", float("nan")))
            lines.append(f"at {self.law.reference} = {at}; slope there {slope}")
        if self.not_identified:
            said = f"{', '.join(numbers)}: not identified"
        else:
            said = ", ".join(f"{k} {short(v)}" for k, v in numbers.items())
        if numbers:
            lines.append(f"derived: {said}")
        return lines

    def told(self) -> dict[str, Any]:
        """Return law, estimates, intervals and objective; the vectors are kept by :meth:`save`."""
        objective = self.solution.problem.objective
        return {
            "law": self.law.name,
            "constants": self.law.constants,
            "metric": self.metric,
            "group": self.group,
            "params": self.params,
            "intervals": {k: (i.low, i.high) for k, i in self.intervals().items()},
            "not_identified": sorted(self.not_identified),
            "objective": self.objective,
            "minimised": objective,
            "weights": self.uncertainty.noise.label,
            "lack_of_fit": self.lack_of_fit,
            "goodness": self.goodness,
            "equation": self.equation,
            "points": self.points.y.size,
            "signature": self.signature,
        }

    def card(self, *, held_out: float | None = None) -> Card:
        """Return the law card: all that somebody else needs to use this fit, as JSON or Markdown.

        Parameters
        ----------
        held_out : error on held-out sizes, e.g. ``sf.backtest(table, "bleu", ["log"]).error("log")``.

        Examples
        --------
        >>> import scalefit as sf
        >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
        >>> print(sf.fit(table, "bleu", "log").card(held_out=0.4).to_markdown().splitlines()[8])
        - **points**: 5
        """
        known = metric_of(self.metric)
        seen = zip(self.observations.columns.items(), self.points.inputs, strict=True)
        return Card(
            verdict=self.verdict,
            law=self.law.name,
            formula=self.law.formula,
            source=self.law.source,
            metric=self.metric,
            unit=known.unit,
            inputs={n: (c, float(x.min()), float(x.max())) for (n, c), x in seen},
            parameters=tuple(self.rows()),
            minimised=str(self.solution.problem.objective),
            weights=self.uncertainty.noise.label,
            points=self.points.y.size,
            data=self.observations.digest,
            exclusions=tuple(self.notes),
            held_out=held_out,
            made_by=__version__,
            group=dict(self.group),
        )

    def posterior(self, draws: int = 1000, seed: int = 0) -> dict[str, Floats]:
        """Return draws from the posterior under flat priors, one chain a parameter: (1, draws), as ArviZ reads them.

        Parameters
        ----------
        draws : how many; they are independent, so all count.
        seed : one seed gives the same draws on every platform.

        Raises DomainError: the law is not separable, or has no more points than parameters.

        Examples
        --------
        >>> import scalefit as sf
        >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
        >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
        >>> drawn = sf.fit(table, "cross_entropy", "power").posterior(draws=200)
        >>> {name: v.shape for name, v in drawn.items()}
        {'E': (1, 200), 'A': (1, 200), 'alpha': (1, 200)}
        """
        return posterior_draws(self.solution, self.uncertainty, draws, seed)

    def to_lmfit(self) -> lmfit.model.ModelResult:
        """Return an ``lmfit.ModelResult`` at this optimum, for ``conf_interval``, ``emcee`` and the rest."""
        return result_of(self)
