"""The smallest noun of the lab: a segment and its translation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """One source segment and its translation."""

    source: str
    target: str
