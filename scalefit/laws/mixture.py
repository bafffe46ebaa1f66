"""Mixing laws: loss as a function of the shares of sources in a training mixture.

Shares sum to one, so a constant added to every t_j is a factor of k: only m − 1 of the published m slopes can be
known. The last source is the reference, its slope 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from scalefit.errors import LawError
from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape

FEWEST, MOST, CELLS = 2, 6, 4000


def _basis(*shares_and_slopes: Any) -> tuple[Any, Any]:
    """Return 1 and e^(Σ t_j r_j): m shares, then the slopes of all but the last."""
    m = (len(shares_and_slopes) + 1) // 2
    shares, slopes = shares_and_slopes[: m - 1], shares_and_slopes[m:]
    return 1.0, np.exp(sum(t * r for t, r in zip(slopes, shares, strict=True)))


def _slopes(phi: Any, *shares_and_slopes: Any) -> tuple[tuple[Any, Any], ...]:
    m = (len(shares_and_slopes) + 1) // 2
    return tuple((0.0, share * phi[1]) for share in shares_and_slopes[: m - 1])


@lru_cache(maxsize=MOST)
def mixture_of(sources: int) -> Law:
    """Return the mixing law of so many sources, ``mixture2`` to ``mixture6``; ``mixture`` is the one of three.

    Raises LawError: fewer than two sources, or more than six.

    Examples
    --------
    >>> from scalefit.laws.mixture import mixture_of
    >>> mixture_of(2).inputs, mixture_of(2).parameters
    (('r1', 'r2'), ('c', 'k', 't1'))
    """
    if not FEWEST <= sources <= MOST:
        raise LawError(
            f"a mixing law of {sources} sources; needed {FEWEST} to {MOST}: put sources that behave alike together"
        )
    free = sources - 1
    points = int(CELLS ** (1 / free))
    return Law(
        name="mixture" if sources == 3 else f"mixture{sources}",
        formula="c + k·e^(Σ t_j·r_j), Σ r_j = 1",
        inputs=tuple(f"r{j}" for j in range(1, sources + 1)),
        coefficients=(
            Coefficient("c", 0.0, meaning="loss that no mixture goes below", role="floor"),
            Coefficient("k", 0.0, meaning="the rest for the last source alone", role="scale"),
        ),
        shapes=tuple(
            Shape(
                f"t{j}",
                (-20.0, 20.0),
                points=min(points - 1 + points % 2, 101),
                meaning=f"slope of source {j} against the last",
            )
            for j in range(1, sources)
        ),
        basis=_basis,
        slopes=_slopes,
        takes="share",
        source="Ye et al. 2024, arXiv 2403.16952 (Data mixing laws), equation of the mixing law",
    )


mixture = mixture_of(3)
