"""What a batch of curves says of residuals: curves seen from their largest size, and noise and discrepancy about them.

No law of the catalogue is the truth, so the slope of ln y against ln x is the law's slope plus an
Ornstein–Uhlenbeck process. Its integral, tied to 0 at the largest measured size, is what the curve adds to the law:
it grows like |u| near the data and like √|u| far away, and residuals of the last points bend the forecast. Noise σ and
the discrepancy's strength τ stand on a grid of pairs; the likelihood of residuals is had for every pair at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.forecasting.series import Series, Stack
from scalefit.types import Floats, Mask

LENGTH = 2.0  # of memory, in ln x: a slope that is off stays off for a factor of seven in size


def covariance(u: Floats, v: Floats, length: float = LENGTH) -> Floats:
    """Return the covariance of the integral at u and at v (broadcast), for a slope of variance 1.

    The integral starts at 0, so the two sides are tied through the slope at 0 only.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(covariance(np.array(0.01), np.array(0.01))) / 0.01**2, 2)
    1.0
    """
    a, b = np.abs(u), np.abs(v)
    gone_a, gone_b = (1 - np.exp(-s / length) for s in (a, b))
    between = 1 - np.exp(-np.abs(a - b) / length)
    same = 2 * length * np.minimum(a, b) - length**2 * (gone_a + gone_b - between)
    return np.asarray(np.where(u * v > 0, same, -(length**2) * gone_a * gone_b))


LEAST_SLOPE = 0.01  # a flat curve may still bend by a hundredth of ln x
# As many parameters as sizes: the laws pass through every point, and nothing shows that one of them fails.
_FEW = 4
# By which the slope of fewer still is doubted more: at 2 their bands are too short.
LEAST_TIMES = 3.0
# So few sizes are mostly the smallest of a curve that goes on, and the priors of floors come from whole ones. (Logit.)
EARLY = -1.0
MOST_DECIMALS = 5


@dataclass(frozen=True, eq=False)
class Batch(Stack):
    """B curves of at most n sizes, seen from their largest size.

    Rows are whitened: then the noise is σ² everywhere, and one rotation a curve makes noise plus discrepancy diagonal
    for every σ and τ. Padding is a row of zeros.

    Attributes
    ----------
    u, v : (B, n); ln(x / x_max) and ln(y / y at x_max). In absolute units the level, a hundred times the curve, would
        drown the residuals' last digits, and which nodes are kept would hang on the unit.
    end : (B,); ln y at x_max, which ln y is v plus.
    slope : (B,); usual |d ln y / d ln x|: what the discrepancy is measured in.
    trust : (B,); chance that its law is exactly right, before it is looked at.
    turn : (B, n, n); columns are the directions, whitening included.
    strength : (B, n); the discrepancy's variance along each direction, for a slope of variance 1.
    real : (B, n); False for directions of the padding.
    level : (B, n); the constant curve along each direction.
    rounding : (B,); variance of ln y that printing with few decimals adds.
    seed_var, freedom : (B,); variance of ln y between runs of one size, and its degrees of freedom (0: not known).
    """

    u: Floats
    v: Floats
    end: Floats
    slope: Floats
    trust: Floats
    turn: Floats
    strength: Floats
    real: Mask
    level: Floats
    rounding: Floats
    seed_var: Floats
    freedom: Floats

    @property
    def few(self) -> Mask:
        """Which curves have so few sizes that they cannot show that a law fails: (B,)."""
        return np.asarray(self.real.sum(axis=1) <= _FEW)

    def turned(self, values: Floats) -> Floats:
        """Return values (B, N, n) along the directions."""
        return np.asarray(np.matmul(values, self.turn))

    def bend_at(self, uq: Floats) -> Floats:
        """Covariance of the discrepancy along each direction with that at uq (B, Q): (B, n, Q)."""
        there = covariance(self.u[:, :, None], uq[:, None])
        return np.asarray(np.matmul(self.turn.transpose(0, 2, 1), there))


def batch_of(curves: Sequence[Series]) -> Batch:
    """Pad and turn ``curves``; every y must be above 0."""
    size = (len(curves), max(len(curve) for curve in curves))
    u, v, root = np.zeros(size), np.zeros(size), np.zeros(size)
    for i, curve in enumerate(curves):
        k = len(curve)
        u[i, :k] = np.log(curve.x / curve.x[-1])
        v[i, :k] = np.log(curve.y / curve.y[-1])
        root[i, :k] = np.sqrt(curve.worth)
    turn, strength, real = _directions(u, _whitening(root, np.array([_held(c.y) for c in curves])))
    spread, freedom = np.array([_between_runs(curve) for curve in curves]).T
    return Batch(
        u, v,
        end=np.log([curve.y[-1] for curve in curves]),
        slope=np.array([_slope(u[i, : len(c)], v[i, : len(c)]) for i, c in enumerate(curves)]),
        trust=np.array([_trust(u[i, : len(c)], v[i, : len(c)]) for i, c in enumerate(curves)]),
        turn=turn,
        strength=strength,
        real=real,
        level=turn.sum(axis=1),
        rounding=np.array([_rounding(curve.y) for curve in curves]),
        seed_var=spread,
        freedom=freedom,
    )  # fmt: skip


def _held(y: Floats) -> float:
    """Return the share of steps at which the value stays: 0 with one tie, which may be chance."""
    ties = int((y[1:] == y[:-1]).sum())
    return ties / (y.size + 1) if ties > 1 else 0.0


def _whitening(root: Floats, held: Floats) -> Floats:
    """Matrices (B, n, n) that make the noise independent, of one variance; rows of 0 for the padding."""
    # A mean of r runs has variance σ²/r. A curve that repeats its last value (the best so far, a checkpoint scored
    # twice) with chance p carries its noise along: p^k after k sizes. Read as independent, five equal values prove
    # both a floor and tiny noise, and the next step falls out of the band.
    eye = np.eye(root.shape[1])
    step = eye - held[:, None, None] * np.eye(root.shape[1], k=-1)
    step[:, 1:] /= np.sqrt(1 - held**2)[:, None, None]
    return np.asarray(np.where(root[:, :, None] > 0, step * root[:, None], 0.0))


def _directions(u: Floats, white: Floats) -> tuple[Floats, Floats, Mask]:
    """Directions and the discrepancy's variance along each; padding gets −1, which no variance is."""
    across = white.transpose(0, 2, 1)
    bend = white @ covariance(u[:, :, None], u[:, None]) @ across
    at = np.arange(u.shape[1])
    bend[:, at, at] -= ~white.any(axis=2)
    strength, turn = np.linalg.eigh(bend)
    return across @ turn, np.maximum(strength, 0.0), strength > -0.5


