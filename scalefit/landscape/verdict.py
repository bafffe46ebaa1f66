"""One predictor's record, and the sentence that sums up a comparison of predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

LEVEL = 0.05


@dataclass(frozen=True)
class Predictor:
    """A way to predict scores, and how it did.

    Parameters
    ----------
    name : str
    r : float
        Leave-one-out correlation of prediction and score, within groups.
    skill : float
        1 less squared error over that of the group's mean: 1 is perfect, 0 knows nothing.
    p : float
        Permutation p-value of `r`.
    null : float
        The `r` that shuffled scores exceed in 5 % of permutations.
    baseline : bool
    p_beaten : float, optional
        Of a baseline: how often swapping its predictions with the distance's at random, group by
        group, makes the latter as much better as it is; below five groups model by model, doubled.
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
    found = f"leave-one-out r = {main.r:.2f}, permutation p = {main.p:.3g}"
    if main.p > LEVEL:
        return f"nothing found: the landscape does not foretell these scores ({found})"
    if main.skill <= 0:
        return (
            f"a trace, but no foresight: distances go with these scores ({found}), yet the mean of "
            f"the others errs less (skill {main.skill:.2f})"
        )
    if not baselines:
        return f"the landscape foretells these scores ({found}); no baseline was given"
    best = max(baselines, key=lambda b: b.skill)
    against = f"{best.name}: r = {best.r:.2f}, skill {best.skill:.2f} against {main.skill:.2f}"
    if best.skill >= main.skill:
        return f"the landscape foretells these scores ({found}), but no better than {against}"
    p = max(b.p_beaten if b.p_beaten is not None else 1.0 for b in baselines)
    how = "clearly better" if p <= LEVEL else "better, though not clearly (p = {p:.2g}),"
    return (
        f"the landscape foretells these scores ({found}), {how.format(p=p)} than every baseline "
        f"(the best: {against})"
    )
