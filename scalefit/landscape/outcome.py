"""Whether the landscape foretells out-of-domain behaviour: of models left out one by one, and of whole procedures."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.estimate import left_out, welch
from scalefit.result import Result, fields_of
from scalefit.rows import Row
from scalefit.types import Floats, Ints, Mask
from scalefit.units import check_level, counted

from .basins import square_of
from .matrix import Distances, group_labels
from .trial import (
    FEWEST_GROUPS,
    Association,
    Predictor,
    Trial,
    basins_within,
    brought_along,
    check_scores,
    codes_of,
    eta_squared,
    in_domain_baseline,
    mantel,
    nearest,
    nearness,
    rivals_of,
    same_basin,
    scores_of,
    shuffles,
    verdict,
)

FEWEST_MODELS = 8
_FEWEST_GROUPS = 3


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Result):
    """How well the landscape predicts scores that it never saw.

    Parameters
    ----------
    scores, predicted : (n,), out-of-domain scores, and what the nearest models by distance predict for them.
    predictors : the distance, the basin, the reference set where one was given, then the baselines.
    mantel : Relation; distance against difference of scores, over pairs.
    eta_squared : Relation; share of the scores' variance that lies between basins.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> at = np.linspace(0, 1, 12)
    >>> foresight = landscape.predict(np.abs(at[:, None] - at), at**2, permutations=99)
    >>> foresight.r > 0.9, foresight.p <= 0.05
    (True, True)
    """

    names: tuple[str, ...]
    groups: tuple[Hashable, ...]
    scores: Floats
    predicted: Floats
    predictors: tuple[Predictor, ...]
    mantel: Association
    eta_squared: Association
    neighbours: int
    notes: tuple[str, ...]

    @property
    def main(self) -> Predictor:
        """The prediction from the nearest models by distance."""
        return self.predictors[0]

    @property
    def r(self) -> float:
        """Its leave-one-out correlation (within groups) with the scores."""
        return self.main.r

    @property
    def p(self) -> float:
        """Its permutation p-value."""
        return self.main.p

    @property
    def baselines(self) -> tuple[Predictor, ...]:
        """What has to be beaten."""
        return tuple(p for p in self.predictors if p.baseline)

    @property
    def p_every(self) -> float | None:
        """The p-value of being better than *every* baseline; None where there is none.

        It is the largest of the baselines' own (an intersection–union test: no correction needed).
        """
        return max((b.p_beaten for b in self.baselines if b.p_beaten is not None), default=None)

    @property
    def verdict(self) -> str:
        """One line."""
        return verdict(self.main, self.baselines)

    def rows(self) -> list[Row]:
        """One row a predictor: r, skill, p, what shuffled scores reach."""
        return [fields_of(predictor) for predictor in self.predictors]

    def told(self) -> Row:
        """Return all predictors, both associations, and what was predicted."""
        return {
            "p_every": self.p_every,
            "predictors": self.rows(),
            "mantel": self.mantel,
            "eta_squared": self.eta_squared,
            "neighbours": self.neighbours,
            "predicted": dict(zip(self.names, self.predicted, strict=True)),
        }

    def lines(self) -> list[str]:
        """Return one line a predictor, then the two associations."""
        return [
            *map(str, self.predictors),
            f"Mantel, distance against difference of scores: r = {self.mantel}",
            f"share of variance between basins: eta² = {self.eta_squared}",
        ]


def predict(
    distances: Distances | ArrayLike,
    ood_scores: ArrayLike | Mapping[str, float],
    *,
    in_domain: ArrayLike | Mapping[str, float] | None = None,
    groups: Sequence[Hashable] | None = None,
    reference: Sequence[int | str] = (),
    baselines: Mapping[str, ArrayLike] | None = None,
    neighbours: int = 3,
    permutations: int = 999,
    seed: int = 0,
) -> Prediction:
    """Predict out-of-domain scores from distances in the landscape, leaving one model out.

    Parameters
    ----------
    distances : Distances or array_like, shape (n, n)
        With a `Distances` the Euclidean distance and the in-domain loss become baselines too.
    ood_scores : array_like, shape (n,), or mapping of name to score
    in_domain : In-domain scores: the first baseline to beat.
    groups : a label a model, such as its pretraining seed: models are predicted from their own group, and correlations
        are within groups. A `Distances` brings its own.
    reference : models whose behaviour is known: is nearness to them (mean distance) foretelling?
    baselines : more distances (n, n) or features (n,) to beat.

    Raises LandscapeError: where scores are missing, do not vary, or a group has too few models.

    Notes
    -----
    Permutations shuffle the scores within groups and repeat the whole prediction, so the p-value
    knows that leaving one out makes an uninformed prediction correlate *negatively*. Baselines
    are compared by swapping predictions, whole groups of them where there are five or more.
    """
    names, square = square_of(distances)
    own, kind = None, "distance"
    if isinstance(distances, Distances):
        own, kind = distances.groups, distances.kind
    labels = group_labels(groups if groups is not None else own, len(names))
    codes = codes_of(labels)
    scores = scores_of(ood_scores, names, "out-of-domain")
    check_scores(scores, codes, labels, neighbours)
    known = {**brought_along(distances), **in_domain_baseline(in_domain, names)}
    known |= {name: np.asarray(v, dtype=np.float64) for name, v in (baselines or {}).items()}
    basins = basins_within(square, codes)
    weights = {
        f"{kind}, {neighbours} nearest": nearest(square, codes, neighbours),
        "basin": same_basin(basins, codes),
    }
    if len(reference):
        weights["nearness to the reference"] = nearness(square, names, reference, codes)
    trial = Trial(scores, codes, shuffles(codes, permutations, np.random.default_rng(seed)))
    ours = [trial.predictor(name, matrix, baseline=False) for name, matrix in weights.items()]
    rivals = {k: m for name, v in known.items() for k, m in rivals_of(name, v, codes, neighbours)}
    theirs = [trial.predictor(name, matrix, baseline=True) for name, matrix in rivals.items()]
    main = next(iter(weights.values()))
    return Prediction(
        names=names,
        groups=tuple(labels),
        scores=scores,
        predicted=main @ scores,
        predictors=(ours[0], *ours[1:], *(trial.beaten(main, p, rivals[p.name]) for p in theirs)),
        mantel=mantel(square, scores, codes, trial.orders),
        eta_squared=eta_squared(basins, scores, codes, trial.orders),
        neighbours=neighbours,
        notes=_about(reference, int(codes.max()) + 1),
    )


def _about(reference: Sequence[int | str], groups: int) -> tuple[str, ...]:
    notes = ["a prediction that knows nothing correlates negatively when one is left out"]
    if groups < FEWEST_GROUPS:
        notes.append(
            "models share neighbours: p of being beaten is doubled, and speaks of these groups "
            f"only; {FEWEST_GROUPS} or more are swapped whole"
        )
    if len(reference):
        notes.append("reference models are predicted too, from the rest of the reference")
    return tuple(notes)


@dataclass(frozen=True)
class Apartness:
    """How far apart the models of two procedures are: in the landscape, or in their scores.

    Parameters
    ----------
    what : ``barrier`` (or another kind of distance), or ``ood score``.
    a, b : the procedures.
    mean_a, mean_b : mean over pairs of models of one procedure (and one group).
    low, high : interval of b − a.
    p : two-sided p-value.
    """

    what: str
    a: str
    b: str
    mean_a: float
    mean_b: float
    low: float
    high: float
    p: float
    level: float

    @property
    def wider(self) -> str | None:
        """The procedure whose models are further apart, or None where it is not resolved."""
        if not self.p < 1 - self.level:
            return None
        return self.b if self.mean_b > self.mean_a else self.a

    def __str__(self) -> str:
        gap = (
            f"{self.mean_b - self.mean_a:+.3g} [{self.low:.3g}, {self.high:.3g}], p = {self.p:.2g}"
        )
        return f"{self.what}, mean over pairs: {self.a} {self.mean_a:.3g}, {self.b} {self.mean_b:.3g} ({gap})"


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Result):
    """Whether the procedure whose models lie further apart is the one whose scores are further apart.

    Parameters
    ----------
    landscape, scores : one a pair of procedures, in the same order.
    foresight : Prediction; whether distances foretell the score of single models, within procedures (and groups).

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> rng = np.random.default_rng(0)
    >>> at = rng.standard_normal((24, 3)) * np.repeat([1.0, 4.0], 12)[:, None]
    >>> distances = np.sqrt(((at[:, None] - at) ** 2).sum(-1))
    >>> told = landscape.robustness(distances, at[:, 0], ["web"] * 12 + ["books"] * 12)
    >>> told.landscape[0].wider, told.scores[0].wider
    ('books', 'books')
    """

    landscape: tuple[Apartness, ...]
    scores: tuple[Apartness, ...]
    foresight: Prediction
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One line a pair: what the surface said, and what the scores then did."""
        pairs = zip(self.landscape, self.scores, strict=True)
        return "; ".join(_sentence(before, after) for before, after in pairs)

    def rows(self) -> list[Row]:
        """Two rows a pair of procedures: the landscape, then the scores."""
        return [
            {
                "what": one.what,
                "a": one.a,
                "b": one.b,
                "mean_a": one.mean_a,
                "mean_b": one.mean_b,
                "difference": one.mean_b - one.mean_a,
                "low": one.low,
                "high": one.high,
                "p": one.p,
                "wider": one.wider,
            }
            for pair in zip(self.landscape, self.scores, strict=True)
            for one in pair
        ]

    def told(self) -> Row:
        """Return both sides of every pair, and the prediction of single models."""
        return {"pairs": self.rows(), "foresight": self.foresight.told()}

    def lines(self) -> list[str]:
        """Return one line a side of every pair, then the prediction of single models."""
        pairs = zip(self.landscape, self.scores, strict=True)
        inside = f"single models, within procedures: {self.foresight.verdict}"
        return [*(str(one) for pair in pairs for one in pair), inside]


