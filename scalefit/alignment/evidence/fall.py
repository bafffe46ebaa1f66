"""The fall test of one curve, whatever noise it has, and what two of them, of quality and of the loss, say together.

Two conjunctions are tested over pairs of sizes i < j. *Conflict*: quality falls and the loss improves. The p value of a
pair is the larger of the two, each already adjusted for all pairs; that of the group is the smallest over pairs. Asking
for both costs no level (an intersection-union test), and hardly any power, as the loss half is rarely in doubt.
*Underrated*: the loss gets worse while quality rises, each beyond its margin by lower bounds that hold over all pairs
at once; such a loss would throw away a corpus that helps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from scalefit.alignment import falls
from scalefit.alignment.curve import Curve, common
from scalefit.alignment.falls import degrees, pair_p_values, pair_reach, residual_sd, smallest_fall
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise, estimate
from scalefit.types import Floats, Ints, Mask

from . import Piece, tokens

_Source = Literal["replicates", "scatter", "given"]


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

    @property
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
    cautious : without replicates, never take a curve for quieter than its scatter. False where another test keeps the
        level: that a loss improves is asked beside a fall of quality only.
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
    later = np.triu(np.ones((len(y), len(y)), dtype=bool), 1)
    size = np.where(later, y[:, None] - y[None], np.nan)
    given = seed_sd is not None
    sd = np.nan if given else float(residual_sd(x, y))
    known = float(seed_sd) if seed_sd is not None else _with_test_set(reference, curve)
    # fmax, for the scatter is nan where the noise is given.
    known = float(np.fmax(known, sd)) if cautious else known
    at_least = size - smallest_fall(x, sd, known, alpha)
    scatter = "one run a size: scatter of the curve"
    return FallTest(
        sizes=curve.sizes,
        size=size,
        p=pair_p_values(x, size, sd, known),
        at_least=at_least,
        reach=pair_reach(x, known if given else sd, alpha, known=given),
        lower=float(np.nanmax(at_least)),
        noise=RunNoise(known, np.inf) if given else RunNoise(sd, float(degrees(len(y)))),
        alpha=alpha,
        source="given" if given else "scatter",
        method="one run a size: seed noise as given" if given else scatter,
    )


def _with_test_set(reference: float, curve: Curve) -> float:
    """Return the reference noise, with the test set's own added where that is known."""
    errors = curve.stderr[np.isfinite(curve.stderr)]
    return float(np.hypot(reference, np.median(errors))) if len(errors) else reference


@dataclass(frozen=True)
class Underrated(Piece):
    """The pair of sizes over which quality surely rises while the loss surely gets worse.

    Attributes
    ----------
    smaller, larger : the sizes.
    rise : how far quality rises between them.
    loss : how far the loss gets worse between them.
    """

    smaller: float
    larger: float
    rise: float
    loss: float

    def line(self, scale: Scale) -> str:
        """Where, and by how much."""
        return (
            f"cross-entropy gets worse by {self.loss:.2g} while quality rises by "
            f"{scale.digits(self.rise)} ({tokens(self.smaller)} → {tokens(self.larger)})"
        )


def underrated(
    rise: FallTest, loss: FallTest, margin: float, loss_margin: float
) -> Underrated | None:
    """Find such a pair; None where there is none beyond doubt.

    Parameters
    ----------
    rise : fall test of quality with the sign turned.
    loss : fall test of what the loss gains: where it falls, the loss gets worse.
    margin, loss_margin : differences that do not matter, in each metric's units.
    """
    at, other = common(rise.sizes, loss.sizes)
    if len(at) < 2:
        return None
    here, there = np.ix_(at, at), np.ix_(other, other)
    both = np.minimum(
        _beyond(rise.at_least[here], margin), _beyond(loss.at_least[there], loss_margin)
    )
    i, j = (int(v) for v in np.unravel_index(int(np.argmax(both)), both.shape))
    if not both[i, j] > 0:
        return None
    return Underrated(
        smaller=float(rise.sizes[at[i]]),
        larger=float(rise.sizes[at[j]]),
        rise=float(rise.size[at[i], at[j]]),
        loss=float(loss.size[other[i], other[j]]),
    )


def _beyond(at_least: Floats, margin: float) -> Floats:
    """Lower bounds in excess of the margin, in margins; below 0 outside i < j."""
    return np.asarray(np.nan_to_num(at_least / margin - 1, nan=-1.0))


@dataclass(frozen=True, eq=False)
class Conflict(Piece):
    """The pair of sizes that speaks most against cross-entropy.

    Attributes
    ----------
    p : p value of "somewhere loss improves and quality falls".
    smaller, larger : the sizes.
    fall : how far quality falls between them.
    gain : how far loss improves between them.
    """

    p: float
    smaller: float
    larger: float
    fall: float
    gain: float

    def line(self, scale: Scale) -> str:
        """Where loss improves most surely while quality falls."""
        return (
            f"cross-entropy improves while quality falls: p = {self.p:.2g} "
            f"({tokens(self.smaller)} → {tokens(self.larger)})"
        )


def conflict(fall: FallTest, gain: FallTest) -> Conflict | None:
    """Test the conjunction; None where fewer than two sizes have both metrics.

    Parameters
    ----------
    fall : fall test of quality.
    gain : fall test of the loss itself: a falling loss improves.
    """
    at, other = common(fall.sizes, gain.sizes)
    if len(at) < 2:
        return None
    both = np.maximum(fall.p[np.ix_(at, at)], gain.p[np.ix_(other, other)])
    # Among equally sure pairs the one with the larger fall is shown.
    falls = np.nan_to_num(fall.size[np.ix_(at, at)], nan=-np.inf)
    tied = np.where(both <= both.min() + 1e-12, falls, -np.inf)
    i, j = (int(v) for v in np.unravel_index(int(np.argmax(tied)), tied.shape))
    return Conflict(
        p=float(both.min()),
        smaller=float(fall.sizes[at[i]]),
        larger=float(fall.sizes[at[j]]),
        fall=float(fall.size[at[i], at[j]]),
        gain=float(gain.size[other[i], other[j]]),
    )