def _slopes(u: Floats, v: Floats) -> tuple[float, float]:
    """Steepness of the last half of the points (three where there are three), and half of the whole curve's."""
    k = max(3, u.size // 2)
    return _line(u[-k:], v[-k:]), _line(u, v) / 2


def _slope(u: Floats, v: Floats) -> float:
    """Return the slope that doubt is measured in."""
    # A curve that has come to stand may fall again as it fell before: measured in the slope of a plateau, every
    # discrepancy would be nothing and the plateau certain.
    return (LEAST_TIMES if u.size < _FEW else 1.0) * max(*_slopes(u, v), LEAST_SLOPE)


def _trust(u: Floats, v: Floats) -> float:
    """Prior chance that the law is exactly right: four sizes prove it less than five; steps and a plateau, least."""
    late, usual = _slopes(u, v)
    stands = 1.0 if _held(v) else np.clip(1 - late / max(usual, 1e-12), 0.0, 1.0)
    known = np.clip((u.size - 2.0) / (_FEW - 1.0), 1 / 3, 1.0)
    return float(known * (TRUST - (TRUST - PLATEAU_TRUST) * stands))


def _line(u: Floats, v: Floats) -> float:
    """Steepness of the line of least squares."""
    u = u - u.mean()
    return abs(float(u @ v) / float(u @ u))


def _rounding(y: Floats) -> float:
    """Variance of ln y from rounding: of a step that all values are multiples of, evenly spread over it."""
    # Eight times 2.0 is one value whose second digit is 0, and hardly anybody prints one digit.
    fewest = 0 if len({*y.tolist()}) > 2 else max(1 - int(np.floor(np.log10(y.max()))), 0)
    for decimals in range(fewest, MOST_DECIMALS):
        rounded = np.round(y, decimals)
        if (np.abs(y - rounded) <= 1e-12 * np.abs(rounded)).all():
            return 10.0 ** (-2 * decimals) / 12 / float(np.mean(y**2))
    return 0.0


def _between_runs(curve: Series) -> tuple[float, float]:
    """Variance of ln y between runs of one size, by the delta method, and its degrees of freedom."""
    free = float((curve.runs - 1).sum())
    return (curve.seed_var / float(curve.y[-1]) ** 2, free) if curve.seed_var > 0 else (1.0, 0.0)


# A law that the data prove must be trusted: with three quarters an exact power law's bands were 2.3 times too wide far
# out, and no public curve asked for it. Only of a curve that stands nobody knows for how long it will; with nine tenths
# a plateau is believed. Laws that describe rather than explain are trusted less, see shapes.FALLING.
TRUST, PLATEAU_TRUST = 0.9, 0.75
BENDS = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.8])  # τ: sd of the slope's error over the end slope
BEND_SHARES = np.array([0.12, 0.24, 0.24, 0.24, 0.16])  # of the rest, where the law is not right
# Of them, those that move the nodes. They must reach as far as the tails do, or bands end early and at another place
# for every choice of points; and the one between is a step from a sharp top (precise data, no discrepancy) to a wide
# foot: without it one or two nodes of a thousand count.
THIN_BENDS = (0, 2, 4)
USUAL_NOISE, NOISE_SPREAD = 0.015, 1.3  # σ relative, median and sd of its logarithm
_LEVELS = 12
FAINTEST, LOUDEST = 3e-4, 0.35
# What repeated runs may weigh at most. That much against less noise; against more of it, little: what all runs
# of a size share (a pretraining run, a test set) sets sizes apart and is not seen between the runs.
SEED_FREEDOM, SHARED_FREEDOM = 8.0, 2.0


