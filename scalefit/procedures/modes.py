"""Two modes of runs: at one size, by a mixture against one cluster and the dip test; over sizes, by modes that move.

A mean over runs of which some have made it and others have not follows no law: it moves because shares do. So the
same runs are described in several ways, and the Bayesian information criterion chooses:

one mode: its mean a polynomial in ln x up to one value a size; its standard deviation constant, a power of x, one a
size, or one a side (a two-piece normal distribution: a long tail is not a second mode);
two modes: two normal distributions; the upper one's share is constant or logistic in ln x, and both modes stay where
they are or move together by a polynomial in ln x.

Source: Zhao et al. 2025, arXiv 2502.17356 (random scaling of emergent capabilities), for the idea of two parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from scalefit.errors import DesignError
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats, Ints

RUNS_FOR_MIXTURE = 50


@dataclass(frozen=True, eq=False, repr=False)
class Bimodality(Result):
    """One mode or two.

    Attributes
    ----------
    modes : 1 or 2: two need a gain above six, three runs each, and centres two standard deviations apart.
    bic_gain : BIC of one mode, a Gaussian or one with a long tail, minus BIC of the mixture.
    weights, means, sds : (2,) of the mixture, lower mean first.
    membership : (n,) probability of belonging to the upper mode, in the order given.
    dip, dip_p : Hartigans' dip and its p for "one mode"; None without diptest.

    Examples
    --------
    >>> import scalefit as sf
    >>> sf.bimodality([20.1, 20.3, 19.9, 20.0, 20.2, 25.1, 24.9, 25.2, 25.0, 24.8]).modes
    2
    """

    modes: int
    bic_gain: float
    weights: Floats
    means: Floats
    sds: Floats
    membership: Floats
    dip: float | None
    dip_p: float | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One line."""
        p = "" if self.dip_p is None else f", dip p = {self.dip_p:.2g}"
        basis = f"(BIC gain of two modes {self.bic_gain:.1f}{p}, {len(self.membership)} runs)"
        if self.modes == 1:
            return f"one mode suffices {basis}"
        at = " and ".join(
            f"{m:.3g} (share {w:.2g})" for m, w in zip(self.means, self.weights, strict=True)
        )
        return f"two modes at {at} {basis}"

    def rows(self) -> list[Row]:
        """One row a mode of the mixture, lower mean first."""
        modes = zip(self.weights.tolist(), self.means.tolist(), self.sds.tolist(), strict=True)
        return [{"mode": i, "share": w, "mean": m, "sd": s} for i, (w, m, s) in enumerate(modes)]


def bimodality(values: ArrayLike) -> Bimodality:
    """Test scores over seeds for two modes.

    Parameters
    ----------
    values : (n,) one score a run, n ≥ 5.

    Notes
    -----
    Two Gaussians of their own SDs by EM from several starts, against one, or two halves of one (a long tail is no
    second mode), by BIC (Schwarz 1978); SDs are kept above a tenth of the total one, so that a single run is no
    mode. The dip test (Hartigan & Hartigan 1985, Ann. Statist. 13, 70–84) through ``diptest``.

    Raises DesignError: fewer than five runs, or all equal.

    Examples
    --------
    >>> scores = bimodality([20.1, 20.3, 19.9, 20.0, 27.8, 28.1, 28.0, 27.9])
    >>> scores.modes, scores.means.round(1)
    (2, array([20.1, 27.9]))
    """
    x = np.asarray(values, dtype=float).ravel()
    x = x[np.isfinite(x)]
    if len(x) < 5 or np.ptp(x) == 0:
        raise DesignError(f"found {len(x)} runs; modes need at least five that differ")
    runs = _Runs(x, np.zeros(len(x), dtype=np.int64), np.zeros(1))
    splits = [np.where(x > cut, 0.99, 0.01) for cut in np.quantile(x, (0.1, 0.25, 0.5, 0.75, 0.9))]
    closely: dict[str, Any] = {"floor": 0.1, "steps": 300, "tolerance": 1e-7 / len(x)}
    ends = [_expectation(runs, upper, False, 0, **closely) for upper in splits]
    best = max(ends, key=lambda f: f.likelihood)
    gain = _one_shape(x) - best.criterion(len(x))
    dip, p = _dip(x)
    modes, shares = 1 + int(gain > _MARGIN and _two_peaks(best)), [1 - best.share, best.share]
    return Bimodality(
        modes,
        gain,
        np.array(shares),
        best.centres,
        best.sds,
        best.upper,
        dip,
        p,
        _notes(len(x), dip),
    )


