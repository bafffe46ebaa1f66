"""Lack of fit: whether the law misses the means by more than pretraining runs differ.

``F = sum n_k (mean_k - law_k)^2 / (K - p) / s^2`` against F(K - p, nu), with s the noise of one
pretraining run. Runs that share a checkpoint, or checkpoints that share a run, are one unit: with
all runs as points the same test rejects a true law in 29-31 % of cases at nominal 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.alignment.quality_laws import CurveLaws, LawFit
from scalefit.distributions import f_tail
from scalefit.types import Floats

from .piece import Piece


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
