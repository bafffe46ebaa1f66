"""The one way a file is written: whole or not at all, where the link leads, with the mode it had."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEW = 0o666
"""Mode of a new file, before the process's umask takes its part."""


LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How the few lines begin that Git-LFS leaves in the place of a file which was not fetched."""


def pipe_beside(database: str | Path) -> Path | None:
    """Return the journal of an sqlite file that is a pipe: sqlite would wait for it without end."""
    beside = (Path(f"{database}{end}") for end in ("-journal", "-wal", "-shm"))
    return next((path for path in beside if path.exists() and not path.is_file()), None)


def refuse_pipes(database: Path) -> None:
    """Raise OSError where an sqlite file, or a journal beside it, is a pipe."""
    pipe = database if database.exists() and not database.is_file() else pipe_beside(database)
    if pipe is not None:
        raise OSError(f"{pipe.name} is no regular file")


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; what was written there takes the place of ``path`` at the end.

    A reader sees the old file or the new one, never half of either; where writing fails (a full disk, a raised
    error, a kill) the old one is untouched. What is no regular file, such as ``/dev/stdout``, is written in place.

    Raises OSError: the folder is not there, or not to be written to; names ``path``, not the half-written file.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with writing(target) as half:
    ...     _ = half.write_text("42")
    >>> target.read_text()
    '42'
    """
    target = Path(path).resolve()  # of a link, the file it leads to is replaced, not the link
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        yield target
        return
    half: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        half = Path(name)
        yield half
        half.chmod(NEW & ~_umask() if mode is None else stat.S_IMODE(mode))
        _to_disk(half)
        half.replace(target)
        half = None
    except OSError as error:
        if half is None or error.filename in (None, str(half)):
            raise type(error)(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        if half is not None:
            half.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> write_text(target, "corpus")
    >>> target.read_bytes()
    b'corpus'
    """
    with writing(path) as half:
        half.write_bytes(text.encode("utf-8"))


def _mode(target: Path) -> int | None:
    """Return kind and permissions of what is there, or None."""
    try:
        return target.stat().st_mode
    except OSError:
        return None


def _to_disk(path: Path) -> None:
    """Wait until the bytes are on the disk: a rename that outruns them leaves an empty file after a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)  # there is no way to look without setting
    os.umask(mask)
    return mask