@dataclass(frozen=True, eq=False)
class Doubt(Stack):
    """M pairs (σ, τ) of each of B curves, σ the slower index.

    Attributes
    ----------
    log_noise : (B, S); ln σ of the levels.
    noise, bend : (B, M); σ² with what rounding adds, and (τ·slope)².
    precision : (B, n, M); of each direction.
    level_precision : (B, M); of the level, which is integrated out under a flat prior.
    constant : (B, M); prior and determinants: all of the log likelihood that no residual changes.
    pull : (B, n, M); what one unit along a direction does to the level, times its precision.
    """

    log_noise: Floats
    noise: Floats
    bend: Floats
    precision: Floats
    level_precision: Floats
    constant: Floats
    pull: Floats


def trusted(odds: float, batch: Batch, doubt: Doubt) -> Floats:
    """Return log factors (B, 1, M) of the pairs for a law whose odds to be right are ``odds`` times the usual."""
    exact = np.arange(doubt.noise.shape[1]) % BENDS.size == 0
    total = np.log(odds * batch.trust + 1 - batch.trust)
    return np.asarray(np.where(exact, np.log(odds), 0.0) - total[:, None, None])


def first_grid(batch: Batch, thin: bool = False) -> Doubt:
    """Every noise that curves have."""
    levels = np.linspace(np.log(FAINTEST), np.log(LOUDEST), _LEVELS)
    return doubt_at(batch, np.broadcast_to(levels, (batch.slope.size, _LEVELS)), thin)


