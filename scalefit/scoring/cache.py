"""What has been scored is kept on disk by content, so that nothing is ever scored twice.

One SQLite file in WAL mode: several processes may read and write it at once, a transaction is
there as a whole or not at all, and a process killed in the middle loses only what it had not
handed over. Entries never change, because their key is a digest of all they depend on; deleting
the file costs time and nothing else.
"""

from __future__ import annotations

import io
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import ScoringError

PATIENCE = 60.0  # seconds to wait for another process's transaction
_ASKED_AT_ONCE = 500
_TABLE = "CREATE TABLE IF NOT EXISTS scored_1 (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"


def default_path() -> Path:
    """Return ``$SCALEFIT_CACHE/scores.sqlite``, or the like under the user's cache folder."""
    chosen = os.environ.get("SCALEFIT_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scalefit"
    return (Path(chosen) if chosen else usual) / "scores.sqlite"


class Cache:
    """Values by digest, in one SQLite file.

    Parameters
    ----------
    path : path or bool or None
        The file, made where it is absent. None or True takes `default_path`; False keeps
        everything in memory and forgets it at the end.

    Raises
    ------
    ScoringError
        If the file cannot be opened or is something else; on any later failure too.
    """

    def __init__(self, path: str | Path | bool | None = None) -> None:
        if path is None or path is True:
            path = default_path()
        self.name = ":memory:" if path is False else str(path)
        with self._explained():
            if self.name != ":memory:":
                Path(self.name).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.name, timeout=PATIENCE, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        """Switch to WAL: SQLite does not wait by itself while another process does the same."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL").fetchone()
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.execute(_TABLE)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that are there, by key."""
        found: dict[bytes, bytes] = {}
        with self._explained():
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                some = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(some))
                question = f"SELECT key, value FROM scored_1 WHERE key IN ({marks})"
                found.update(self._connection.execute(question, some).fetchall())
        return found

    def put(self, items: Mapping[bytes, bytes]) -> None:
        """Store values in one transaction; a key that is there already keeps its value."""
        with self._explained(), self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO scored_1 VALUES (?, ?)", list(items.items())
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ScoringError(
                f"{self.name}: the cache of scores cannot be used ({error}). Try: delete it "
                "(only time is lost), or name another with cache=PATH, or none with cache=False"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Cache:
        """Return the cache itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, whatever happened."""
        self.close()


def pack(values: NDArray[Any]) -> bytes:
    """Return an array as compressed bytes."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return zlib.compress(buffer.getvalue(), 6)


def unpack(data: bytes) -> NDArray[Any]:
    """Return the array that `pack` made bytes of; nothing is ever unpickled."""
    values: NDArray[Any] = np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)
    return values
