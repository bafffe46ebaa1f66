"""What a run costs: as it is told, or learned from what runs did cost, a column such as GPU-hours beside results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DesignError, DomainError
from scalefit.table import Table
from scalefit.types import Floats, Ints

Cost = float | Mapping[str, float] | Callable[[str, float], float]
"""Of a token, the same for all or one a name; or of a name's run of so many tokens."""


def paid(cost: Cost, name: str, tokens: float) -> float:
    """Return what a run costs; a cost lies above 0."""
    if callable(cost):
        price = cost(name, tokens)
    elif not isinstance(cost, Mapping):
        price = cost * tokens
    elif name in cost:
        price = cost[name] * tokens
    else:
        raise DomainError(f"cost= says nothing of {name!r}; it names {', '.join(map(str, cost))}")
    if not (np.isfinite(price) and price > 0):
        raise DomainError(f"the cost of {name} is {price:g}; a cost lies above 0")
    return float(price)


def check_names(cost: Mapping[str, float], there: set[str]) -> None:
    """Refuse a cost of what is not there: its name is misspelt, and another one would go without."""
    strange = [str(name) for name in cost if str(name) not in there]
    if strange:
        raise DomainError(
            f"cost= names {', '.join(strange)}, and no curve is called that; there are {', '.join(sorted(there))}"
        )


@dataclass(frozen=True, eq=False)
class Recorded:
    """Costs as a power of tokens, by a rate of each corpus; one that has none recorded pays what the others do.

    Attributes
    ----------
    column : of the costs.
    power : of tokens.
    rates : corpus -> ln cost of one token.
    scatter : how far recorded costs lie from it, as a standard deviation in logarithms.
    runs : how many were recorded.
    """

    column: str
    power: float
    rates: dict[str, float]
    scatter: float
    runs: int

    def __call__(self, corpus: str, tokens: float) -> float:
        """Return what a run is expected to cost."""
        rate = self.rates.get(str(corpus), float(np.mean(list(self.rates.values()))))
        return float(np.exp(rate + self.power * np.log(tokens)))

    @property
    def note(self) -> str:
        """How well the costs are known."""
        return (
            f"cost: {self.column} of {self.runs} rows goes with tokens to the power {self.power:.2g}, and strays from "
            f"that by {np.expm1(self.scatter):.0%}"
        )


def recorded(table: Table, column: str, over: str) -> Recorded:
    """Learn what a run costs from a column of recorded costs.

    Raises MissingColumnError: there is no such column; DesignError: it holds fewer than two costs above 0.

    Examples
    --------
    >>> import scalefit as sf
    >>> runs = {"corpus": ["fr"] * 3, "pretrain_tokens": [1e8, 1e9, 1e10], "bleu": [8.0, 12.0, 16.0]}
    >>> price = recorded(sf.as_table(runs | {"gpu_hours": [2.0, 20.0, 200.0]}), "gpu_hours", "corpus")
    >>> round(price("fr", 1e11))
    2000
    """
    cost, tokens = np.array(table.column(column), dtype=np.float64), table.column("pretrain_tokens")
    kept = (cost > 0) & (tokens > 0)
    if kept.sum() < 2:
        raise DesignError(f"column {column!r} holds {kept.sum()} costs above 0; needed two or more")
    x, y = np.log(tokens[kept]), np.log(cost[kept])
    names = table.column(over)[kept].astype(str) if table.has(over) else np.full(x.size, "")
    labels, at = np.unique(names, return_inverse=True)
    power = _slope(x, y, at)
    rates = np.bincount(at, y - power * x) / np.bincount(at)
    scatter = float(np.std(y - power * x - rates[at]))
    return Recorded(column, power, dict(zip(labels.tolist(), rates, strict=True)), scatter, x.size)


def _slope(x: Floats, y: Floats, at: Ints) -> float:
    """Return the slope within corpora; 1 where none was run at two sizes."""
    count = np.bincount(at)
    u, v = (z - (np.bincount(at, z) / count)[at] for z in (x, y))
    return float(u @ v / (u @ u)) if u @ u > 1e-12 else 1.0
