"""Quality over both sizes, from a table: what it answers, refuses, draws, and was worth."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError, FitError

PRETRAIN, FINETUNE = [0, 1e6, 4e6, 16e6, 64e6], [1e4, 4e4, 16e4]


def truth(p, f):
    return 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5


def table(noise=0.0, seeds=1, corpus="fr"):
    rng = np.random.default_rng(5)
    p, f = (np.repeat(v.ravel(), seeds) for v in np.meshgrid(PRETRAIN, FINETUNE))
    return {
        "corpus": np.where(p > 0, corpus, "none").tolist(),
        "pretrain_tokens": p,
        "finetune_tokens": f,
        "finetune_seed": np.tile(np.arange(seeds), p.size // seeds),
        "bleu": truth(p, f) + noise * rng.normal(size=p.size),
    }


def test_a_finetuning_size_that_nobody_ran_is_forecast_with_an_interval_that_holds():
    surface = sf.fit_joint(table(noise=0.2, seeds=3), "bleu")
    p, f = np.array([64e6, 256e6, 1e6]), np.array([8e4, 16e4, 2e4])
    band = surface.predict(p, f, level=0.95)
    assert (band.low < truth(p, f)).all()
    assert (truth(p, f) < band.high).all()


def test_models_without_pretraining_are_cells_and_seeds_are_averaged():
    surface = sf.fit_joint(table(noise=0.2, seeds=3), "bleu")
    sizes = surface.joint.cells.sizes
    assert len(sizes) == len(PRETRAIN) * len(FINETUNE)
    assert (sizes[:, 0] == 0).sum() == len(FINETUNE)


def test_tokens_for_a_target_fall_with_the_finetuning_size_and_may_lie_within_the_data():
    surface = sf.fit_joint(table(), "bleu")
    near, far = surface.tokens_for(31.0, finetune=12e4), surface.tokens_for(31.0, finetune=6e4)
    assert near.estimate < far.estimate
    assert near.estimate < 64e6
    assert truth(near.estimate, 12e4) == pytest.approx(31.0, abs=0.3)


def test_an_error_is_told_to_be_fitted_as_its_accuracy():
    rates = table()
    rates["error"] = 1 - rates.pop("bleu") / 100
    with pytest.raises(DomainError, match="put a column 'accuracy' beside it, 1 - error"):
        sf.fit_joint(rates, "error")


def test_sizes_are_counts_as_everywhere_and_none_is_negative():
    surface = sf.fit_joint(table(), "bleu")
    told, meant = surface.predict("64M", ["80k", "160k"]), surface.predict(64e6, [8e4, 16e4])
    assert told.rows() == meant.rows()
    assert surface.tokens_for(31.0, "80k").rows() == surface.tokens_for(31.0, 8e4).rows()
    for asked in (lambda: surface.predict(-1, 1e4), lambda: surface.tokens_for(31.0, -1)):
        with pytest.raises(DomainError, match="size -1: the law answers from 0 to 1000"):
            asked()
    with pytest.raises(DomainError, match="finetuning size is 'many'"):
        surface.tokens_for(31.0, "many")


def test_what_predicts_itself_or_holds_several_is_told_so():
    surface, fits = (door(table(), "bleu") for door in (sf.fit_joint, sf.fit_each))
    with pytest.raises(FitError, match=r"found a Surface; .* \.predict\(pretrain, finetune\)"):
        sf.predict(surface, 1e9)
    with pytest.raises(FitError, match=r"found a Mixtures; .* one of them"):
        sf.tokens_for(fits, 30)


def test_the_largest_size_held_back_is_forecast_jointly_and_a_row_at_a_time():
    surface = sf.fit_joint(table(), "bleu")
    jointly, separately = surface.errors()
    assert {h.pretrain for h in surface.held} == {64e6}
    assert jointly == pytest.approx(
        np.sqrt(np.mean([(h.jointly - truth(h.pretrain, h.finetune)) ** 2 for h in surface.held]))
    )
    assert jointly < separately


def test_a_grid_whose_rows_are_too_short_has_nothing_to_compare_with():
    data = {
        k: np.asarray(v)[np.asarray(table()["pretrain_tokens"]) <= 4e6] for k, v in table().items()
    }
    surface = sf.fit_joint(data, "bleu")
    assert surface.held == ()
    assert "held back" not in surface.verdict


@pytest.mark.parametrize(
    ("data", "metric", "error", "says"),
    [
        ({**table(), "corpus": ["a", "b"] * 7 + ["a"]}, "bleu", DesignError, "where="),
        (
            {("cross_entropy" if k == "bleu" else k): v for k, v in table().items()},
            "cross_entropy",
            DomainError,
            "chinchilla",
        ),
        ({k: v[:5] for k, v in table().items()}, "bleu", FitError, "two finetuning sizes"),
    ],
)
def test_what_the_law_is_not_for_is_refused_with_a_way_on(data, metric, error, says):
    with pytest.raises(error, match=says):
        sf.fit_joint(data, metric)


@pytest.mark.parametrize("sizes", [(-1.0, 1e4), (1e12, 1e4), (1e6, np.nan), (1e6, 1e12)])
def test_sizes_out_of_sight_are_refused(sizes):
    with pytest.raises(DomainError, match="0 to 1000"):
        sf.fit_joint(table(), "bleu").predict(*sizes)


def test_a_target_out_of_range_is_refused():
    with pytest.raises(DomainError, match="between 0 and 100"):
        sf.fit_joint(table(), "bleu").tokens_for(120.0, finetune=1e4)


def test_the_heat_map_shows_every_cell_and_frames_what_was_measured():
    surface = sf.fit_joint(table(), "bleu")
    axes = surface.plot().axes[0]
    (dots,) = [c for c in axes.collections if c.get_gid() == "cells"]
    assert dots.get_offsets().tolist() == surface.joint.cells.sizes.tolist()
    (frame,) = [p for p in axes.patches if p.get_gid() == "measured"]
    assert frame.get_bbox().x1 == 64e6
