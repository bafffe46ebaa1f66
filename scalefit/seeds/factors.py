"""Crossed factors of any name: initialisation and data order apart, or seeds × test examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from scalefit.errors import DesignError
from scalefit.table.core import Table
from scalefit.types import Floats

from . import intervals
from .anova import REST, MeanSquares, factorial
from .design import conditions, telling
from .result import Component, FTest, VariancePart

EXAMPLE = "test example"


def crossed_parts(
    table: Table, metric: str, factors: Sequence[str], by: Sequence[str], level: float
) -> list[VariancePart]:
    """Variance components of completely crossed factors, each a column of the table.

    Raises
    ------
    DesignError
        More than three factors, a factor that is missing, or combinations that were not run.
    """
    missing = [f for f in factors if not table.has(f)]
    if missing or not 1 < len(factors) < 4:
        raise DesignError(
            f"found factors {', '.join(factors)}" + (f"; no column {missing[0]}" if missing else "")
            + ". Needed: two or three columns of the table"
        )  # fmt: skip
    part = table.where(metric=metric)
    sides = [c for c in by if part.has(c)]
    keys = conditions(part, factors)
    keys += [c for c in ("pretrain_seed",) if c not in factors and part.has(c)]
    groups: dict[tuple[Any, ...], list[Floats]] = {}
    for key, cell in part.groups(keys) if keys else [({}, part)]:
        groups.setdefault(tuple(key[c] for c in sides), []).append(_array(cell, factors, key))
    order = sorted(groups, key=str)
    kept = telling([dict(zip(sides, k, strict=True)) for k in order], sides)
    labels = [{c: k[sides.index(c)] for c in kept} for k in order]
    return [
        factorial_part(label, groups[k], factors, level)
        for label, k in zip(labels, order, strict=True)
    ]


def _array(cell: Table, factors: Sequence[str], key: Mapping[str, Any]) -> Floats:
    levels = [cell.unique(f) for f in factors]
    columns = [[_same(v) for v in cell.column(f)] for f in factors]
    found = dict(zip(zip(*columns, strict=True), cell.column("value"), strict=True))
    combinations = list(product(*([_same(v) for v in names] for names in levels)))
    gaps = [c for c in combinations if not np.isfinite(found.get(c, np.nan))]
    where = ", ".join(f"{k}={v}" for k, v in key.items()) or "the table"
    if gaps or len(cell) != len(combinations):
        raise DesignError(
            f"{where}: found {len(cell)} runs for {' × '.join(str(len(n)) for n in levels)} "
            f"combinations of {', '.join(factors)}. Needed: each combination once, say "
            f"{gaps[0] if gaps else combinations[0]}"
        )
    shape = [len(n) for n in levels]
    return np.array([found[c] for c in combinations], dtype=float).reshape(shape)


def _same(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | np.number) else value


def factorial_part(
    label: Mapping[str, Any], arrays: Sequence[Floats], factors: Sequence[str], level: float
) -> VariancePart:
    """Components of arrays with one axis a factor, pooled where their shapes agree."""
    if len({a.shape for a in arrays}) > 1:
        found = ", ".join(sorted({" × ".join(map(str, a.shape)) for a in arrays}))
        raise DesignError(f"cells have different designs ({found}). Try: where=... to keep one")
    each = [factorial(a, factors) for a in arrays]
    values = np.mean([s.values for s in each], axis=0)
    squares = MeanSquares(each[0].names, values, each[0].dof * len(each), each[0].components)
    components = tuple(_component(squares, name, level) for name in squares.names)
    ratio, d1, d2, p = intervals.f_test(squares, squares.names[0], REST)
    test = FTest(ratio, (d1, d2), p) if len(factors) == 2 else None
    shape = arrays[0].shape
    mean = float(np.mean([a.mean() for a in arrays]))
    size = float(np.prod(shape[1:]))
    return VariancePart(label, "crossed", shape[0], size, len(arrays), mean, components, None, test)


def _component(squares: MeanSquares, name: str, level: float) -> Component:
    low, high, how = intervals.component(squares, name, level)
    dof = float(squares.dof[squares.names.index(name)])
    return Component(name, float(squares.estimate(name)), float(low), float(high), dof, how)


def example_part(scores: Any, level: float) -> VariancePart:
    """Components of scores (S, N): seeds, test examples, and their interaction."""
    array = np.asarray(
        list(scores.values()) if isinstance(scores, Mapping) else scores, dtype=float
    )
    if array.ndim != 2:
        raise DesignError(f"example scores have shape {array.shape}; needed (seeds, examples)")
    return factorial_part({}, [array], ("seed", EXAMPLE), level)
