"""Leave-one-out prediction within groups: every predictor is a matrix of weights on the others.

Row i of the matrix says how the scores of the other models make the prediction for model i; its
diagonal is zero. So a permutation of the scores costs one matrix product.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from scalefit.types import Floats, Ints


def codes_of(groups: Sequence[Hashable]) -> Ints:
    """Give every group a number, by first appearance."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], dtype=np.int64)


def others(codes: Ints) -> NDArray[np.bool_]:
    """Say which models may predict which: others of the same group."""
    same = codes[:, None] == codes
    np.fill_diagonal(same, False)
    return np.asarray(same)


def nearest(square: Floats, codes: Ints, neighbours: int) -> Floats:
    """Weigh the nearest models of the group equally; all that tie with the last one count."""
    apart = np.where(others(codes) & np.isfinite(square), square, np.inf)
    limit = np.sort(apart, axis=1)[:, neighbours - 1 : neighbours]
    return _shared((apart <= limit) & np.isfinite(apart))


def same_basin(labels: Ints, codes: Ints) -> Floats:
    """Weigh the other models of the basin equally; of the whole group where a basin has but one."""
    allowed = others(codes)
    basin = allowed & (labels[:, None] == labels)
    return _shared(np.where(basin.any(axis=1, keepdims=True), basin, allowed))


def group_mean(codes: Ints) -> Floats:
    """Weigh all other models of the group equally: the prediction that knows nothing."""
    return _shared(others(codes))


def _shared(chosen: NDArray[np.bool_]) -> Floats:
    return np.asarray(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1))


def line(feature: Floats, codes: Ints) -> Floats:
    """Weigh as a straight line of the score on a feature would, fitted on the others of the group.

    From the hat matrix H of all models, leaving one out is (H_ij / (1 - H_ii)) for j != i.
    """
    weights = np.zeros((len(codes),) * 2)
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        centred = feature[members] - feature[members].mean()
        power = float(centred @ centred)
        hat = np.full((len(members),) * 2, 1 / len(members))
        if power > 0:
            hat += np.outer(centred, centred) / power
        own = np.minimum(hat.diagonal(), 1 - 1e-9)
        part = hat / (1 - own)[:, None]
        np.fill_diagonal(part, 0.0)
        weights[np.ix_(members, members)] = part
    return weights


def centred(values: Floats, codes: Ints) -> Floats:
    """Take the group's mean off the last axis: what is left is variation within groups."""
    member = (codes == np.arange(codes.max() + 1)[:, None]).astype(np.float64)
    means = values @ member.T / member.sum(axis=1)
    result: Floats = values - means[..., codes]
    return result


def correlation(first: Floats, second: Floats, codes: Ints) -> Floats:
    """Return the correlation within groups along the last axis; 0 where nothing varies."""
    a, b = centred(first, codes), centred(second, codes)
    power = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.asarray(np.where(power > 1e-12, (a * b).sum(axis=-1) / np.maximum(power, 1e-12), 0.0))


def shuffles(codes: Ints, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return permutations of the models that stay within groups, (count, n)."""
    orders = np.tile(np.arange(len(codes)), (count, 1))
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        orders[:, members] = rng.permuted(np.tile(members, (count, 1)), axis=1)
    return orders


def share_as_large(found: float, null: Floats) -> float:
    """Return the permutation p-value (1 + as large) / (1 + permutations)."""
    return float((1 + (null >= found - 1e-12).sum()) / (1 + null.size))
