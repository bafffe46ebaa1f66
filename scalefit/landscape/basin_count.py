"""How many basins: the best cut, what a single cloud would show, what subsamples would choose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalefit.types import Floats, Ints

# Spectral clustering of a distance matrix, small enough to need numpy alone.
#
# Affinity exp(-d² / 2 delta²) with delta the median distance (Juneja et al. 2023 take delta = 1, which
# is flat where barriers are small); normalised as by Ng, Jordan & Weiss (2001, NIPS).


_STARTS, _ROUNDS = 8, 50
_MOST = 6  # basins that are looked for in passing


def affinity(distances: Floats) -> Floats:
    """Return the Gaussian affinity at the scale of the median distance."""
    apart = distances[np.triu_indices(len(distances), 1)]
    scale = float(np.median(apart)) or float(apart.mean()) or 1.0
    result: Floats = np.exp(-(distances**2) / (2 * scale**2))
    return result


def spectrum(distances: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues (falling) and eigenvectors of the normalised affinity."""
    weights = affinity(distances)
    # Divided by both degrees, or a dense basin would outvote a sparse one (Ng, Jordan & Weiss 2001, NIPS 14).
    root = 1 / np.sqrt(weights.sum(axis=1))
    values, vectors = np.linalg.eigh(root[:, None] * weights * root)
    return values[::-1], vectors[:, ::-1]


def partition(vectors: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Cut the spectral embedding into k clusters; they are numbered by falling size."""
    if k == 1:
        return np.zeros(len(vectors), dtype=np.int64)
    rows = vectors[:, :k]
    # On the unit sphere: how far out a model lies says how well connected it is, not to which basin it belongs.
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return _by_size(kmeans(rows, k, rng))


def kmeans(points: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Return the best of several k-means runs, started by k-means++ (Arthur & Vassilvitskii 2007)."""
    # All starts move together: one product a round instead of one a start.
    centres = np.stack([_seeds(points, k, rng) for _ in range(_STARTS)])
    labels = _squared(points, centres).argmin(axis=2)
    for _ in range(_ROUNDS):
        members = (labels[:, :, None] == np.arange(k)).astype(np.float64)
        sizes = members.sum(axis=1)[:, :, None]
        means = members.transpose(0, 2, 1) @ points / np.maximum(sizes, 1)
        centres = np.where(sizes > 0, means, centres)
        new = _squared(points, centres).argmin(axis=2)
        if np.array_equal(new, labels):
            break
        labels = new
    spread = _squared(points, centres).min(axis=2).sum(axis=1)
    best: Ints = labels[int(spread.argmin())]
    return best


def _seeds(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    centres = points[rng.integers(len(points))][None]
    far = np.full(len(points), np.inf)
    while len(centres) < k:
        far = np.minimum(far, ((points - centres[-1]) ** 2).sum(axis=1))
        total = far.sum()  # 0 where all models that are left lie on centres: any of them will do
        # The farther from all centres so far the likelier: two starts in one basin leave another without any.
        pick = rng.choice(len(points), p=far / total if total > 0 else None)
        centres = np.vstack([centres, points[pick]])
    return np.asarray(centres)


def _squared(points: Floats, centres: Floats) -> Floats:
    """Return squared distances of points (n, d) to centres (starts, k, d), (starts, n, k)."""
    cross = points @ centres.transpose(0, 2, 1)
    own = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=2)[:, None]
    # By the product, not by differences: (starts, n, k, d) would be held for it. Rounding may fall below 0.
    return np.asarray(np.maximum(own - 2 * cross, 0.0))


def _by_size(labels: Ints) -> Ints:
    """Give clusters numbers by falling size, ties by first appearance."""
    clusters, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(clusters)), key=lambda c: (-counts[c], first[c]))
    number = {int(clusters[c]): place for place, c in enumerate(order)}
    return np.array([number[int(label)] for label in labels], dtype=np.int64)


def silhouette(distances: Floats, labels: Ints) -> float:
    """Return the mean silhouette width on the distances (Rousseeuw 1987); singletons count 0."""
    count = int(labels.max()) + 1
    if count < 2:
        return 0.0
    members = labels[:, None] == np.arange(count)
    sizes = members.sum(axis=0)
    sums = distances @ members
    own = sizes[labels]
    inside = sums[np.arange(len(labels)), labels] / np.maximum(own - 1, 1)
    means = np.where(members, np.inf, sums / sizes)  # one's own basin is never the nearest other
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    width = np.where(
        (own > 1) & (larger > 0), (outside - inside) / np.where(larger > 0, larger, 1), 0
    )
    return float(width.mean())


def adjusted_rand(first: Ints, second: Ints) -> float:
    """Return the adjusted Rand index of two partitions (Hubert & Arabie 1985)."""
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1)
    together = (table * (table - 1) / 2).sum()
    rows, columns = ((table.sum(axis=a) * (table.sum(axis=a) - 1) / 2).sum() for a in (1, 0))
    expected = rows * columns / (len(first) * (len(first) - 1) / 2)
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def scaled(distances: Floats, dimensions: int | None = None) -> Floats:
    """Return coordinates by classical multidimensional scaling (Torgerson 1952)."""
    values, vectors = _principal(distances)
    order = np.argsort(values)[::-1][: dimensions or len(values)]
    kept = np.maximum(values[order], 0.0)
    result: Floats = vectors[:, order] * np.sqrt(kept)
    return result


def bent(distances: Floats) -> float:
    """Return how far distances are from Euclidean: the share of negative eigenvalues in classical scaling."""
    values = _principal(distances)[0]
    total = np.abs(values).sum()
    return float(-values[values < 0].sum() / total) if total > 0 else 0.0


