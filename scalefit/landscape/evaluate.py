"""The evaluations behind a matrix of distances: each end once, each path once, none twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scalefit.errors import LandscapeError
from scalefit.executors import Workers, working
from scalefit.files import refuse_pipes
from scalefit.landscape.family import Family, Meter, Mixer, hold
from scalefit.landscape.formats import Tensors
from scalefit.landscape.path import ends_at, measured_along
from scalefit.types import Floats

# A file of evaluations that outlives a killed run: sqlite, keyed by the weights themselves.


VERSION = 1
SECONDS_BETWEEN_COMMITS = 1.0


class Store:
    """Endpoint and path evaluations on disk; use it as a context manager.

    Weights are known by a digest of their values, so a retrained checkpoint under an old name is
    evaluated afresh. Work is committed about once a second: a kill loses no more than that.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        try:
            refuse_pipes(self.path)
            self._db = sqlite3.connect(self.path)
            self._db.execute("CREATE TABLE IF NOT EXISTS meta (what TEXT PRIMARY KEY, value TEXT)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS curve "
                "(a TEXT, b TEXT, distance REAL, shape TEXT, data BLOB, PRIMARY KEY (a, b))"
            )
        except (sqlite3.Error, OSError) as error:
            raise LandscapeError(f"{self.path}: not a store of this program ({error})") from error
        self._committed = time.monotonic()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.commit()
        self._db.close()

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Write the settings into a new store; refuse an old one made with others."""
        wanted = {"version": VERSION, **settings}
        kept = self._db.execute("SELECT value FROM meta WHERE what = 'settings'").fetchone()
        if kept is None:
            row = ("settings", json.dumps(wanted))
            self._db.execute("INSERT INTO meta VALUES (?, ?)", row)
            self._db.commit()
            return
        try:
            old = dict(json.loads(kept[0]))
        except (ValueError, TypeError, RecursionError) as error:
            raise LandscapeError(f"{self.path}: its settings are damaged ({error})") from error
        for key in wanted:
            if old.get(key) != wanted[key]:
                raise LandscapeError(
                    f"{self.path}: holds evaluations with {key} = {old.get(key)!r}, now "
                    f"{wanted[key]!r} is asked for; use another store file"
                )

    def get(self, a: str, b: str = "") -> tuple[float, Floats] | None:
        """Return distance and metrics of a path from `a` to `b` (or of `a` alone), if there."""
        query = "SELECT distance, shape, data FROM curve WHERE a = ? AND b = ?"
        row = self._db.execute(query, (a, b)).fetchone()
        return None if row is None else _whole(*row)

    def put(self, a: str, b: str, distance: float, metrics: Floats) -> None:
        """Keep an evaluation."""
        shape, data = json.dumps(metrics.shape), metrics.astype("<f8").tobytes()
        row = (a, b, distance, shape, data)
        self._db.execute("INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?, ?)", row)
        if time.monotonic() - self._committed > SECONDS_BETWEEN_COMMITS:
            self._db.commit()
            self._committed = time.monotonic()


def _whole(distance: Any, shape: Any, data: Any) -> tuple[float, Floats] | None:
    """Return an evaluation that is whole; a damaged one is as good as none."""
    try:
        metrics = np.frombuffer(data, dtype="<f8").reshape(json.loads(shape)).copy()
        return float(distance), metrics
    except (ValueError, TypeError, RecursionError):
        return None


_Pair = tuple[int, int]
Along = tuple[float, Floats]
AGREEMENT = 0.01


@dataclass(frozen=True, eq=False)
class Work:
    """What one call has to evaluate, and where it keeps what it found.

    Parameters
    ----------
    at : array, shape (points,)
    meter : Meter or None; without one only Euclidean distances are measured.
    executor : Workers; where the paths are evaluated; what is found is kept here, as it comes.
    """

    models: Family
    at: Floats
    meter: Meter | None
    store: Store | None
    progress: bool
    executor: Workers = None

    def run(self, pairs: Sequence[_Pair]) -> tuple[Floats, Floats]:
        """Return curves (pairs × points × metrics) and Euclidean distances (pairs)."""
        inner = self.at.size - 2 if self.meter else 1
        total = len(pairs) * inner + (len(self.models.members) if self.meter else 0)
        bar = tqdm(total=total, desc="paths", unit="eval", delay=2, disable=not self.progress)
        with bar:
            none = np.zeros((len(self.models.members), 0))
            ends = self._ends(self.meter, bar) if self.meter else none
            walked = []
            for path in self._paths(pairs):
                walked.append(path)
                bar.update(inner)
        curves = [
            np.concatenate([ends[i : i + 1], inside, ends[j : j + 1]])
            for (i, j), (_, inside) in zip(pairs, walked, strict=True)
        ]
        return np.array(curves), np.array([length for length, _ in walked])

    def _ends(self, meter: Meter, bar: Any) -> Floats:
        """Evaluate every model itself; the first always anew, to see whether the store is ours."""
        first = self._end(meter, 0)
        if self.store is not None:
            self._check(self.store, meter, first)
        measured = [first]
        bar.update(1)
        for index in range(1, len(self.models.members)):
            key = self.models.members[index].fingerprint
            known = self.store.get(key) if self.store is not None else None
            measured.append(known[1] if known else self._end(meter, index))
            if self.store is not None and known is None:
                self.store.put(key, "", 0.0, measured[-1])
            bar.update(1)
        return np.stack(measured)

    def _end(self, meter: Meter, index: int) -> Floats:
        mix = Mixer(self.models, (hold(self.models, index),))
        ones = np.ones((1, 1))
        row: Floats = measured_along(meter, mix, ones, [self.models.names[index]])[0]
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

    def _paths(self, pairs: Sequence[_Pair]) -> Iterator[Along]:
        """Yield what is on each path; what the store has is not evaluated again."""
        store = self.store
        known = {pair: store.get(*self._keys(pair)) if store else None for pair in pairs}
        missing = [pair for pair in pairs if known[pair] is None]
        with working(self.executor) as each:
            fresh = each(Walk(self.models, self.at, self.meter), missing)
            for pair in pairs:
                path = known.pop(pair)
                if path is None:
                    path = next(fresh)
                    if store:
                        store.put(*self._keys(pair), *path)
                yield path

    def _keys(self, pair: _Pair) -> tuple[str, str]:
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

    def __call__(self, pair: _Pair) -> Along:
        """Return the distance between the ends, and the metrics inside (points − 2 × metrics)."""
        if self.held is None or self.held[0] != pair[0]:
            self.held = pair[0], hold(self.models, pair[0])
        mix = Mixer(self.models, (self.held[1], hold(self.models, pair[1])))
        length = float(np.sqrt(mix.products()[0, 0]))
        if self.meter is None:
            return length, np.zeros((self.at.size - 2, 0))
        names = [self.models.names[k] for k in pair]
        return length, measured_along(self.meter, mix, ends_at(self.at[1:-1]), names)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the model that is held."""
        return Walk, (self.models, self.at, self.meter)