def robustness(
    distances: Distances | ArrayLike,
    ood_scores: ArrayLike | Mapping[str, float],
    procedures: Sequence[str] | Mapping[str, str],
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    neighbours: int = 3,
    permutations: int = 999,
    seed: int = 0,
) -> Robustness:
    """Ask whether the landscape told which procedure is the more robust, from its distances alone.

    Parameters
    ----------
    distances : Distances or array_like, shape (n, n)
        Between the models of all procedures; only pairs of one procedure (and group) are looked at.
    ood_scores : array_like, shape (n,), or mapping of name to score
    procedures : sequence of str, or mapping of name to str
        What each model came from: two procedures or more.
    groups : a label a model, such as its pretraining seed. A `Distances` brings its own.
    level : of intervals; 1 − the level of tests, which Bonferroni's correction holds over all pairs.
    neighbours, permutations, seed : as in :func:`predict`.

    Raises LandscapeError: fewer than two procedures, or one with too few models: 8, or 3 groups of ``neighbours`` +
    2.

    Notes
    -----
    Both sides of the question are the same statistic, the mean over pairs of models: of their distance, and of how
    much their scores differ (Gini's mean difference). A mean over pairs is no mean of independent numbers, so what
    is compared (Welch) are its pseudo-values when a model, or from three groups on a whole group, is left out
    (Arvesen 1969, Ann. Math. Stat. 40). Levels: ``docs/simulations/landscape.md``.
    """
    check_level(level)
    names, square = square_of(distances)
    own = distances.groups if isinstance(distances, Distances) else None
    labels = group_labels(groups if groups is not None else own, len(names))
    made_by = _procedures(procedures, names)
    scores = scores_of(ood_scores, names, "out-of-domain")
    sides = {
        name: Procedure.of(name, made_by, labels, neighbours) for name in dict.fromkeys(made_by)
    }
    if len(sides) < 2:
        raise LandscapeError(f"all models are of {made_by[0]!r}; needed two procedures to compare")
    kind = distances.kind if isinstance(distances, Distances) else "distance"
    apart = {kind: square, "ood score": np.abs(scores[:, None] - scores)}
    pairs = list(combinations(sides.values(), 2))
    before, after = (
        tuple(apartness(what, matrix, a, b, 1 - (1 - level) / len(pairs)) for a, b in pairs)
        for what, matrix in apart.items()
    )
    cells = [*zip(made_by, labels, strict=True)]
    foresight = predict(
        distances, scores, groups=cells, neighbours=neighbours, permutations=permutations, seed=seed
    )
    return Robustness(before, after, foresight, _notes(sides.values(), len(pairs)))


