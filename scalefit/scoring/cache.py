"""What has been scored is kept on disk by content, so that nothing is ever scored twice.

One SQLite file in WAL mode: several processes may read and write it at once, a transaction is
there as a whole or not at all, and a process killed in the middle loses only what it had not
handed over. Entries never change, because their key is a digest of all they depend on; each has a
checksum, and one that is damaged is as good as none. Deleting the file costs time and nothing else;
where it cannot be written (a full disk, a read-only folder) scoring goes on without it, and says so.
"""

from __future__ import annotations

import io
import os
import sqlite3
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import ScalefitWarning, ScoringError
from scalefit.files import refuse_pipes

LOCK_PATIENCE = 60.0  # seconds to wait for another process's transaction
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
    path : path or bool or None; the file, made where it is absent. None or True takes `default_path`; False keeps
        everything in memory and forgets it at the end.

    Raises ScoringError: if the file cannot be opened or is something else; on any later failure too.
    """

    def __init__(self, path: str | Path | bool | None = None) -> None:
        if path is None or path is True:
            path = default_path()
        self.name = ":memory:" if path is False else str(path)
        self.damaged: set[bytes] = set()
        self._writes = True
        with self._explained():
            if self.name != ":memory:":
                Path(self.name).parent.mkdir(parents=True, exist_ok=True)
                refuse_pipes(Path(self.name))
            self._connection = self._connected(self.name)
            try:
                self._prepare()
            except sqlite3.OperationalError as error:
                self._connection.close()
                self._keep_to_reading(error)
            except BaseException:
                self._connection.close()
                raise

    def _connected(self, name: str) -> sqlite3.Connection:
        address = {"uri": True} if name.startswith("file:") else {}
        return sqlite3.connect(name, timeout=LOCK_PATIENCE, isolation_level=None, **address)

    def _keep_to_reading(self, error: sqlite3.OperationalError) -> None:
        """Go on with what can be read, and tell that nothing new is kept; or raise."""
        if not _unwritable(error):
            raise error
        self._warn(error)
        self._connection = self._connected(
            f"{Path(self.name).absolute().as_uri()}?mode=ro&immutable=1"
        )
        tables = self._connection.execute("SELECT name FROM sqlite_master WHERE name = 'scored_1'")
        if tables.fetchone() is None:
            self._connection.close()
            self._connection = self._connected(":memory:")
            self._connection.execute(_TABLE)

    def _warn(self, error: sqlite3.OperationalError) -> None:
        self._writes = False
        warnings.warn(
            f"{self.name}: cannot be written ({error}): what is scored now is not kept",
            ScalefitWarning,
            stacklevel=2,
        )

    def _prepare(self) -> None:
        """Switch to WAL: SQLite does not wait by itself while another process does the same."""
        deadline = time.monotonic() + LOCK_PATIENCE
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
        """Return the values that are there and whole, by key."""
        values: dict[bytes, bytes] = {}
        with self._explained():
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                some = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(some))
                question = f"SELECT key, value FROM scored_1 WHERE key IN ({marks})"
                for key, held in self._connection.execute(question, some).fetchall():
                    value = _checked(held)
                    if value is None:
                        self.damaged.add(key)
                    else:
                        values[key] = value
        return values

    def put(self, items: Mapping[bytes, bytes]) -> None:
        """Store values in one transaction; a key that is there already keeps its value.

        A key whose value was found to be damaged (:attr:`damaged`) takes the new one.
        """
        if not self._writes:
            return
        bad = [(key,) for key in items if key in self.damaged]
        rows = [(key, _sum(value) + value) for key, value in items.items()]
        with self._explained():
            try:
                with self._transaction():
                    self._connection.executemany("DELETE FROM scored_1 WHERE key = ?", bad)
                    self._connection.executemany(
                        "INSERT OR IGNORE INTO scored_1 VALUES (?, ?)", rows
                    )
            except sqlite3.OperationalError as error:
                if not _unwritable(error):
                    raise
                self._warn(error)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # sqlite itself rolls back where the disk is full
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
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

    def __exit__(self, *_: object) -> None:
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


def _sum(value: bytes) -> bytes:
    return zlib.crc32(value).to_bytes(4, "big")


def _checked(held: object) -> bytes | None:
    """Return what an entry holds, None where it is not what was put there."""
    if not isinstance(held, bytes) or _sum(held[4:]) != held[:4]:
        return None
    return held[4:]


def _unwritable(error: sqlite3.OperationalError) -> bool:
    """Return whether a file cannot be written now, though nothing is wrong with what it holds."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(
        ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC")
    )
