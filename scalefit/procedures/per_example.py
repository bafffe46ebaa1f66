"""The sides of a comparison from a table whose rows are scores of single test examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.errors import DesignError
from scalefit.seeds.design import Seeds, seed_name
from scalefit.table.core import Table

from .sides import Condition, Group, Side, clustered, from_examples

Scores = Mapping[Any, Mapping[Any, Mapping[Any, float]]]
"""Pretraining seed -> finetuning seed -> example -> score."""


def from_example_table(
    table: Table,
    metric: str,
    wanted: Mapping[str, Condition],
    example: str,
    cluster: str | None = None,
) -> Group:
    """Return procedures whose runs were scored on the same examples.

    Parameters
    ----------
    wanted : name -> column -> value(s), one entry a procedure.
    example : the column that names the test example of each row.
    cluster : the column that names what examples belong together in (document, prompt).

    Raises
    ------
    DesignError
        An example stands twice in a run, or runs were scored on different examples.
    """
    parts = {
        name: table.where(**condition, metric=metric).pretrained()
        for name, condition in wanted.items()
    }
    seeds = {name: Seeds.of(part) for name, part in parts.items()}
    scores = {name: _scores(name, part, seeds[name], example) for name, part in parts.items()}
    names = _shared(scores)
    sides = tuple(_side(n, scores[n], seeds[n], names) for n in parts)
    if cluster is not None:
        belongs: dict[Any, Any] = {}
        for part in parts.values():
            belongs.update(zip(part.column(example), part.column(cluster), strict=True))
        sides = tuple(clustered(side, [belongs[name] for name in names]) for side in sides)
    return Group({}, sides, 1)


def _scores(name: str, part: Table, seeds: Seeds, example: str) -> Scores:
    examples, values = part.column(example), part.column("value")
    found: dict[Any, dict[Any, dict[Any, float]]] = {}
    for i, (which, value) in enumerate(zip(examples, values, strict=True)):
        seed, second = seed_name(seeds.pretrain[i]), seed_name(seeds.finetune[i])
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


def _side(name: str, scores: Scores, seeds: Seeds, names: list[Any]) -> Side:
    blocks = {
        seed: np.array([[run[which] for which in names] for run in runs.values()])
        for seed, runs in scores.items()
    }
    units = {
        seed_name(seed): seeds.runs.names[block]
        for seed, block in zip(seeds.pretrain, seeds.runs.block, strict=True)
    }
    return replace(from_examples(name, blocks), units=units)
