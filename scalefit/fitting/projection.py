"""Variable projection: given the shapes, the coefficients are a bounded least-squares problem.

For a grid of G shapes and R weight vectors at once: the Gram matrices of the basis columns are one
matrix product of weights (R, n) with column products (n, G·k²), and each is solved exactly under
the coefficients' bounds, by trying the sets of coefficients that sit at a bound.

Source: Golub and Pereyra 1973, SIAM J. Numer. Anal. 10(2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.problem import Problem

Array = NDArray[np.float64]
CELLS = 8_000_000


@dataclass(frozen=True, eq=False)
class Projected:
    """Best coefficients at each shape: ``theta`` (R, G, p) and weighted sum of squares (R, G)."""

    theta: Array
    rss: Array


def shape_grid(problem: Problem, points: int | None = None) -> Array:
    """Cartesian grid of the law's shapes: (G, m)."""
    law = problem.law
    axes = [s.grid(problem.inputs, law.constants) for s in law.shapes]
    if points is not None:
        axes = [a[:: max(1, len(a) // points)] for a in axes]
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.stack([m.reshape(-1) for m in mesh], axis=-1) if mesh else np.zeros((1, 0))


def design(problem: Problem, shapes: Array) -> tuple[Array, Array]:
    """Basis columns (G, k, n) on the law's link scale, and the target (n,)."""
    split = tuple(shapes[:, m, None] for m in range(shapes.shape[1]))
    columns = problem.law.columns(problem.inputs, split)
    n = problem.y.size
    phi = np.empty((len(shapes), len(columns), n))
    for j, column in enumerate(columns):
        phi[:, j] = column
    target = np.log(problem.y) if problem.law.link == "log" else problem.y
    return phi, target


def project(problem: Problem, shapes: Array, weights: Array | None = None) -> Projected:
    """Solve the coefficients at every shape of (G, m), for every row of weights (R, n).

    The grid is cut into blocks, so that memory stays bounded whatever n is.
    """
    block = max(1, CELLS // (problem.y.size * len(problem.law.coefficients) ** 2))
    parts = [
        _project(problem, shapes[i : i + block], weights) for i in range(0, len(shapes), block)
    ]
    if len(parts) == 1:
        return parts[0]
    return Projected(
        np.concatenate([part.theta for part in parts], axis=1),
        np.concatenate([part.rss for part in parts], axis=1),
    )


def _project(problem: Problem, shapes: Array, weights: Array | None) -> Projected:
    phi, target = design(problem, shapes)
    base = problem.least_squares_weights * (problem.y**2 if problem.law.link == "log" else 1.0)
    w = base[None] if weights is None else weights * base
    lower, upper = problem.bounds
    k = phi.shape[1]
    gram, moment, square = _moments(phi, target, w)
    coefficients, rss = bounded_solve(gram, moment, square[:, None], lower[:k], upper[:k])
    spread = np.broadcast_to(shapes, (*rss.shape, shapes.shape[1]))
    return Projected(np.concatenate([coefficients, spread], axis=-1), rss)


def _moments(phi: Array, y: Array, w: Array) -> tuple[Array, Array, Array]:
    """ΦᵀWΦ (R, G, k, k), ΦᵀWy (R, G, k) and yᵀWy (R,)."""
    G, k, n = phi.shape
    with np.errstate(invalid="ignore", over="ignore"):
        if len(w) == 1:
            weighted = phi * w[0]
            gram = (weighted @ phi.transpose(0, 2, 1))[None]
            moment = (weighted @ y)[None]
        else:
            products = (phi[:, :, None] * phi[:, None]).reshape(G * k * k, n)
            gram = (w @ products.T).reshape(len(w), G, k, k)
            moment = (w @ (phi * y).reshape(G * k, n).T).reshape(len(w), G, k)
    return gram, moment, w @ (y * y)


def bounded_solve(
    gram: Array, moment: Array, square: Array, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Minimise cᵀMc − 2cᵀv + y² under bounds, for stacks (R, G) of small problems.

    Bounds only raise a minimum, so shapes whose free minimum is already above the best feasible
    one of their row are left out (infinite cost), and so are shapes with collinear columns.
    """
    best = _solve(gram, moment)
    with np.errstate(invalid="ignore", over="ignore"):
        rss = np.maximum(_rss(gram, moment, square, best), 0)
        outside = ((best < lower) | (best > upper)).any(-1)
    feasible = np.where(outside | ~np.isfinite(rss), np.inf, rss)
    lowest = feasible.min(-1, keepdims=True)
    hopeful = (outside & (rss < lowest)) | np.isinf(lowest)
    if hopeful.any():
        square = np.broadcast_to(square, hopeful.shape)[hopeful]
        found = _on_faces(gram[hopeful], moment[hopeful], square, lower, upper)
        best[hopeful], feasible[hopeful] = found
    return best, feasible


def held(lower: Array, upper: Array) -> list[Array]:
    """Every way to hold coefficients at finite bounds, NaN where one is free; all free comes first."""
    sides = [
        [np.nan, *(b for b in pair if np.isfinite(b))] for pair in zip(lower, upper, strict=True)
    ]
    return [np.array(fixed) for fixed in product(*sides)]


def _on_faces(
    gram: Array, moment: Array, square: Array, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Best feasible solution over all choices of coefficients at a bound."""
    best = np.full(moment.shape, np.nan)
    rss = np.full(len(moment), np.inf)
    for at in held(lower, upper):
        free = np.isnan(at)
        trial = np.broadcast_to(np.where(free, 0.0, at), moment.shape).copy()
        if free.any():
            rest = moment[:, free] - gram[:, free][:, :, ~free] @ at[~free]
            trial[:, free] = _solve(gram[:, free][:, :, free], rest)
        good = ((trial >= lower) & (trial <= upper)).all(-1)
        value = np.where(good, np.maximum(_rss(gram, moment, square, trial), 0), np.inf)
        better = value < rss
        best[better], rss[better] = trial[better], value[better]
    return best, rss


def _rss(gram: Array, moment: Array, square: Array, c: Array) -> Array:
    inner: Array = (((gram @ c[..., None])[..., 0] - 2 * moment) * c).sum(-1)
    return square + inner


def _solve(gram: Array, moment: Array) -> Array:
    """Solve stacks of k×k systems; k ≤ 2 in closed form; singular ones give NaN."""
    k = moment.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if k == 1:
            return np.asarray(moment / gram[..., 0])
        if k == 2:
            a, b, d = gram[..., 0, 0], gram[..., 0, 1], gram[..., 1, 1]
            det = a * d - b * b
            det = np.where(det > 1e-14 * a * d, det, np.nan)
            first = (d * moment[..., 0] - b * moment[..., 1]) / det
            return np.stack([first, (a * moment[..., 1] - b * moment[..., 0]) / det], axis=-1)
    norm = np.sqrt(np.einsum("...ii->...i", gram))
    norm = np.where((norm > 0) & np.isfinite(norm), norm, 1.0)
    scaled = np.nan_to_num(gram / (norm[..., :, None] * norm[..., None, :])) + 1e-14 * np.eye(k)
    found: Array = np.linalg.solve(scaled, (np.nan_to_num(moment) / norm)[..., None])[..., 0]
    return found / norm
