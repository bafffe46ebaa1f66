"""How many tokens a target needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from scalefit.errors import DomainError
from scalefit.fitting.result import Fit
from scalefit.result import Result, Row
from scalefit.table import metric
from scalefit.units import format_count, short

Array = NDArray[np.float64]
REACH = 1e6
STEPS = 241
AROUND, STRIDES = 1e3, 12


@dataclass(frozen=True, repr=False)
class TokensFor(Result):
    """Tokens at which the curve reaches a target.

    Attributes
    ----------
    estimate : tokens; inf where the curve never reaches the target.
    low, high : the tokens between which the curve's interval holds the target; high is inf where it has no upper end,
        low is 0 where the target may already be met below the smallest measured size.
    probability : confidence that the target can be reached at all, whatever the tokens.
    verdict : the answer in one line.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> tokens = sf.tokens_for(sf.fit(table, "cross_entropy", "power"), 2.2)
    >>> tokens.reachable, tokens.low < tokens.estimate < tokens.high
    (True, True)
    """

    metric: str
    target: float
    estimate: float
    low: float
    high: float
    level: float
    probability: float
    verdict: str
    notes: tuple[str, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether the fitted curve reaches the target."""
        return bool(np.isfinite(self.estimate))

    def rows(self) -> list[Row]:
        """One row: target, tokens with both ends, confidence that it can be reached."""
        names = ("metric", "target", "estimate", "low", "high", "probability")
        return [{name: getattr(self, name) for name in names}]

    def lines(self) -> list[str]:
        """Nothing: the verdict holds all numbers."""
        return []


def tokens_for(fit: Fit, target: float, *, level: float = 0.95, **others: float) -> TokensFor:
    """Tokens (or any first input) at which the fitted curve reaches ``target``.

    The interval holds every size at which the curve's own interval contains the target (Fieller's
    way), so it may be half-infinite.

    Parameters
    ----------
    fit : Fit
    target : float
        Wanted value of the metric.
    level : float
        Confidence of the interval.
    **others
        The other inputs of a law of several, held fixed: ``N=1e9``.

    Raises
    ------
    DomainError
        The target is not finite, outside the metric's range, or inputs are missing.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> tokens = sf.tokens_for(sf.fit(table, "bleu", "log"), 20.0)
    >>> 64e6 < tokens.estimate < 256e6
    True
    """
    _check_target(fit, target)
    solved = _solved_input(fit, others)
    estimate = _invert(fit, target, solved, others)
    probability = _reachable(fit, target, solved, estimate)
    low, high = _ends(fit, target, level, solved, others, estimate)
    notes = _notes(fit, solved, estimate)
    verdict = _verdict(fit, target, level, (estimate, low, high), probability, solved)
    return TokensFor(
        fit.metric, target, estimate, low, high, level, probability, verdict, tuple(notes)
    )


def _check_target(fit: Fit, target: float) -> None:
    known = metric(fit.metric)
    low, high = known.lower, known.upper
    if isinstance(target, bool) or not isinstance(target, (int, float, np.number)):
        raise DomainError(f"found target={target!r}; needed a number in the units of {fit.metric}")
    if not (np.isfinite(target) and low <= target <= high):
        raise DomainError(f"target is {target:g}; {fit.metric} lies between {low:g} and {high:g}")


def _solved_input(fit: Fit, others: dict[str, float]) -> int:
    """Index of the input to solve for: the one that is not held."""
    columns = fit.observations.columns
    for name in set(others) - set(columns) - set(columns.values()):
        shown = ", ".join(f"{n} ({columns[n]})" for n in fit.law.inputs)
        raise DomainError(f"the fit has no input {name!r}; its inputs are {shown}")
    held = {name for name in fit.law.inputs if name in others or columns[name] in others}
    free = [i for i, name in enumerate(fit.law.inputs) if name not in held]
    if len(free) != 1:
        names = ", ".join(f"{name} ({columns[name]})" for name in fit.law.inputs)
        raise DomainError(f"hold all inputs but one, of {names}; {len(free)} are free")
    return free[0]


def _at(fit: Fit, x: Array, solved: int, others: dict[str, float]) -> tuple[Array, ...]:
    columns = fit.observations.columns
    return tuple(
        x if i == solved else np.full_like(x, others.get(name, others.get(columns[name], np.nan)))
        for i, name in enumerate(fit.law.inputs)
    )


def _curve(fit: Fit, x: Array, solved: int, others: dict[str, float]) -> Array:
    with np.errstate(all="ignore"):
        return fit.law.value(_at(fit, x, solved, others), fit.solution.theta)


