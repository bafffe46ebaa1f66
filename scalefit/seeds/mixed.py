"""Restricted maximum likelihood for unbalanced designs, through statsmodels (extra ``mixed``)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from scalefit.errors import MissingDependencyError

from .anova import FINETUNE, PRETRAIN
from .design import Cell


def reml(cells: Sequence[Cell]) -> dict[str, float]:
    """Variances of pretraining and finetuning seeds by REML, a mean of its own for each cell.

    Raises
    ------
    MissingDependencyError
        statsmodels is not installed.

    Source: Patterson & Thompson (1971), Biometrika 58, 545–554; statsmodels ``MixedLM`` with its
    default optimiser.
    """
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError as error:
        raise MissingDependencyError(
            "unbalanced seeds by REML need statsmodels: pip install 'transfer-scalefit[mixed]'. "
            "Or method='anova' for unweighted means"
        ) from error
    y, cell, run = _long(cells)
    scale = float(y.std()) or 1.0
    means = np.eye(int(cell.max()) + 1)[cell]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a component on its boundary at 0 warns
        result = MixedLM(y / scale, means, groups=run).fit(reml=True)
    between = float(np.asarray(result.cov_re).ravel()[0])
    return {PRETRAIN: between * scale**2, FINETUNE: float(result.scale) * scale**2}


def _long(cells: Sequence[Cell]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [
        (value, i, f"{i}/{seed}")
        for i, cell in enumerate(cells)
        for seed, group in cell.runs.items()
        for value in group.values()
    ]
    y, cell_of, run = zip(*rows, strict=True)
    numbers = {name: j for j, name in enumerate(dict.fromkeys(run))}
    return np.array(y), np.array(cell_of), np.array([numbers[r] for r in run])
