"""Scores, groups, baselines and permutations on which every predictor is judged alike."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalefit.errors import LandscapeError
from scalefit.types import Floats, Ints

from .basin_count import quick_labels
from .matrix import Distances

# One predictor's record, and the sentence that sums up a comparison of predictors.


_LEVEL = 0.05


@dataclass(frozen=True)
class Predictor:
    """A way to predict scores, and how it did.

    Parameters
    ----------
    r : leave-one-out correlation of prediction and score, within groups.
    skill : 1 less squared error over that of the group's mean: 1 is perfect, 0 knows nothing.
    p : permutation p-value of `r`.
    null : the `r` that shuffled scores exceed in 5 % of permutations.
    p_beaten : of a baseline: how often swapping its predictions with the distance's at random, group by group, makes
        the latter as much better as it is; below five groups model by model, doubled.
    """

    name: str
    r: float
    skill: float
    p: float
    null: float
    baseline: bool
    p_beaten: float | None = None

    def against(self, p_beaten: float) -> Predictor:
        """Return the same record with the p-value of being beaten."""
        return replace(self, p_beaten=p_beaten)

    def __str__(self) -> str:
        beaten = "" if self.p_beaten is None else f", beaten with p = {self.p_beaten:.3g}"
        kind = "baseline " if self.baseline else ""
        return f"{kind}{self.name}: r = {self.r:.2f} (p = {self.p:.3g}), skill {self.skill:.2f}{beaten}"


def verdict(main: Predictor, baselines: Sequence[Predictor]) -> str:
    """Say in one line whether the landscape foretells the scores, and better than what."""
    basis = f"leave-one-out r = {main.r:.2f}, permutation p = {main.p:.3g}"
    if main.p > _LEVEL:
        return f"nothing found: the landscape does not foretell these scores ({basis})"
    if main.skill <= 0:
        return (
            f"a trace, but no foresight: distances go with these scores ({basis}), yet the mean of "
            f"the others errs less (skill {main.skill:.2f})"
        )
    if not baselines:
        return f"the landscape foretells these scores ({basis}); no baseline was given"
    best = max(baselines, key=lambda b: b.skill)
    against = f"{best.name}: r = {best.r:.2f}, skill {best.skill:.2f} against {main.skill:.2f}"
    if best.skill >= main.skill:
        return f"the landscape foretells these scores ({basis}), but no better than {against}"
    p = max(b.p_beaten if b.p_beaten is not None else 1.0 for b in baselines)
    how = "clearly better" if p <= _LEVEL else "better, though not clearly (p = {p:.2g}),"
    return (
        f"the landscape foretells these scores ({basis}), {how.format(p=p)} than every baseline "
        f"(the best: {against})"
    )


# Leave-one-out prediction within groups: every predictor is a matrix of weights on the others.
#
# Row i of the matrix says how the scores of the other models make the prediction for model i; its
# diagonal is zero. So a permutation of the scores costs one matrix product.


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


def line_weights(feature: Floats, codes: Ints) -> Floats:
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
        # A model that alone fixes the slope leaves no line when it is left out: its weight is held finite.
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


def correlation_within(first: Floats, second: Floats, codes: Ints) -> Floats:
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


def share_as_large(observed: float, null: Floats) -> float:
    """Return the permutation p-value (1 + as large) / (1 + permutations)."""
    return float((1 + (null >= observed - 1e-12).sum()) / (1 + null.size))


FEWEST_GROUPS = 5
"""Groups that can be swapped whole: of 2⁵ ways to swap, the best has p = 1/32."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What all predictors share.

    Parameters
    ----------
    scores : array, shape (n,)
    codes : array of int, shape (n,); group of every model.
    orders : array of int, shape (permutations, n); permutations of the models that stay within groups.
    """

    scores: Floats
    codes: Ints
    orders: NDArray[np.int64]

    def predictor(self, name: str, weights: Floats, *, baseline: bool) -> Predictor:
        """Measure one predictor, and what it would do on shuffled scores."""
        predicted = weights @ self.scores
        shuffled = self.scores[self.orders]
        r = float(correlation_within(predicted, self.scores, self.codes))
        null = correlation_within(shuffled @ weights.T, shuffled, self.codes)
        blind = self._error(group_mean(self.codes)).sum()
        skill = 1 - float(self._error(weights).sum() / blind)
        high = float(np.quantile(null, 0.95))
        return Predictor(name, r, skill, share_as_large(r, null), high, baseline)

    def _error(self, weights: Floats) -> Floats:
        result: Floats = (weights @ self.scores - self.scores) ** 2
        return result

    def beaten(self, main: Floats, rival: Predictor, weights: Floats) -> Predictor:
        """Add the p-value of "the rival is as good as the first"."""
        gains = self._error(weights) - self._error(main)
        return rival.against(p_swapped(gains, self.codes, len(self.orders)))


def p_swapped(gains: Floats, codes: Ints, count: int) -> float:
    """Return how often swapping two predictors at random favours the first as much.

    Parameters
    ----------
    gains : array, shape (n,); squared error of the rival less that of the first, for every model.
    codes : array of int, shape (n,)
    count : random swaps.

    Notes
    -----
    Models of one group are predicted from one another, so their errors are not independent: swapping them one by one
    rejects a true null in 6–12 % at nominal 5 %. Whole groups are independent, and are swapped where there are five or
    more; below, p is doubled, which simulation shows to hold (docs/simulations/landscape.md).
    """
    whole = codes.max() + 1 >= FEWEST_GROUPS
    units = np.bincount(codes, weights=gains) if whole else gains
    signs = np.random.default_rng(units.size).choice([-1.0, 1.0], (count, units.size))
    p = share_as_large(float(units.sum()), signs @ units)
    return p if whole else min(1.0, 2 * p)


# Association of distances or basins with scores, each with its permutation p-value.


@dataclass(frozen=True)
class Association:
    """A number and its permutation p-value."""

    value: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:.2f} (p = {self.p:.3g})"


def mantel(square: Floats, scores: Floats, codes: Ints, orders: Ints) -> Association:
    """Correlate distances with differences of scores over the pairs of a group (Mantel 1967).

    The p-value is one-sided: far models should differ more. Models are permuted, not pairs.
    """
    rows, columns = np.triu_indices(len(scores), 1)
    same = codes[rows] == codes[columns]
    rows, columns = rows[same], columns[same]
    of_pair, apart = codes[rows], square[rows, columns]
    r = float(correlation_within(apart, np.abs(scores[rows] - scores[columns]), of_pair))
    null = [
        float(correlation_within(apart, np.abs(mixed[rows] - mixed[columns]), of_pair))
        for mixed in scores[orders]
    ]
    return Association(r, share_as_large(r, np.array(null)))


def eta_squared(labels: Ints, scores: Floats, codes: Ints, orders: Ints) -> Association:
    """Return the share of variance within groups that lies between basins.

    More basins explain more of anything; the permutation p-value knows that.
    """
    cells = codes_of(list(zip(codes.tolist(), labels.tolist(), strict=True)))

    def explained(values: Floats) -> Floats:
        total = (centred(values, codes) ** 2).sum(axis=-1)
        inside = (centred(values, cells) ** 2).sum(axis=-1)
        return np.asarray(1 - inside / np.maximum(total, 1e-12))

    observed = float(explained(scores))
    return Association(observed, share_as_large(observed, explained(scores[orders])))


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
    baselines = (
        {} if distances.kind == "euclidean" else {"Euclidean": distances.matrix("euclidean")}
    )
    return {**baselines, "in-domain loss": distances.ends()} if distances.metrics else baselines


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
    return [
        (label, nearest(apart, codes, neighbours)),
        (f"{name}, line", line_weights(values, codes)),
    ]


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
    return line_weights(mean, codes)
