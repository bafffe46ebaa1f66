"""The chance that a run makes it, over size: logistic in ln x, finite also where all small runs fail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import expit

from scalefit.types import Floats

STEPS = 100


@dataclass(frozen=True, eq=False)
class Success:
    """A logistic curve of ln x with its doubt.

    Attributes
    ----------
    middle, slope : logit at the centre of ln x, and its change per factor e.
    centre : of ln x; ``covariance`` (2, 2) of middle and slope.
    """

    middle: float
    slope: float
    centre: float
    covariance: Floats

    def at(self, x: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Return the chance at sizes (Q,), and the low and high end of its interval."""
        u = np.log(np.asarray(x, dtype=float)) - self.centre
        design = np.column_stack([np.ones(u.size), u])
        logit = design @ np.array([self.middle, self.slope])
        sd = np.sqrt(np.maximum((design @ self.covariance * design).sum(1), 0.0))
        far = float(scipy.stats.norm.ppf(0.5 + level / 2)) * sd
        return expit(logit), expit(logit - far), expit(logit + far)

    @property
    def half(self) -> float:
        """The size at which half of the runs make it; inf where the chance does not rise."""
        if self.slope <= 0:
            return float("inf")
        with np.errstate(over="ignore"):
            return float(np.exp(self.centre - self.middle / self.slope))


def success_law(made: Floats, x: Floats, design_effect: float = 1.0) -> Success:
    """Fit the chance to outcomes ``made`` (n,), each between 0 and 1, at sizes ``x`` (n,).

    ``design_effect`` says how many runs count as one: finetunings of one pretraining run succeed together.

    Source: Firth 1993, Biometrika 80(1): half an observation of leverage is added to each side, so that sizes at
    which every run fails do not send the slope to infinity.
    """
    u = np.log(x)
    centre = float(u.mean())
    design = np.column_stack([np.ones(u.size), u - centre])
    beta = np.zeros(2)
    for _ in range(STEPS):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-12)
        information = design.T @ (design * weight[:, None])
        covariance = np.linalg.inv(information + 1e-12 * np.eye(2))
        leverage = weight * (design @ covariance * design).sum(1)
        step = covariance @ (design.T @ (made - p + leverage * (0.5 - p)))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return Success(float(beta[0]), float(beta[1]), centre, covariance * design_effect)
