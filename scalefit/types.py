"""Array types, one alias each; shapes stand in docstrings. And what ``mapping=`` may be."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

Renames = Mapping[str, str] | str | Path
"""Own name -> ours, or the path of a ``scalefit.toml`` that keeps them."""
