"""The sides of a comparison from a table whose rows are scores of single test examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DesignError
from scalefit.table.core import Table

from .sides import Condition, Group, Side, from_examples

Scores = Mapping[Any, Mapping[Any, Mapping[Any, float]]]
"""Pretraining seed -> finetuning seed -> example -> score."""


def from_example_table(
    table: Table, metric: str, wanted: Mapping[str, Condition], example: str
) -> Group:
    """Return procedures whose runs were scored on the same examples.

    Parameters
    ----------
    wanted : name -> column -> value(s), one entry a procedure.
    example : the column that names the test example of each row.

    Raises
    ------
    DesignError
        An example stands twice in a run, or runs were scored on different examples.
    """
    parts = {name: table.where(**condition, metric=metric) for name, condition in wanted.items()}
    scores = {name: _scores(name, part, example) for name, part in parts.items()}
    names = _shared(scores)
    return Group({}, tuple(_side(n, scores[n], parts[n], names) for n in parts), 1)


def _scores(name: str, part: Table, example: str) -> Scores:
    seeds, finetuned = _column(part, _pretrain(part)), _column(part, "finetune_seed")
    rows = zip(seeds, finetuned, part.column(example), part.column("value"), strict=True)
    found: dict[Any, dict[Any, dict[Any, float]]] = {}
    for seed, second, which, value in rows:
        run = found.setdefault(seed, {}).setdefault(second, {})
        if which in run:
            raise DesignError(
                f"{name}: {example} {which} stands twice in pretrain_seed {seed}, finetune_seed {second}. "
                "Needed: one score an example and run. Try: where={...} on the column that differs"
            )
        run[which] = float(value)
    return found


def _shared(scores: Mapping[str, Scores]) -> list[Any]:
    """Return the examples' names in one order; they must be the same in every run."""
    runs = [run for side in scores.values() for seed in side.values() for run in seed.values()]
    everything = {which for run in runs for which in run}
    if short := [len(run) for run in runs if len(run) < len(everything)]:
        raise DesignError(
            f"{len(short)} of {len(runs)} runs lack examples (the shortest has {min(short)} of "
            f"{len(everything)}); needed the same examples in every run of every side"
        )
    return sorted(everything, key=str)


def _side(name: str, scores: Scores, part: Table, names: list[Any]) -> Side:
    blocks = {
        seed: np.array([[run[which] for which in names] for run in runs.values()])
        for seed, runs in scores.items()
    }
    seeds = _column(part, _pretrain(part))
    units = dict(zip(seeds, _column(part, "pretrain_run"), strict=True))
    side = from_examples(name, blocks)
    return replace(side, units={s: str(units[s] or s) for s in side.units})


def _pretrain(part: Table) -> str:
    return "pretrain_seed" if part.has("pretrain_seed") else "pretrain_run"


def _column(part: Table, name: str) -> NDArray[Any]:
    return part.column(name) if part.has(name) else np.zeros(len(part), dtype=int)
