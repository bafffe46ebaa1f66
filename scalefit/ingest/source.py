"""What a reader reads from: a file, a folder or standard input, with places, bounds, and what logged names mean."""

from __future__ import annotations

import gzip
import io
import math
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

from scalefit.errors import FormatError
from scalefit.files import LFS_POINTER
from scalefit.table.draft import is_missing
from scalefit.table.metrics import known as known_metric
from scalefit.table.names import KNOWN, Named, split


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read.

    Attributes
    ----------
    stream : bytes (after decompression) of a file that is read line by line.
    whole : bytes of a file that has to be held in memory as a whole, such as JSON.
    excel : bytes of an Excel file's parts, unpacked: its reader is slow and needs fifty times as much.
    line : bytes of one line.
    rows, cells : measured values of one call, and the cells of their rows.
    columns : columns of a table.
    values : commas and brackets of a JSON file: each value that Python makes of it takes memory.
    page : bytes of one answer of a server.
    name : characters of a logged number's name; longer ones are no metrics.
    notes : notes of one call.
    files : files that a folder is searched for.
    depth : nested folders, and nested brackets of JSON.
    """

    stream: int = 1 << 30
    whole: int = 128 << 20
    excel: int = 16 << 20
    line: int = 8 << 20
    rows: int = 2_000_000
    cells: int = 20_000_000
    columns: int = 10_000
    values: int = 3_000_000
    page: int = 32 << 20
    name: int = 200
    notes: int = 200
    files: int = 200_000
    depth: int = 64


LIMITS = Limits()


class TooMuchError(FormatError):
    """More than is ever read in one call."""


def bounded(rows: int, cells: int) -> None:
    """Raise where rows or their cells are more than fits into memory."""
    if rows > LIMITS.rows or cells > LIMITS.cells:
        raise TooMuchError(
            f"more than {LIMITS.rows} rows or {LIMITS.cells} cells. Try: read it in parts"
        )


HEAD = 1 << 16
_GZIP = b"\x1f\x8b"
_BOMS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


_COMMA = re.compile(r"\s*[+-]?\d+,(?!\d{3}\s*$)\d+\s*")
"""A decimal comma: three digits after it may be thousands."""


def number(value: Any) -> float | None:
    """Return a JSON value as a number: numbers and number-like strings (``12,5`` too), no truth values."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and _COMMA.fullmatch(value):
        value = value.replace(",", ".")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


class NothingMeasuredError(FormatError):
    """A file of a known format in which nothing is measured (yet)."""


def shown(path: str | Path) -> str:
    """Return a path as text that every file holds; bytes that are no UTF-8 are replaced."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True)
class Names:
    """What logged names mean, the user's mapping first.

    Attributes
    ----------
    mapping : own name -> canonical name. A name that means a metric is an evaluation, whatever it looks like; it keeps
        its own name here, and the table's mapping turns it.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)

    def split(self, name: str) -> Named | None:
        """Return (evaluation set, metric) of a logged name, None where it is no evaluation.

        Examples
        --------
        >>> Names({"my score": "bleu"}).split("my score"), Names().split("my score")
        ((None, 'my score'), None)
        """
        known = split(name)
        if self.mapping.get(name, "step") in KNOWN:
            return known
        return known[0] if known else None, name

    def evaluations(self, record: Mapping[str, object]) -> dict[Named, float]:
        """Return the evaluation numbers of a flat record of logged names."""
        measured: dict[Named, float] = {}
        for name, value in record.items():
            named, known = self.split(str(name)), number(value)
            if named is None:
                continue
            if known is None and isinstance(value, str) and known_metric(named[1]):
                # A word where a number belongs is missed by name, as a run that diverged.
                known = None if is_missing(value) else math.nan
            if known is not None:
                measured[named] = known
        return measured


_COMMON = Names()


