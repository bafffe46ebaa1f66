"""Basins: clusters of models between which the loss does not rise, and how sure their number is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats, Ints

from .basin_count import (
    Clustering,
    clusterings,
    eigengap,
    nearness_to_first,
    p_one_cloud,
    partition,
    resampled,
    scaled,
    silhouette,
    spectrum,
    widest,
)
from .matrix import Distances

LEAST_MODELS = 6
_LEVEL = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Clusters(Result):
    """Basins of a set of models.

    Parameters
    ----------
    labels : array of int, shape (n,); basin of every model, numbered by falling size.
    lone : models that stand apart from all others: outliers, counted to the nearest basin.
    silhouettes : largest mean silhouette width for every number of basins that came out.
    eigengap : the number that the largest gap between eigenvalues would choose.
    p_one : how often one Gaussian cloud of the same extent, with distances as far from Euclidean, looks as clustered as
        these models: small means more than one basin.
    shares : how often subsamples of the models choose each number (two or more).
    stability : mean adjusted Rand index between the subsamples' basins and these.
    embedding : array, shape (n, 2); classical scaling of the distances, for pictures.
    contrast : (n,), distance to the centre of basin 1 less that to basin 0 in the spectral embedding: the cluster
        membership feature of Juneja et al. 2023; NaN where there is one basin.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> at = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 0.05, 5.05])
    >>> landscape.clusters(np.abs(at[:, None] - at)).sizes
    [4, 4]
    """

    BARE = True

    names: tuple[str, ...]
    labels: Ints
    number: int
    lone: tuple[str, ...]
    silhouettes: Mapping[int, float]
    eigengap: int
    p_one: float
    shares: Mapping[int, float]
    stability: float
    embedding: Floats
    contrast: Floats

    @property
    def sizes(self) -> list[int]:
        """Number of models in each basin."""
        return [int(size) for size in np.bincount(self.labels, minlength=self.number)]

    @property
    def verdict(self) -> str:
        """How many basins, and how sure that is."""
        apart = f"; apart from all: {', '.join(self.lone)}" if self.lone else ""
        if self.number == 1:
            return (
                f"one basin: {len(self.names)} models show no more clusters than a single cloud "
                f"does (p = {self.p_one:.2g}){apart}"
            )
        votes = ", ".join(f"{k}: {share:.0%}" for k, share in self.shares.items() if share)
        return (
            f"{self.number} basins of {' + '.join(map(str, self.sizes))} models (silhouette "
            f"{self.silhouettes[self.number]:.2f}, against one cloud p = {self.p_one:.2g}); "
            f"subsamples choose {votes}; stability {self.stability:.2f}; "
            f"the eigengap says {self.eigengap}{apart}"
        )

    notes = ()  # the verdict says it all

    def rows(self) -> list[Row]:
        """One row a model: its basin, where it lies, whether it stands alone."""
        return [
            {
                "model": name,
                "basin": int(self.labels[i]),
                "x": float(self.embedding[i, 0]),
                "y": float(self.embedding[i, 1]),
                "contrast": float(self.contrast[i]),
                "lone": name in self.lone,
            }
            for i, name in enumerate(self.names)
        ]

    def told(self) -> Row:
        """Return every model's basin, and how sure their number is."""
        return {
            "number": self.number,
            "labels": dict(zip(self.names, self.labels.tolist(), strict=True)),
            "sizes": self.sizes,
            "lone": self.lone,
            "silhouettes": self.silhouettes,
            "eigengap": self.eigengap,
            "p_one": self.p_one,
            "shares": self.shares,
            "stability": self.stability,
        }


def clusters(
    distances: Distances | ArrayLike,
    *,
    number: int | None = None,
    most: int = 6,
    resamples: int = 99,
    seed: int = 0,
) -> Clusters:
    """Find basins by spectral clustering.

    Parameters
    ----------
    distances : Distances or array_like, shape (n, n)
    number : how many basins; by default the one of largest silhouette width, or one where a single cloud would look as
        clustered.
    most : largest number tried.
    resamples : subsamples (80 % of the models) and clouds behind the uncertainty.

    Raises LandscapeError: where there are fewer than six models, or pairs without a distance.

    Notes
    -----
    Affinity exp(-d² / 2 delta²) at the median distance delta, normalised eigenvectors (Ng, Jordan &
    Weiss 2001), k-means. A model alone is an outlier, not a basin. The single cloud has the extent of the
    models along every axis of classical scaling, as in SigClust (Liu et al. 2008). Barriers are not Euclidean,
    and noise in them alone makes clusters: so the cloud's distances are blurred, until the share of negative
    eigenvalues is that of the models. What this leaves: docs/simulations/landscape.md.
    """
    names, square = square_of(distances)
    _check(square, number)
    rng = np.random.default_rng(seed)
    tried = range(2, min(most, len(square) // 2) + 1)
    values, vectors = spectrum(square)
    tried_cuts = clusterings(square, vectors, tried, rng)
    best = widest(tried_cuts)
    p_one = p_one_cloud(square, best.width, tried, rng, resamples)
    chosen = number or (best.number if p_one <= _LEVEL else 1)
    if chosen in tried_cuts:
        cut = tried_cuts[chosen]
    else:
        labels = partition(vectors, chosen, rng)
        cut = Clustering(silhouette(square, labels), labels, np.zeros(len(square), dtype=bool))
        tried_cuts[cut.number] = cut
    shares, stability = resampled(square, cut.labels, tried, rng, resamples)
    return Clusters(
        names=names,
        labels=cut.labels,
        number=cut.number,
        lone=tuple(name for name, alone in zip(names, cut.lone, strict=True) if alone),
        silhouettes={k: one.width for k, one in sorted(tried_cuts.items())},
        eigengap=eigengap(values, most),
        p_one=p_one,
        shares=shares,
        stability=stability,
        embedding=scaled(square, 2),
        contrast=nearness_to_first(vectors, cut.labels),
    )


def square_of(distances: Distances | ArrayLike) -> tuple[tuple[str, ...], Floats]:
    """Return names and the matrix of distances."""
    if isinstance(distances, Distances):
        return distances.names, distances.matrix()
    square = np.asarray(distances, dtype=np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise LandscapeError(f"distances must be a square matrix; found shape {square.shape}")
    if not np.allclose(square, square.T, equal_nan=True):
        raise LandscapeError("distances must be symmetric; a path is the same both ways")
    return tuple(f"model {i}" for i in range(1, len(square) + 1)), square


def _check(square: Floats, number: int | None) -> None:
    if len(square) < LEAST_MODELS:
        raise LandscapeError(
            f"found {len(square)} models, needed at least {LEAST_MODELS} to speak of basins; "
            "with few models read the barriers themselves"
        )
    if not np.isfinite(square).all():
        raise LandscapeError(
            "some pairs have no distance (groups were given): look for basins within one group, "
            "as distances.within(group) cuts out"
        )
    if number is not None and not 1 <= number <= len(square):
        raise LandscapeError(f"number of basins must be 1 to {len(square)}; found {number}")