def _invert(fit: Fit, target: float, solved: int, others: dict[str, float]) -> float:
    """Input at which the curve meets the target; inf beyond its asymptote."""
    law = fit.law
    if law.inverse is not None:
        with np.errstate(all="ignore"):
            x = float(law.inverse(np.float64(target), *fit.solution.theta, **law.constants))
        if not np.isfinite(x):
            return np.inf
        back = float(_curve(fit, np.array([x]), solved, others)[0])
        return x if np.isclose(back, target, rtol=1e-6) else np.inf
    grid = _grid(fit, solved, far=1e12)
    gap = _curve(fit, grid, solved, others) - target
    cross = np.flatnonzero(np.diff(np.sign(gap)) != 0)
    if cross.size == 0:
        return np.inf
    ends = np.log(grid[cross[0] : cross[0] + 2])
    root = brentq(lambda t: _curve(fit, np.array([np.exp(t)]), solved, others)[0] - target, *ends)
    return float(np.exp(root))


def _grid(fit: Fit, solved: int, far: float = REACH) -> Array:
    seen = fit.points.inputs[solved]
    low = seen.min() / far
    if fit.law.name == "log":
        low = max(low, fit.params["D0"] * 1.0001, seen.min() / 1e3)
    return np.geomspace(low, seen.max() * far, STEPS)


def _ends(
    fit: Fit,
    target: float,
    level: float,
    solved: int,
    others: dict[str, float],
    estimate: float,
) -> tuple[float, float]:
    """Range of inputs whose curve interval holds the target; edges of the search become 0 and inf."""
    grid = _grid(fit, solved)
    if np.isfinite(estimate):
        around = estimate * np.geomspace(1 / AROUND, AROUND, 2 * STRIDES + 1)
        grid = np.unique([*grid, *around, estimate])
    low, high = _inside(fit, grid, target, level, solved, others)
    inside = (low & high) | (grid == estimate)
    if not inside.any():
        return np.inf, np.inf
    first, last = np.flatnonzero(inside)[[0, -1]]
    start = (
        0.0
        if first == 0
        else _refine(fit, grid[first - 1], grid[first], (target, level, solved, others))
    )
    stop = (
        np.inf
        if last == len(grid) - 1
        else _refine(fit, grid[last + 1], grid[last], (target, level, solved, others))
    )
    return start, stop


def _inside(
    fit: Fit, x: Array, target: float, level: float, solved: int, others: dict[str, float]
) -> tuple[Any, Any]:
    with np.errstate(all="ignore"):
        low, high = fit.band(_at(fit, x, solved, others), level)
    return low <= target, target <= high


def _refine(
    fit: Fit, outside: float, inside: float, question: tuple[float, float, int, dict[str, float]]
) -> float:
    """Edge of the interval between a size outside and one inside, to a part in 10,000."""
    a, b = np.log(outside), np.log(inside)
    for _ in range(8):
        ticks = np.linspace(a, b, 6)
        held = np.logical_and(*_inside(fit, np.exp(ticks), *question))
        first = int(np.flatnonzero(held)[0]) if held.any() else 5
        a, b = ticks[max(first - 1, 0)], ticks[first]
        if abs(b - a) < 1e-4:
            break
    return float(np.exp(b))


def _floor(fit: Fit) -> int | None:
    """Index of the coefficient that is the curve's asymptote, if it has one."""
    names = [c.name for c in fit.law.coefficients]
    return names.index("E") if "E" in names and len(fit.law.inputs) == 1 else None


def _reachable(fit: Fit, target: float, solved: int, estimate: float) -> float:
    """Confidence that the asymptote leaves room for the target."""
    at = _floor(fit)
    if at is None:
        return 1.0 if np.isfinite(estimate) else float("nan")
    weights = np.zeros(len(fit.law.coefficients))
    weights[at] = 1.0
    return fit.uncertainty.below(weights, target)


def _notes(fit: Fit, solved: int, estimate: float) -> list[str]:
    seen = fit.points.inputs[solved]
    far = estimate / seen.max()
    if np.isfinite(far) and far > 10:
        return [f"{far:.3g}× beyond the largest measured size: an extrapolation, not a measurement"]
    if estimate < seen.min():
        return ["below the smallest measured size"]
    return []


def _verdict(
    fit: Fit,
    target: float,
    level: float,
    answer: tuple[float, float, float],
    probability: float,
    solved: int,
) -> str:
    estimate, low, high = answer
    chance = (
        ""
        if np.isnan(probability) or probability > 0.999
        else f"; reachable with {probability:.0%} confidence"
    )
    if np.isfinite(estimate):
        ends = f"[{format_count(low)}, {'∞' if np.isinf(high) else format_count(high)}]"
        unit = fit.observations.columns[fit.law.inputs[solved]]
        return f"{fit.metric} {target:g} needs {format_count(estimate)} {unit} {ends} ({level:.0%}){chance}"
    if _floor(fit) is not None:
        floor = fit.intervals(level)["E"]
        tail = f" [{short(floor.low)}, {short(floor.high)}]"
        more = "" if np.isinf(low) or np.isnan(low) else f"; if it is, from {format_count(low)} on"
        return (
            f"{fit.metric} {target:g} is not reachable: the curve's floor is "
            f"{short(floor.estimate)}{tail}{chance}{more}"
        )
    return f"{fit.metric} {target:g} is not reachable: the fitted curve never takes this value"
