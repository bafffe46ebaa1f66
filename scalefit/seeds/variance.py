"""``sf.variance``: how much of the spread comes from which seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Literal

import numpy as np

from scalefit.errors import DesignError
from scalefit.fitting.intervals import Interval
from scalefit.fitting.points import grain_of
from scalefit.ingest import table_of
from scalefit.seeds import anova
from scalefit.table import Table
from scalefit.types import Floats, Renames
from scalefit.units import check_level, counted

from .anova import EXAMPLE, FINETUNE, PRETRAIN, REST, MeanSquares
from .design import (
    APART,
    BOTH_SEEDS,
    Cell,
    answered,
    cells,
    conditions,
    crossed_cells,
    kept_apart,
    nested_cells,
    told_apart,
)
from .result import Component, FTest, Variance, VariancePart, by_size, variance_line
from .scatter import scatter_notes, with_tails

_Design = Literal["nested", "crossed"]


def variance(
    data: Any,
    metric: str,
    *,
    by: Sequence[str] = APART,
    where: Mapping[str, Any] | None = None,
    design: _Design = "nested",
    factors: Sequence[str] | None = None,
    level: float = 0.95,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Variance:
    """Variance components of a metric over pretraining and finetuning seeds.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results with ``pretrain_seed`` and ``finetune_seed``. Or scores per example as an array
        (seeds, examples): then the sources are seed, test example and their interaction.
    metric : str
    by : columns that are kept apart; conditions that differ in others (corpus, sizes) are
        pooled, each around its own mean.
    where, mapping, allow : as in :func:`scalefit.fit`.
    design : "nested": finetuning seed 1 of one pretraining seed has nothing in common with seed 1 of another.
        "crossed": it has (the same data order, say), and gets its own component.
    factors : two or three columns that were crossed, in place of the two seeds: say ``("init_seed",
        "order_seed")`` for initialisation and data order apart.
    level : of the intervals.

    Returns Variance: estimates as they are (a negative one says: no sign of this source) and cut at 0.

    Raises DesignError: no cell has two runs, or a crossed design is not crossed.

    Examples
    --------
    >>> import scalefit as sf
    >>> runs = {"pretrain_tokens": [1e6] * 6, "pretrain_seed": [1, 1, 2, 2, 3, 3],
    ...         "finetune_seed": [1, 2] * 3, "bleu": [21.0, 22.5, 26.0, 25.0, 30.5, 31.0]}
    >>> part = sf.variance(runs, metric="bleu").only
    >>> round(part["pretraining seed"].sd, 2), round(part["finetuning seed"].sd, 2)
    (4.49, 0.76)
    """
    check_level(level)
    if design not in ("nested", "crossed"):
        raise DesignError(f"found design={design!r}; needed 'nested' or 'crossed'")
    if isinstance(data, np.ndarray):
        return Variance(metric, level, (example_part(data, level),))
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=())
    metric = table.spelled(metric)
    if factors is not None:
        crossed = crossed_parts(table, metric, factors, by, level)
        return Variance(metric, level, tuple(crossed))
    every, notes = cells(table, metric)
    parts, silent = answered(
        told_apart(((c.key, c) for c in every), kept_apart(table, by)),
        lambda key, group: _part(key, group, design, level),
    )
    notes += (*silent, *(n for n in (_test_note(parts),) if n))
    return Variance(metric, level, tuple(parts), notes)


def _part(key: Mapping[str, Any], group: list[Cell], design: str, level: float) -> VariancePart:
    usable = [c for c in group if c.pretrain > 1 or max(c.finetune) > 1] or group
    make = crossed_cells if design == "crossed" else nested_cells
    squares = make(usable)

    notes = _cell_notes(group, usable)
    notes += _gaps([c.array() for c in usable]) if design == "crossed" else ()
    plain, squares = squares, with_tails(squares, usable)
    # Rounding may hide a twelfth of its step, squared, and runs alike that lie at a step's edge show up to a quarter.
    rounding = grain_of(np.concatenate([c.every for c in group])) ** 2 / 12
    parts = [_component(squares, n, level, rounding) for n in squares.components]
    components = [_normally(c, plain) for c in parts]
    balanced = all(c.balanced for c in usable) and len({c.finetune[0] for c in usable}) == 1
    if PRETRAIN in squares.components and design == "nested":
        if not balanced:
            notes += ("unbalanced: unweighted means of seeds (Thomas & Hultquist)",)
        notes += _pulls(usable, balanced)
    notes += scatter_notes(usable, lambda cells: make(cells).estimates())
    components += _test_set(usable)
    mean = float(np.mean([c.means.mean() for c in usable]))
    sizes = (max(c.pretrain for c in usable), float(np.mean([np.mean(c.finetune) for c in usable])))
    word = _word(design, squares)
    ratio, test = _ratio(squares, design, level, rounding), _test(plain, design)
    steps = by_size(usable)
    return VariancePart(
        key, word, *sizes, len(usable), mean, tuple(components), ratio, test, notes,
        steps, variance_line(steps),
    )  # fmt: skip


def _word(design: str, squares: MeanSquares) -> str:
    if PRETRAIN in squares.components:
        return design
    return f"one-way: {squares.names[0]} only" if squares.names[0] == FINETUNE else "one-way"


def _component(squares: MeanSquares, name: str, level: float, rounding: float = 0.0) -> Component:
    low, _, how = anova.component(squares.moved(name, -3 * rounding), name, level)
    _, high, _ = anova.component(squares.moved(name, rounding), name, level)
    where = int(np.argmax(squares.components[name] != 0))
    point = float(squares.estimate(name))
    return Component(name, point, float(low), float(high), float(squares.dof[where]), how)


def _cell_notes(group: Sequence[Cell], usable: Sequence[Cell]) -> tuple[str, ...]:
    notes = []
    if len(usable) < len(group):
        notes.append(f"{counted(len(group) - len(usable), 'cell')} with a single run left out")
    if all(max(c.finetune) == 1 for c in usable):
        notes.append(f"one finetuning seed each: only '{BOTH_SEEDS}' can be seen")
    elif all(c.pretrain == 1 for c in usable):
        notes.append("one pretraining seed: nothing is said about other pretraining runs")
    return tuple(notes)


def _normally(c: Component, plain: MeanSquares) -> Component:
    """Say what the interval takes for granted, or what tails have cost it; it holds its estimate, of other squares."""
    dof = float(plain.dof[int(np.argmax(plain.components[c.name] != 0))])
    tails = f"{dof:.3g} → {c.dof:.3g} df by the runs' tails"
    told = tails if c.dof < 0.99 * dof else "normal runs"
    low, high = float(np.fmin(c.low, c.variance)), float(np.fmax(c.high, c.variance))
    return replace(c, method=f"{c.method}, {told}", low=low, high=high)


def _pulls(usable: Sequence[Cell], balanced: bool) -> tuple[str, ...]:
    """Note where a finetuning seed pulls the same way under all pretraining seeds."""
    if not balanced or not all(c.aligned and c.pretrain > 1 for c in usable):
        return ()
    if len({c.pretrain for c in usable}) > 1 or usable[0].finetune[0] < 2:
        return ()
    p = anova.f_test(crossed_cells(usable), FINETUNE, REST)[-1]
    if not p < 0.05:
        return ()
    return (f"finetuning seeds pull the same way everywhere (p = {p:.2g}): try design='crossed'",)


def _test_set(usable: Sequence[Cell]) -> list[Component]:
    errors = np.array([c.stderr for c in usable])
    if not np.isfinite(errors).any():
        return []
    nan = float("nan")
    value = float(np.nanmean(errors**2))
    return [Component("test set", value, nan, nan, nan, "mean stderr²")]


def _test_note(parts: Sequence[VariancePart]) -> str:
    if not any(c.name == "test set" for p in parts for c in p.components):
        return ""
    return "all runs share the test set: its error is no part of the spread between them"


def _ratio(squares: MeanSquares, design: str, level: float, rounding: float) -> Interval | None:
    if design != "nested" or PRETRAIN not in squares.components:
        return None
    moved = [squares, squares.moved(PRETRAIN, -3 * rounding), squares.moved(PRETRAIN, rounding)]
    point, low, high = (float(anova.icc(s, level)[i]) for i, s in enumerate(moved))
    return Interval(point, low, high, level, "exact F")


def _test(squares: MeanSquares, design: str) -> FTest | None:
    if PRETRAIN not in squares.components or not squares.values.any():
        return None
    lower = REST if design == "crossed" else FINETUNE
    return _f_test(squares, PRETRAIN, lower)


def _f_test(squares: MeanSquares, upper: str, lower: str) -> FTest:
    ratio, d1, d2, p = anova.f_test(squares, upper, lower)
    return FTest(ratio, (d1, d2), p)


def crossed_parts(
    table: Table, metric: str, factors: Sequence[str], by: Sequence[str], level: float
) -> list[VariancePart]:
    """Variance components of crossed factors, each a column of the table; some combinations may be missing.

    Raises DesignError: more than three factors, a factor that is missing, or runs that do not hang together.
    """
    missing = [f for f in factors if not table.has(f)]
    if missing or not 1 < len(factors) < 4:
        raise DesignError(
            f"found factors {', '.join(factors)}" + (f"; no column {missing[0]}" if missing else "")
            + ". Needed: two or three columns of the table"
        )  # fmt: skip
    part = table.where(metric=metric)
    keys = conditions(part, factors)
    keys += [c for c in ("pretrain_seed",) if c not in factors and part.has(c)]
    cells_of = part.groups(keys) if keys else [({}, part)]
    crossings = ((key, _crossing(cell, factors, key)) for key, cell in cells_of)
    return [
        _factors_part(label, inside, factors, level)
        for label, inside in told_apart(crossings, kept_apart(part, by))
    ]


_Crossing = tuple[list[list[Any]], Floats]
"""Names of each factor's levels, and the values."""


