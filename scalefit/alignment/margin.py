"""What half a BLEU point is in other metrics, and how large seed noise has been seen to be.

The margin is given in BLEU points. For other metrics it is scaled, and the result says so:
100-point metrics keep it; fractions (accuracy, F1, COMET on 0-1) take a hundredth of it;
cross-entropy a tenth, from BLEU = C exp(-k L) with k near 0.43 at BLEU 25 (Gordon et al. 2021).

The reference noise is the largest seed standard deviation seen in published replicates, 0.69
BLEU or 4 % of BLEU and 0.031 nats or 1 % of cross-entropy (Gordon et al. 2021, low-resource
runs with five data seeds). It serves only where a table has one seed a size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DesignError
from scalefit.table.metrics import canonical, metric
from scalefit.types import Floats

__all__ = ["Scale", "scale_of"]

_BLEU_SD, _BLEU_SHARE = 0.69, 0.04
_CE_SD, _CE_SHARE = 0.031, 0.01
_LOSSES = ("cross_entropy", "cross_entropy_per_byte")


@dataclass(frozen=True)
class Scale:
    """Direction, margin and reference noise of one metric.

    Attributes
    ----------
    sign : +1 where more is better, -1 where less is.
    margin : largest fall that does not matter, in the metric's own units.
    reference : largest plausible seed standard deviation, in the metric's own units.
    note : what was scaled and why; empty for BLEU.
    """

    sign: float
    margin: float
    reference: float
    note: str = ""

    def digits(self, value: float) -> str:
        """Write a difference of the metric with the digits that its margin calls for."""
        places = max(0, int(np.ceil(-np.log10(self.margin))) + 1)
        return f"{value:.{places}f}"


def scale_of(name: str, values: Floats, margin: float | Mapping[str, float]) -> Scale:
    """Return the scale of a metric whose measured values are `values`.

    Raises
    ------
    DesignError
        The metric's direction is unknown, or the margin is not positive.
    """
    known = metric(name)
    if known.direction is None:
        raise DesignError(
            f"metric {name!r} is not known to be better high or low, so no fall can be told; "
            "needed one of the known metrics. Try: rename it with mapping={...}, "
            "or negate a loss-like metric and call it 'ter'"
        )
    factor, why = _factor(known.name, values)
    given = _given(name, margin)
    size = float(margin) * factor if isinstance(margin, int | float) else given
    if size is None:
        size = 0.5 * factor
    if not (size > 0 and np.isfinite(size)):
        raise DesignError(f"margin is {size:g} for {name!r}; needed a positive number, e.g. 0.5")
    note = "" if factor == 1.0 or given is not None else f"margin {size:g} {name}: {why}"
    return Scale(
        1.0 if known.direction == "+" else -1.0, size, _reference(known.name, values, factor), note
    )


def _given(name: str, margin: float | Mapping[str, float]) -> float | None:
    if isinstance(margin, int | float):
        return None
    margins = {canonical(k): float(v) for k, v in margin.items()}
    return margins.get(canonical(name))


def _factor(name: str, values: Floats) -> tuple[float, str]:
    """Units of the metric to one BLEU point, and the reason in words."""
    if name in _LOSSES:
        return 0.1, "0.1 nats are taken as one BLEU point"
    if name == "perplexity":
        level = float(np.nanmedian(values))
        return 0.1 * level, "10 % of perplexity (0.1 nats) are taken as one BLEU point"
    if name in ("accuracy", "error", "f1"):
        return 0.01, "one point of 100 is taken as one BLEU point"
    if name in ("comet", "comet_qe") and float(np.nanmedian(np.abs(values))) <= 1.5:
        return 0.01, "the values lie on 0-1, so 0.01 is taken as one BLEU point"
    return 1.0, ""


def _reference(name: str, values: Floats, factor: float) -> float:
    top = float(np.nanmax(np.abs(values)))
    if name in _LOSSES:
        return max(min(_CE_SD, _CE_SHARE * top), 1e-12)
    if name in ("comet", "comet_qe", "accuracy", "error", "f1", "perplexity"):
        return _BLEU_SD * factor
    return max(min(_BLEU_SD, _BLEU_SHARE * top), 1e-12)
