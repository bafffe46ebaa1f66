"""``sf.isoflop``: compute-optimal sizes from parabolas through the runs of each budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scalefit.errors import DesignError, DomainError, ScalefitError
from scalefit.fitting import Objective, fit_observations
from scalefit.fitting.interval import check_level
from scalefit.ingest.data import observations
from scalefit.laws import LAWS
from scalefit.planning.allocate import Allocation
from scalefit.planning.isoflop import Runs, isoflop_of, positive
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Renames


def isoflop(
    data: Any,
    metric: str = "cross_entropy",
    *,
    inputs: Mapping[str, str],
    compute: str | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    level: float = 0.95,
    resamples: int = 400,
    seed: int = 0,
) -> Allocation:
    """Find compute-optimal model sizes and tokens from the minima of isoFLOP curves.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        Runs of several model sizes at each of several compute budgets.
    metric : str
        A loss.
    inputs : mapping
        Columns of the model size and the training tokens: ``{"N": "params", "D": "tokens"}``.
    compute : str, optional
        Column of the budgets; by default 6·N·D, runs within a factor of 1.3 of each other being one budget.
    where, mapping, allow
        As in :func:`scalefit.fit`.
    level : float
        Confidence of the intervals.
    resamples, seed : int
        Refits to resampled residuals behind the intervals.

    Returns
    -------
    Allocation
        One split a budget with a minimum, and the exponents of both inputs; a note says how far parabolas are off by
        the surface fitted to the same runs.

    Raises
    ------
    DesignError
        Runs come in no budgets, or none has a minimum among four model sizes.
    DomainError
        ``inputs`` names something else than N and D, or more of the metric is better.

    Notes
    -----
    Source: Hoffmann et al. 2022, arXiv 2203.15556, approach 2. Its known bias is why :func:`scalefit.allocate` reads
    the fitted surface (their approach 3).

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> C, N = (a.ravel() for a in np.meshgrid([1e19, 1e20, 1e21], np.geomspace(0.2, 5, 7)))
    >>> N = N * 0.1 * C**0.5
    >>> D = C / 6 / N
    >>> loss = 1.7 + 400 * N**-0.34 + 400 * D**-0.34 + 0.001 * np.sin(np.arange(21))
    >>> optimal = sf.isoflop({"N": N, "D": D, "loss": loss}, "loss", inputs={"N": "N", "D": "D"})
    >>> round(optimal.exponents["N"][0], 1)
    0.5
    """
    check_level(level)
    if resamples < 2:
        raise DomainError(f"resamples is {resamples}; an interval takes 2 or more, better 400")
    if set(inputs) != {"N", "D"}:
        raise DomainError(
            f"inputs= names {', '.join(inputs) or 'nothing'}; it takes the columns of the model size and the tokens: "
            "inputs={'N': …, 'D': …}"
        )
    named = {**inputs, **({} if compute is None else {"C": compute})}
    rows = observations(data, metric, named, where=where, mapping=mapping, allow=allow)
    if metric_of(rows.metric).direction == "+":
        raise DomainError(
            f"more {rows.metric} is better; isoFLOP curves are curves of a loss, so ask for one"
        )
    n, d = rows.inputs["N"], rows.inputs["D"]
    runs = Runs(n, d, rows.values, rows.inputs["C"] if compute else 6.0 * n * d)
    lost = int((~positive(runs)).sum())
    if lost:
        raise DesignError(
            f"{lost} rows have a model size, tokens or compute of 0 or less; leave them out with where="
        )
    return isoflop_of(
        runs,
        names=(inputs["N"], inputs["D"]),
        metric=rows.metric,
        level=level,
        resamples=resamples,
        seed=seed,
        notes=rows.notes,
        surface=_surface(rows),
    )


def _surface(rows: Observations) -> Mapping[str, float] | None:
    """Return Chinchilla's law of the same runs; None where it cannot be fitted."""
    law = LAWS["chinchilla"]
    cut = replace(
        rows,
        inputs={name: rows.inputs[name] for name in law.inputs},
        columns={name: rows.columns[name] for name in law.inputs},
    )
    try:
        return fit_observations(cut, law, Objective()).params
    except ScalefitError:
        return None