def zoomed(batch: Batch, log_likelihood: Floats, before: Doubt) -> Doubt:
    """Move the levels to where the noise weighs, from log likelihoods (B, N, M) of one law.

    Further down than up, for another law may leave less unexplained.
    """
    flat = np.exp(log_likelihood - log_likelihood.max(axis=(1, 2), keepdims=True))
    weight = flat.sum(axis=1).reshape(*before.log_noise.shape, -1).sum(axis=2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (weight * before.log_noise).sum(axis=1, keepdims=True)
    spread = np.sqrt((weight * (before.log_noise - mean) ** 2).sum(axis=1, keepdims=True))
    spread = np.clip(spread, 0.12, 1.2)
    low, high = mean - 3 * spread - 0.5, mean + 2.5 * spread
    return doubt_at(batch, low + (high - low) * np.linspace(0, 1, _LEVELS))


def doubt_at(batch: Batch, log_noise: Floats, thin: bool = False) -> Doubt:
    """Return the grid at these ln σ (B, S); a thin one has three τ."""
    kept = [*THIN_BENDS] if thin else [*range(BENDS.size)]
    bends = BENDS[kept]
    weights = np.column_stack([batch.trust, (1 - batch.trust)[:, None] * BEND_SHARES])[:, kept]
    # A rounding step adds to every noise level: without it values of one decimal prove laws that the printer made.
    noise = np.repeat(np.exp(2 * log_noise) + batch.rounding[:, None], bends.size, axis=1)
    bend = np.tile((batch.slope[:, None] * bends) ** 2, (1, log_noise.shape[1]))
    variance = noise[:, None] + bend[:, None] * batch.strength[:, :, None]
    real = batch.real[:, :, None]
    precision = np.where(real, 1 / variance, 0.0)
    pull = batch.level[:, :, None] * precision
    level_precision = (batch.level[:, :, None] * pull).sum(axis=1)
    determinant = np.where(real, np.log(variance), 0.0).sum(axis=1) + np.log(level_precision)
    prior = np.repeat(_noise_prior(batch, log_noise), bends.size, axis=1)
    prior = prior + np.tile(np.log(weights), (1, log_noise.shape[1]))
    return Doubt(
        log_noise, noise, bend, precision, level_precision, prior - 0.5 * determinant, pull
    )


def _noise_prior(batch: Batch, log_noise: Floats) -> Floats:
    """Log prior mass of each level: a bell over ln σ, times what repeated runs say of it (χ²)."""
    bell = -0.5 * ((log_noise - np.log(USUAL_NOISE)) / NOISE_SPREAD) ** 2
    freedom = np.minimum(batch.freedom, SEED_FREEDOM)[:, None]
    ratio = batch.seed_var[:, None] * np.exp(-2 * log_noise)
    freedom = np.where(ratio < 1, np.minimum(freedom, SHARED_FREEDOM), freedom)
    seeds = 0.5 * freedom * (np.log(ratio) - ratio + 1)
    return np.asarray(bell + seeds + np.log(log_noise[:, 1:2] - log_noise[:, :1]))


def residual_likelihood(batch: Batch, doubt: Doubt, h: Floats) -> tuple[Floats, Floats, Floats]:
    """Log likelihood (B, N, M), level (B, N, M) and turned residuals (B, N, n) of curves h (B, N, n)."""
    # Along the directions every pair's covariance is diagonal, so two matrix products serve all M pairs: n·M a node
    # in place of a Cholesky factor each. The level's own fit is taken off afterwards, as in least squares.
    residual = batch.turned(batch.v[:, None] - h)
    level = np.matmul(residual, doubt.pull) / doubt.level_precision[:, None]
    squares = np.matmul(residual**2, doubt.precision)
    squares -= level**2 * doubt.level_precision[:, None]
    return doubt.constant[:, None] - 0.5 * squares, level, residual


def marginal_likelihood(batch: Batch, doubt: Doubt, h: Floats) -> Floats:
    """Log likelihood (B, N) of curves h (B, N, n), summed over the pairs.

    Pairs come before nodes here: of twelve numbers in a row numpy finds the largest at a tenth of the speed at which
    it compares twelve rows.
    """
    residual = batch.turned(batch.v[:, None] - h).swapaxes(1, 2)
    level = np.matmul(doubt.pull.swapaxes(1, 2), residual)
    squares = np.matmul(doubt.precision.swapaxes(1, 2), residual**2)
    squares -= level**2 / doubt.level_precision[:, :, None]
    log_mass = doubt.constant[:, :, None] - 0.5 * squares
    top = log_mass.max(axis=1)
    log_mass -= top[:, None]
    return np.asarray(top + np.log(np.exp(log_mass, out=log_mass).sum(axis=1)))
