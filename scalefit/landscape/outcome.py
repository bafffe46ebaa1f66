"""Does the landscape foretell out-of-domain behaviour? Leave-one-out, against the right baselines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.result import Result, fields_of
from scalefit.rows import Row
from scalefit.types import Floats

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
        notes=_notes(reference, int(codes.max()) + 1),
    )


def _notes(reference: Sequence[int | str], groups: int) -> tuple[str, ...]:
    notes = ["a prediction that knows nothing correlates negatively when one is left out"]
    if groups < FEWEST_GROUPS:
        notes.append(
            "models share neighbours: p of being beaten is doubled, and speaks of these groups "
            f"only; {FEWEST_GROUPS} or more are swapped whole"
        )
    if len(reference):
        notes.append("reference models are predicted too, from the rest of the reference")
    return tuple(notes)
