"""The top of a law's posterior and its curvature there: where nodes start when the data are precise.

With .1 % noise the posterior fills a millionth of the prior, and nodes that only drift towards it arrive too few (of
1,024 one or two counted). Levenberg–Marquardt finds it in a few steps, and its curvature is the first proposal. Noise
and discrepancy stay integrated: the gradient of a log of a sum over pairs (σ, τ) is the mean of their gradients, so
each step weighs the pairs anew.

Source: Moré 1978 for the steps; Tierney and Kadane 1986 for the approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.forecasting.losses.batch import Batch
from scalefit.forecasting.losses.doubt import Doubt, residual_likelihood
from scalefit.forecasting.losses.shapes import Falling
from scalefit.types import Floats, Mask

STEPS, DAMPING, EASIER, HARDER = 16, 0.1, 0.2, 5.0
GAIN, PATIENCE = (
    0.05,
    4,
)  # steps that lift no curve's top by so much, in a row, before climbing ends
NUDGE = 1e-3  # of a shape, for its derivative
LONGEST = 2.0  # step in any shape: the prior's width, about


@dataclass(frozen=True, eq=False)
class Spot:
    """Places theta (B, S, d): log posterior (B, S), its gradient and minus its approximate curvature (B, S, d, d)."""

    theta: Floats
    total: Floats
    gradient: Floats
    curvature: Floats


def climb(law: Falling, batch: Batch, doubt: Doubt, starts: Floats) -> tuple[Floats, Floats]:
    """Climb from starts (B, S, d); return the highest place (B, 1, d) and the covariance (B, d, d) there."""
    here = _spot(law, batch, doubt, starts)
    damping = np.full(here.total.shape, DAMPING)
    idle = 0
    for _ in range(STEPS):
        top = here.total.max(axis=1)
        there = _spot(law, batch, doubt, here.theta + _step(here, damping))
        better = there.total > here.total
        here = _either(better, there, here)
        damping *= np.where(better, EASIER, HARDER)
        # Only the highest place counts, and only as the centre of a proposal that is weighed afterwards.
        idle = idle + 1 if (here.total.max(axis=1) < top + GAIN).all() else 0
        if idle == PATIENCE:
            break
    row, best = np.arange(len(starts)), here.total.argmax(axis=1)
    return here.theta[row, best][:, None], np.linalg.inv(here.curvature[row, best])


def _step(spot: Spot, damping: Floats) -> Floats:
    """Newton's step, shortened along directions of little curvature and to LONGEST."""
    diagonal = np.einsum("bsii->bsi", spot.curvature)
    damped = spot.curvature + (damping[..., None] * diagonal)[..., None] * np.eye(diagonal.shape[2])
    step = np.linalg.solve(damped, spot.gradient[..., None])[..., 0]
    return np.asarray(
        step * np.minimum(1.0, LONGEST / np.maximum(np.abs(step).max(axis=2), 1e-12))[..., None]
    )


def _either(first: Mask, a: Spot, b: Spot) -> Spot:
    """Return a where first (B, S), else b."""
    wide, deep = first[..., None], first[..., None, None]
    return Spot(
        np.where(wide, a.theta, b.theta),
        np.where(first, a.total, b.total),
        np.where(wide, a.gradient, b.gradient),
        np.where(deep, a.curvature, b.curvature),
    )


def _spot(law: Falling, batch: Batch, doubt: Doubt, theta: Floats) -> Spot:
    """Evaluate log posterior, gradient and Gauss–Newton curvature, derivatives of the law by differences."""
    curves, starts, d = theta.shape
    nudged = theta[:, :, None] + NUDGE * np.vstack([np.zeros(d), np.eye(d)])
    h = law(nudged.reshape(curves, -1, d), batch.u).reshape(curves, starts, d + 1, -1)
    slopes = (h[:, :, 1:] - h[:, :, :1]) / NUDGE
    slopes = batch.turned(slopes.reshape(curves, starts * d, -1)).reshape(curves, starts, d, -1)
    log_likelihood, level, residual = residual_likelihood(batch, doubt, h[:, :, 0])
    top = log_likelihood.max(axis=2, keepdims=True)
    weight = np.exp(log_likelihood - top)
    total = top[..., 0] + np.log(weight.sum(axis=2)) + law.log_prior(theta)
    weight /= weight.sum(axis=2, keepdims=True)
    precision = np.matmul(weight, doubt.precision.transpose(0, 2, 1))  # mean over pairs (B, S, n)
    force = precision * residual - np.matmul(weight * level, doubt.pull.transpose(0, 2, 1))
    gradient = np.matmul(slopes, force[..., None])[..., 0]
    spread = np.array(law.spread)
    gradient -= (theta - np.array(law.centre)) / spread**2
    pulled = precision * batch.level[:, None]
    off = np.matmul(slopes, pulled[..., None]) / (pulled @ batch.level[..., None])[..., None]
    slopes = slopes - off * batch.level[:, None, None]
    curvature = np.matmul(slopes * precision[:, :, None], slopes.swapaxes(2, 3))
    return Spot(theta, total, gradient, curvature + np.diag(spread**-2.0))
