"""What is known about one quality curve, a piece a file: its numbers, its line, its dictionary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any

import numpy as np

from scalefit.alignment.margin import Scale
from scalefit.units import format_count


class Piece(ABC):
    """A frozen value that says in one line what it found, and gives its numbers for JSON."""

    @abstractmethod
    def line(self, scale: Scale) -> str:
        """Say it in one line, differences with the digits that the metric's margin calls for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, arrays as lists."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """Turn an array into a list and a tuple of arrays into lists."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def tokens(size: float) -> str:
    """Write a number of tokens as people do."""
    return format_count(round(size))
