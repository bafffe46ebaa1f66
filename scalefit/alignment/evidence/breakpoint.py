"""Where quality leaves its law: a downward bend in ln D added to the law, against no bend.

The statistic is the largest drop in weighted squares that a bend at any size buys, over the
variance of one run. As the place of the bend is searched, its null distribution is found by
redrawing the seed noise around the law without a bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.alignment.quality_laws import LawFit, shapes
from scalefit.distributions import t_quantile
from scalefit.types import Floats

from .piece import Piece, tokens

_DRAWS, _STEPS, _SEED = 499, 17, 5


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
    laws, bends = _columns(law.law, curve.x, places, root)
    gain = _gains(root * y, laws, bends)
    variance = noise.sd**2
    statistic = gain.max() / variance
    null = _null(law.fitted * root, laws, bends, noise)
    near = places[gain >= gain.max() - variance * float(t_quantile(1 - alpha / 2, noise.nu)) ** 2]
    best = places[int(np.argmax(gain))]
    return Break(
        size=float(np.exp(best)),
        low=float(np.exp(near.min())),
        high=float(np.exp(near.max())),
        p=float((1 + (null >= statistic).sum()) / (1 + len(null))),
        alpha=alpha,
    )


def _columns(law: str, x: Floats, places: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Orthonormal law columns (G, m, K), and unit downward bends orthogonal to them (G, T, K)."""
    weighted = shapes(law, x) * root
    basis = np.linalg.qr(weighted.transpose(0, 2, 1))[0].transpose(0, 2, 1)
    bend = -np.maximum(x - places[:, None], 0.0) * root
    rest = bend - (bend @ basis.transpose(0, 2, 1)) @ basis
    length = np.linalg.norm(rest, axis=-1, keepdims=True)
    enough = length > 1e-3 * np.linalg.norm(bend, axis=-1, keepdims=True)
    return basis, np.where(enough, rest / np.where(enough, length, 1.0), 0.0)


def _gains(y: Floats, laws: Floats, bends: Floats) -> Floats:
    """Drop in squares that a bend at each place buys, (..., T)."""
    groups, size = len(laws), laws.shape[-1]
    plain = (y @ laws.reshape(-1, size).T).reshape(*y.shape[:-1], groups, -1)
    plain = (plain**2).sum(axis=-1)
    bent = (y @ bends.reshape(-1, size).T).reshape(*y.shape[:-1], groups, -1)
    bent = np.maximum(bent, 0.0) ** 2 + plain[..., None]
    return np.asarray(bent.max(axis=-2) - plain.max(axis=-1)[..., None])


def _null(fitted: Floats, laws: Floats, bends: Floats, noise: RunNoise) -> Floats:
    """Statistics of curves that follow the law, with noise like the one seen."""
    rng = np.random.default_rng(_SEED)
    draws = fitted + noise.sd * rng.standard_normal((_DRAWS, len(fitted)))
    if np.isfinite(noise.nu):
        scale = rng.chisquare(noise.nu, _DRAWS) / noise.nu
    else:
        scale = np.ones(_DRAWS)
    return np.asarray(_gains(draws, laws, bends).max(axis=-1) / (noise.sd**2 * scale))
