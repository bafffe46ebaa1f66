"""What is known about one quality curve, a piece a file: its numbers, its line, its dictionary."""

from __future__ import annotations

from abc import ABC, abstractmethod

from scalefit.alignment.margin import Scale
from scalefit.units import format_count


class Piece(ABC):
    """A frozen dataclass that says in one line what it found; its fields are its numbers in JSON."""

    @abstractmethod
    def line(self, scale: Scale) -> str:
        """Say it in one line, differences with the digits that the metric's margin calls for."""


def tokens(size: float) -> str:
    """Write a number of tokens as people do."""
    return format_count(round(size))
