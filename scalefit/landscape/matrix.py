"""All pairs: curves along every path, and from them a matrix of distances between models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.executors import Workers
from scalefit.landscape.checkpoint import Loadable
from scalefit.landscape.evaluate import Store, Work
from scalefit.landscape.family import Loss, Meter, family
from scalefit.landscape.path import MEASURES, index_of, positions
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats

# What a landscape costs, known before the first evaluation.


@dataclass(frozen=True, repr=False)
class Budget(Result):
    """Numbers of models, of pairs, and of points on the path of a pair (both ends included).

    Examples
    --------
    >>> Budget(models=3, pairs=3, points=11).evaluations
    30
    """

    BARE = True

    models: int
    pairs: int
    points: int

    @property
    def on_paths(self) -> int:
        """Points on all paths, n (n - 1) / 2 × points where all pairs are wanted."""
        return self.pairs * self.points

    @property
    def evaluations(self) -> int:
        """Evaluations of the loss: each model once, and the inner points of each path."""
        return self.models + self.pairs * (self.points - 2)

    @property
    def verdict(self) -> str:
        """What has to be evaluated."""
        return (
            f"{self.models} models, {self.pairs} pairs × {self.points} points = {self.on_paths}; "
            f"ends are shared, so {self.evaluations} evaluations of the loss"
        )

    notes = ()  # the verdict says it all

    def rows(self) -> list[Row]:
        """One row: all numbers."""
        return [{**vars(self), "on_paths": self.on_paths, "evaluations": self.evaluations}]

    def told(self) -> Row:
        """Return all numbers."""
        return self.rows()[0]


def budget(models: int | Sequence[Hashable], points: int = 11) -> Budget:
    """Count the evaluations that :func:`distances` will make.

    Parameters
    ----------
    models : int or sequence
        Number of models; or their groups, where only pairs within a group are wanted.

    Examples
    --------
    >>> print(budget(100))
    100 models, 4950 pairs × 11 points = 54450; ends are shared, so 44650 evaluations of the loss
    """
    groups: Sequence[Hashable] = [None] * models if isinstance(models, int) else models
    return Budget(len(groups), len(pairs_within(groups)), points)


def pairs_within(groups: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return all pairs of models of the same group."""
    return [(i, j) for i, j in combinations(range(len(groups)), 2) if groups[i] == groups[j]]


def group_labels(groups: Sequence[Hashable] | None, count: int) -> list[Hashable]:
    """Return one group a model; a single one where none are given."""
    if groups is None:
        return [None] * count
    if len(groups) != count:
        raise LandscapeError(f"found {len(groups)} groups for {count} models; needed one a model")
    return list(groups)


_Pair = tuple[int, int]
_KINDS = (*MEASURES, "euclidean")


