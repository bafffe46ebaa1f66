"""The fall test of one curve, whatever noise it has: replicates, or the scatter of single runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from . import drop, scatter
from .cells import Cells
from .noise import estimate

__all__ = ["FallTest", "fall_test"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FallTest:
    """Falls from earlier to later sizes (rises, when the sign was turned).

    Attributes
    ----------
    size, p : (K, K) estimated fall and its family-wise p value for i < j; nan and 1 elsewhere.
    estimate : the largest estimated fall; negative when every step rises.
    pair : sizes (i, j) between which it lies.
    lower, upper : one-sided bounds of the largest fall, each right with probability 1 - alpha.
    reach : (K, K) one-sided half-width of each difference by itself, at level 1 - alpha.
    sd, nu : noise of one unit and its degrees of freedom.
    alpha : level of bounds and of :meth:`real`.
    method : how the noise was measured, in words.
    """

    size: Floats
    p: Floats
    estimate: float
    pair: tuple[int, int]
    lower: float
    upper: float
    reach: Floats
    sd: float
    nu: float
    alpha: float
    method: str

    @property
    def p_value(self) -> float:
        """Family-wise p value of any fall at all."""
        return float(self.p.min())

    @property
    def real(self) -> NDArray[np.bool_]:
        """Pairs whose fall is beyond doubt, (K, K)."""
        return np.asarray(self.p <= self.alpha)

    @property
    def found(self) -> bool:
        """Whether any fall is beyond doubt."""
        return bool(self.real.any())

    def half_width(self, runs: NDArray[np.int64], level: float = 0.95) -> Floats:
        """Half-width (K,) of each size's t interval, without what all sizes share; 0 if unknown."""
        if not (np.isfinite(self.sd) and self.nu > 0):
            return np.zeros(len(runs))
        quantile = special.stdtrit(min(self.nu, 1e9), (1 + level) / 2)
        return np.asarray(quantile * self.sd / np.sqrt(runs))


def fall_test(
    cells: Cells, sign: float, reference: float, alpha: float, seed_sd: float | None = None
) -> FallTest:
    """Test whether `sign` x the curve falls anywhere.

    Parameters
    ----------
    cells
        The curve, at least two sizes.
    sign
        +1 to look for falls of the values, -1 for rises.
    reference
        Largest plausible seed noise; used only without replicates.
    alpha
        Family level over all pairs of sizes.
    seed_sd
        Known standard deviation of one run, in place of an estimate, without replicates.
    """
    if cells.level == "single":
        return _from_scatter(cells, sign, reference, alpha, seed_sd)
    noise = estimate(cells.values, cells.design)
    found = drop.falls(noise, sign)
    unit = "pretraining runs" if cells.level == "procedure" else "finetuning seeds of one run"
    how = "within sizes" if cells.design == "separate" else "seed x size interaction"
    return _result(
        found.size,
        drop.p_values(found),
        lower=drop.lower(found, alpha),
        upper=float(found.upper(alpha)),
        reach=found.reach(alpha),
        sd=float(noise.sd),
        nu=noise.nu,
        alpha=alpha,
        method=f"{unit}, {how}",
    )


def _from_scatter(
    cells: Cells, sign: float, reference: float, alpha: float, seed_sd: float | None
) -> FallTest:
    y = sign * cells.means
    size = np.where(np.triu(np.ones((len(y), len(y)), dtype=bool), 1), y[:, None] - y[None], np.nan)
    given = seed_sd is not None
    sd = np.nan if given else float(scatter.residual_sd(cells.x, y))
    known = float(seed_sd) if seed_sd is not None else _with_test_set(reference, cells)
    p = scatter.pair_p_values(cells.x, size, sd, known)
    reach = scatter.pair_reach(cells.x, known if given else sd, alpha, known=given)
    return _result(
        size,
        p,
        lower=scatter.largest_lower(cells.x, size, sd, known, alpha),
        upper=float(np.nanmax(size + reach)),
        reach=reach,
        sd=known if given else sd,
        nu=np.inf if given else float(scatter.degrees(len(y))),
        alpha=alpha,
        method="one run a size: seed noise as given"
        if given
        else "one run a size: scatter around a smooth curve",
    )


def _with_test_set(reference: float, cells: Cells) -> float:
    """Return the reference noise, with the test set's own added where that is known."""
    errors = cells.stderr[np.isfinite(cells.stderr)]
    return float(np.hypot(reference, np.median(errors))) if len(errors) else reference


def _result(size: Floats, p: Floats, **rest: object) -> FallTest:
    at = np.unravel_index(int(np.nanargmax(size)), size.shape)
    pair = (int(at[0]), int(at[1]))
    return FallTest(size=size, p=p, estimate=float(size[pair]), pair=pair, **rest)  # type: ignore[arg-type]
