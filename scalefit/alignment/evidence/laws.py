"""Where quality misses its law: by more than runs differ, at the sizes held out, and from a break on.

Lack of fit: ``F = sum n_k (mean_k - law_k)^2 / (K - p) / s^2`` against F(K - p, nu), with s the noise of one
pretraining run. Runs that share a checkpoint, or checkpoints that share a run, are one unit: with all runs as points
the same test rejects a true law in 29-31 % of cases at nominal 5 %.

Held out: the laws of the smaller sizes against the larger ones. The interval is the profile of the fit: every curve of
every law that misses the smaller sizes by no more than noise allows is followed to the larger ones, and the noise of
the held-out mean is added. Near a bound of a law's shapes, where four points often lead, this keeps its coverage when
a bootstrap does not.

Break: a downward bend in ln D added to the law, against no bend. The statistic is the largest drop in weighted squares
that a bend at any size buys, over the variance of one run; as the place is searched, its null distribution is found by
redrawing the seed noise around the law without a bend.

The laws are the log-law (Isik et al. 2024, eq. 1), where all values are positive, and a power law towards a ceiling. A
curve's best fit comes from the solver; null distributions and intervals, of thousands of noisy copies, from a grid of
shapes on which all are projected by one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.distributions import f_tail, t_quantile
from scalefit.errors import FitError
from scalefit.fitting.problem import make_problem
from scalefit.fitting.solve import SQUARED, Solution
from scalefit.fitting.stack import Solved, evaluate_each, solve_each
from scalefit.laws import get_law
from scalefit.types import Floats, Mask

from . import Piece, tokens


@dataclass(frozen=True, eq=False)
class LawFit:
    """A law fitted to the oriented means of a curve.

    Attributes
    ----------
    law : name of the law.
    fitted : (K,) fitted values at the sizes.
    rss : weighted sum of squared residuals.
    theta, constants : the optimum in the solver's coordinates, and what the law holds fixed.
    """

    law: str
    fitted: Floats
    rss: float
    theta: Floats
    constants: Mapping[str, float]

    @property
    def parameters(self) -> int:
        """Number of fitted parameters."""
        return len(self.theta)

    def at(self, where: Floats) -> Floats:
        """Return the fitted values at some sizes."""
        law = replace(get_law(self.law), constants=self.constants)
        return law.value((np.asarray(where, dtype=float),), self.theta)


def laws_for(oriented: Floats) -> tuple[str, ...]:
    """Laws that can be tried on these means."""
    return ("log", "ceiling") if (oriented > 0).all() else ("ceiling",)


@dataclass(frozen=True, eq=False)
class CurveLaws:
    """The laws of one curve: fitted to all of its sizes, and to those that are not held out; empty where too few.

    Attributes
    ----------
    whole : fits to all sizes, from three on.
    kept : number of smaller sizes, the largest third left out.
    smaller : fits to these, from four on.
    """

    whole: tuple[LawFit, ...]
    kept: int
    smaller: tuple[LawFit, ...]


class Sought(NamedTuple):
    """A law to be fitted to oriented means (K,) at sizes (K,) by weighted least squares."""

    law: str
    sizes: Floats
    y: Floats
    weights: Floats


def fit_laws(sought: Sequence[Sought]) -> list[LawFit]:
    """Fit all of them, those of one law in one array program: a table asks for over a hundred."""
    problems = [make_problem(get_law(one.law), (one.sizes,), one.y, SQUARED) for one in sought]
    solved = solve_each(problems, [one.weights for one in sought], alone=False)
    evaluate_each([one for one in solved if isinstance(one, Solution)])
    return [_law_fit(one, solution) for one, solution in zip(sought, solved, strict=True)]


def _law_fit(sought: Sought, solution: Solved) -> LawFit:
    if isinstance(solution, FitError):
        raise solution
    fitted = solution.fitted
    rss = float((sought.weights * (sought.y - fitted) ** 2).sum())
    return LawFit(sought.law, fitted, rss, solution.theta, solution.problem.law.constants)


@lru_cache(maxsize=128)
def _grid(name: str, x: tuple[float, ...], dense: int) -> Floats:
    """Columns of the law's shapes over x = ln D: (G, m, K), m linear coefficients."""
    D = np.exp(np.array(x))
    law = get_law(name).anchored((D,))
    axes = _rates(dense) if name == "ceiling" else _bends(D, law.constants["D_ref"], dense)
    shapes = tuple(axis.reshape(-1, 1) for axis in np.meshgrid(*axes, indexing="ij"))
    columns = np.broadcast_arrays(*law.columns((D,), shapes), shapes[0] * D)[:-1]
    return np.stack(columns, axis=1).astype(float)


