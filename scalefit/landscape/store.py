"""A file of evaluations that outlives a killed run: sqlite, keyed by the weights themselves."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from scalefit.errors import LandscapeError
from scalefit.types import Floats

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
            self._db = sqlite3.connect(self.path)
            self._db.execute("CREATE TABLE IF NOT EXISTS meta (what TEXT PRIMARY KEY, value TEXT)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS curve "
                "(a TEXT, b TEXT, distance REAL, shape TEXT, data BLOB, PRIMARY KEY (a, b))"
            )
        except sqlite3.DatabaseError as error:
            raise LandscapeError(f"{self.path}: not a store of this program ({error})") from error
        self._committed = time.monotonic()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.commit()
        self._db.close()

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Write the settings into a new store; refuse an old one made with others."""
        wanted = {"version": VERSION, **settings}
        found = self._db.execute("SELECT value FROM meta WHERE what = 'settings'").fetchone()
        if found is None:
            row = ("settings", json.dumps(wanted))
            self._db.execute("INSERT INTO meta VALUES (?, ?)", row)
            self._db.commit()
            return
        try:
            old = dict(json.loads(found[0]))
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
