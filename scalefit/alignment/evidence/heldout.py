"""Held-out prediction: the laws of the smaller sizes against the larger ones.

The laws are fitted to the smaller sizes and each held-out mean is compared with its prediction
interval. The interval is the profile of the fit: every curve of every law that misses the smaller
sizes by no more than noise allows is followed to the larger ones, and the noise of the held-out
mean is added. Near a bound of a law's shapes, where four points often lead, this keeps its
coverage when a bootstrap does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.alignment.quality_laws import CurveLaws, shapes
from scalefit.distributions import t_quantile
from scalefit.types import Floats, Mask

from .piece import Piece


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
    budget = best.rss + (reach * noise.sd) ** 2
    ends = [_profile(fit.law, curve, y[:kept], budget) for fit in laws.smaller]
    low = np.minimum(np.min([e[0] for e in ends], axis=0), predicted)
    high = np.maximum(np.max([e[1] for e in ends], axis=0), predicted)
    luck = reach * noise.sd / np.sqrt(curve.runs[kept:])
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
    kept = len(y)
    columns = shapes(law, curve.x, fine=True).transpose(0, 2, 1)
    root = np.sqrt(curve.runs[:kept])
    left, singular, right = np.linalg.svd(columns[:, :kept] * root[:, None], full_matrices=False)
    safe = singular > 1e-9 * singular[:, :1]
    inverse = np.where(safe, 1 / np.where(safe, singular, 1.0), 0.0)
    shares = left.transpose(0, 2, 1) @ (root * y)
    rss = (root * y) @ (root * y) - (shares**2).sum(axis=-1)
    far = columns[:, kept:] @ (right.transpose(0, 2, 1) * inverse[:, None, :])
    centre = (far @ shares[..., None])[..., 0]
    spare = np.sqrt(np.maximum(budget - rss, 0.0))[:, None] * np.linalg.norm(far, axis=-1)
    near = rss <= budget
    if not near.any():
        return np.full(centre.shape[1], np.inf), np.full(centre.shape[1], -np.inf)
    return (centre - spare)[near].min(axis=0), (centre + spare)[near].max(axis=0)
