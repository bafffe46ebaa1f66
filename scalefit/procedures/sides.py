"""The two (or more) procedures of a comparison, as runs grouped by pretraining seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.errors import DesignError, MissingColumnError
from scalefit.seeds.design import Cell, Replicated, Seeds, cells, kept_apart, seed_name, told_apart
from scalefit.seeds.scatter import stand_apart, strays
from scalefit.table.core import Table
from scalefit.table.names import IDENTITY, KNOWN, MEASURED
from scalefit.table.runs import finetuning_seed, harmless
from scalefit.types import Floats
from scalefit.units import counted

_PRETRAINING = {
    "corpus", "model", "parameters", "pretrain_tokens", "tokenizer", "unique_tokens",
    "pretrain_run",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Side(Replicated):
    """One procedure.

    Attributes
    ----------
    name : in words.
    runs : pretraining seed -> finetuning seed -> value.
    units : pretraining seed -> pretraining run.
    examples : (P, F, N) scores of the same examples, or None.
    drawn : what these N are.
    """

    name: str
    runs: Mapping[Any, Mapping[Any, float]]
    units: Mapping[Any, str]
    examples: Floats | None = None
    drawn: str = "examples"

    @property
    def mean(self) -> float:
        """Mean over pretraining seeds."""
        return float(self.means.mean())

    def only(self, seeds: Sequence[Any]) -> Side:
        """Keep the given pretraining seeds, in that order."""
        order = list(self.runs)
        kept = None if self.examples is None else self.examples[[order.index(s) for s in seeds]]
        units = {s: self.units[s] for s in seeds}
        return replace(self, runs={s: self.runs[s] for s in seeds}, units=units, examples=kept)


@dataclass(frozen=True, eq=False)
class Group:
    """Procedures measured under the same conditions (one domain, one task)."""

    label: Mapping[str, Any]
    sides: tuple[Side, ...]
    cells: int
    notes: tuple[str, ...] = ()


Condition = Mapping[str, Any]


def from_table(
    table: Table, metric: str, wanted: Mapping[str, Condition], by: Sequence[str]
) -> list[Group]:
    """Match procedures over the conditions they share.

    Parameters
    ----------
    wanted : name -> column -> value(s), one entry a procedure.
    by : columns that are kept apart.
    """
    named = {c for condition in wanted.values() for c in condition}
    parts = {name: table.where(**condition) for name, condition in wanted.items()}
    every = {name: cells(part, metric)[0] for name, part in parts.items()}
    by_side = {name: _by_rest(of_side, named) for name, of_side in every.items()}
    apart = _apart([part.where(metric=metric).pretrained() for part in parts.values()], named)
    common = set.intersection(*(set(f) for f in by_side.values()))
    if not common:
        raise DesignError(_nothing_shared(by_side))
    columns = [c for c in kept_apart(table, by) if c not in named]
    shared = told_apart(((dict(rest), rest) for rest in sorted(common, key=str)), columns)
    made = [_group(label, rests, by_side) for label, rests in shared]
    made = [replace(g, notes=(*g.notes, *apart)) for g in made]
    if all(part.has(finetuning_seed(part)) for part in parts.values()):
        return made
    return [replace(g, notes=(*g.notes, AS_THEY_STAND)) if _matched(g) else g for g in made]


def procedures_column(table: Table, column: str) -> str:
    """Return the column whose values are procedures.

    Raises MissingColumnError: there is none of that name; the message says which may be meant.
    """
    try:
        return table.columns.called(column)
    except MissingColumnError:
        names = [n for n in ("model", "system", *table.columns.named) if table.has(n)]
        free = [
            n
            for n in names
            if n not in {"task", "eval_set", "domain", *MEASURED, *IDENTITY, "metric"}
        ]
        several = [n for n in free if not harmless(n) and 1 < len(table.unique(n)) < len(table)]
        if not several:
            raise
        several.sort(key=lambda n: not isinstance(table.unique(n)[0], str))  # names before sizes
        raise MissingColumnError(
            f"the table has no column {column!r}; needed the one whose values are compared. "
            f"Try: column={several[0]!r} ({', '.join(map(str, table.unique(several[0])[:5]))})"
        ) from None


def _apart(parts: Sequence[Table], named: set[str]) -> tuple[str, ...]:
    """Say which columns that we do not know the sides differ in, beside what was asked: no seed tells them apart."""
    unknown = [n for n in parts[0].columns.named if n not in {*KNOWN, *named} and not harmless(n)]
    notes = []
    for name in unknown:
        values = [part.unique(name) for part in parts]
        alone = sum(map(len, values)) > sum(map(len, parts)) / 2  # a measurement, not a condition
        if all(values) and not alone and not set.intersection(*map(set, values)):
            shown = " against ".join(
                ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in vs) for vs in values
            )
            notes.append(
                f"the sides differ in {name} as well ({shown}): its part of the difference cannot be told"
            )
    return tuple(notes)


AS_THEY_STAND = (
    "no seed names the runs: they are matched over conditions in the order of their rows"
)


def _matched(group: Group) -> bool:
    """Whether finetunings of one checkpoint are matched over conditions, which takes names."""
    return group.cells > 1 and min(side.pretrain for side in group.sides) == 1


def _averaged_away(name: str, cells: Sequence[Cell]) -> list[str]:
    """Name runs that stand apart where a mean over conditions or finetunings hides them."""
    if len(cells) == 1 and max(cells[0].finetune) == 1:
        return []
    try:
        named = strays(cells)[0]
    except DesignError:  # one run a condition: nothing to stand apart from
        return []
    it = "it is" if len(named) == 1 else "they are"
    return [f"{name}: {stand_apart(cells, named)}, and {it} averaged with them"] if named else []


Rest = tuple[tuple[str, Any], ...]


def _by_rest(cells: Sequence[Cell], named: set[str]) -> dict[Rest, Cell]:
    out: dict[Rest, Cell] = {}
    for cell in cells:
        rest = tuple((c, v) for c, v in cell.key.items() if c not in named)
        if rest in out:
            both = [c for c in cell.key if cell.key[c] != out[rest].key.get(c)]
            raise DesignError(
                f"one procedure has two values of {', '.join(both)} under the same conditions. "
                "Needed: one condition a procedure. Try: name one value in a=... and b=..."
            )
        out[rest] = cell
    return out


def _nothing_shared(by_side: Mapping[str, Mapping[Rest, Cell]]) -> str:
    values: dict[str, list[set[Any]]] = {}
    for cells_of in by_side.values():
        seen: dict[str, set[Any]] = {}
        for rest in cells_of:
            for column, value in rest:
                seen.setdefault(column, set()).add(value)
        for column, these in seen.items():
            values.setdefault(column, []).append(these)
    apart = [c for c, sets in values.items() if not set.intersection(*sets)]
    return (
        f"the procedures {', '.join(by_side)} were never measured under the same conditions: they "
        f"differ in {', '.join(apart) or 'the combination of columns'}. "
        "Try: name that column too, as in a={'corpus': 'x', 'pretrain_tokens': 1e6}"
    )


def _group(
    label: Mapping[str, Any], rests: Sequence[Rest], by_side: Mapping[str, Mapping[Rest, Cell]]
) -> Group:
    kept = _fullest(rests, by_side)
    notes = []
    if len(kept) < len(rests):
        notes.append(f"{counted(len(rests) - len(kept), 'condition')} with fewer seeds left out")
    if len(kept) > 1:
        over = [c for c, _ in kept[0] if len({dict(rest).get(c) for rest in kept}) > 1]
        notes.append(f"each run is its mean over {len(kept)} conditions ({', '.join(over)})")
    inside = {name: [f[rest] for rest in kept] for name, f in by_side.items()}
    sides = tuple(_averaged(name, of_side) for name, of_side in inside.items())
    notes += [n for name, of_side in inside.items() for n in _averaged_away(name, of_side)]
    for side in sides:
        every = {seed for rest in kept for seed in by_side[side.name][rest].runs}
        if gone := sorted(every - set(side.runs), key=str):
            left = ", ".join(map(str, gone))
            notes.append(f"{side.name}: seeds not run in every condition left out ({left})")
    return Group(label, sides, len(kept), tuple(notes))


def _fullest(rests: Sequence[Rest], by_side: Mapping[str, Mapping[Rest, Cell]]) -> list[Rest]:
    """Conditions that leave most runs: one with few seeds goes, not for a single one that is missing."""
    fewest = {rest: min(f[rest].pretrain for f in by_side.values()) for rest in rests}
    kept = [
        [r for r in rests if fewest[r] >= p] for p in sorted(set(fewest.values()), reverse=True)
    ]

    def runs(some: Sequence[Rest]) -> int:
        shared = (set.intersection(*(set(f[r].runs) for r in some)) for f in by_side.values())
        return len(some) * min(map(len, shared))

    return max(kept, key=runs)


def _averaged(name: str, group: Sequence[Cell]) -> Side:
    seeds = [s for s in group[0].runs if all(s in cell.runs for cell in group)]
    if not seeds:
        raise DesignError(
            f"{name}: no pretraining seed was measured in all {len(group)} conditions. "
            "Try: where={...} to keep conditions that share seeds"
        )
    runs = {}
    for s in seeds:
        shared = [f for f in group[0].runs[s] if all(f in cell.runs[s] for cell in group)]
        if shared:
            runs[s] = {f: float(np.mean([cell.runs[s][f] for cell in group])) for f in shared}
        else:
            runs[s] = {0: float(np.mean([np.mean(list(c.runs[s].values())) for c in group]))}
    units = {s: "|".join(cell.units[s] for cell in group) for s in seeds}
    return Side(name, runs, units)


def clustered(side: Side, clusters: Sequence[Any]) -> Side:
    """Let whole clusters of examples (documents, prompts) be what is drawn, not examples.

    A cluster's score is the sum of its examples' over the average number of examples a cluster
    has, so that the mean over clusters is the mean over examples, whatever their sizes.

    Raises DesignError: there are no scores per example, not one cluster an example, or fewer than two clusters.
    """
    if side.examples is None:
        raise DesignError(f"{side.name}: cluster= needs scores per example")
    names, place = np.unique(np.array([str(c) for c in clusters]), return_inverse=True)
    count = side.examples.shape[-1]
    if len(place) != count or len(names) < 2:
        raise DesignError(
            f"found {len(place)} clusters' names, {len(names)} of them different, for {count} "
            "examples; needed one name an example, and two clusters or more"
        )
    # By the average size, not each cluster's own: else a document of one sentence would weigh as much as a book.
    belongs = np.eye(len(names))[place] * len(names) / count
    return replace(side, examples=side.examples @ belongs, drawn="clusters of examples")


def from_examples(name: str, scores: Any) -> Side:
    """Turn per-example scores into a side.

    Parameters
    ----------
    scores : mapping seed -> (N,) or (F, N), or array (N,), (P, N) or (P, F, N).
    """
    table = scores if isinstance(scores, Mapping) else dict(enumerate(_seeds_first(scores)))
    if not table:
        raise DesignError(f"{name}: no runs")
    blocks = {s: np.atleast_2d(np.asarray(v, dtype=float)) for s, v in table.items()}
    shapes = {b.shape for b in blocks.values()}
    if len({s[1] for s in shapes}) > 1 or any(b.ndim != 2 for b in blocks.values()):
        raise DesignError(
            f"{name}: runs were scored on different numbers of examples "
            f"({', '.join(str(s[-1]) for s in sorted(shapes))}); needed the same examples, in order"
        )
    if not all(np.isfinite(b).all() for b in blocks.values()):
        raise DesignError(f"{name}: example scores are missing; drop those examples everywhere")
    fewest = min(s[0] for s in shapes)
    examples = np.stack(
        [b[:fewest] if len(shapes) == 1 else b.mean(0)[None] for b in blocks.values()]
    )
    runs = {s: {f: float(row.mean()) for f, row in enumerate(b)} for s, b in blocks.items()}
    return Side(name, runs, {s: str(s) for s in blocks}, examples)


def _seeds_first(scores: Any) -> Floats:
    array = np.asarray(scores, dtype=float)
    if array.ndim not in (1, 2, 3):
        raise DesignError(
            f"example scores have shape {array.shape}; needed (N,), (P, N), (P, F, N)"
        )
    return array[None] if array.ndim == 1 else array


def is_paired(first: Side, second: Side, named: set[str], *, runs_known: bool) -> bool:
    """Say whether equal pretraining seeds of two sides are the same pretraining run."""
    common = set(first.runs) & set(second.runs)
    if runs_known:
        return bool(common) and all(first.units[s] == second.units[s] for s in common)
    # One pair of several runs is no test, and sides that name their runs apart are not the same runs.
    enough = min(2, len(first.runs), len(second.runs))
    return len(common) >= enough and not named & _PRETRAINING


# The sides of a comparison from a table whose rows are scores of single test examples.


_Scores = Mapping[Any, Mapping[Any, Mapping[Any, float]]]
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

    Raises DesignError: an example stands twice in a run, or runs were scored on different examples.
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


def _scores(name: str, part: Table, seeds: Seeds, example: str) -> _Scores:
    examples, values = part.column(example), part.column("value")
    by_seed: dict[Any, dict[Any, dict[Any, float]]] = {}
    for i, (which, value) in enumerate(zip(examples, values, strict=True)):
        seed, second = seed_name(seeds.pretrain[i]), seed_name(seeds.finetune[i])
        run = by_seed.setdefault(seed, {}).setdefault(second, {})
        if which in run:
            raise DesignError(
                f"{name}: {example} {which} stands twice in pretrain_seed {seed}, finetune_seed {second}. "
                "Needed: one score an example and run. Try: where={...} on the column that differs"
            )
        run[which] = float(value)
    return by_seed


def _shared(scores: Mapping[str, _Scores]) -> list[Any]:
    """Return the examples' names in one order; they must be the same in every run."""
    runs = [run for side in scores.values() for seed in side.values() for run in seed.values()]
    everything = {which for run in runs for which in run}
    if short := [len(run) for run in runs if len(run) < len(everything)]:
        raise DesignError(
            f"{len(short)} of {len(runs)} runs lack examples (the shortest has {min(short)} of "
            f"{len(everything)}); needed the same examples in every run of every side"
        )
    return sorted(everything, key=str)


def _side(name: str, scores: _Scores, seeds: Seeds, names: list[Any]) -> Side:
    blocks = {
        seed: np.array([[run[which] for which in names] for run in runs.values()])
        for seed, runs in scores.items()
    }
    units = {
        seed_name(seed): seeds.runs.names[block]
        for seed, block in zip(seeds.pretrain, seeds.runs.block, strict=True)
    }
    return replace(from_examples(name, blocks), units=units)