def _dip(x: Floats) -> tuple[float | None, float | None]:
    try:
        from diptest import diptest
    except ImportError:
        return None, None
    dip, p = diptest(x)
    return float(dip), float(p)


def _notes(n: int, dip: float | None) -> tuple[str, ...]:
    notes = ["no test of the histogram sees a small mode (12 %) that overlaps: basins may be there "
             "without two peaks, see scalefit.landscape"]  # fmt: skip
    if n < RUNS_FOR_MIXTURE:
        notes.append(f"{n} runs: a mixture needs about {RUNS_FOR_MIXTURE} to be told from one mode")
    if dip is None:
        notes.append("no dip test: pip install diptest")
    return tuple(notes)


Story = Literal["mixture shift", "everything shifts", "both", "no change"]
STEPS, TOLERANCE = 80, 1e-6
# Of the scores' spread: the least standard deviation of a mode, so that one run is none.
_FLOOR = 0.05
_APART = 2.0  # Ashman's D: less, and two normal distributions have one peak
LEAST_RUNS = 3.0
DEGREE = 2  # of the polynomial by which both modes move together
_MARGIN = 6.0  # of the criterion, by which two modes must be better: found by benchmarks/simulate_distributions.py


@dataclass(frozen=True, eq=False)
class Modes:
    """Which description the runs support.

    Attributes
    ----------
    story : what moves with size.
    modes : 1 or 2.
    gain : how much better the criterion finds two modes than one; below 0 they are worse.
    upper : (n,) probability that each run is of the upper mode; 1 where there is one mode.
    centres, sds : of the modes, the lower one first, at the middle of ln x.
    """

    story: Story
    modes: int
    gain: float
    upper: Floats
    centres: Floats
    sds: Floats