@dataclass(frozen=True, eq=False)
class Procedure:
    """The models of one procedure: their places, and what is left out together."""

    name: str
    at: Ints
    group: Ints
    by_group: bool

    @classmethod
    def of(
        cls, name: str, made_by: Sequence[str], labels: Sequence[Hashable], neighbours: int
    ) -> Procedure:
        """Find a procedure's models; refuse too few of them."""
        at = np.array([i for i, one in enumerate(made_by) if one == name])
        group = codes_of([labels[i] for i in at])
        by_group = int(group.max()) + 1 >= _FEWEST_GROUPS
        if not by_group and at.size < FEWEST_MODELS:
            raise LandscapeError(
                f"found {at.size} models of {name!r}; needed {FEWEST_MODELS}, or {_FEWEST_GROUPS} groups "
                f"(pretraining seeds) of {neighbours + 2}, to say how far apart its models are"
            )
        return cls(name, at, group, by_group)

    def mean(self, square: Floats, kept: Mask) -> float:
        """Mean over the pairs of one group that are kept."""
        pairs = (self.group[:, None] == self.group) & kept[:, None] & kept
        np.fill_diagonal(pairs, False)
        return float(square[np.ix_(self.at, self.at)][pairs].mean())

    def pseudo_values(self, square: Floats) -> Floats:
        """Return one number a unit left out, a model or a group: their mean is the mean over pairs, nearly."""
        units = self.group if self.by_group else np.arange(self.at.size)
        return left_out(
            lambda kept: self.mean(square, np.isin(units, kept)), np.unique(units).tolist()
        )


