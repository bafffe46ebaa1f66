"""How to split a budget between the inputs of a law: model and data; pretraining, finetuning and model size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scalefit.errors import DesignError, DomainError
from scalefit.fitting.fit import bootstrap
from scalefit.fitting.result import Fit
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.predictive import FARTHEST
from scalefit.forecasting.quality.joint import draws_of
from scalefit.forecasting.surface import Surface
from scalefit.planning.optimum import REACH, BestPairs, Paid, Surfaces, best_of, cheapest_for
from scalefit.result import Result
from scalefit.rows import Row, estimated
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import amount, check_level, format_count, short

Price = Callable[..., Floats] | Mapping[str, float] | None
Ranged = tuple[float, float, float]
PARABOLAS = "isoFLOP parabolas"
BOTH = ("pretrain_tokens", "finetune_tokens")
AT_EDGE = 1.02


@dataclass(frozen=True)
class Split:
    """The best split of one budget, or the cheapest for a target: each input with its interval, and the metric there.

    ``cost`` is what a target takes, with its interval; None where a budget was given.
    """

    budget: float
    inputs: Mapping[str, Ranged]
    value: Ranged
    cost: Ranged | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Result):
    """Best splits of budgets between the inputs of a fitted law, or the cheapest split for a target.

    Attributes
    ----------
    metric, law : what is optimised, by which law.
    exponents : input -> (estimate, low, high) of its growth with the budget, in logs; nan for one budget.
    level : confidence of intervals, from refits of the law.

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
    exponents: Mapping[str, Ranged]
    level: float
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The split of the largest budget or of the target, and how the inputs grow."""
        last = self.splits[-1]
        parts = ", ".join(
            f"{name} {_told(ends, format_count)}" for name, ends in last.inputs.items()
        )
        way = self.law if self.law == PARABOLAS else f"the {self.law} law"
        head = f"{self.metric} by {way}: "
        if last.cost is not None:
            return f"{head}{short(last.value[0])} is cheapest at {_costs(last.cost)}, with {parts}"
        there = "" if np.isnan(last.value[0]) else f", for {_told(last.value, short)}"
        line = f"{head}a budget of {last.budget:.3g} goes best into {parts}{there}"
        grow = [
            f"{n} ∝ budget^{_told(e, short)}"
            for n, e in self.exponents.items()
            if np.isfinite(e[0])
        ]
        return f"{line}; {', '.join(grow)}" if grow else line

    def rows(self) -> list[Row]:
        """Return one row a budget: each input and the metric, with both ends; a target's cost has ends too."""
        out = []
        for split in self.splits:
            row: Row = {"budget": split.budget}
            if split.cost is not None:
                row |= estimated("budget", split.budget, *split.cost[1:])
            for name, ends in (*split.inputs.items(), (self.metric, split.value)):
                row |= estimated(name, *ends)
            out.append(row)
        return out

    def shown(self) -> list[Row]:
        """Return one row a budget for people, estimates with their ends in one cell."""
        return [
            {
                "budget": f"{split.budget:.3g}" if split.cost is None else _costs(split.cost),
                **{name: _told(ends, format_count) for name, ends in split.inputs.items()},
                self.metric: _told(split.value, short),
            }
            for split in self.splits
        ]


