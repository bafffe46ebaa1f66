"""``sf.isoflop``: a parabola in ln N through the runs of one compute budget, and a power law of its minima.

Approach 2 of Hoffmann et al. 2022, arXiv 2203.15556. A loss surface cut along one budget is no parabola: it is steeper
on one side, and more so the farther runs lie from the minimum. The vertex is then drawn towards the flatter side, by
an amount that depends on which sizes were run; what that comes to is worked out on the surface fitted to the same
runs (``bias_of``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.arguments import LOSS
from scalefit.errors import DesignError, DomainError, ScalefitError
from scalefit.fitting.fit import fit_observations
from scalefit.fitting.points import LETTERS
from scalefit.fitting.problem import Objective
from scalefit.ingest.data import observations, table_of
from scalefit.laws import LAWS
from scalefit.planning.allocate import PARABOLAS, Allocation, Ranged, Split, ranged
from scalefit.table import Observations, Table
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames
from scalefit.units import check_level, short, some

_LEAST = 4  # model sizes of a budget: a parabola has three coefficients
SAME_BUDGET = 1.3  # factor of compute between runs that belong to different budgets
_SHOWN = 3  # budgets whose want is told before the rest is counted
_FARTHEST = 10.0  # times beyond the sizes run: no refit's minimum is looked for farther
_COMPUTE = re.compile(
    "(total|train|training|pretrain|pretraining)?(flops?|compute)(budget)?|budget"
)
RANGE = 1.5  # factor of compute within one budget that still counts as one


@dataclass(frozen=True, eq=False)
class BudgetRuns:
    """Model sizes, tokens, losses and compute of n runs."""

    size: Floats
    tokens: Floats
    loss: Floats
    compute: Floats


@dataclass(frozen=True)
class Refits:
    """Refits to resampled residuals behind the intervals: the intervals' level, how many, and the draws' seed."""

    level: float = 0.95
    count: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        check_level(self.level)
        if self.count < 2:
            raise DomainError(f"resamples is {self.count}; an interval takes 2 or more, better 400")


@dataclass(frozen=True, eq=False)
class Minima:
    """Vertices of the parabolas: ln N (B, 1 + R) for B budgets, their losses, and ln(N·D) of each budget.

    Column 0 is the estimate, the others are refits to resampled residuals.
    """

    budgets: Floats
    size: Floats
    loss: Floats
    product: Floats

    def slopes(self) -> Floats:
        """Return the exponent of N in compute, one a refit: (1 + R,)."""
        weight = 1 / np.maximum(np.nanvar(self.size[:, 1:], axis=1), 1e-12)
        ln = np.log(self.budgets)
        ln = ln - weight @ ln / weight.sum()
        return np.asarray((weight * ln) @ self.size / ((weight * ln) @ ln))


def isoflop(
    data: Any,
    metric: str = LOSS,
    *,
    inputs: Mapping[str, str] | None = None,
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
    metric : a loss; the table's only one, where there is no cross-entropy and none is named.
    inputs : columns of the model size and the training tokens: ``{"N": "params", "D": "tokens"}``; by default
        ``parameters`` and ``pretrain_tokens``.
    compute : column of the budgets; by default the one that is called ``flops`` or ``compute``, else 6·N·D. Runs within
        a factor of 1.3 of each other are one budget.
    where, mapping, allow : as in :func:`scalefit.fit`.
    level : confidence of the intervals.
    resamples, seed : refits to resampled residuals behind the intervals.

    Returns Allocation: one split a budget with a minimum, and the exponents of both inputs; a note says how far
    parabolas are off by the surface fitted to the same runs.

    Raises DesignError: runs come in no budgets, or none has a minimum among four model sizes; DomainError: ``inputs``
    names something else than N and D, or more of the metric is better.

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
    refits = Refits(level, resamples, seed)
    inputs = {name: LETTERS[name] for name in "ND"} if inputs is None else inputs
    if set(inputs) != {"N", "D"}:
        raise DomainError(
            f"inputs= names {', '.join(inputs) or 'nothing'}; it takes the columns of the model size and the tokens: "
            "inputs={'N': …, 'D': …}"
        )
    needs = (*inputs.values(), *([] if compute is None else [compute]))
    table = table_of(data, metrics=[metric], needs=needs, where=where, mapping=mapping, allow=allow)
    budgets = compute or _budget_column(table)
    rows = observations(table, metric, {**inputs, **({"C": budgets} if budgets else {})})
    if metric_of(rows.metric).rises:
        raise DomainError(
            f"more {rows.metric} is better; isoFLOP curves are curves of a loss, so ask for one"
        )
    n, d = rows.inputs["N"], rows.inputs["D"]
    runs = BudgetRuns(n, d, rows.values, rows.inputs["C"] if budgets else 6.0 * n * d)
    lost = int(((n <= 0) | (d <= 0) | (runs.compute <= 0)).sum())
    if lost:
        raise DesignError(
            f"{lost} rows have a model size, tokens or compute of 0 or less; leave them out with where="
        )
    return isoflop_of(
        runs,
        (inputs["N"], inputs["D"]),
        rows.metric,
        refits,
        notes=(
            *([] if compute or not budgets else [f"budgets are those of column {budgets!r}"]),
            *rows.notes,
        ),
        surface=_surface(rows),
    )


def _budget_column(table: Table) -> str | None:
    """Return the one column that is called compute; it says 6·N·D better than we do, where attention is counted."""
    called = [
        n for n in table.columns.named if _COMPUTE.fullmatch(re.sub(r"[\W_]+", "", n.lower()))
    ]
    filled = [n for n in called if table.columns.named[n].there[table.rows].all()]
    return filled[0] if len(filled) == 1 else None


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


def isoflop_of(
    runs: BudgetRuns,
    names: tuple[str, str],
    metric: str,
    refits: Refits,
    *,
    notes: Sequence[str] = (),
    surface: Mapping[str, float] | None = None,
) -> Allocation:
    """Return the minima of all budgets, their power laws, and the parabolas' bias by a fitted surface.

    Raises DesignError: no budget has runs of enough model sizes with a minimum among them.
    """
    which, parts = budgets_of(runs.compute), []
    minima, left = minima_of(runs, which, refits.count, refits.seed)
    level = refits.level
    for budget, size, loss, product in zip(
        minima.budgets, minima.size, minima.loss, minima.product, strict=True
    ):
        n = np.exp(size)
        inputs = {names[0]: ranged(n, level), names[1]: ranged(np.exp(product - size), level)}
        parts.append(Split(float(budget), inputs, ranged(loss, level)))
    grown = _growth(minima, names, level)
    said = [*left, *_biased(runs, which, minima, surface, names[0]), *notes]
    return Allocation(metric, PARABOLAS, tuple(parts), grown, level, tuple(said))


def budgets_of(compute: Floats) -> Floats:
    """Return the budget of each run: runs whose compute differs by little share their geometric mean.

    Examples
    --------
    >>> budgets_of(np.array([1.0e19, 1.1e19, 3.0e19])).round(-17).tolist()
    [1.05e+19, 1.05e+19, 3e+19]
    """
    order = np.argsort(compute)
    ln = np.log(compute[order])
    cut = np.concatenate([[0], np.cumsum(np.diff(ln) > np.log(SAME_BUDGET))])
    mean = np.bincount(cut, ln) / np.bincount(cut)
    out = np.empty_like(ln)
    out[order] = np.exp(mean[cut])
    wide = [float(np.ptp(ln[cut == i])) for i in range(cut[-1] + 1)]
    if max(wide) > np.log(RANGE):
        raise DesignError(
            f"runs do not come in budgets: compute runs through a factor of {np.exp(max(wide)):.3g} without a gap of "
            f"{SAME_BUDGET:g}; name the column of budgets with compute=, or fit the surface: "
            "sf.fit(data, metric, law='chinchilla', inputs=…)"
        )
    return out


def minima_of(
    runs: BudgetRuns, which: Floats, resamples: int = 0, seed: int = 0
) -> tuple[Minima, list[str]]:
    """Return the vertex of every budget's parabola, and why other budgets have none."""
    budgets, why, fits = [], [], []
    for budget in np.unique(which):
        here = which == budget
        one = _parabola(np.log(runs.size[here]), runs.loss[here])
        if isinstance(one, str):
            why.append(f"budget {budget:.3g}: {one}")
            continue
        budgets.append((budget, float(np.log(runs.size[here] * runs.tokens[here]).mean())))
        fits.append(one)
    if not fits:
        raise DesignError(f"no budget has a minimum among its runs: {some(why, _SHOWN, '; ')}")
    residuals = np.concatenate([f.residuals for f in fits])
    rng = np.random.default_rng(seed)
    drawn = [f.vertices(residuals, resamples, rng) for f in fits]
    size, loss = (np.stack([d[i] for d in drawn]) for i in (0, 1))
    at, product = np.array(budgets).T
    return Minima(at, size, loss, product[:, None]), why


