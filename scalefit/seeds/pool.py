"""Mean squares pooled over cells, complete or not."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from scalefit.errors import DesignError, MissingDependencyError
from scalefit.seeds.anova import FINETUNE, PRETRAIN, MeanSquares, factorial, nested_squares
from scalefit.seeds.design import Cell

TOGETHER = f"{PRETRAIN} + {FINETUNE}"


def nested_cells(cells: Sequence[Cell]) -> MeanSquares:
    """Mean squares over cells with finetuning seeds nested in pretraining seeds.

    Balanced cells give the ordinary mean squares, pooled. Where numbers of finetuning seeds
    differ, seed means count equally and F is their harmonic mean (unweighted sums of squares:
    Thomas & Hultquist 1978, Ann. Statist. 6, 582–587), which keeps the intervals near nominal.
    What a design cannot tell apart stands as one component.
    """
    within, dof_within = _within(cells)
    replicated = [c for c in cells if c.pretrain > 1]
    if not replicated and not dof_within:
        raise DesignError(_no_seeds(cells))
    if not replicated:
        return _single(FINETUNE, within, dof_within)
    weights = np.array([c.pretrain - 1.0 for c in replicated])
    variance = float(np.average([c.means.var(ddof=1) for c in replicated], weights=weights))
    dof = between_dof(replicated)
    if not dof_within:
        return _single(TOGETHER, variance, dof)
    inverse = float(
        np.average([np.mean(1 / np.array(c.finetune)) for c in replicated], weights=weights)
    )
    return nested_squares(variance / inverse, within, dof, dof_within, 1 / inverse)


def _single(name: str, value: float, dof: float) -> MeanSquares:
    return MeanSquares((name,), np.array([value]), np.array([dof]), {name: np.ones(1)})


def _within(cells: Iterable[Cell]) -> tuple[float, float]:
    groups = [np.array(list(g.values())) for c in cells for g in c.runs.values() if len(g) > 1]
    dof = float(sum(len(g) - 1 for g in groups))
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in groups)
    return (squares / dof if dof else 0.0), dof


def between_dof(cells: Sequence[Cell]) -> float:
    """Degrees of freedom between pretraining runs.

    Cells that share pretraining runs (checkpoints, or one run finetuned on many tasks) move
    together and count once: P − 1 for each set of cells that shares runs, not for each cell.
    """
    clusters: list[tuple[set[str], float]] = []
    for cell in cells:
        units = set(cell.units.values())
        dof = cell.pretrain - 1.0
        rest = []
        for other, count in clusters:
            if other & units:
                units, dof = units | other, max(dof, count)
            else:
                rest.append((other, count))
        clusters = [*rest, (units, dof)]
    return float(sum(dof for _, dof in clusters))


def crossed_cells(cells: Sequence[Cell]) -> MeanSquares:
    """Mean squares over complete cells in which all pretraining seeds share finetuning seeds."""
    shapes = {(c.pretrain, *set(c.finetune)) for c in cells}
    if len(shapes) > 1 or not all(c.aligned for c in cells):
        raise DesignError(
            "a crossed design needs the same finetuning seeds under every pretraining seed, and "
            f"equally many in all {len(cells)} cells. Try: design='nested', or where=... to keep "
            "the complete cells"
        )
    parts = [factorial(c.array(), (PRETRAIN, FINETUNE)) for c in cells]
    values = np.mean([p.values for p in parts], axis=0)
    first, n = parts[0], len(parts)
    runs = between_dof(cells)
    dof = np.array([runs, first.dof[1], first.dof[2] * n])
    return MeanSquares(first.names, values, dof, first.components, float(cells[0].finetune[0]))


def _no_seeds(cells: Sequence[Cell]) -> str:
    return (
        f"found {len(cells)} cells with one run each: no spread over seeds can be measured. "
        "Needed: two finetuning seeds of one checkpoint (for the finetuning part), or two "
        "pretraining seeds (for all of it) in at least one cell"
    )


# Restricted maximum likelihood for unbalanced designs, through statsmodels (extra ``mixed``).


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
    # The optimiser stops by absolute tolerances: accuracies in fractions would end before they began.
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
