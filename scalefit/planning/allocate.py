"""How to split a budget between two inputs of a law: model and data, pretraining and finetuning tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DesignError, DomainError
from scalefit.fitting import Fit
from scalefit.fitting.fit import bootstrap
from scalefit.fitting.interval import check_level
from scalefit.result import Result, Row
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Ints
from scalefit.units import format_count, short

Price = Callable[[Floats, Floats], Floats] | Mapping[str, float] | None
STEPS, HALVINGS = 401, 60
REACH = 1e4  # how far beyond the measured sizes an optimum is looked for, each way
AT_EDGE = 1.02


@dataclass(frozen=True)
class Split:
    """The best split of one budget: each input with its interval, and the metric there."""

    budget: float
    inputs: Mapping[str, tuple[float, float, float]]
    value: tuple[float, float, float]


@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Result):
    """Best splits of budgets between the two inputs of a fitted law.

    Attributes
    ----------
    metric, law : what is optimised, by which law.
    splits : tuple of Split
    exponents : input -> (estimate, low, high) of its growth with the budget, in logs; nan for one budget.
    level : confidence of intervals, from bootstrap refits of the law.
    notes : tuple of str

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    >>> noise = 1 + 0.002 * np.sin(np.arange(25))
    >>> data = {"N": N, "D": D, "loss": (1.7 + 400 * N**-0.34 + 400 * D**-0.34) * noise}
    >>> fit = sf.fit(data, "loss", "chinchilla", inputs={"N": "N", "D": "D"})
    >>> sorted(sf.allocate(fit, [1e20, 1e21]).exponents)
    ['D', 'N']
    """

    metric: str
    law: str
    splits: tuple[Split, ...]
    exponents: Mapping[str, tuple[float, float, float]]
    level: float
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The split of the largest budget, and how the inputs grow."""
        last = self.splits[-1]
        parts = ", ".join(f"{name} {_counts(ends)}" for name, ends in last.inputs.items())
        line = f"{self.metric} by the {self.law} law: a budget of {last.budget:.3g} goes best into {parts}"
        grow = [
            f"{n} ∝ budget^{short(e[0])}" for n, e in self.exponents.items() if np.isfinite(e[0])
        ]
        return f"{line}; {', '.join(grow)}" if grow else line

    def rows(self) -> list[Row]:
        """Return one row a budget: each input and the metric, with both ends."""
        out = []
        for split in self.splits:
            row: Row = {"budget": split.budget}
            for name, ends in (*split.inputs.items(), (self.metric, split.value)):
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
            out.append(row)
        return out


