"""One law of quality in pretraining and finetuning sizes, fitted to all cells of a grid at once.

What is missing to the top falls with both sizes: with x = (1 + D_p / s)^-a and z = (1 + D_f / t)^-b,

    top - q = g + p x + r z + i (x + z - x z) + j x z,     g, p, r, i, j >= 0.

Every such surface rises in both sizes and ends at or below the top; i lets the sizes replace each other
(pretraining matters less where there is much finetuning data), j lets them need each other. It is linear
given a, b, s and t, so non-negative least squares on a grid of these finds it without a start. D_p = 0,
not pretrained, is a cell like any other. Beyond the measured sizes the rise goes on by a gain that the
grid's own largest sizes taught when they were held back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls
from scipy.special import stdtr, stdtrit

from scalefit.errors import FitError
from scalefit.forecasting.predictive import FARTHEST, PROBABILITIES, Predictive, Reach
from scalefit.forecasting.quality.learn import FREEDOM
from scalefit.forecasting.quality.members import TOP, Percent, percent_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints

_EXPONENTS = np.geomspace(0.1, 2.0, 8)
_STARTS = np.array([0.3, 1.0, 3.0, 10.0])  # s and t, in units of the smallest measured size
_ONE = np.stack(np.meshgrid(_EXPONENTS, _STARTS, indexing="ij"), axis=-1).reshape(-1, 2)
_PAIRS = np.stack(np.meshgrid(*2 * [np.arange(len(_ONE))], indexing="ij"), axis=-1).reshape(-1, 2)
SHAPES = _ONE[_PAIRS]  # (S, 2, 2): pretraining and finetuning; exponent and start
FEWEST_CELLS = 6
SMOOTH = 0.35  # e-folds over which a cell's residual speaks for its neighbours
GAIN = 0.8  # of the law's rise beyond the grid, before backtests say more or less
RISE = 0.5  # of that rise in doubt
MEMORY = 2.0  # e-folds of size over which cells fade
BELIEF = 4.0  # held-out cells that these are worth
ASKED = 361  # sizes at which a target is looked for


@dataclass(frozen=True, eq=False)
class SizedCells:
    """Measured cells: pretraining and finetuning sizes (n, 2), at least 0, and quality (n,)."""

    sizes: Floats
    quality: Floats
    top: float = 100.0
    bottom: float = 0.0


@dataclass(frozen=True, eq=False)
class Joint:
    """The law averaged over its exponents, anchored at the cells nearest to the question.

    Attributes
    ----------
    cells : what it was fitted to.
    smallest : (2,), the smallest measured sizes above 0.
    coefficients : (S, 5), g, p, r, i, j of each shape, in per cent of the range.
    weights : (S,), likelihood of each shape, summing to 1.
    residuals : (n,), of the cells, in per cent of the range.
    noise : their variance.
    gain : (2,), how much of the law's rise beyond the largest size of each kind is believed.
    doubt : factor on the variance, from cells that were held back.
    """

    cells: SizedCells
    smallest: Floats
    coefficients: Floats
    weights: Floats
    residuals: Floats
    noise: float
    gain: Floats
    doubt: float = 1.0

    def predict(self, pretrain: Floats, finetune: Floats) -> Predictive:
        """Return what a new run shows at pretraining and finetuning sizes, which broadcast."""
        sizes = _pairs(pretrain, finetune)
        centre, sd = self._band(sizes)
        z = stdtrit(FREEDOM, PROBABILITIES)[:, None]
        scale = _scale(self.cells)
        percent = np.clip(centre + z * sd, scale.floor, TOP)
        return Predictive(sizes[:, 0], PROBABILITIES, scale.back(percent), {"joint law": 1.0})

    def reach(self, target: float, finetune: float) -> Reach:
        """Return the chance that ``target`` is reached at ``finetune``, from the smallest pretraining size on."""
        largest = float(self.cells.sizes[:, 0].max())
        sizes = np.geomspace(float(self.smallest[0]), FARTHEST * largest, ASKED)
        centre, sd = self._band(_pairs(sizes, np.array(finetune)))
        goal = float(_scale(self.cells).to(np.array(target)))
        chance = stdtr(FREEDOM, (centre - goal) / sd)
        return Reach(largest, sizes / largest, np.maximum.accumulate(chance))

    def _band(self, sizes: Floats) -> tuple[Floats, Floats]:
        """Return centre and scale of the t distribution at each question, in per cent: (Q,) each."""
        inside = self._clipped(sizes)
        each = self._each(inside)
        centre = each @ self.weights
        between = (each - centre[:, None]) ** 2 @ self.weights
        rises = self.rises(sizes)
        doubt = RISE * rises.sum(axis=1)
        centre = centre + rises @ self.gain + self._anchor(inside)
        return centre, np.sqrt(self.doubt * (self.noise + between + doubt**2))

    def rises(self, sizes: Floats) -> Floats:
        """Return the law's rise beyond the largest pretraining and finetuning size: (Q, 2)."""
        inside = self._clipped(sizes)
        across = np.column_stack([inside[:, 0], sizes[:, 1]])
        steps = np.stack([self._mean(v) for v in (inside, across, sizes)])
        return np.stack([steps[2] - steps[1], steps[1] - steps[0]], axis=1)

    def _each(self, sizes: Floats) -> Floats:
        """Return the surface of every shape: (Q, S)."""
        g, p, r, i, j = self.coefficients.T.reshape(5, len(_ONE), len(_ONE))
        x, z = _falls(sizes, self.smallest)
        missing = g + (p + i) * x[:, :, None] + (r + i + (j - i) * x[:, :, None]) * z[:, None]
        return np.asarray(TOP - missing).reshape(len(sizes), -1)

    def _mean(self, sizes: Floats) -> Floats:
        """Return the mean surface, of which no shape has to be seen by itself: (Q,)."""
        weighed = self.weights[:, None] * self.coefficients
        g, p, r, i, j = weighed.T.reshape(5, len(_ONE), len(_ONE))
        x, z = _falls(sizes, self.smallest)
        both = ((x @ (j - i)) * z).sum(axis=1)
        return np.asarray(TOP - g.sum() - x @ (p + i).sum(axis=1) - z @ (r + i).sum(axis=0) - both)

    def _clipped(self, sizes: Floats) -> Floats:
        measured = self.cells.sizes
        return np.clip(sizes, measured.min(axis=0), measured.max(axis=0))

    def _anchor(self, sizes: Floats) -> Floats:
        """Return how far the cells nearest to sizes within the grid lie above the law: (Q,)."""
        here = np.log1p(sizes / self.smallest)
        there = np.log1p(self.cells.sizes / self.smallest)
        away = np.abs(here[:, None] - there[None]).sum(axis=-1)
        near = np.exp(-(away - away.min(axis=1, keepdims=True)) / SMOOTH)
        smooth = near @ self.residuals / near.sum(axis=1)
        return np.asarray(smooth * np.exp(-away.min(axis=1)))