def _principal(distances: Floats) -> tuple[Floats, Floats]:
    n = len(distances)
    centre = np.eye(n) - 1 / n
    # If they are Euclidean, these are the inner products of the points about their centroid.
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    return values, vectors


_KEPT = 0.8
CLOUDS = 8
NOISES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)


class Clustering(NamedTuple):
    """A partition into basins of two models or more.

    Attributes
    ----------
    width : mean silhouette width.
    labels : (n,), basins by falling size.
    lone : (n,), whether k-means left the model alone; it is counted to the nearest basin.
    """

    width: float
    labels: Ints
    lone: NDArray[np.bool_]

    @property
    def number(self) -> int:
        """Basins."""
        return int(self.labels.max()) + 1


def clustering(square: Floats, vectors: Floats, k: int, rng: np.random.Generator) -> Clustering:
    """Cut into k clusters; a model alone is an outlier and no basin, and goes to the nearest one."""
    labels = partition(vectors, k, rng)
    sizes = np.bincount(labels)
    lone, basins = sizes[labels] == 1, np.flatnonzero(sizes > 1)
    if not basins.size:
        labels = np.zeros_like(labels)
    elif lone.any():
        means = np.stack([square[:, labels == c].mean(axis=1) for c in basins], axis=1)
        labels = _by_size(np.where(lone, basins[means.argmin(axis=1)], labels))
    return Clustering(silhouette(square, labels), labels, lone)


def clusterings(
    square: Floats, vectors: Floats, tried: range, rng: np.random.Generator
) -> dict[int, Clustering]:
    """Return the best cut of every number of basins that comes out."""
    best: dict[int, Clustering] = {}
    for k in tried:
        new = clustering(square, vectors, k, rng)
        if new.number not in best or new.width > best[new.number].width:
            best[new.number] = new
    return best


def widest(cuts: dict[int, Clustering]) -> Clustering:
    """Return the cut of largest silhouette width."""
    return max(cuts.values(), key=lambda one: one.width)


def best_cut(square: Floats, tried: range, rng: np.random.Generator) -> Clustering:
    """Return the widest of all cuts of these distances."""
    return widest(clusterings(square, spectrum(square)[1], tried, rng))


def p_one_cloud(
    square: Floats, width: float, tried: range, rng: np.random.Generator, resamples: int
) -> float:
    """Return how often one Gaussian cloud of the same extent, as far from Euclidean, looks as clustered."""
    extent = scaled(square).std(axis=0)
    extent = extent[extent > 0]
    if not extent.size:
        return 1.0

    def cloud() -> Floats:
        points = rng.standard_normal((len(square), extent.size)) * extent
        return np.asarray(np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2)))

    noise = _noise(square, [cloud() for _ in range(CLOUDS)], rng)
    nulls = (_blurred(cloud(), noise, rng) for _ in range(resamples))
    as_good = sum(best_cut(null, tried, rng).width >= width for null in nulls)
    return (1 + as_good) / (1 + resamples)


def _blurred(square: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Multiply every distance by log-normal noise."""
    upper = np.triu(rng.standard_normal(square.shape), 1)
    return np.asarray(square * np.exp(noise * (upper + upper.T)))


def _noise(square: Floats, clouds: list[Floats], rng: np.random.Generator) -> float:
    """Return the noise that makes clouds as far from Euclidean as the distances are."""
    reached = [np.mean([bent(_blurred(c, noise, rng)) for c in clouds]) for noise in NOISES]
    # What noise makes of a few clouds is itself noisy, and interpolation needs a rising table.
    rising = np.maximum.accumulate(reached) + 1e-12 * np.arange(len(NOISES))
    return float(np.interp(bent(square), rising, NOISES))


def resampled(
    square: Floats, labels: Ints, tried: range, rng: np.random.Generator, resamples: int
) -> tuple[dict[int, float], float]:
    """Return how often subsamples choose each number, and how well their basins agree."""
    votes, agreement = [], []
    size = max(round(_KEPT * len(square)), 2 * tried[-1] - 1, 4)
    for _ in range(resamples):
        kept = np.sort(rng.choice(len(square), size=min(size, len(square)), replace=False))
        part = square[np.ix_(kept, kept)]
        vectors = spectrum(part)[1]
        votes.append(widest(clusterings(part, vectors, tried, rng)).number)
        again = partition(vectors, int(labels.max()) + 1, rng)
        agreement.append(adjusted_rand(again, labels[kept]))
    shares = {k: votes.count(k) / len(votes) for k in sorted({*tried, *votes})}
    return shares, float(np.mean(agreement))


def quick_labels(square: Floats) -> Ints:
    """Return the basins of largest silhouette width, without asking whether there is only one."""
    tried = range(2, min(_MOST, len(square) // 2) + 1)
    if not len(tried):
        return np.zeros(len(square), dtype=np.int64)
    return best_cut(square, tried, np.random.default_rng(0)).labels


def eigengap(values: Floats, most: int) -> int:
    """Return the number before the largest gap between the first eigenvalues."""
    values = values[: most + 1]
    return int(np.argmax(values[:-1] - values[1:])) + 1


def nearness_to_first(vectors: Floats, labels: Ints) -> Floats:
    """Return the distance to the second basin's centre less that to the first's."""
    if labels.max() < 1:
        return np.full(len(labels), np.nan)
    rows = vectors[:, : int(labels.max()) + 1]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    centres = [rows[labels == c].mean(axis=0) for c in (0, 1)]
    near, far = (np.linalg.norm(rows - centre, axis=1) for centre in centres)
    return np.asarray(far - near)
