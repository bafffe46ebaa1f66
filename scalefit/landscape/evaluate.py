"""The evaluations behind a matrix of distances: each end once, each path once, none twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scalefit.errors import LandscapeError
from scalefit.executors import Workers, working
from scalefit.types import Floats

from .entries import Tensors
from .family import Family
from .mixing import Meter, Mixer, hold
from .path import line, measure
from .store import Store

Pair = tuple[int, int]
Path = tuple[float, Floats]
AGREEMENT = 0.01


@dataclass(frozen=True, eq=False)
class Work:
    """What one call has to evaluate, and where it keeps what it found.

    Parameters
    ----------
    models : Family
    at : array, shape (points,)
    meter : Meter or None
        Without one only Euclidean distances are measured.
    store : Store or None
    progress : bool
    executor : Workers
        Where the paths are evaluated; what is found is kept here, as it comes.
    """

    models: Family
    at: Floats
    meter: Meter | None
    store: Store | None
    progress: bool
    executor: Workers = None

    def run(self, pairs: Sequence[Pair]) -> tuple[Floats, Floats]:
        """Return curves (pairs × points × metrics) and Euclidean distances (pairs)."""
        inner = self.at.size - 2 if self.meter else 1
        total = len(pairs) * inner + (len(self.models.members) if self.meter else 0)
        bar = tqdm(total=total, desc="paths", unit="eval", delay=2, disable=not self.progress)
        with bar:
            ends = self._ends(self.meter, bar) if self.meter else self._no_ends()
            found = []
            for path in self._paths(pairs):
                found.append(path)
                bar.update(inner)
        curves = [
            np.concatenate([ends[i : i + 1], inside, ends[j : j + 1]])
            for (i, j), (_, inside) in zip(pairs, found, strict=True)
        ]
        return np.array(curves), np.array([length for length, _ in found])

    def _no_ends(self) -> Floats:
        return np.zeros((len(self.models.members), 0))

    def _ends(self, meter: Meter, bar: Any) -> Floats:
        """Evaluate every model itself; the first always anew, to see whether the store is ours."""
        first = self._end(meter, 0)
        if self.store is not None:
            self._check(self.store, meter, first)
        found = [first]
        bar.update(1)
        for index in range(1, len(self.models.members)):
            key = self.models.members[index].fingerprint
            known = self.store.get(key) if self.store is not None else None
            found.append(known[1] if known else self._end(meter, index))
            if self.store is not None and known is None:
                self.store.put(key, "", 0.0, found[-1])
            bar.update(1)
        return np.stack(found)

    def _end(self, meter: Meter, index: int) -> Floats:
        mix = Mixer(self.models, (hold(self.models, index),))
        ones = np.ones((1, 1))
        row: Floats = measure(meter, mix, ones, [self.models.names[index]])[0]
        return row

    def _check(self, store: Store, meter: Meter, first: Floats) -> None:
        """Refuse a store of another loss, other points, or a loss whose data changed."""
        settings = {"loss": meter.name, "metrics": list(meter.metrics), "at": self.at.tolist()}
        store.agree(settings)
        member = self.models.members[0]
        known = store.get(member.fingerprint)
        if known is None:
            store.put(member.fingerprint, "", 0.0, first)
        elif abs(known[1][0] - first[0]) > AGREEMENT * max(abs(first[0]), 1e-3):
            raise LandscapeError(
                f"{store.path}: {member.name} has loss {known[1][0]:.6g} there and "
                f"{first[0]:.6g} now; the loss or its data changed: use another store file"
            )

    def _paths(self, pairs: Sequence[Pair]) -> Iterator[Path]:
        """Yield what is on each path; what the store has is not evaluated again."""
        known = {pair: self._kept(pair) for pair in pairs}
        missing = [pair for pair in pairs if known[pair] is None]
        with working(self.executor) as each:
            fresh = each(Walk(self.models, self.at, self.meter), missing)
            for pair in pairs:
                path = known.pop(pair)
                if path is None:
                    path = next(fresh)
                    self._keep(pair, path)
                yield path

    def _kept(self, pair: Pair) -> Path | None:
        return None if self.store is None else self.store.get(*self._keys(pair))

    def _keep(self, pair: Pair, path: Path) -> None:
        if self.store is not None:
            self.store.put(*self._keys(pair), *path)

    def _keys(self, pair: Pair) -> tuple[str, str]:
        a, b = (self.models.members[k].fingerprint for k in pair)
        return a, b


@dataclass(eq=False)
class Walk:
    """What is on the path between two models: asked of one pair after the other, here or on a worker.

    The first model of a row of pairs is read once where one process walks them all; it does not travel.
    """

    models: Family
    at: Floats
    meter: Meter | None
    held: tuple[int, Tensors] | None = None

    def __call__(self, pair: Pair) -> Path:
        """Return the distance between the ends, and the metrics inside (points − 2 × metrics)."""
        if self.held is None or self.held[0] != pair[0]:
            self.held = pair[0], hold(self.models, pair[0])
        mix = Mixer(self.models, (self.held[1], hold(self.models, pair[1])))
        length = float(np.sqrt(mix.products()[0, 0]))
        if self.meter is None:
            return length, np.zeros((self.at.size - 2, 0))
        names = [self.models.names[k] for k in pair]
        return length, measure(self.meter, mix, line(self.at[1:-1]), names)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the model that is held."""
        return Walk, (self.models, self.at, self.meter)
