"""Association of distances or basins with scores, each with its permutation p-value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.types import Floats, Ints

from .loo import centred, codes_of, correlation, share_as_large


@dataclass(frozen=True)
class Relation:
    """A number and its permutation p-value."""

    value: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:.2f} (p = {self.p:.3g})"


def mantel(square: Floats, scores: Floats, codes: Ints, orders: Ints) -> Relation:
    """Correlate distances with differences of scores over the pairs of a group (Mantel 1967).

    The p-value is one-sided: far models should differ more. Models are permuted, not pairs.
    """
    rows, columns = np.triu_indices(len(scores), 1)
    same = codes[rows] == codes[columns]
    rows, columns = rows[same], columns[same]
    of_pair, apart = codes[rows], square[rows, columns]
    r = float(correlation(apart, np.abs(scores[rows] - scores[columns]), of_pair))
    null = [
        float(correlation(apart, np.abs(mixed[rows] - mixed[columns]), of_pair))
        for mixed in scores[orders]
    ]
    return Relation(r, share_as_large(r, np.array(null)))


def eta_squared(labels: Ints, scores: Floats, codes: Ints, orders: Ints) -> Relation:
    """Return the share of variance within groups that lies between basins.

    More basins explain more of anything; the permutation p-value knows that.
    """
    cells = codes_of(list(zip(codes.tolist(), labels.tolist(), strict=True)))

    def explained(values: Floats) -> Floats:
        total = (centred(values, codes) ** 2).sum(axis=-1)
        inside = (centred(values, cells) ** 2).sum(axis=-1)
        return np.asarray(1 - inside / np.maximum(total, 1e-12))

    found = float(explained(scores))
    return Relation(found, share_as_large(found, explained(scores[orders])))