@dataclass(frozen=True, eq=False)
class _Runs:
    """Scores (n,), the size of each by number, and ln x of the sizes, centred and scaled."""

    y: Floats
    at: Ints
    z: Floats

    @property
    def place(self) -> Floats:
        return self.z[self.at]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A mixture's likelihood, its number of parameters, memberships, the upper mode's mean share, and both modes."""

    likelihood: float
    parameters: int
    upper: Floats
    share: float
    centres: Floats
    sds: Floats
    sharing: bool
    degree: int

    def criterion(self, n: int) -> float:
        return -2 * self.likelihood + self.parameters * float(np.log(n))


def two_modes(y: Floats, x: Floats) -> Modes:
    """Describe scores ``y`` (n,) at sizes ``x`` (n,) > 0, at least two sizes and eight runs."""
    sizes, at = np.unique(np.log(x), return_inverse=True)
    spread = max(float(np.ptp(sizes)), 1e-12)
    runs = _Runs(y, at.reshape(-1), 2 * (sizes - sizes.mean()) / spread)
    one, moves = _one_mode(runs)
    mixtures = [_mixture(runs, *kind) for kind in product((False, True), range(DEGREE + 1))]
    real = [f for f in mixtures if _two_peaks(f)]
    best = min(real, key=lambda f: f.criterion(y.size), default=None)
    gain = -np.inf if best is None else one - best.criterion(y.size)
    if best is None or gain < _MARGIN:
        story: Story = "everything shifts" if moves else "no change"
        return Modes(
            story, 1, float(gain), np.ones(y.size), np.array([y.mean()]), np.array([y.std()])
        )
    told: dict[tuple[bool, bool], Story] = {
        (True, False): "mixture shift",
        (False, True): "everything shifts",
        (True, True): "both",
        (False, False): "no change",
    }
    return Modes(
        told[best.sharing, best.degree > 0], 2, float(gain), best.upper, best.centres, best.sds
    )


def _one_mode(runs: _Runs) -> tuple[float, bool]:
    """Return the criterion of the best one-mode description, and whether its mean moves."""
    n, k = runs.y.size, runs.z.size
    counts = np.bincount(runs.at)
    floor = (_FLOOR * max(float(runs.y.std()), 1e-12)) ** 2
    criteria = {}
    for degree in sorted({0, 1, min(DEGREE, k - 1), k - 1}):
        # As free as the shift of two modes, or freer: else a bend of the mean would pass for a second mode.
        design = runs.place[:, None] ** np.arange(degree + 1)
        rest = runs.y - design @ np.linalg.lstsq(design, runs.y, rcond=None)[0]
        squares = np.bincount(runs.at, rest**2).astype(float)
        each = np.maximum(squares / counts, floor)
        common = np.full(k, max(float(squares.sum()) / n, floor))
        growing = np.maximum(_growing(counts, squares / counts, runs.z), floor)
        for variances, more in ((each, k), (common, 1), (growing, 2)):
            cost = _normal(counts, variances, squares) + (degree + 1 + more) * float(np.log(n))
            criteria[degree, more] = cost
        criteria[degree, 0] = _two_piece(rest, floor) + (degree + 4) * float(np.log(n))
    best = min(criteria.values())
    still = min(cost for (degree, _), cost in criteria.items() if degree == 0)
    return best, best < still


def _normal(counts: Ints, variances: Floats, squares: Floats) -> float:
    """Return −2 × the likelihood of a normal distribution a size."""
    return float((counts * np.log(2 * np.pi * variances) + squares / variances).sum())


def _growing(counts: Ints, squares: Floats, z: Floats) -> Floats:
    """Return variances straight in ln x on the log scale, by Fisher scoring from a constant one."""
    design = np.column_stack([np.ones(z.size), z])
    information = design.T @ (design * counts[:, None])
    line = np.array([np.log(max(float(counts @ squares) / counts.sum(), 1e-300)), 0.0])
    for _ in range(STEPS // 8):
        score = design.T @ (counts * (squares / np.exp(design @ line) - 1))
        line = line + np.clip(np.linalg.solve(information, score), -1, 1)
    return np.asarray(np.exp(design @ line))


def _one_shape(x: Floats) -> float:
    """Return the criterion of one mode of runs (n,): a normal distribution, or one with a long tail."""
    n = x.size
    plain = n * float(np.log(2 * np.pi * x.var()) + 1) + 2 * float(np.log(n))
    tailed = _two_piece(x - x.mean(), _FLOOR**2 * float(x.var())) + 4 * float(np.log(n))
    return min(plain, tailed)


def _two_piece(rest: Floats, floor: float) -> float:
    """Return −2 × the likelihood of two half normal distributions joined at their common peak, the best of all peaks.

    The standard deviations are found in closed form: each side's is (its squares)^(1/3) × a common factor.
    """
    n, costs = rest.size, []
    for peak in np.quantile(rest, np.linspace(0.05, 0.95, 37)):
        off = rest - peak
        left, right = (max(float(np.sum(s**2)), n * floor) for s in (off[off < 0], off[off >= 0]))
        costs.append(n * (np.log(np.pi / (2 * n)) + 3 * np.log(np.cbrt(left) + np.cbrt(right)) + 1))
    return float(min(costs))


def _two_peaks(f: _Fitted) -> bool:
    share = f.upper.sum()
    away = abs(f.centres[1] - f.centres[0]) / np.sqrt(np.mean(f.sds**2))
    return bool(away > _APART and min(share, f.upper.size - share) >= LEAST_RUNS)


def _mixture(runs: _Runs, sharing: bool, degree: int) -> _Fitted:
    """Fit one of the two-mode descriptions from several splits; the most likely end."""
    medians = np.array([np.median(runs.y[runs.at == k]) for k in range(runs.z.size)])
    ends = []
    for values in (runs.y, runs.y - medians[runs.at]) if degree else (runs.y,):
        for cut in np.quantile(values, (0.2, 0.5, 0.8)):
            ends.append(_expectation(runs, np.where(values > cut, 0.98, 0.02), sharing, degree))
    # Where all runs have gone over to one mode a start tells of one mode only, which is described apart.
    sound = [end for end in ends if 1e-6 < end.upper.mean() < 1 - 1e-6]
    return max(sound or ends, key=lambda f: f.likelihood)


def _expectation(
    runs: _Runs,
    upper: Floats,
    sharing: bool,
    degree: int,
    *,
    floor: float = _FLOOR,
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> _Fitted:
    """Run EM from memberships of the upper mode (Dempster, Laird & Rubin 1977, J. R. Statist. Soc. B 39, 1–38).

    A mode that shrinks onto one run has a likelihood without bound: ``floor``, of the scores' spread, keeps it a mode.
    """
    shift = runs.place[:, None] ** np.arange(1, degree + 1)
    n, least = runs.y.size, floor * max(float(runs.y.std()), 1e-12)
    sds, logit, last = np.full(2, max(float(runs.y.std()) / 2, least)), np.zeros(2), -np.inf
    for _ in range(steps):
        # A mode that no run belongs to any more would have no mean, and a share whose logarithm is infinite.
        upper = np.clip(upper, 1e-12, 1 - 1e-12)
        centres, moved = _means(runs.y, shift, upper, sds)
        rest = runs.y - moved
        off = (rest[:, None] - centres) ** 2
        both = np.column_stack([1 - upper, upper])
        sds = np.maximum(np.sqrt((both * off).sum(0) / both.sum(0)), least)
        logit = _share(runs, upper, logit, sharing)
        share = np.clip(expit(logit[0] + logit[1] * runs.place), 1e-9, 1 - 1e-9)
        dense = -0.5 * off / sds**2 - np.log(sds) + np.log(np.column_stack([1 - share, share]))
        top = np.logaddexp(dense[:, 0], dense[:, 1])
        upper, likelihood = np.exp(dense[:, 1] - top), float(top.sum() - n / 2 * np.log(2 * np.pi))
        if likelihood - last < tolerance * n:
            break
        last = likelihood
    if centres[0] > centres[1]:
        centres, sds, upper, share = centres[::-1], sds[::-1], 1 - upper, 1 - share
    count = 5 + int(sharing) + shift.shape[1]
    mean = float(share.mean())
    return _Fitted(likelihood, count, upper, mean, centres, sds, sharing, degree)


def _means(y: Floats, shift: Floats, upper: Floats, sds: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares of both centres and the common shift."""
    n, p = shift.shape
    design = np.zeros((2 * n, 2 + p))
    design[:n, 0] = design[n:, 1] = 1.0
    design[:n, 2:] = design[n:, 2:] = shift
    weights = np.concatenate([(1 - upper) / sds[0] ** 2, upper / sds[1] ** 2])
    # The ridge keeps the solve regular where sizes are too few for the polynomial; elsewhere it is below rounding.
    normal = design.T @ (design * weights[:, None]) + 1e-12 * np.eye(2 + p)
    best = np.linalg.solve(normal, design.T @ (weights * np.concatenate([y, y])))
    return best[:2], np.asarray(shift @ best[2:])


def _share(runs: _Runs, upper: Floats, logit: Floats, sharing: bool) -> Floats:
    """One Newton step of the logistic share; where it is constant, its best value."""
    if not sharing:
        share = float(upper.mean())
        return np.array([np.log(share / (1 - share)), 0.0])
    design = np.column_stack([np.ones(runs.y.size), runs.place])
    p = expit(design @ logit)
    curve = design.T @ (design * np.maximum(p * (1 - p), 1e-6)[:, None]) + 1e-6 * np.eye(2)
    # Where one mode dies out towards an end the best logit is infinite: steps and values are held, for the likelihood
    # hardly rises any more.
    step = np.linalg.solve(curve, design.T @ (upper - p))
    return np.asarray(np.clip(logit + np.clip(step, -2, 2), -30, 30))
