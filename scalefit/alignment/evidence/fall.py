"""The fall test of one curve, whatever noise it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import special

from scalefit.alignment import falls, hayter
from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise, estimate
from scalefit.alignment.single_run import SingleRuns, single_runs
from scalefit.alignment.smooth import degrees
from scalefit.types import Floats, Ints, Mask

from . import Piece, tokens

_Source = Literal["replicates", "scatter", "one run", "given"]
_OF_SINGLE_RUNS: dict[_Source, str] = {
    "scatter": "scatter of the curve",
    "one run": "scatter of the curve, whose checkpoints hang together",
    "given": "seed noise as given",
}


@dataclass(frozen=True, eq=False)
class FallTest(Piece):
    """Falls from earlier to later sizes (rises, when the sign was turned).

    Attributes
    ----------
    sizes : (K,) pretraining tokens.
    size, p : (K, K) estimated fall and its family-wise p value for i < j; nan and 1 elsewhere.
    at_least : (K, K) lower bounds of all falls that hold at once with probability 1 - alpha.
    reach : (K, K) one-sided half-width of each difference by itself, at level 1 - alpha.
    lower : lower bound of the largest fall, right with probability 1 - alpha.
    noise : noise of one unit.
    alpha : level of bounds and of :attr:`real`.
    source : where the noise comes from; method says it in words.
    """

    sizes: Floats
    size: Floats
    p: Floats
    at_least: Floats
    reach: Floats
    lower: float
    noise: RunNoise
    alpha: float
    source: _Source
    method: str

    @cached_property
    def pair(self) -> tuple[int, int]:
        """Sizes (i, j) between which the largest estimated fall lies."""
        i, j = np.unravel_index(int(np.nanargmax(self.size)), self.size.shape)
        return int(i), int(j)

    @property
    def estimate(self) -> float:
        """The largest estimated fall; negative when every step rises."""
        return float(self.size[self.pair])

    @property
    def upper(self) -> float:
        """Upper bound of the largest fall, right with probability 1 - alpha."""
        return float(np.nanmax(self.size + self.reach))

    @property
    def smallest(self) -> float:
        """The smallest fall that these runs would have shown beyond doubt."""
        return float(np.nanmin(self.size - self.at_least))

    @property
    def sd(self) -> float:
        """Standard deviation of one unit."""
        return self.noise.sd

    @property
    def nu(self) -> float:
        """Degrees of freedom of :attr:`sd`."""
        return self.noise.nu

    @property
    def p_value(self) -> float:
        """Family-wise p value of any fall at all."""
        return float(self.p.min())

    @property
    def real(self) -> Mask:
        """Pairs whose fall is beyond doubt, (K, K)."""
        return np.asarray(self.p <= self.alpha)

    @property
    def sure(self) -> bool:
        """Whether any fall is beyond doubt."""
        return bool(self.real.any())

    @property
    def span(self) -> str:
        """The sizes of the largest fall in words."""
        return self._between("to")

    @property
    def places(self) -> str:
        """The two sizes of the largest fall, where more runs would tell most."""
        return self._between("and")

    def _between(self, word: str) -> str:
        first, last = (tokens(self.sizes[place]) for place in self.pair)
        return f"{first} {word} {last} tokens"

    @property
    def wanders(self) -> str:
        """What a fall of single runs leaves open: checkpoints of one run that hang together seem to fall."""
        if not self.sure or self.source != "scatter":
            return ""
        return (
            " Checkpoints of one run that hang together (correlation .8) seem to fall in a tenth of flat curves of six "
            "sizes and a quarter of twelve; a column pretrain_run says whose they are. A fifth of flat curves "
            "of six sizes seem to fall where the first is 5 × as noisy as the others."
        )

    def half_width(self, runs: Ints) -> Floats:
        """Half-width (K,) of each size's 95 % t interval, without what all sizes share; 0 if unknown."""
        if not (np.isfinite(self.noise.sd) and self.noise.nu > 0):
            return np.zeros(len(runs))
        quantile = special.stdtrit(min(self.noise.nu, 1e9), 0.975)
        return np.asarray(quantile * self.noise.sd / np.sqrt(runs))

    def line(self, scale: Scale) -> str:
        """Say the largest fall with its bounds, and how the noise was measured."""
        upper = scale.digits(self.upper) if np.isfinite(self.upper) else "unbounded"
        return (
            f"quality: largest fall {scale.digits(self.estimate)} ({self.span}), bounds "
            f"[{scale.digits(self.lower)}, {upper}], p = {self.p_value:.2g}; "
            f"{self.method}, SD {self.sd:.2g} on {self.nu:.0f} df"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the largest fall and the noise; all pairs would be long."""
        names = ("estimate", "pair", "lower", "upper", "sd", "nu", "method")
        return {"p": self.p_value, **{name: getattr(self, name) for name in names}}


def fall_test(
    curve: Curve,
    sign: float,
    reference: float,
    alpha: float,
    seed_sd: float | None = None,
    *,
    cautious: bool = True,
) -> FallTest:
    """Test whether `sign` x the curve falls anywhere.

    Parameters
    ----------
    curve : the curve, at least two sizes.
    sign : +1 to look for falls of the values, -1 for rises.
    reference : largest plausible seed noise; used only without replicates.
    alpha : family level over all pairs of sizes.
    seed_sd : known standard deviation of one run, in place of an estimate, without replicates.
    cautious : without replicates, take noise for no more than the reference only where the curve looks so. False where
        another test keeps the level: that a loss improves is asked beside a fall of quality only.
    """
    if curve.level == "single":
        return _of_single_runs(curve, sign, reference, alpha, seed_sd, cautious)
    noise = estimate(curve.values, curve.design, curve.profile)
    seen = falls.falls(noise, sign)
    unit = "pretraining runs" if curve.level == "procedure" else "finetuning seeds of one run"
    how = "within sizes" if curve.design == "separate" else "seed x size interaction"
    if curve.profile is not None:
        how += f", sizes compared over {curve.profile.groups} groups"
    return FallTest(
        sizes=curve.sizes,
        size=seen.size,
        p=falls.p_values(seen),
        at_least=seen.at_least(alpha),
        reach=seen.reach(alpha),
        lower=falls.lower(seen, alpha),
        noise=RunNoise(float(noise.sd), noise.nu),
        alpha=alpha,
        source="replicates",
        method=f"{unit}, {how}",
    )


def _of_single_runs(
    curve: Curve, sign: float, reference: float, alpha: float, seed_sd: float | None, cautious: bool
) -> FallTest:
    y, x = sign * curve.means, curve.x
    size = np.where(hayter.later(len(y)), y[:, None] - y[None], np.nan)
    known, source = _with_test_set(reference, curve), _told_by(curve, seed_sd)
    if seed_sd is not None:
        runs, noise = SingleRuns(x, seed_sd), RunNoise(seed_sd, np.inf)
    elif len(y) > 2:
        hanging = source == "one run"
        runs = single_runs(x, curve.strays, known, trusted=not cautious, hanging=hanging)
        noise = RunNoise(runs.sd, float(degrees(len(y))))
    else:  # two runs say nothing of the noise, nor whether it is that of others
        runs, noise = SingleRuns(x, np.inf if cautious else known), RunNoise(np.nan, 0.0)
    at_least = size - runs.smallest(alpha)
    return FallTest(
        sizes=curve.sizes,
        size=size,
        p=runs.p_values(size),
        at_least=at_least,
        reach=runs.reach(alpha),
        lower=float(np.nanmax(at_least)),
        noise=noise,
        alpha=alpha,
        source=source,
        method=f"one run a size: {_OF_SINGLE_RUNS[source]}",
    )


def _told_by(curve: Curve, seed_sd: float | None) -> _Source:
    if seed_sd is not None:
        return "given"
    return "one run" if curve.design == "shared" else "scatter"


def _with_test_set(reference: float, curve: Curve) -> float:
    """Return the reference noise, with the test set's own added where that is known."""
    errors = curve.stderr[np.isfinite(curve.stderr)]
    return float(np.hypot(reference, np.median(errors))) if len(errors) else reference