def allocate(
    fit: Fit | Surface | Mapping[float, Surface],
    budget: float | str | Sequence[float | str] | None = None,
    *,
    target: float | None = None,
    price: Price = None,
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> Allocation:
    """Split budgets between the inputs of a law so that the metric is best, or find the cheapest split for a target.

    Parameters
    ----------
    fit : Fit, Surface, or mapping model size -> Surface
        A fitted law of two inputs: ``chinchilla``, ``skaling``, ``multiplicative``, or your own; or the joint law of
        pretraining and finetuning tokens (:func:`scalefit.fit_joint`), of one model or of several sizes of it.
    budget : number or sequence
        Budgets, in the unit of ``price``. Give budgets or a target.
    target : a value of the metric, to be reached at the least cost.
    price : what a pair of inputs costs: a function of both arrays that rises with each, or a mapping input -> price
        of one unit (their sum is paid). By default 6·N·D FLOPs, the cost of training a model of N parameters on D
        tokens; for a joint law 1 a token of either kind. For several model sizes the function takes the model size
        third, a mapping prices tokens of the smallest model and others in proportion; by default 6·N·(D_p + D_f).
    level : confidence of the intervals.
    resamples, seed : refits behind the intervals.

    Raises DesignError: the law does not have two inputs; DomainError: a budget or price that is none, a budget that
    buys nothing near what was measured, a target beyond the metric or never reached.

    Notes
    -----
    Source: Hoffmann et al. 2022, arXiv 2203.15556, approach 3. Minima of parabolas through isoFLOP curves (their
    approach 2, :func:`scalefit.isoflop`) are biased where the sampled sizes are not centred on the optimum; this
    reads the fitted surface.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6, 64e6], [1e4, 4e4, 16e4]))
    >>> bleu = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    >>> surface = sf.fit_joint({"pretrain_tokens": p, "finetune_tokens": f, "bleu": bleu}, "bleu")
    >>> dear = {"pretrain_tokens": 1.0, "finetune_tokens": 1000.0}
    >>> split = sf.allocate(surface, 2e8, price=dear).splits[0]
    >>> 33 < split.value[0] < 36
    True
    """
    check_level(level)
    if (budget is None) == (target is None):
        raise DomainError("give a budget to be split, or target= to be reached at the least cost")
    if resamples < 2:
        raise DomainError(f"resamples is {resamples}; an interval takes 2 or more, better 200")
    models = _models(fit, price, resamples, seed)
    first = models[0]
    budgets = [] if budget is None else _budgets(budget)
    if target is not None:
        check_target(target, first.metric, np.concatenate([m.measured for m in models]))
        best = [_chosen(models, partial(cheapest_for, target=target), level)]
    else:
        best = [_chosen(models, partial(best_of, budget=b), level, b) for b in budgets]
    splits = tuple(split for split, _ in best)
    names = [*first.surfaces.columns]
    notes = [*first.notes, *_notes(models, splits), *_which(models, best)]
    grown = _exponents(names, budgets, [pairs for _, (pairs, _) in best], level)
    return Allocation(first.metric, first.law, splits, grown, level, tuple(notes))


@dataclass(frozen=True, eq=False)
class _Model:
    """The law of one model size (nan: of the only one), ready to be searched."""

    size: float
    metric: str
    law: str
    surfaces: Surfaces
    measured: Floats
    notes: tuple[str, ...]


def _models(fit: Any, price: Price, resamples: int, seed: int) -> list[_Model]:
    if isinstance(fit, Fit):
        return [_of_fit(fit, price, resamples, seed)]
    if isinstance(fit, Surface):
        return [_of_surface(fit, float("nan"), _tokens(price), resamples, seed)]
    if isinstance(fit, Mapping) and fit and all(isinstance(s, Surface) for s in fit.values()):
        return _of_sizes(fit, price, resamples, seed)
    raise DesignError(
        f"found a {type(fit).__name__}; a budget is split by a fitted law of two inputs (sf.fit), by the joint law of "
        "pretraining and finetuning tokens (sf.fit_joint), or by a mapping model size -> joint law"
    )


def _of_fit(fit: Fit, price: Price, resamples: int, seed: int) -> _Model:
    if len(fit.law.inputs) != 2:
        raise DesignError(
            f"law {fit.law.name!r} has {len(fit.law.inputs)} inputs; a budget is split between two: fit "
            "chinchilla, skaling or multiplicative"
        )
    draws = bootstrap(fit, resamples, seed).draws
    assert draws is not None
    thetas = np.vstack([fit.solution.theta, draws.theta[np.isfinite(draws.theta).all(axis=1)]])
    columns = (
        fit.observations.columns[fit.law.inputs[0]],
        fit.observations.columns[fit.law.inputs[1]],
    )
    seen = np.array([[v.min(), v.max()] for v in fit.points.inputs])
    ends = np.array([[seen[0, 0] / REACH, seen[0, 1] * REACH], [1e-30, 1e30]])
    rises = metric_of(fit.metric).rises or fit.law.falls is False
    paid = flops if price is None else _paid(price, columns, fit.law.inputs)
    surfaces = Surfaces(
        columns,
        seen,
        ends,
        lambda a, b: np.asarray(fit.law.value((a, b), thetas)),
        1.0 if rises else -1.0,
        paid,
    )
    said = f"intervals from bootstrap refits of the {fit.law.name} law, taken for the truth"
    return _Model(float("nan"), fit.metric, fit.law.name, surfaces, fit.points.y, (said,))


def flops(size: Floats, tokens: Floats) -> Floats:
    """Return what training costs: 6·N·D."""
    return np.asarray(6.0 * size * tokens)


def _of_surface(surface: Surface, size: float, paid: Paid, resamples: int, seed: int) -> _Model:
    cells = surface.joint.cells.sizes
    seen = np.array([[v.min(), v.max()] for v in cells.T])
    ends = np.column_stack([seen[:, 0], FARTHEST * seen[:, 1]])
    draws = draws_of(surface.joint, resamples, seed)

    def values(pretrain: Floats, finetune: Floats) -> Floats:
        each = draws.values(pretrain, finetune)
        return np.vstack([each.mean(axis=0), each])

    seen[0, 0] = surface.joint.smallest[0] if seen[0, 0] == 0 else seen[0, 0]
    seen[1, 0] = surface.joint.smallest[1] if seen[1, 0] == 0 else seen[1, 0]
    surfaces = Surfaces(BOTH, seen, ends, values, 1.0, paid)
    said = f"intervals from {resamples} refits of the joint law, with the doubt of its rise beyond the grid"
    measured = surface.joint.cells.quality
    return _Model(size, surface.metric, "joint", surfaces, measured, (said,))


def _of_sizes(
    fits: Mapping[float, Surface], price: Price, resamples: int, seed: int
) -> list[_Model]:
    sizes = sorted(float(n) for n in fits)
    if not all(np.isfinite(n) and n > 0 for n in sizes):
        raise DomainError(f"model sizes lie above 0; they are {', '.join(f'{n:g}' for n in sizes)}")
    metrics = {fit.metric for fit in fits.values()}
    if len(metrics) > 1:
        raise DesignError(f"surfaces of several metrics cannot be compared: {', '.join(metrics)}")
    return [
        _of_surface(fits[n], n, _of_size(price, n, sizes[0]), resamples, seed + i)
        for i, n in enumerate(sizes)
    ]


def _of_size(price: Price, size: float, smallest: float) -> Paid:
    """Return what tokens of one model size cost."""
    if callable(price):
        return lambda p, f: np.asarray(price(p, f, size))
    if price is None:
        return lambda p, f: 6.0 * size * (p + f)
    paid = _paid(price, BOTH, BOTH)
    return lambda p, f: paid(p, f) * (size / smallest)


def _tokens(price: Price) -> Paid:
    return (lambda p, f: p + f) if price is None else _paid(price, BOTH, BOTH)


def _paid(price: Price, columns: Sequence[str], inputs: Sequence[str]) -> Paid:
    """Return the cost of a pair of inputs as one function."""
    if callable(price):
        return price
    if not isinstance(price, Mapping):
        raise DomainError(f"price= is {price!r}; give a function, or each input its cost")
    rates = [
        price.get(name, price.get(column)) for name, column in zip(inputs, columns, strict=True)
    ]
    if any(not isinstance(r, int | float) or not (np.isfinite(r) and r > 0) for r in rates):
        raise DomainError(
            f"price= must name both inputs ({', '.join(inputs)}) with a cost above 0 each; it is {dict(price)}"
        )
    first, second = (float(r) for r in rates if r is not None)
    return lambda a, b: first * a + second * b


def _budgets(budget: float | str | Sequence[float | str]) -> list[float]:
    each: Any = budget if not isinstance(budget, str) and np.ndim(budget) > 0 else [budget]
    if not len(each):
        raise DomainError("budget is empty; give one or several numbers above 0")
    return sorted(amount(b, "budget") for b in each)


Chosen = tuple[Split, tuple[Floats, Floats]]


def _chosen(
    models: Sequence[_Model],
    search: Callable[[Surfaces], BestPairs],
    level: float,
    budget: float | None = None,
) -> Chosen:
    """Return the split of the best model size, and the pairs and model of every draw."""
    searched = _searched(models, search)
    if budget is None:
        worth = np.stack([-o.costs for _, o in searched])
    else:
        worth = np.stack([m.surfaces.sign * o.values for m, o in searched])
    which = worth.argmax(axis=0)
    rows = np.arange(which.size)
    pairs, values, costs = (
        np.stack([getattr(o, name) for _, o in searched])[which, rows]
        for name in ("pairs", "values", "costs")
    )
    sizes = np.array([m.size for m, _ in searched])[which]
    inputs = {c: ranged(pairs[:, i], level) for i, c in enumerate(models[0].surfaces.columns)}
    if len(models) > 1:
        inputs = {"model_size": ranged(sizes, level), **inputs}
    paid = None if budget is not None else ranged(costs, level)
    split = Split(float(costs[0]), inputs, ranged(values, level), paid)
    return split, (pairs, sizes)


def _searched(
    models: Sequence[_Model], search: Callable[[Surfaces], BestPairs]
) -> list[tuple[_Model, BestPairs]]:
    """Search every model size; those that cannot answer are left out, unless none can."""
    searched, why = [], None
    for model in models:
        try:
            searched.append((model, search(model.surfaces)))
        except DomainError as error:
            why = error
    if not searched:
        assert why is not None
        raise why
    return searched


def ranged(values: Floats, level: float) -> Ranged:
    """Return the estimate (the first entry) and the ends over refits; a draw that never gets there counts as inf."""
    ordered = np.sort(values[~np.isnan(values)])
    low, high = (
        float(ordered[min(int(p * ordered.size), ordered.size - 1)])
        for p in (0.5 - level / 2, 0.5 + level / 2)
    )
    return float(values[0]), low, high


def _exponents(
    columns: Sequence[str], budgets: Sequence[float], pairs: Sequence[Floats], level: float
) -> dict[str, Ranged]:
    least = min((float(p.min()) for p in pairs), default=0.0)
    if len(budgets) < 2 or least <= 0:  # an input of 0 has no logarithm
        return {c: (float("nan"),) * 3 for c in columns}
    b = np.log(budgets) - np.mean(np.log(budgets))
    logs = np.log(np.stack(pairs))  # (budgets, draws, 2)
    slopes = (np.tensordot(b, logs, axes=1) / (b @ b)).round(12)  # at an edge: 0, no dust
    return {c: ranged(slopes[:, i], level) for i, c in enumerate(columns)}


def _notes(models: Sequence[_Model], splits: Sequence[Split]) -> list[str]:
    notes, surfaces = [], models[0].surfaces
    for i, column in enumerate(surfaces.columns):
        seen = max(float(m.surfaces.seen[i, 1]) for m in models)
        largest = max(split.inputs[column][0] for split in splits)
        if largest > 10 * seen:
            notes.append(
                f"the best {column} lies {short(largest / seen)}× beyond the largest measured: an extrapolation"
            )
        least = min(split.inputs[column][0] for split in splits)
        under = min(float(m.surfaces.seen[i, 0]) for m in models)
        if 0 < least < under / 10:
            notes.append(
                f"the best {column} lies {short(under / least)}× below the smallest measured: an extrapolation"
            )
        edge = min(float(surfaces.ends[i, 1]), seen * REACH)
        if largest * AT_EDGE > edge:
            notes.append(
                f"the best {column} lies at the edge of what is looked at: more of it is never too much by this law"
            )
        if any(split.inputs[column][0] == 0 for split in splits):
            notes.append(f"the best {column} is 0: all of the budget goes into the other input")
    return notes


def _which(models: Sequence[_Model], best: Sequence[Chosen]) -> list[str]:
    """Return how sure the model size is."""
    if len(models) < 2:
        return []
    _, (_, sizes) = best[-1]
    shares = [(m.size, float(np.mean(sizes[1:] == m.size))) for m in models]
    each = ", ".join(f"{format_count(n)} {share:.2f}" for n, share in shares)
    return [f"P(best model size): {each}; sizes between the measured ones are not looked at"]


def _told(ends: Ranged, show: Callable[[float], str]) -> str:
    middle, low, high = map(show, ends)
    return f"{middle} [{low}, {high}]"


def _costs(ends: Ranged) -> str:
    return _told(ends, lambda v: f"{v:.3g}".replace("inf", "∞"))