@dataclass(frozen=True, eq=False)
class _Parabola:
    """A least-squares parabola in centred ln N, with its residuals as wide as the noise."""

    centre: float
    farthest: float
    solve: Floats
    fitted: Floats
    coefficients: Floats
    residuals: Floats

    def vertices(
        self, residuals: Floats, count: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Return ln N and the loss at the vertex: the estimate, then ``count`` refits; nan where one has none."""
        again = self.fitted + rng.choice(residuals, (count, self.fitted.size))
        c, b, a = np.column_stack([self.coefficients, self.solve @ again.T])
        with np.errstate(divide="ignore", invalid="ignore"):
            # A refit that hardly bends has its vertex at the end of the world; nobody asks for it there.
            at = np.where(a > 0, np.clip(-b / (2 * a), -self.farthest, self.farthest), np.nan)
            return self.centre + at, c + b * at + a * at**2


def _parabola(ln: Floats, loss: Floats) -> _Parabola | str:
    sizes = np.unique(ln).size
    if sizes < _LEAST:
        return f"{sizes} of the {_LEAST} model sizes that a parabola and its noise take"
    centre = float(ln.mean())
    design = np.vander(ln - centre, 3, increasing=True)
    solve = np.asarray(np.linalg.pinv(design), dtype=np.float64)
    coefficients = solve @ loss
    fitted = design @ coefficients
    if coefficients[2] <= 0:
        return "loss does not turn: no minimum"
    vertex = centre - coefficients[1] / (2 * coefficients[2])
    if not ln.min() <= vertex <= ln.max():
        return "the minimum lies beyond the model sizes run; run it on the other side"
    wide = float(np.sqrt(ln.size / max(ln.size - 3, 1)))
    farthest = float(np.abs(ln - centre).max() + np.log(_FARTHEST))
    return _Parabola(
        centre, farthest, solve, fitted, coefficients, np.asarray(wide * (loss - fitted))
    )


def _growth(minima: Minima, names: tuple[str, str], level: float) -> dict[str, Ranged]:
    if minima.budgets.size < 2:
        return {name: (float("nan"),) * 3 for name in names}
    slopes = minima.slopes()
    ln = np.log(minima.budgets)
    centred = ln - ln.mean()
    both = float(centred @ minima.product[:, 0] / (centred @ centred))  # 1 where compute is 6·N·D
    return {names[0]: ranged(slopes, level), names[1]: ranged(both - slopes, level)}


def bias_of(
    runs: BudgetRuns, which: Floats, minima: Minima, surface: Mapping[str, float]
) -> tuple[Floats, float]:
    """Return what parabolas would say without noise over the truth, if a Chinchilla surface were true."""
    e, a, b, alpha, beta = (surface[k] for k in ("E", "A", "B", "alpha", "beta"))
    smooth = e + a * runs.size**-alpha + b * runs.tokens**-beta
    said, _ = minima_of(BudgetRuns(runs.size, runs.tokens, smooth, runs.compute), which)
    there = np.isin(said.budgets, minima.budgets)
    total = alpha + beta
    # Hoffmann et al., eq. 4, with N·D for C/6
    scale = np.log(alpha * a / (beta * b)) / total
    best = scale + said.product[:, 0] * beta / total
    factors = np.exp(said.size[:, 0] - best)
    ln = np.log(said.budgets)
    ln = ln - ln.mean()
    tilt = float(ln @ np.log(factors) / (ln @ ln)) if ln.size > 1 else float("nan")
    return factors[there], tilt


def _biased(
    runs: BudgetRuns, which: Floats, minima: Minima, surface: Mapping[str, float] | None, name: str
) -> list[str]:
    known = "a parabola is biased where runs are not centred on the minimum, and intervals do not hold that bias"
    if surface is None:
        return [f"{known}; no surface could be fitted to these runs to say how much"]
    try:
        factors, tilt = bias_of(runs, which, minima, surface)
    except DesignError:
        return [known]
    low, high = factors.min(), factors.max()
    grows = f", its exponent by {tilt:+.2g}" if np.isfinite(tilt) else ""
    return [
        f"{known}: by the Chinchilla surface fitted to the same runs, {name} is off by a factor of {short(low)} to "
        f"{short(high)}{grows}"
    ]