@dataclass(frozen=True, eq=False, repr=False)
class Distances(Result):
    """Curves between pairs of models, and the distance matrices that follow from them.

    Parameters
    ----------
    groups : group of every model (such as its pretraining seed); None where there are none.
    pairs : tuple of (int, int)
    at : array, shape (points,)
    metrics : the first is the loss.
    curves : array, shape (pairs, points, metrics)
    euclidean : array, shape (pairs,)
    kind : the measure that :meth:`matrix` gives by default.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> models = {name: {"w": np.array([x])} for name, x in (("a", -1.0), ("b", 1.0), ("c", 1.1))}
    >>> apart = landscape.distances(models, lambda w: float((w["w"][0] ** 2 - 1) ** 2), points=5)
    >>> list(apart.to_frame()["b"]), bool(apart.values()[0] > apart.values()[2])
    (['b', 'c', 'c'], True)
    """

    names: tuple[str, ...]
    groups: tuple[Hashable, ...]
    pairs: tuple[_Pair, ...]
    at: Floats
    metrics: tuple[str, ...]
    curves: Floats
    euclidean: Floats
    kind: str
    notes: tuple[str, ...]

    @property
    def budget(self) -> Budget:
        """What was evaluated."""
        return Budget(len(self.names), len(self.pairs), self.at.size)

    def values(self, kind: str | None = None) -> Floats:
        """Return one measure for every pair, (pairs,)."""
        wanted = kind or self.kind
        if wanted == "euclidean":
            return self.euclidean
        if wanted not in MEASURES or not self.metrics:
            known = [*MEASURES, "euclidean"] if self.metrics else ["euclidean"]
            raise LandscapeError(f"no measure {wanted!r} here; there are {', '.join(known)}")
        return MEASURES[wanted](self.curves[:, :, 0], self.at)

    def matrix(self, kind: str | None = None) -> Floats:
        """Return distances between all models, (n, n); NaN for pairs that were not wanted."""
        square = np.full((len(self.names),) * 2, np.nan)
        np.fill_diagonal(square, 0.0)
        rows, columns = np.array(self.pairs).T
        square[rows, columns] = square[columns, rows] = self.values(kind)
        return square

    def ends(self, metric: str | None = None) -> Floats:
        """Return a metric of every model itself, (n,); the loss by default."""
        place = index_of(self.metrics, metric)
        values = np.full(len(self.names), np.nan)
        for (i, j), curve in zip(self.pairs, self.curves[:, :, place], strict=True):
            values[i], values[j] = curve[0], curve[-1]
        return values

    def using(self, kind: str) -> Distances:
        """Return the same curves with another default measure."""
        changed = replace(self, kind=kind)
        changed.values()
        return changed

    def within(self, group: Hashable) -> Distances:
        """Return the models of one group, and the paths between them."""
        kept = [i for i, label in enumerate(self.groups) if label == group]
        if not kept:
            known = ", ".join(map(repr, dict.fromkeys(self.groups)))
            raise LandscapeError(f"no model belongs to group {group!r}; there are {known}")
        new = {old: place for place, old in enumerate(kept)}
        chosen = [n for n, (i, j) in enumerate(self.pairs) if i in new and j in new]
        return replace(
            self,
            names=tuple(self.names[i] for i in kept),
            groups=tuple(self.groups[i] for i in kept),
            pairs=tuple((new[i], new[j]) for i, j in (self.pairs[n] for n in chosen)),
            curves=self.curves[chosen],
            euclidean=self.euclidean[chosen],
        )

    def rows(self) -> list[Row]:
        """Return one plain row a pair, with all measures."""
        measures = {k: self.values(k) for k in (*(MEASURES if self.metrics else ()), "euclidean")}
        return [
            {
                "a": self.names[i],
                "b": self.names[j],
                **{k: float(v[n]) for k, v in measures.items()},
            }
            for n, (i, j) in enumerate(self.pairs)
        ]

    @property
    def verdict(self) -> str:
        """How far apart models are."""
        low, middle, high = np.quantile(self.values(), [0.0, 0.5, 1.0])
        return (
            f"{self.kind} between {len(self.names)} models: median {middle:.4g}, "
            f"from {low:.4g} to {high:.4g}"
        )

    def lines(self) -> list[str]:
        """Return what was evaluated."""
        return [self.budget.verdict]

    def told(self) -> Row:
        """Return all pairs with all measures, and what was evaluated."""
        head = {"kind": self.kind, "names": self.names, "groups": self.groups}
        return {**head, "budget": self.budget, "pairs": self.rows()}


def distances(
    checkpoints: Sequence[Loadable] | Mapping[str, Loadable],
    loss: Loss | None = None,
    *,
    points: int | ArrayLike = 11,
    groups: Sequence[Hashable] | None = None,
    kind: str = "barrier",
    store: str | PathLike[str] | None = None,
    progress: bool = True,
    executor: Workers = None,
) -> Distances:
    """Evaluate the straight paths between all pairs of models.

    Parameters
    ----------
    checkpoints : sequence or mapping of sources
        Files, folders or state dicts of one architecture; read one at a time.
    loss : see :func:`paths`. Without it only Euclidean distances are computed.
    points : points a path, both ends included.
    groups : a label a model, such as its pretraining seed: only pairs within a group are evaluated.
    kind : {"barrier", "gap", "area", "instability", "midpoint", "euclidean"}
        The measure used as distance; it can be changed later at no cost, see ``using``.
    store : an sqlite file that keeps every evaluation: a run that was killed goes on where it was.
    progress : show a progress bar on stderr for work of more than two seconds.
    executor : number of processes, executor or scheduler (``docs/scale.md``). The loss travels: one that opens
        its model and data when it is first called is light. Files are read where the worker is.

    Raises LandscapeError: where the checkpoints do not fit together, a loss is not finite, or the store holds
    evaluations of another loss or other points.

    Notes
    -----
    The cost is known beforehand, see :func:`budget`.
    """
    if kind not in _KINDS:
        raise LandscapeError(f"no measure {kind!r}; there are {', '.join(_KINDS)}")
    models = family(checkpoints)
    labels = group_labels(groups, len(models.members))
    wanted = pairs_within(labels)
    if not wanted:
        raise LandscapeError("no two models share a group, so there is no path; leave out groups")
    at, meter = positions(points), Meter(loss) if loss is not None else None
    with ExitStack() as stack:
        kept = stack.enter_context(Store(store)) if store and meter else None
        curves, lengths = Work(models, at, meter, kept, progress, executor).run(wanted)
    return Distances(
        names=models.names,
        groups=tuple(labels),
        pairs=tuple(wanted),
        at=at,
        metrics=meter.metrics if meter else (),
        curves=curves,
        euclidean=lengths,
        kind=kind if meter else "euclidean",
        notes=models.notes,
    )
