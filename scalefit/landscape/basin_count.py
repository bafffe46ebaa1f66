"""How many basins: the best cut, what a single cloud would show, what subsamples would choose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalefit.types import Floats, Ints

from .spectral import adjusted_rand, bent, by_size, partition, scaled, silhouette, spectrum

KEPT = 0.8
CLOUDS = 8
NOISES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)


class Cut(NamedTuple):
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


def cut(square: Floats, vectors: Floats, k: int, rng: np.random.Generator) -> Cut:
    """Cut into k clusters; a model alone is an outlier and no basin, and goes to the nearest one."""
    labels = partition(vectors, k, rng)
    sizes = np.bincount(labels)
    lone, basins = sizes[labels] == 1, np.flatnonzero(sizes > 1)
    if not basins.size:
        labels = np.zeros_like(labels)
    elif lone.any():
        means = np.stack([square[:, labels == c].mean(axis=1) for c in basins], axis=1)
        labels = by_size(np.where(lone, basins[means.argmin(axis=1)], labels))
    return Cut(silhouette(square, labels), labels, lone)


def cuts(square: Floats, vectors: Floats, tried: range, rng: np.random.Generator) -> dict[int, Cut]:
    """Return the best cut of every number of basins that comes out."""
    found: dict[int, Cut] = {}
    for k in tried:
        new = cut(square, vectors, k, rng)
        if new.number not in found or new.width > found[new.number].width:
            found[new.number] = new
    return found


def widest(found: dict[int, Cut]) -> Cut:
    """Return the cut of largest silhouette width."""
    return max(found.values(), key=lambda one: one.width)


def best_cut(square: Floats, tried: range, rng: np.random.Generator) -> Cut:
    """Return the widest of all cuts of these distances."""
    return widest(cuts(square, spectrum(square)[1], tried, rng))


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
    rising = np.maximum.accumulate(reached) + 1e-12 * np.arange(len(NOISES))
    return float(np.interp(bent(square), rising, NOISES))


def resampled(
    square: Floats, labels: Ints, tried: range, rng: np.random.Generator, resamples: int
) -> tuple[dict[int, float], float]:
    """Return how often subsamples choose each number, and how well their basins agree."""
    votes, agreement = [], []
    size = max(round(KEPT * len(square)), 2 * tried[-1] - 1, 4)
    for _ in range(resamples):
        kept = np.sort(rng.choice(len(square), size=min(size, len(square)), replace=False))
        part = square[np.ix_(kept, kept)]
        vectors = spectrum(part)[1]
        votes.append(widest(cuts(part, vectors, tried, rng)).number)
        again = partition(vectors, int(labels.max()) + 1, rng)
        agreement.append(adjusted_rand(again, labels[kept]))
    shares = {k: votes.count(k) / len(votes) for k in sorted({*tried, *votes})}
    return shares, float(np.mean(agreement))


def quick_labels(square: Floats, most: int = 6, seed: int = 0) -> Ints:
    """Return the basins of largest silhouette width, without asking whether there is only one."""
    tried = range(2, min(most, len(square) // 2) + 1)
    if not len(tried):
        return np.zeros(len(square), dtype=np.int64)
    return best_cut(square, tried, np.random.default_rng(seed)).labels


def eigengap(values: Floats, most: int) -> int:
    """Return the number before the largest gap between the first eigenvalues."""
    values = values[: most + 1]
    return int(np.argmax(values[:-1] - values[1:])) + 1


def contrast(vectors: Floats, labels: Ints) -> Floats:
    """Return the distance to the second basin's centre less that to the first's."""
    if labels.max() < 1:
        return np.full(len(labels), np.nan)
    rows = vectors[:, : int(labels.max()) + 1]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    centres = [rows[labels == c].mean(axis=0) for c in (0, 1)]
    near, far = (np.linalg.norm(rows - centre, axis=1) for centre in centres)
    return np.asarray(far - near)
