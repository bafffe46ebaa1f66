"""How many basins: the best cut, what a single cloud would show, what subsamples would choose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .spectral import adjusted_rand, partition, scaled, silhouette, spectrum

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
KEPT = 0.8


def best_cut(square: Floats, tried: range, rng: np.random.Generator) -> tuple[float, int, Labels]:
    """Return the largest silhouette width of all cuts tried, its number, and its basins."""
    vectors = spectrum(square)[1]
    cuts = [partition(vectors, k, rng) for k in tried]
    widths = [silhouette(square, cut) for cut in cuts]
    place = int(np.argmax(widths))
    return widths[place], tried[place], cuts[place]


def p_one_cloud(
    square: Floats, widths: Mapping[int, float], rng: np.random.Generator, resamples: int
) -> float:
    """Return how often one Gaussian cloud of the same extent looks as clustered."""
    found, tried = max(widths.values()), range(min(widths), max(widths) + 1)
    extent = scaled(square).std(axis=0)
    extent = extent[extent > 0]
    if not extent.size:
        return 1.0
    as_good = 0
    for _ in range(resamples):
        cloud = rng.standard_normal((len(square), extent.size)) * extent
        apart = np.sqrt(((cloud[:, None] - cloud[None]) ** 2).sum(axis=2))
        as_good += best_cut(apart, tried, rng)[0] >= found
    return (1 + as_good) / (1 + resamples)


def resampled(
    square: Floats, labels: Labels, tried: range, rng: np.random.Generator, resamples: int
) -> tuple[dict[int, float], float]:
    """Return how often subsamples choose each number, and how well their basins agree."""
    votes, agreement = [], []
    size = max(round(KEPT * len(square)), 2 * tried[-1] - 1, 4)
    for _ in range(resamples):
        kept = np.sort(rng.choice(len(square), size=min(size, len(square)), replace=False))
        part = square[np.ix_(kept, kept)]
        _, k, _ = best_cut(part, tried, rng)
        votes.append(k)
        again = partition(spectrum(part)[1], int(labels.max()) + 1, rng)
        agreement.append(adjusted_rand(again, labels[kept]))
    shares = {k: votes.count(k) / len(votes) for k in tried}
    return shares, float(np.mean(agreement))


def quick_labels(square: Floats, most: int = 6, seed: int = 0) -> Labels:
    """Return the basins of largest silhouette width, without asking whether there is only one."""
    tried = range(2, min(most, len(square) // 2) + 1)
    if not len(tried):
        return np.zeros(len(square), dtype=np.int64)
    return best_cut(square, tried, np.random.default_rng(seed))[2]


def eigengap(square: Floats, most: int) -> int:
    """Return the number before the largest gap between eigenvalues."""
    values = spectrum(square)[0][: most + 1]
    return int(np.argmax(values[:-1] - values[1:])) + 1


def contrast(vectors: Floats, labels: Labels) -> Floats:
    """Return the distance to the second basin's centre less that to the first's."""
    if labels.max() < 1:
        return np.full(len(labels), np.nan)
    rows = vectors[:, : int(labels.max()) + 1]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    centres = [rows[labels == c].mean(axis=0) for c in (0, 1)]
    near, far = (np.linalg.norm(rows - centre, axis=1) for centre in centres)
    return np.asarray(far - near)