def apartness(what: str, square: Floats, a: Procedure, b: Procedure, level: float) -> Apartness:
    """Compare two procedures by their mean over pairs of ``square`` (n, n): Welch's test of pseudo-values."""
    mean_a, mean_b = (side.mean(square, side.at >= 0) for side in (a, b))
    gap = mean_b - mean_a
    test = replace(welch(*(side.pseudo_values(square) for side in (a, b))), value=np.asarray(gap))
    # All pairs of a procedure may be the same distance apart: then there is nothing to test with.
    p = float(test.p) if test.variance > 0 else 1.0
    low, high = map(float, test.interval(level)) if test.variance > 0 else (gap, gap)
    return Apartness(what, a.name, b.name, mean_a, mean_b, low, high, p, level)


def _sentence(before: Apartness, after: Apartness) -> str:
    pair = f"{before.a} against {before.b}"
    said, did = before.wider, after.wider
    if said is None and did is None:
        return f"{pair}: neither the {before.what}s nor the scores tell them apart"
    if said is None:
        return f"{pair}: the surface did not tell that scores of {did} are further apart (p = {after.p:.2g})"
    if did is None:
        return (
            f"{pair}: the surface points to {said} (p = {before.p:.2g}), the scores do not show it"
        )
    if said == did:
        return (
            f"{pair}: the surface told beforehand, {did} is the less robust ({before.what}s further apart, "
            f"p = {before.p:.2g}; scores too, p = {after.p:.2g})"
        )
    return (
        f"{pair}: the surface misleads, it points to {said}, but scores of {did} are further apart"
    )


def _procedures(given: Sequence[str] | Mapping[str, str], names: Sequence[str]) -> list[str]:
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing:
            raise LandscapeError(f"no procedure for {', '.join(missing[:3])}; needed one a model")
        given = [given[name] for name in names]
    if len(given) != len(names):
        raise LandscapeError(
            f"found {len(given)} procedures for {len(names)} models; needed one a model"
        )
    return [str(name) for name in given]


def _notes(sides: Iterable[Procedure], pairs: int) -> tuple[str, ...]:
    notes = []
    for side in sides:
        if side.by_group:
            notes.append(
                f"{side.name}: {counted(int(side.group.max()) + 1, 'group')}, left out one at a time"
            )
        else:
            notes.append(
                f"{side.name}: {side.at.size} models; holds for new finetuning runs from these starts only"
            )
    if pairs > 1:
        notes.append(f"{pairs} pairs are compared: intervals and tests are Bonferroni's")
    return tuple(notes)
