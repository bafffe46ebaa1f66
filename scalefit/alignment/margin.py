"""What half a BLEU point is in other metrics, and how large seed noise has been seen to be.

The margin is given in BLEU points. For other metrics it is scaled, and the result says so:
100-point metrics keep it; what lies on 0-1 (accuracy, F1, COMET, WER) takes a hundredth of it;
losses a tenth, from BLEU = C exp(-k L) with k near 0.43 at BLEU 25 (Gordon et al. 2021).

The reference noise is the largest seed standard deviation seen in published replicates, 0.69
BLEU or 4 % of BLEU and 0.031 nats or 1 % of cross-entropy (Gordon et al. 2021, low-resource
runs with five data seeds). It serves only where a table has one seed a size.

What a difference means to people is read off a public calibration of metric differences against
human ranking (Kocmi et al. 2024, Navigating the Metrics Maze, arXiv 2401.06760, whose constants
are those of github.com/kocmitom/MT-Thresholds): share = top / (1 + exp(-slope * difference)) for
BLEU, chrF, COMET-22 and CometKiwi-22, and nothing outside 55 to 80 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from scalefit.errors import DesignError
from scalefit.table.metrics import Metric, canonical, metric
from scalefit.types import Floats

DEFAULT_MARGIN = "human:0.7"
"""A fall that three people in ten would not see is no reason to reject a corpus."""

_BLEU_SD, _BLEU_SHARE = 0.69, 0.04
_CE_SD, _CE_SHARE = 0.031, 0.01
_AGREEMENT = {
    "bleu": (0.8833, 0.9664),
    "chrf": (0.9300, 1.1143),
    "comet": (0.9622, 2.8359),
    "comet_qe": (0.9888, 2.7193),
}
"""Share of human rankings that agree with a huge difference, and slope per point of 100."""
_LEAST, _MOST = 0.55, 0.80
_FRACTIONS = 1.5
"""Values that lie below it are on a scale of 0 to 1, or of -1 to 1."""


@dataclass(frozen=True)
class Scale:
    """Direction, margin and reference noise of one metric.

    Attributes
    ----------
    sign : +1 where more is better, -1 where less is.
    margin : largest fall that does not matter, in the metric's own units.
    reference : largest plausible seed standard deviation, in the metric's own units.
    note : what was scaled and why; empty for BLEU.
    calibrated : metric whose calibration against people holds for the values divided by `unit`;
        empty where there is none.
    """

    sign: float
    margin: float
    reference: float
    note: str = ""
    calibrated: str = ""
    unit: float = 1.0

    def meaning(self, difference: float) -> str:
        """Say which share of human rankings agrees with a difference; empty where none is known."""
        if not self.calibrated:
            return ""
        share = agreement(self.calibrated, abs(difference) / self.unit)
        if share < _LEAST:
            return f"fewer than {_LEAST:.0%} of human rankings agree"
        if share > _MOST:
            return f"more than {_MOST:.0%} of human rankings agree"
        return f"{share:.0%} of human rankings agree"

    def digits(self, value: float) -> str:
        """Write a difference of the metric with the digits that its margin calls for."""
        places = max(0, int(np.ceil(-np.log10(self.margin))) + 1)
        return f"{value:.{places}f}"


def agreement(name: str, difference: float) -> float:
    """Share of human rankings that agree with a difference of a metric, in points of 100.

    Examples
    --------
    >>> round(agreement("bleu", 1.4), 2), round(agreement("bleu", 0.5), 2)
    (0.7, 0.55)
    """
    top, slope = _AGREEMENT[name]
    return float(top * expit(slope * difference))


def difference_of(name: str, share: float) -> float:
    """Difference with which this share of human rankings agrees, in points of 100.

    Raises DesignError: the share lies outside 0.55 to 0.80, where the calibration says nothing.

    Examples
    --------
    >>> round(difference_of("comet", 0.7), 2)
    0.35
    """
    if not _LEAST <= share <= _MOST:
        raise DesignError(
            f"margin 'human:{share:g}': the calibration reaches from {_LEAST:g} to {_MOST:g}. "
            "Try: margin='human:0.7'"
        )
    top, slope = _AGREEMENT[name]
    return float(logit(share / top) / slope)


def metric_scale(name: str, values: Floats, margin: float | str | Mapping[str, float]) -> Scale:
    """Return the scale of a metric whose measured values are `values`.

    Parameters
    ----------
    name : metric.
    values : what was measured of it.
    margin : in BLEU points; by metric in their own units; or ``"human:0.7"``, the difference with which 70 % of human
        rankings agree, where that is known (else half a BLEU point).

    Raises DesignError: the metric's direction is unknown, or the margin is not positive or not understood.
    """
    known = metric(name)
    if known.direction is None:
        raise DesignError(
            f"metric {name!r} is not known to be better high or low, so no fall can be told. Try: "
            f"sf.metrics.register(sf.Metric({name!r}, '+')), or name a metric that is known: mapping={{...}}"
        )
    factor, why = _factor(known, values)
    unit = factor if known.name in _AGREEMENT else 1.0
    calibrated = known.name if known.name in _AGREEMENT else ""
    share = _human(margin) if isinstance(margin, str) else None
    given = _given(name, margin) if isinstance(margin, Mapping) else None
    points = float(margin) if isinstance(margin, int | float) else 0.5
    if share is not None and calibrated:
        given = difference_of(calibrated, share) * unit
    size = points * factor if given is None else given
    if not (size > 0 and np.isfinite(size)):
        raise DesignError(f"margin is {size:g} for {name!r}; needed a positive number, e.g. 0.5")
    note = "" if factor == 1.0 or given is not None else f"margin {size:g} {name}: {why}"
    if share is not None and calibrated:
        note = f"margin {size:.3g} {name}: {share:.0%} of human rankings agree (Kocmi et al. 2024)"
    sign = 1.0 if known.rises else -1.0
    return Scale(sign, size, _reference(known, values, factor), note, calibrated, unit)


def _human(margin: str) -> float:
    """Read ``"human:0.7"``."""
    word, _, share = margin.partition(":")
    try:
        if word.strip() == "human":
            return float(share)
    except ValueError:
        pass
    raise DesignError(
        f"margin is {margin!r}; needed a number of BLEU points, a mapping of metrics, or a share of "
        "human rankings. Try: margin='human:0.7'"
    )


def _given(name: str, margin: Mapping[str, float]) -> float | None:
    margins = {canonical(k): float(v) for k, v in margin.items()}
    return margins.get(canonical(name))


def _factor(known: Metric, values: Floats) -> tuple[float, str]:
    """Units of the metric to one BLEU point, and the reason in words."""
    if known.is_loss:
        return 0.1, "0.1 nats are taken as one BLEU point"
    level = float(np.nanmedian(np.abs(values)))
    if known.is_perplexity:
        return 0.1 * level, "10 % of perplexity (0.1 nats) are taken as one BLEU point"
    top = known.up_to(float(np.nanmax(values))).upper
    if top == 1.0 or (top == np.inf and level <= _FRACTIONS):
        return 0.01, "the values lie on 0-1, so 0.01 is taken as one BLEU point"
    return 1.0, ""


def _reference(known: Metric, values: Floats, factor: float) -> float:
    top = float(np.nanmax(np.abs(values)))
    if known.is_loss:
        return max(min(_CE_SD, _CE_SHARE * top), 1e-12)
    if factor != 1.0 or known.is_rate:
        return _BLEU_SD * factor
    return max(min(_BLEU_SD, _BLEU_SHARE * top), 1e-12)
