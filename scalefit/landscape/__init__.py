"""Paths between finetuned checkpoints: barriers, basins, out-of-domain behaviour.

``paths``, ``distances`` and ``plane`` evaluate a loss on weighted sums of checkpoints; ``barrier``
measures one curve, ``clusters`` finds basins, ``predict`` asks whether they foretell behaviour,
``robustness`` whether they told which procedure's models would differ most.
"""

from __future__ import annotations

from .basins import Clusters, clusters
from .checkpoint import Checkpoint, load
from .family import batched
from .matrix import Budget, Distances, budget, distances
from .outcome import Apartness, Prediction, Robustness, predict, robustness
from .path import Barrier, Path, barrier, paths
from .planes import Plane, Sharpness, plane, sharpness
from .torch_loss import ModuleLoss, hf_loss
from .trial import Predictor

__all__ = [
    "Apartness",
    "Barrier",
    "Budget",
    "Checkpoint",
    "Clusters",
    "Distances",
    "ModuleLoss",
    "Path",
    "Plane",
    "Prediction",
    "Predictor",
    "Robustness",
    "Sharpness",
    "barrier",
    "batched",
    "budget",
    "clusters",
    "distances",
    "hf_loss",
    "load",
    "paths",
    "plane",
    "predict",
    "robustness",
    "sharpness",
]
