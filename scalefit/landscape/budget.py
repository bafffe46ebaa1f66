"""What a landscape costs, known before the first evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

from scalefit.errors import LandscapeError
from scalefit.result import Result, Row


@dataclass(frozen=True, repr=False)
class Budget(Result):
    """Numbers of models, of pairs, and of points on the path of a pair (both ends included).

    Examples
    --------
    >>> Budget(models=3, pairs=3, points=11).evaluations
    30
    """

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

    @property
    def notes(self) -> tuple[str, ...]:
        """None: the verdict says it all."""
        return ()

    def rows(self) -> list[Row]:
        """One row: all numbers."""
        return [{**vars(self), "on_paths": self.on_paths, "evaluations": self.evaluations}]

    def lines(self) -> list[str]:
        """Return nothing: the verdict holds the numbers."""
        return []

    def told(self) -> Row:
        """Return all numbers."""
        return self.rows()[0]


def budget(models: int | Sequence[Hashable], points: int = 11) -> Budget:
    """Count the evaluations that :func:`distances` will make.

    Parameters
    ----------
    models : int or sequence
        Number of models; or their groups, where only pairs within a group are wanted.
    points : int, default 11

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