@dataclass(frozen=True, eq=False)
class JointDraws:
    """Surfaces that the cells leave possible: a shape each (B,), its coefficients (B, 5), the believed gains (B, 2)."""

    joint: Joint
    shapes: Ints
    coefficients: Floats
    gains: Floats

    def values(self, pretrain: Floats, finetune: Floats) -> Floats:
        """Return quality at pairs of sizes, each surface by itself: (B, Q)."""
        sizes = _pairs(pretrain, finetune)
        inside = self.joint._clipped(sizes)
        across = np.column_stack([inside[:, 0], sizes[:, 1]])
        # One surface at a time: all shapes at all questions at once would fill the memory.
        each = np.array([self._surface(b, inside, across, sizes) for b in range(self.shapes.size)])
        scale = _scale(self.joint.cells)
        percent = np.clip(each + self.joint._anchor(inside), scale.floor, TOP)
        return np.asarray(scale.back(percent))

    def _surface(self, b: int, inside: Floats, across: Floats, sizes: Floats) -> Floats:
        shape = self.shapes[b : b + 1]
        here, beside, there = (
            TOP - _basis(v, self.joint.smallest, shape)[0] @ self.coefficients[b]
            for v in (inside, across, sizes)
        )
        pretrain, finetune = self.gains[b]
        return np.asarray(here + pretrain * (there - beside) + finetune * (beside - here))


def draws_of(joint: Joint, count: int, seed: int = 0) -> JointDraws:
    """Draw surfaces: shapes by their likelihood, coefficients by refits to resampled residuals.

    Rises beyond the grid are believed by the gain that the grid taught, give or take what forecasts allow for.
    """
    rng = np.random.default_rng(seed)
    shapes = rng.choice(joint.weights.size, count, p=joint.weights)
    root, missing = _weighed(joint.cells, joint.smallest)
    wide = joint.residuals * np.sqrt(missing.size / max(missing.size - 5, 1))
    coefficients = np.empty((count, 5))
    for b, shape in enumerate(shapes):
        basis = _basis(joint.cells.sizes, joint.smallest, shapes[b : b + 1])[0]
        again = basis @ joint.coefficients[shape] - rng.choice(wide, wide.size)
        coefficients[b] = nnls(root[:, None] * basis, root * again)[0]
    gains = np.clip(joint.gain + RISE * rng.standard_normal((count, 2)), 0.0, None)
    return JointDraws(joint, shapes, coefficients, gains)


def joint_of(cells: SizedCells) -> Joint:
    """Return the law of all cells, its width checked by holding back the largest sizes.

    Parameters
    ----------
    cells : at least six, over two sizes and more of each kind; seeds averaged.

    Raises FitError: where cells or sizes are too few.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.quality.joint import SizedCells, joint_of
    >>> p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6], [1e4, 4e4, 16e4]))
    >>> q = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    >>> joint = joint_of(SizedCells(np.column_stack([p, f]), q))
    >>> joint.predict(np.array(64e6), np.array(16e4)).median.round(0).tolist()
    [34.0]
    """
    held = [h for kind in (0, 1) if (h := _held_back(cells, kind))]
    gain = np.full(2, GAIN)
    for joint, out, kind in held:
        gain[kind] = _gain(joint, out, kind)
    misses = [_misses(replace(joint, gain=gain), out) for joint, out, _ in held]
    ratio = np.concatenate([np.zeros(0), *misses])
    doubt = float((BELIEF + ratio.sum()) / (BELIEF + ratio.size))
    return replace(_fit(cells), gain=gain, doubt=doubt)


