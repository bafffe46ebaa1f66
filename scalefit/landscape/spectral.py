"""Spectral clustering of a distance matrix, small enough to need numpy alone.

Affinity exp(-d² / 2 delta²) with delta the median distance (Juneja et al. 2023 take delta = 1, which
is flat where barriers are small); normalised as by Ng, Jordan & Weiss (2001, NIPS).
"""

from __future__ import annotations

import numpy as np

from scalefit.types import Floats, Ints

STARTS = 8
ROUNDS = 50


def affinity(distances: Floats) -> Floats:
    """Return the Gaussian affinity at the scale of the median distance."""
    apart = distances[np.triu_indices(len(distances), 1)]
    scale = float(np.median(apart)) or float(apart.mean()) or 1.0
    result: Floats = np.exp(-(distances**2) / (2 * scale**2))
    return result


def spectrum(distances: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues (falling) and eigenvectors of the normalised affinity."""
    weights = affinity(distances)
    root = 1 / np.sqrt(weights.sum(axis=1))
    values, vectors = np.linalg.eigh(root[:, None] * weights * root)
    return values[::-1], vectors[:, ::-1]


def partition(vectors: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Cut the spectral embedding into k clusters; they are numbered by falling size."""
    if k == 1:
        return np.zeros(len(vectors), dtype=np.int64)
    rows = vectors[:, :k]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return by_size(kmeans(rows, k, rng))


def kmeans(points: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Return the best of several k-means runs, started by k-means++ (Arthur & Vassilvitskii 2007)."""
    centres = np.stack([_seeds(points, k, rng) for _ in range(STARTS)])
    labels = _squared(points, centres).argmin(axis=2)
    for _ in range(ROUNDS):
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
        total = far.sum()
        pick = rng.choice(len(points), p=far / total if total > 0 else None)
        centres = np.vstack([centres, points[pick]])
    return np.asarray(centres)


def _squared(points: Floats, centres: Floats) -> Floats:
    """Return squared distances of points (n, d) to centres (starts, k, d), (starts, n, k)."""
    cross = points @ centres.transpose(0, 2, 1)
    own = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=2)[:, None]
    return np.asarray(np.maximum(own - 2 * cross, 0.0))


def by_size(labels: Ints) -> Ints:
    """Give clusters numbers by falling size, ties by first appearance."""
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(found)), key=lambda c: (-counts[c], first[c]))
    number = {int(found[c]): place for place, c in enumerate(order)}
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
    means = np.where(members, np.inf, sums / sizes)
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
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    return values, vectors
