"""What of a procedure's runs is compared: their mean, their worst, their chance of more, their spread, or any function.

A function of all runs becomes one number a pretraining seed, its pseudo-value n·θ − (n − 1)·θ₋ᵢ, and these are
compared as scores are. For a mean they are the seeds' own means; Miller (1968, Ann. Math. Stat. 39) showed it for the
logarithm of a variance, where ordinary tests of spread lose their level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import comb

from scalefit.errors import DesignError
from scalefit.estimate import pseudo_values
from scalefit.types import Floats

from .sides import Side

_NAMED = re.compile(r"(worst of|best of|above|below)\s+([-+\d.eE]+)")


@dataclass(frozen=True)
class Functional:
    """A name, and a number from runs (n,).

    ``improves`` says whether more of it is better: "+" or "-"; None where the metric's direction says so.
    """

    name: str
    of: Callable[[Floats], float]
    improves: str | None = None
    least: int = 2


def functional_of(asked: str | Callable[[Floats], float], direction: str) -> Functional:
    """Return what was asked for by name.

    Raises
    ------
    DesignError
        No such name; the message lists those there are.
    """
    if callable(asked):
        return Functional(getattr(asked, "__name__", "function"), lambda v: float(asked(v)))
    if asked == "spread":
        return Functional("ln sd", _log_sd, "-", 3)
    match = _NAMED.fullmatch(asked.strip())
    if not match:
        raise DesignError(
            f"functional={asked!r}; needed 'mean', 'spread', 'worst of 3', 'best of 3', 'above 20', 'below 20', or a "
            "function of the runs"
        )
    word, number = match[1], float(match[2])
    if word in ("above", "below"):
        sign = 1.0 if word == "above" else -1.0
        good = "+" if (word == "above") == (direction != "-") else "-"
        share = partial(_share, sign, number)
        return Functional(f"P({word} {number:g})", share, good, 1)
    k = int(number)
    low = (word == "worst of") == (direction != "-")
    return Functional(f"{word} {k}", lambda v: extreme(v, k, low=low), None, k + 1)


def extreme(values: Floats, k: int, *, low: bool) -> float:
    """Return the expected least (or greatest) of k of these runs: the mean over all choices of k."""
    x = np.sort(values) if low else -np.sort(-values)
    n = x.size
    weights = comb(np.arange(n)[::-1], k - 1) / comb(n, k)
    return float(weights @ x)


def pseudo_side(side: Side, functional: Functional) -> Side:
    """Return the side with one number a pretraining seed: its pseudo-value of the functional over all runs."""
    groups = side.groups
    if len(groups) < max(functional.least, 2):
        raise DesignError(
            f"{side.name}: {len(groups)} pretraining seeds; {functional.name} needs {max(functional.least, 2)} at least"
        )
    whole = functional.of(side.every)
    without = [functional.of(_rest(groups, i)) for i in range(len(groups))]
    values = pseudo_values(whole, without)
    runs: dict[Any, dict[Any, float]] = {
        seed: {0: float(v)} for seed, v in zip(side.runs, values, strict=True)
    }
    return Side(side.name, runs, side.units)


def _rest(groups: Sequence[Floats], i: int) -> Floats:
    return np.concatenate([g for j, g in enumerate(groups) if j != i])


def _share(sign: float, threshold: float, values: Floats) -> float:
    return float(np.mean(sign * values > sign * threshold))


def _log_sd(values: Floats) -> float:
    return 0.5 * float(np.log(max(float(np.var(values, ddof=1)), 1e-300)))
