"""Array types, one alias each; shapes stand in docstrings. And what ``mapping=`` and ``kind=`` may be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

Kind = Literal["mean", "run"]
"""What is said of a size: the mean over runs, or one new run."""

Renames = Mapping[str, str] | str | Path
"""Own name -> ours, or the path of a ``scalefit.toml`` that keeps them."""
