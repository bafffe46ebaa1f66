"""Whether the landscape told which procedure is the more robust: planted answers, levels, what is refused."""

import numpy as np
import pytest

from scalefit import landscape
from scalefit.errors import LandscapeError

WEB, BOOKS = ["web"] * 12, ["books"] * 12


def apart(at):
    return np.sqrt(((at[:, None] - at) ** 2).sum(-1))


def places(seed, wide=1.0, count=24):
    at = np.random.default_rng(seed).standard_normal((count, 3))
    at[count // 2 :] *= wide
    return at


def asked(square, scores, procedures=(*WEB, *BOOKS), **more):
    return landscape.robustness(square, scores, procedures, permutations=19, **more)


def test_the_procedure_whose_models_lie_and_score_further_apart_was_told():
    at = places(0, wide=4.0)
    told = asked(apart(at), at[:, 0])
    assert told.landscape[0].wider == told.scores[0].wider == "books"
    assert "told beforehand, books is the less robust" in told.verdict
    assert told.landscape[0].mean_a == pytest.approx(apart(at[:12])[np.triu_indices(12, 1)].mean())


def test_a_surface_that_says_nothing_and_one_that_misleads_are_called_so():
    even, wide = places(1), places(2, wide=6.0)
    assert "did not tell that scores of books" in asked(apart(even), wide[:, 0]).verdict
    assert "the scores do not show it" in asked(apart(wide), even[:, 0]).verdict
    assert "misleads" in asked(apart(wide), wide[::-1, 0].copy()).verdict
    assert "neither" in asked(apart(even), even[:, 0]).verdict


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 4])
def test_the_level_holds_where_procedures_are_alike(groups):
    """Nominal .05; 200 draws: .09 lies 2.6 standard errors above."""
    labels = np.tile(np.repeat(np.arange(groups), 12 // groups if groups == 1 else 6), 2)
    half = len(labels) // 2
    names = ["web"] * half + ["books"] * half
    told = [
        landscape.robustness(
            apart(places(seed, count=2 * half)),
            places(900 + seed, count=2 * half)[:, 0],
            names,
            groups=labels.tolist(),
            permutations=1,
        )
        for seed in range(200)
    ]
    assert np.mean([t.landscape[0].wider is not None for t in told]) <= 0.09
    assert np.mean([t.scores[0].wider is not None for t in told]) <= 0.09


def test_only_pairs_of_one_procedure_and_one_group_count():
    """Procedures and groups may lie anywhere: where their middles are says nothing about spread."""
    at = places(3, count=48)
    shift = 100 * np.repeat(np.arange(8), 6)[:, None]
    groups = np.tile(np.repeat(np.arange(4), 6), 2).tolist()
    names = ["web"] * 24 + ["books"] * 24
    plain = asked(apart(at), at[:, 0], names, groups=groups)
    moved = asked(apart(at + shift), (at + shift)[:, 0], names, groups=groups)
    assert moved.landscape[0].mean_b == pytest.approx(plain.landscape[0].mean_b)
    assert moved.scores[0].p == pytest.approx(plain.scores[0].p)


def test_three_procedures_make_three_pairs_with_wider_intervals():
    at = places(4, count=36)
    names = WEB + BOOKS + ["code"] * 12
    two, three = asked(apart(at[:24]), at[:24, 0]), asked(apart(at), at[:, 0], names)
    assert [(one.a, one.b) for one in three.landscape] == [
        ("web", "books"),
        ("web", "code"),
        ("books", "code"),
    ]
    assert three.landscape[0].high > two.landscape[0].high
    assert any("3 pairs" in note for note in three.notes)


def test_models_that_are_all_alike_are_not_told_apart():
    at = places(5)
    flat = landscape.robustness(np.zeros((24, 24)), at[:, 0], WEB + BOOKS, permutations=19)
    assert flat.landscape[0].p == 1
    assert flat.landscape[0].wider is None


def test_what_is_refused():
    at = places(6)
    square = apart(at)
    with pytest.raises(LandscapeError, match="needed two procedures"):
        asked(square, at[:, 0], ["web"] * 24)
    with pytest.raises(LandscapeError, match=r"found 4 models of 'books'; needed 8"):
        asked(square, at[:, 0], ["web"] * 20 + ["books"] * 4)
    with pytest.raises(LandscapeError, match="found 3 procedures for 24 models"):
        asked(square, at[:, 0], ["a", "b", "c"])
    with pytest.raises(LandscapeError, match="no procedure for"):
        asked(square, at[:, 0], {"someone else": "web"})