def _factors_part(
    label: Mapping[str, Any], inside: Sequence[_Crossing], factors: Sequence[str], level: float
) -> VariancePart:
    """Components of factors over cells. Levels that come back are one draw of the factor, as shared runs are."""
    names = [[set(levels[i]) for levels, _ in inside] for i in range(len(factors))]
    pairs = zip(factors, names, strict=True)
    back = [f for f, sets in pairs if sum(map(len, sets)) > len(set.union(*sets))]
    part = factorial_part(label, [array for _, array in inside], factors, level, back)
    said = f"{', '.join(back)}: levels come back in several cells, so they count once, as the same"
    return replace(part, notes=(*part.notes, said)) if back else part


def _crossing(cell: Table, factors: Sequence[str], key: Mapping[str, Any]) -> _Crossing:
    levels = [[_same(v) for v in cell.unique(f)] for f in factors]
    columns = [[_same(v) for v in cell.column(f)] for f in factors]
    by_levels = dict(zip(zip(*columns, strict=True), cell.column("value"), strict=True))
    combinations = list(product(*levels))
    if len(by_levels) < len(cell):
        where = ", ".join(f"{k}={v}" for k, v in key.items()) or "the table"
        raise DesignError(
            f"{where}: found {len(cell)} runs for {len(by_levels)} of {' × '.join(str(len(n)) for n in levels)} "
            f"combinations of {', '.join(factors)}. Needed: each combination once"
        )
    values = [by_levels.get(c, np.nan) for c in combinations]
    return levels, np.array(values, dtype=float).reshape([len(n) for n in levels])