def allocate(
    fit: Fit,
    budget: float | Sequence[float],
    *,
    price: Price = None,
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> Allocation:
    """Split budgets between the two inputs of a law so that the metric is best.

    Parameters
    ----------
    fit : Fit
        A fitted law of two inputs: ``chinchilla``, ``skaling``, ``multiplicative``, or your own.
    budget : number or sequence
        Budgets, in the unit of ``price``.
    price : function or mapping, optional
        What a pair of inputs costs: a function of both arrays that rises with each, or a mapping input -> price of one
        unit (their sum is paid). By default 6·N·D FLOPs, the cost of training a model of N parameters on D tokens.
    level : float
        Confidence of the intervals.
    resamples, seed : int
        Bootstrap refits behind the intervals.

    Raises
    ------
    DesignError
        The law does not have two inputs.
    DomainError
        A budget or price that is none.

    Notes
    -----
    Source: Hoffmann et al. 2022, arXiv 2203.15556, approach 3. Minima of parabolas through isoFLOP curves (their
    approach 2) are biased where the sampled sizes are not centred on the optimum; this reads the fitted surface.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    >>> noise = 1 + 0.002 * np.sin(np.arange(25))
    >>> data = {"N": N, "D": D, "loss": (1.7 + 400 * N**-0.34 + 400 * D**-0.34) * noise}
    >>> fit = sf.fit(data, "loss", "chinchilla", inputs={"N": "N", "D": "D"})
    >>> split = sf.allocate(fit, 6e20).splits[0]
    >>> 0.5 < split.inputs["N"][0] / split.inputs["D"][0] < 2.0
    True
    """
    check_level(level)
    if len(fit.law.inputs) != 2:
        raise DesignError(
            f"law {fit.law.name!r} has {len(fit.law.inputs)} inputs; a budget is split between two: fit "
            "chinchilla, skaling or multiplicative"
        )
    budgets = _budgets(budget)
    paid = _paid(fit, price)
    draws = bootstrap(fit, resamples, seed).draws
    assert draws is not None
    thetas = np.vstack([fit.solution.theta, draws.theta[np.isfinite(draws.theta).all(axis=1)]])
    found = [_best(fit, thetas, each, paid) for each in budgets]
    columns = [fit.observations.columns[name] for name in fit.law.inputs]
    splits = tuple(
        Split(
            each,
            {c: _ends(pairs[:, i], level) for i, c in enumerate(columns)},
            _ends(values, level),
        )
        for each, (pairs, values) in zip(budgets, found, strict=True)
    )
    return Allocation(
        fit.metric,
        fit.law.name,
        splits,
        _exponents(columns, budgets, [pairs for pairs, _ in found], level),
        level,
        tuple(_notes(fit, splits)),
    )


def _budgets(budget: float | Sequence[float]) -> list[float]:
    each = sorted(float(b) for b in np.atleast_1d(np.asarray(budget, dtype=float)))
    if not each or not all(np.isfinite(b) and b > 0 for b in each):
        raise DomainError(f"budget is {budget!r}; give one or several numbers above 0")
    return each


def _paid(fit: Fit, price: Price) -> Callable[[Floats, Floats], Floats]:
    """Return the cost of a pair of inputs as one function."""
    if callable(price):
        return price
    if price is None:
        return lambda n, d: 6.0 * n * d
    columns = fit.observations.columns
    rates = [price.get(name, price.get(columns[name])) for name in fit.law.inputs]
    if any(r is None or not (np.isfinite(r) and r > 0) for r in rates):
        raise DomainError(
            f"price= must name both inputs ({', '.join(fit.law.inputs)}) with a cost above 0 each; it is {dict(price)}"
        )
    first, second = (float(r) for r in rates if r is not None)
    return lambda a, b: first * a + second * b


def _best(
    fit: Fit, thetas: Floats, budget: float, paid: Callable[[Floats, Floats], Floats]
) -> tuple[Floats, Floats]:
    """Return the best pair of inputs (draws, 2) and the metric there (draws,), along the line of one budget."""
    seen = fit.points.inputs
    first = np.geomspace(seen[0].min() / REACH, seen[0].max() * REACH, STEPS)
    second = _second(first, budget, paid)
    ok = np.isfinite(second)
    if ok.sum() < 3:
        raise DomainError(
            f"a budget of {budget:.3g} buys nothing near the measured sizes; check its unit and price="
        )
    first, second = first[ok], second[ok]
    with np.errstate(all="ignore"):
        values = fit.law.value((first, second), thetas)
    sign = -1.0 if metric_of(fit.metric).direction == "+" or fit.law.falls is False else 1.0
    cost = np.where(np.isfinite(values), sign * values, np.inf)
    at = cost.argmin(axis=1)
    moved = np.exp(_between(np.log(first), cost, at))
    pairs = np.column_stack([moved, _second(moved, budget, paid)])
    with np.errstate(all="ignore"):
        there = fit.law.value((pairs[:, 0], pairs[:, 1]), thetas)
    return pairs, np.diagonal(there).copy()


def _between(ln: Floats, cost: Floats, at: Ints) -> Floats:
    """Return ln of the first input at the vertex of the parabola through a minimum and its neighbours."""
    rows, inside = np.arange(at.size), np.clip(at, 1, ln.size - 2)
    before, here, after = (cost[rows, inside + i] for i in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where((bend > 0) & (inside == at), (before - after) / (2 * bend), 0.0)
    return np.asarray(ln[at] + np.clip(np.nan_to_num(shift), -1, 1) * (ln[1] - ln[0]))


def _second(first: Floats, budget: float, paid: Callable[[Floats, Floats], Floats]) -> Floats:
    """Return the second input that spends the budget beside each first one; nan where the first alone exceeds it."""
    low, high = np.full_like(first, 1e-30), np.full_like(first, 1e30)
    beyond = paid(first, low) > budget
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        under = paid(first, middle) <= budget
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.where(beyond | (low <= 2e-30) | (high >= 0.5e30), np.nan, low)


def _ends(values: Floats, level: float) -> tuple[float, float, float]:
    """Return the estimate (the first entry) and the ends over refits."""
    low, high = np.nanquantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(values[0]), float(low), float(high)


def _exponents(
    columns: Sequence[str], budgets: Sequence[float], pairs: Sequence[Floats], level: float
) -> dict[str, tuple[float, float, float]]:
    if len(budgets) < 2:
        return {c: (float("nan"),) * 3 for c in columns}
    b = np.log(budgets) - np.mean(np.log(budgets))
    logs = np.log(np.stack(pairs))  # (budgets, draws, 2)
    slopes = np.tensordot(b, logs, axes=1) / (b @ b)
    return {c: _ends(slopes[:, i], level) for i, c in enumerate(columns)}


def _notes(fit: Fit, splits: Sequence[Split]) -> list[str]:
    notes = [f"intervals from bootstrap refits of the {fit.law.name} law, taken for the truth"]
    for name, column in fit.observations.columns.items():
        seen = fit.observations.inputs[name]
        largest = max(split.inputs[column][0] for split in splits)
        if largest > 10 * float(np.max(seen)):
            far = largest / float(np.max(seen))
            notes.append(
                f"the best {column} lies {far:.3g}× beyond the largest measured: an extrapolation"
            )
        edge = float(np.max(seen)) * REACH
        if largest * AT_EDGE > edge:
            notes.append(
                f"the best {column} lies at the edge of the search: the law puts no price on it"
            )
    return notes


def _counts(ends: tuple[float, float, float]) -> str:
    middle, low, high = map(format_count, ends)
    return f"{middle} [{low}, {high}]"
