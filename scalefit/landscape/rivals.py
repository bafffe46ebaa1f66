"""What goes into a prediction: checked scores, baselines, basins and reference models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.types import Floats, Ints

from .basin_count import quick_labels
from .matrix import Distances
from .trial import line, nearest, others


def scores_of(given: ArrayLike | Mapping[str, float], names: Sequence[str], what: str) -> Floats:
    """Return one finite score a model, in the order of the names."""
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing:
            raise LandscapeError(
                f"no {what} score for {', '.join(missing[:3])}; one a model needed"
            )
        given = [given[name] for name in names]
    scores = np.asarray(given, dtype=np.float64)
    if scores.shape != (len(names),) or not np.isfinite(scores).all():
        raise LandscapeError(
            f"needed one finite {what} score a model ({len(names)}), found shape {scores.shape} "
            f"with {int((~np.isfinite(scores)).sum())} missing; leave models without a score out"
        )
    return scores


def check_scores(scores: Floats, codes: Ints, labels: Sequence[Hashable], neighbours: int) -> None:
    """Refuse groups that are too small, and scores that do not vary."""
    least, sizes = neighbours + 2, np.bincount(codes)
    if sizes.min() < least:
        label = labels[int(np.flatnonzero(codes == sizes.argmin())[0])]
        where = "" if label is None else f" in group {label!r}"
        raise LandscapeError(
            f"found {sizes.min()} models{where}, needed at least {least} for {neighbours} "
            "neighbours; leave the group out, or ask fewer neighbours"
        )
    if np.ptp(scores) == 0:
        raise LandscapeError(
            "all out-of-domain scores are the same, so there is nothing to predict"
        )


def brought_along(distances: Distances | ArrayLike) -> dict[str, Floats]:
    """Return the baselines that a set of distances brings along."""
    if not isinstance(distances, Distances):
        return {}
    found = {} if distances.kind == "euclidean" else {"Euclidean": distances.matrix("euclidean")}
    return {**found, "in-domain loss": distances.ends()} if distances.metrics else found


def in_domain_baseline(
    in_domain: ArrayLike | Mapping[str, float] | None, names: Sequence[str]
) -> dict[str, Floats]:
    """Return the in-domain scores as a baseline, where they were given."""
    return (
        {} if in_domain is None else {"in-domain score": scores_of(in_domain, names, "in-domain")}
    )


def rivals_of(name: str, values: Floats, codes: Ints, neighbours: int) -> list[tuple[str, Floats]]:
    """Return a baseline's predictors: nearest by distance; for a feature also a straight line."""
    label = f"{name}, {neighbours} nearest"
    if values.ndim == 2:
        return [(label, nearest(values, codes, neighbours))]
    apart = np.abs(values[:, None] - values)
    return [(label, nearest(apart, codes, neighbours)), (f"{name}, line", line(values, codes))]


def basins_within(square: Floats, codes: Ints) -> Ints:
    """Find basins within every group."""
    labels = np.zeros(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        labels[members] = quick_labels(square[np.ix_(members, members)])
    return labels


def nearness(
    square: Floats, names: Sequence[str], reference: Sequence[int | str], codes: Ints
) -> Floats:
    """Predict by a line on the mean distance to known models (of the same group)."""
    unknown = [one for one in reference if isinstance(one, str) and one not in names]
    if unknown:
        raise LandscapeError(f"no model is called {unknown[0]!r}; there are {', '.join(names)}")
    known = [list(names).index(one) if isinstance(one, str) else int(one) for one in reference]
    allowed = others(codes)[:, known]
    if not allowed.any(axis=1).all():
        raise LandscapeError(
            "some models have no other model of their group in the reference; "
            "name two or more a group"
        )
    mean = np.where(allowed, square[:, known], 0).sum(axis=1) / allowed.sum(axis=1)
    return line(mean, codes)