def _held_back(cells: SizedCells, kind: int) -> tuple[Joint, SizedCells, int] | None:
    """Return the law without the largest size of one kind, and the cells of that size."""
    inner = cells.sizes[:, kind] < cells.sizes[:, kind].max()
    part = _part(cells, inner)
    return (_fit(part), _part(cells, ~inner), kind) if _enough(part) else None


def _gain(joint: Joint, out: SizedCells, kind: int) -> float:
    """Return the share of the foretold rise that came true, shrunk to the usual one."""
    rise = joint.rises(out.sizes)[:, kind]
    without = replace(joint, gain=np.zeros(2))
    came = _scale(out).to(out.quality) - without._band(out.sizes)[0]
    worth = BELIEF * np.mean(rise**2) + 1e-9
    return float(np.clip((rise @ came + worth * GAIN) / (rise @ rise + worth), 0.0, 1.0))


def _misses(joint: Joint, out: SizedCells) -> Floats:
    """Return the squared misses in units of their scale; one far out says little of the others."""
    centre, sd = joint._band(out.sizes)
    return np.minimum((_scale(out).to(out.quality) - centre) ** 2 / sd**2, 25.0)


def _fit(cells: SizedCells) -> Joint:
    if not _enough(cells):
        raise FitError(
            f"the joint law needs {FEWEST_CELLS} cells over two pretraining and two finetuning sizes, "
            f"found {cells.quality.size} cells; measure the missing corners of the grid, "
            "or fit each finetuning size alone"
        )
    sizes = cells.sizes
    smallest = np.array([v[v > 0].min() for v in sizes.T])
    root, missing = _weighed(cells, smallest)
    basis = _basis(sizes, smallest)
    coefficients = np.array([nnls(root[:, None] * b, root * missing)[0] for b in basis])
    residuals = np.einsum("snc,sc->sn", basis, coefficients) - missing
    error = residuals**2 @ root**2
    # Cells of a row or a column err together: their number counts as evidence, not that of cells.
    freedom = sum(np.unique(v).size for v in sizes.T)
    score = -0.5 * freedom * np.log(error + 1e-4 * missing.var() + 1e-6)
    weights = np.exp(score - score.max())
    weights = weights / weights.sum()
    mixed = weights @ residuals
    noise = float((mixed @ mixed) / max(mixed.size - 5, 1) + 0.003)
    return Joint(cells, smallest, coefficients, weights, mixed, noise, np.full(2, GAIN))


def _weighed(cells: SizedCells, smallest: Floats) -> tuple[Floats, Floats]:
    """Return the roots of the cells' weights, and what is missing to the top: (n,) each."""
    sizes = cells.sizes
    # Forecasts go on from the largest sizes: a cell counts the less the farther it lies from them.
    away = np.log1p(sizes.max(axis=0) / smallest) - np.log1p(sizes / smallest)
    share = np.exp(-away.sum(axis=1) / MEMORY)
    return np.sqrt(share / share.sum()), TOP - _scale(cells).to(cells.quality)


def _basis(sizes: Floats, smallest: Floats, shapes: Ints | slice = slice(None)) -> Floats:
    """Return the five columns for every shape, or for some: (S, n, 5)."""
    exponent, start = np.moveaxis(SHAPES[shapes, None], -1, 0)
    x, z = np.moveaxis((1 + sizes / (smallest * start)) ** -exponent, -1, 0)
    return np.stack([np.ones_like(x), x, z, x + z - x * z, x * z], axis=-1)


def _falls(sizes: Floats, smallest: Floats) -> Floats:
    """Return x and z of every exponent and start: (2, n, 32); a shape is one of each."""
    exponent, start = _ONE.T
    return np.asarray((1 + (sizes / smallest).T[..., None] / start) ** -exponent)


def _enough(cells: SizedCells) -> bool:
    several = all(np.unique(v).size > 1 and np.any(v > 0) for v in cells.sizes.T)
    return cells.quality.size >= FEWEST_CELLS and several


def _part(cells: SizedCells, rows: Floats) -> SizedCells:
    return replace(cells, sizes=cells.sizes[rows], quality=cells.quality[rows])


def _pairs(pretrain: Floats, finetune: Floats) -> Floats:
    pair = np.broadcast_arrays(np.atleast_1d(pretrain), np.atleast_1d(finetune))
    return np.stack(pair, axis=-1).astype(np.float64)


def _scale(cells: SizedCells) -> Percent:
    none = np.ones(cells.quality.size, dtype=np.int64)
    return percent_of(Series(cells.quality, cells.quality, none, np.nan, cells.bottom, cells.top))
