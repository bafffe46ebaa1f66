"""Whether runs fall into two modes: mixture against one cluster, dip test, membership."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import DesignError
from scalefit.result import Result, Row
from scalefit.types import Floats

RUNS_FOR_MIXTURE = 50
_STEPS = 300


@dataclass(frozen=True, eq=False, repr=False)
class Bimodality(Result):
    """One mode or two.

    Attributes
    ----------
    modes : 1 or 2, by BIC.
    bic_gain : BIC of one Gaussian minus BIC of the mixture; above 10 is strong.
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
    Two Gaussians of their own SDs by EM from several starts, against one, by BIC (Schwarz 1978);
    SDs are kept above a tenth of the total one, so that a single run is no mode. The dip
    test (Hartigan & Hartigan 1985, Ann. Statist. 13, 70–84) through ``diptest``.

    Raises
    ------
    DesignError
        Fewer than five runs, or all equal.

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
    fits = [_em(x, float(np.quantile(x, q))) for q in (0.1, 0.25, 0.5, 0.75, 0.9)]
    likelihood, parameters = max(fits, key=lambda f: f[0])
    gain = 2 * (likelihood - _one(x)) - 3 * np.log(len(x))
    order = np.argsort(parameters[1])
    weights, means, sds = (v[order] for v in parameters)
    upper = _posterior(x, weights, means, sds)[0][:, 1]
    dip, p = _dip(x)
    return Bimodality(
        1 + int(gain > 0), float(gain), weights, means, sds, upper, dip, p, _notes(len(x), dip)
    )


def _one(x: Floats) -> float:
    return float(-len(x) / 2 * (np.log(2 * np.pi * x.var()) + 1))


def _posterior(x: Floats, w: Floats, m: Floats, s: Floats) -> tuple[Floats, float]:
    log = np.log(w) - np.log(s) - 0.5 * ((x[:, None] - m) / s) ** 2 - 0.5 * np.log(2 * np.pi)
    top = np.logaddexp(log[:, 0], log[:, 1])
    return np.exp(log - top[:, None]), float(top.sum())


def _em(x: Floats, split: float) -> tuple[float, tuple[Floats, Floats, Floats]]:
    upper = (x > split).astype(float) * 0.98 + 0.01
    share = np.column_stack([1 - upper, upper])
    floor, last = 0.1 * x.std(), -np.inf
    for _ in range(_STEPS):
        mass = share.sum(0)
        means = share.T @ x / mass
        sds = np.sqrt((share * (x[:, None] - means) ** 2).sum(0) / mass)
        parameters = (mass / len(x), means, np.maximum(sds, floor))
        share, likelihood = _posterior(x, *parameters)
        share = np.clip(share, 1e-12, 1)
        if likelihood - last < 1e-7:
            break
        last = likelihood
    return likelihood, parameters


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
