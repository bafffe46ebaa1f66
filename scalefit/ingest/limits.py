"""How much a reader takes in before it stops: bounded memory and time, whatever the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read.

    Attributes
    ----------
    stream : int
        Bytes (after decompression) of a file that is read line by line.
    whole : int
        Bytes of a file that has to be held in memory as a whole, such as JSON.
    line : int
        Bytes of one line.
    rows : int
        Measured values of one call.
    files : int
        Files that a folder is searched for.
    depth : int
        Nested folders, and nested brackets of JSON.
    """

    stream: int = 4 << 30
    whole: int = 128 << 20
    line: int = 8 << 20
    rows: int = 2_000_000
    files: int = 200_000
    depth: int = 64


LIMITS = Limits()