def _rates(dense: int) -> tuple[Floats]:
    return (np.geomspace(0.01, 4.0, 24 * dense),)


def _bends(D: Floats, D_ref: float, dense: int) -> tuple[Floats, Floats]:
    """Slopes b and bends kappa of the log-law, up to a D0 just below the smallest size."""
    reach = float(np.log(D_ref / D.min()))
    b = np.concatenate([[0.0], np.geomspace(0.005, 5.0, 15 * dense)])
    return b, np.linspace(0.0, 0.999 / reach, 7 * dense)


def shapes(name: str, x: Floats, *, fine: bool = False) -> Floats:
    """Columns (G, m, K) of every shape of a law over x = ln D."""
    return _grid(name, tuple(float(v) for v in x), 4 if fine else 1)


_DRAWS, _STEPS, _SEED = 499, 17, 5


@dataclass(frozen=True, eq=False)
class Misfit(Piece):
    """How a law misses a curve.

    Attributes
    ----------
    law : name of the law.
    p : p value against pure error; nan where one run a size, or too few sizes, leaves none.
    worst : largest distance between law and mean, in the metric's units.
    at : size where it is.
    sd : root mean square of the residuals, per residual degree of freedom.
    fit : the fit itself.
    """

    law: str
    p: float
    worst: float
    at: float
    sd: float
    fit: LawFit

    def line(self, scale: Scale) -> str:
        """How far the law misses, and whether that is more than runs differ."""
        said = f"{self.law} law misses by {scale.digits(self.worst)} at most"
        return said + (f", p = {self.p:.2g} against runs" if np.isfinite(self.p) else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers without the fit."""
        return {"law": self.law, "p": self.p, "worst": self.worst, "at": self.at}


def misfits(curve: Curve, sign: float, noise: RunNoise, laws: CurveLaws) -> tuple[Misfit, ...]:
    """Test every law that was fitted to the oriented curve, best first; empty below three sizes."""
    tried = [_misfit(fit, curve, sign * curve.means, noise) for fit in laws.whole]
    return tuple(sorted(tried, key=lambda misfit: misfit.fit.rss))


def _misfit(fit: LawFit, curve: Curve, y: Floats, noise: RunNoise) -> Misfit:
    spare = len(y) - fit.parameters
    worst = int(np.argmax(np.abs(y - fit.fitted)))
    p = float("nan")
    if spare > 0 and curve.level != "single":
        p = float(f_tail(fit.rss / spare / noise.sd**2, spare, noise.nu))
    plain = float(((y - fit.fitted) ** 2).sum())
    return Misfit(
        law=fit.law,
        p=p,
        worst=float(np.abs(y - fit.fitted)[worst]),
        at=float(curve.sizes[worst]),
        sd=float(np.sqrt(plain / spare)) if spare > 0 else float("nan"),
        fit=fit,
    )


@dataclass(frozen=True, eq=False)
class HeldOut(Piece):
    """Predictions of the held-out sizes; values are oriented so that more is better.

    Attributes
    ----------
    law : name of the law that fits the smaller sizes best.
    fitted_to : number of smaller sizes.
    sizes, measured, predicted, low, high : (H,) held-out sizes and their numbers.
    """

    law: str
    fitted_to: int
    sizes: Floats
    measured: Floats
    predicted: Floats
    low: Floats
    high: Floats

    @property
    def inside(self) -> Mask:
        """Which measured means lie in their interval."""
        return (self.measured >= self.low) & (self.measured <= self.high)

    @property
    def short(self) -> bool:
        """Whether quality falls short of what the smaller sizes promised."""
        return bool((self.measured < self.low).any())

    @property
    def error(self) -> float:
        """Largest distance between prediction and measurement."""
        return float(np.abs(self.measured - self.predicted).max())

    def line(self, scale: Scale) -> str:
        """How far the smaller sizes' law misses the larger ones."""
        inside = f"{int(self.inside.sum())} of {len(self.sizes)} inside the interval"
        return (
            f"held out: the {self.law} law of the {self.fitted_to} smaller sizes misses the others "
            f"by {scale.digits(self.error)} at most; {inside}"
            + (", quality falls short" if self.short else "")
        )


def held_out(
    curve: Curve, sign: float, noise: RunNoise, laws: CurveLaws, level: float
) -> HeldOut | None:
    """Predict the largest third of the sizes from the others; None below five sizes."""
    if not laws.smaller or not noise.known:
        return None
    y, kept = sign * curve.means, laws.kept
    best = min(laws.smaller, key=lambda fit: fit.rss)
    predicted = best.at(curve.sizes[kept:])
    reach = float(t_quantile((1 + level) / 2, noise.nu))
    # Whatever raises the squares by less than t²σ² is not told apart from the best: a profile-likelihood interval.
    budget = best.rss + (reach * noise.sd) ** 2
    ends = [_profile(fit.law, curve, y[:kept], budget) for fit in laws.smaller]
    low = np.minimum(np.min([e[0] for e in ends], axis=0), predicted)
    high = np.maximum(np.max([e[1] for e in ends], axis=0), predicted)
    luck = reach * noise.sd / np.sqrt(curve.runs[kept:])  # of the means that are held out
    return HeldOut(
        law=best.law,
        fitted_to=kept,
        sizes=curve.sizes[kept:],
        measured=y[kept:],
        predicted=predicted,
        low=predicted - np.hypot(predicted - low, luck),
        high=predicted + np.hypot(high - predicted, luck),
    )


def _profile(law: str, curve: Curve, y: Floats, budget: float) -> tuple[Floats, Floats]:
    """Lowest and highest continuation of all curves whose weighted squares stay in the budget."""
    # Given the shape, what stays within the budget is a ball in directions that are orthonormal at the smaller sizes:
    # at the larger ones its ends are centre ± radius × length, and nothing is searched.
    root = np.sqrt(curve.runs[: len(y)])
    along, far, length = _continuations(law, tuple(curve.x), tuple(root))
    shares = along @ (root * y)
    rss = (root * y) @ (root * y) - (shares**2).sum(axis=-1)
    centre = (far @ shares[..., None])[..., 0]
    spare = np.sqrt(np.maximum(budget - rss, 0.0))[:, None] * length
    near = rss <= budget
    if not near.any():
        return np.full(centre.shape[1], np.inf), np.full(centre.shape[1], -np.inf)
    return (centre - spare)[near].min(axis=0), (centre + spare)[near].max(axis=0)


@lru_cache(maxsize=32)
def _continuations(
    law: str, x: tuple[float, ...], root: tuple[float, ...]
) -> tuple[Floats, Floats, Floats]:
    """Directions (G, m, K) of the shapes at the smaller sizes, what they do at the others (G, H, m) and their length.

    Curves of one table were mostly trained at the same sizes: thousands of small decompositions serve all of them.
    """
    kept = len(root)
    columns = shapes(law, np.array(x), fine=True).transpose(0, 2, 1)
    weighted = columns[:, :kept] * np.array(root)[:, None]
    left, singular, right = np.linalg.svd(weighted, full_matrices=False)
    # A direction that the smaller sizes do not see is left out: it would make every continuation possible.
    safe = singular > 1e-9 * singular[:, :1]
    inverse = np.where(safe, 1 / np.where(safe, singular, 1.0), 0.0)
    far = columns[:, kept:] @ (right.transpose(0, 2, 1) * inverse[:, None, :])
    return left.transpose(0, 2, 1), far, np.linalg.norm(far, axis=-1)


@dataclass(frozen=True, eq=False)
class Break(Piece):
    """An estimated break.

    Attributes
    ----------
    size : estimated pretraining tokens from which quality leaves its law.
    low, high : interval of that place, at level 1 - alpha.
    p : p value against no break.
    alpha : level.
    """

    size: float
    low: float
    high: float
    p: float
    alpha: float

    @property
    def sure(self) -> bool:
        """Whether a break is beyond doubt."""
        return self.p <= self.alpha

    def line(self, scale: Scale) -> str:
        """Where quality leaves its law."""
        if not self.sure:
            return f"break: none beyond noise (p = {self.p:.2g})"
        return (
            f"break: quality leaves its law at {tokens(self.size)} tokens "
            f"[{tokens(self.low)}, {tokens(self.high)}], p = {self.p:.2g}"
        )


def find_break(
    curve: Curve, sign: float, noise: RunNoise, law: LawFit, alpha: float
) -> Break | None:
    """Look for a downward break; None with fewer than five sizes or without a noise estimate."""
    y, root = sign * curve.means, np.sqrt(curve.runs)
    if len(y) < 5 or not noise.known:
        return None
    places = np.linspace(curve.x[1], curve.x[-1], _STEPS, endpoint=False)
    laws, bends = _columns(law.law, *(tuple(v.tolist()) for v in (curve.x, places, root)))
    gain = _gains(root * y, laws, bends)
    variance = noise.sd**2
    statistic = gain.max() / variance
    null = _null(law.fitted * root, laws, bends, noise)
    # Places that explain nearly as much as the best one: the same t²σ², of the break's place.
    near = places[gain >= gain.max() - variance * float(t_quantile(1 - alpha / 2, noise.nu)) ** 2]
    best = places[int(np.argmax(gain))]
    return Break(
        size=float(np.exp(best)),
        low=float(np.exp(near.min())),
        high=float(np.exp(near.max())),
        p=float((1 + (null >= statistic).sum()) / (1 + len(null))),
        alpha=alpha,
    )


@lru_cache(maxsize=32)
def _columns(law: str, *of_sizes: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Orthonormal law columns (G, m, K), and unit downward bends at places orthogonal to them (G, T, K).

    Curves of one table were mostly trained at the same sizes x = ln D (K,), by as many runs (``root``) each.
    """
    x, places, root = map(np.array, of_sizes)
    weighted = shapes(law, x) * root
    basis = np.linalg.qr(weighted.transpose(0, 2, 1))[0].transpose(0, 2, 1)
    bend = -np.maximum(x - places[:, None], 0.0) * root
    rest = bend - (bend @ basis.transpose(0, 2, 1)) @ basis
    length = np.linalg.norm(rest, axis=-1, keepdims=True)
    # A bend that the law itself can make to a thousandth is none: what is left of it would be rounding.
    enough = length > 1e-3 * np.linalg.norm(bend, axis=-1, keepdims=True)
    return basis, np.where(enough, rest / np.where(enough, length, 1.0), 0.0)


def _gains(y: Floats, laws: Floats, bends: Floats) -> Floats:
    """Drop in squares that a bend at each place buys a curve (K,): (T,)."""
    plain = _taken(y, laws)
    bent = np.maximum(bends @ y, 0.0) ** 2 + plain[:, None]
    return np.asarray(bent.max(axis=0) - plain.max())


def _largest_gains(y: Floats, laws: Floats, bends: Floats) -> Floats:
    """Drop in squares that the best bend buys each of many curves (R, K): (R,).

    Place by place, so that curves by shapes stay in the processor's cache.
    """
    plain, most = _taken(y, laws), np.zeros((len(y), len(laws)))
    for bend in bends.swapaxes(0, 1):
        np.maximum(most, y @ bend.T, out=most)
    return np.asarray((most**2 + plain).max(axis=-1) - plain.max(axis=-1))


def _taken(y: Floats, laws: Floats) -> Floats:
    """Squares of curves (..., K) that each law takes up, (..., G)."""
    groups, size = len(laws), laws.shape[-1]
    along = (y @ laws.reshape(-1, size).T).reshape(*y.shape[:-1], groups, -1)
    return np.asarray((along**2).sum(axis=-1))


def _null(fitted: Floats, laws: Floats, bends: Floats, noise: RunNoise) -> Floats:
    """Statistics of curves that follow the law, with noise like the one seen."""
    normal, scale = _drawn(len(fitted), noise.nu)
    return _largest_gains(fitted + noise.sd * normal, laws, bends) / (noise.sd**2 * scale)


@lru_cache(maxsize=32)
def _drawn(sizes: int, nu: float) -> tuple[Floats, Floats]:
    """Return standard noise (R, K), and by how much its variance is over- or underrated (R,)."""
    rng = np.random.default_rng(_SEED)
    normal = rng.standard_normal((_DRAWS, sizes))
    # Where the SD was estimated it is drawn too: the statistic is Student's, not the normal's.
    return normal, rng.chisquare(nu, _DRAWS) / nu if np.isfinite(nu) else np.ones(_DRAWS)