def _same(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | np.number) else value


def factorial_part(
    label: Mapping[str, Any],
    arrays: Sequence[Floats],
    factors: Sequence[str],
    level: float,
    back: Sequence[str] = (),
    seeds: Sequence[Cell] = (),
) -> VariancePart:
    """Components of arrays, one axis a factor, nan where nothing was run, pooled; factors ``back`` count once.

    ``seeds`` are means whose tails may take degrees of freedom.
    """
    squares = anova.crossed(arrays, factors)
    test = _f_test(squares, squares.names[0], REST) if len(factors) == 2 else None
    once = [set(n.split(" × ")) <= set(back) for n in squares.names]
    squares = replace(squares, dof=np.where(once, squares.dof / len(arrays), squares.dof))
    worth = with_tails(squares, seeds)
    components = tuple(_normally(_component(worth, n, level), squares) for n in squares.names)
    mean = float(np.mean([np.nanmean(a) for a in arrays]))
    first, size = max(len(a) for a in arrays), float(np.mean([a[0].size for a in arrays]))
    return VariancePart(
        label, "crossed", first, size, len(arrays), mean, components, None, test, _gaps(arrays)
    )


def _gaps(arrays: Sequence[Floats]) -> tuple[str, ...]:
    """Note combinations of a crossed design that were not run."""
    gone, every = sum(int(np.isnan(a).sum()) for a in arrays), sum(a.size for a in arrays)
    if not gone:
        return ()
    return (
        f"{gone} of {every} combinations not run: squares by Henderson's method 3, intervals near their level",
    )


def example_part(scores: Any, level: float) -> VariancePart:
    """Components of scores (S, N): seeds, test examples, and their interaction."""
    array = np.asarray(
        list(scores.values()) if isinstance(scores, Mapping) else scores, dtype=float
    )
    if array.ndim != 2:
        raise DesignError(f"example scores have shape {array.shape}; needed (seeds, examples)")
    factors = ("seed", EXAMPLE)
    means = {i: {0: float(v)} for i, v in enumerate(np.nanmean(array, axis=1))}
    seeds = [Cell({}, means, {i: str(i) for i in means})]
    part = factorial_part({}, [array], factors, level, seeds=seeds)

    def estimated(some: Sequence[Cell]) -> Mapping[str, float]:
        return anova.crossed([array[list(some[0].runs)]], factors).estimates()

    return replace(part, notes=(*part.notes, *scatter_notes(seeds, estimated, "seeds")))