@dataclass(frozen=True)
class Source:
    """One thing to read.

    Attributes
    ----------
    path : where it lies; ``-`` for standard input.
    name : how messages and the ``source`` column call it.
    held : bytes or None; its bytes, where they came from standard input.
    names : Names; what logged names mean to the user.
    """

    path: Path
    name: str
    held: bytes | None = None
    names: Names = _COMMON

    @classmethod
    def of(cls, path: str | Path, names: Names = _COMMON) -> Source:
        """Return the source of a path; ``-`` reads standard input now, bounded."""
        if str(path) == "-":
            if sys.stdin is None or sys.stdin.closed:
                raise FormatError("standard input is closed; needed results, or a file's path")
            held = sys.stdin.buffer.read(LIMITS.whole + 1)
            if len(held) > LIMITS.whole:
                raise FormatError(f"standard input: more than {LIMITS.whole} bytes; give a file")
            return cls(Path("-"), "stdin", held, names)
        return cls(Path(path), shown(path), names=names)

    def child(self, *parts: str) -> Source:
        """Return a file below a folder."""
        name = "/".join([self.name.rstrip("/"), *map(shown, parts)])
        return Source(self.path.joinpath(*parts), name, names=self.names)

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.held is None and self.path.is_dir()

    @property
    def is_file(self) -> bool:
        """Whether it is a file (or standard input)."""
        return self.held is not None or self.path.is_file()

    @cached_property
    def packed(self) -> bool:
        """Whether it is gzip."""
        try:
            with self._raw() as stream:
                return stream.read(2) == _GZIP
        except FormatError:
            return False

    @cached_property
    def basename(self) -> str:
        """The file's name in lower case without ``.gz``."""
        return self.path.name.lower().removesuffix(".gz")

    @property
    def suffix(self) -> str:
        """The file's suffix in lower case, ``.gz`` taken off."""
        return Path(self.basename).suffix

    @cached_property
    def head(self) -> bytes:
        """The first 64 KB after decompression; empty for a folder or an unreadable file."""
        if not self.is_file:
            return b""
        try:
            with self.open() as stream:
                return stream.read(HEAD)
        except FormatError:
            return b""

    @cached_property
    def beginning(self) -> str:
        """The head as text, undecodable bytes replaced: for recognition only."""
        return self.head.decode("utf-8-sig", errors="replace")

    @cached_property
    def first_lines(self) -> list[str]:
        """The first lines of the beginning."""
        return self.beginning.splitlines()[:200]

    def open(self) -> IO[bytes]:
        """Open the bytes, decompressed where they are gzip, as UTF-8 where they are UTF-16."""
        stream = io.BufferedReader(_Guarded(self._raw(), self.name, packed=self.packed), HEAD)
        wide = next((name for mark, name in _BOMS.items() if stream.peek(4).startswith(mark)), None)
        if wide is None:
            return stream
        with stream:
            data = stream.read(LIMITS.whole + 1)
        if len(data) > LIMITS.whole:
            raise FormatError(f"{self.name}: more than {LIMITS.whole} bytes of {wide} text")
        try:
            return io.BytesIO(data.decode(wide).encode())
        except UnicodeError as error:
            raise FormatError(f"{self.name}: found damaged {wide} text: {error}") from error

    def _raw(self) -> IO[bytes]:
        """Open the bytes as they are; a pipe or a device might never end and is refused."""
        if self.held is not None:
            return io.BytesIO(self.held)
        if self.path.exists() and not self.path.is_file():
            raise FormatError(f"{self.name}: is no regular file; needed one. Try: - reads a pipe")
        try:
            return self.path.open("rb")
        except OSError as error:
            raise FormatError(f"{self.name}: cannot be read: {error.strerror or error}") from error

    def data(self, limit: int | None = None) -> bytes:
        """Return all bytes, decompressed; refuse more than the limit."""
        limit = LIMITS.whole if limit is None else limit
        with self.open() as stream:
            held = stream.read(limit + 1)
        if len(held) > limit:
            raise FormatError(
                f"{self.name}: more than {limit / 2**20:.0f} MiB (after decompression); this "
                "format is read as a whole. Try: split it, or convert it to CSV or Parquet"
            )
        return held

    def check_lines(self) -> None:
        """Refuse a file of more lines than rows are read, before any of them is held."""
        lines = seen = 0
        with self.open() as stream:
            while block := stream.read(1 << 20):
                lines, seen = lines + block.count(b"\n"), seen + len(block)
                self._bounded(lines, 0, seen)
                if lines > LIMITS.rows + 1:
                    raise FormatError(
                        f"{self.name}: more than {LIMITS.rows} rows. Try: read it in parts"
                    )

    def text(self) -> str:
        """Return all as text; a byte that is no UTF-8 is refused with its line."""
        data = self.data()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._encoding(line, error) from error

    def lines(self, *, ends: bool = False) -> Iterator[tuple[int, str]]:
        r"""Yield line numbers (from 1) and lines without their end; bounded in every way.

        A file whose lines end in ``\r`` alone (old spreadsheets) is read too.
        """
        seen, old = 0, b"\r" in self.head and b"\n" not in self.head
        # A bounded readline: a file without line ends would be read whole before anything could refuse it.
        with io.BytesIO(self.data().replace(b"\r", b"\n")) if old else self.open() as stream:
            for number, line in enumerate(iter(partial(stream.readline, LIMITS.line + 1), b""), 1):
                size = len(line)
                seen += size
                if size > LIMITS.line or seen > LIMITS.stream:
                    self._bounded(number, size, seen)
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise self._encoding(number, error) from error
                yield number, text if ends else text.rstrip("\r\n")

    @property
    def is_pointer(self) -> bool:
        """Whether Git-LFS left a few lines of text in the place of the file."""
        return self.is_file and self.head.startswith(LFS_POINTER)

    def at(self, line: int) -> str:
        """Return the place of a line, for messages and the ``source`` column."""
        return f"{self.name}:{line}"

    def wrong(self, line: int | None, problem: str) -> FormatError:
        """Return an error about this file, with its line where one is to blame."""
        return FormatError(f"{self.at(line) if line else self.name}: {problem}")

    def check_columns(self, line: int, names: Sequence[str]) -> None:
        """Raise where the names of a head are too many, or one stands twice."""
        if len(names) > LIMITS.columns:
            raise self.wrong(line, f"{len(names)} columns; at most {LIMITS.columns} are read")
        doubled = sorted(name for name, times in Counter(names).items() if times > 1)
        if doubled:
            told = ", ".join(map(repr, doubled))
            cure = "Try: one line of names, each once (a head of two lines is joined: in_bleu, in_chrf)"
            raise self.wrong(line, f"column names stand twice: {told}. {cure}")

    def nothing(self, problem: str) -> NothingMeasuredError:
        """Return an error that says that this file is whole, but holds no measured value."""
        return NothingMeasuredError(f"{self.name}: {problem}")

    def _bounded(self, number: int, line: int, seen: int) -> None:
        if line > LIMITS.line:
            raise self.wrong(
                number, f"a line of more than {LIMITS.line} bytes; is this a text file?"
            )
        if seen > LIMITS.stream:
            raise self.wrong(number, f"more than {LIMITS.stream} bytes after decompression")

    def _encoding(self, line: int, error: UnicodeDecodeError) -> FormatError:
        byte = error.object[error.start]
        return self.wrong(
            line,
            f"found byte 0x{byte:02x}, which is no UTF-8; needed UTF-8 text. "
            "Try: iconv -f LATIN1 -t UTF-8, if it is Latin-1",
        )


class _Guarded(io.RawIOBase):
    """A stream whose gzip and disk failures come out as our errors."""

    def __init__(self, raw: IO[bytes], name: str, *, packed: bool) -> None:
        self.raw, self.label = raw, name
        self.inner: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=raw) if packed else raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            data = self.inner.read(len(view))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(
                f"{self.label}: its gzip data are cut short or damaged: {error}"
            ) from error
        except OSError as error:
            raise FormatError(f"{self.label}: cannot be read: {error}") from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        self.raw.close()
        super().close()
