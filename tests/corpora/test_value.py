"""What pretraining is worth: on grids with a known answer, and on a public one."""

import numpy as np
import pytest

import scalefit as sf

FINETUNE = np.geomspace(1e4, 1e7, 7)
PRETRAIN = np.array([0.0, 1e6, 1e7, 1e8])
WORTH = {0.0: 0.0, 1e6: 2e4, 1e7: 1e5, 1e8: 5e5}


def grid(rng, sd, seeds=3):
    """Quality that rises with ln(D_f + D_T): effective data D_T are then what they are."""
    p, f, s = (a.ravel() for a in np.meshgrid(PRETRAIN, FINETUNE, np.arange(seeds)))
    truth = 3 * np.log([size + WORTH[q] for q, size in zip(p, f, strict=True)]) - 20
    return {
        "corpus": np.where(p > 0, "fr", "none"),
        "pretrain_tokens": p,
        "finetune_tokens": f,
        "finetune_seed": s,
        "bleu": truth + sd * rng.standard_normal(p.size),
    }


def test_effective_data_are_held_as_often_as_the_level_says():
    rng, held = np.random.default_rng(4), []
    for _ in range(12):
        for cell in sf.value(grid(rng, 0.2), "bleu", level=0.8)[0].cells:
            if cell.finetune + WORTH[cell.pretrain] < FINETUNE[-1] / 2:
                held.append(cell.effective_low <= WORTH[cell.pretrain] <= cell.effective_high)
    assert 0.72 <= np.mean(held) <= 0.92


def test_probabilities_allow_for_noise_that_only_curves_tell():
    single = grid(np.random.default_rng(1), 0.1, seeds=1)
    cells = sf.value(single, "bleu")[0].cells
    assert all(c.p_helps + c.p_worthless + c.p_harms == pytest.approx(1) for c in cells)
    assert min(c.p_harms for c in cells) > 1e-7


def test_a_public_grid_of_images_says_where_pretraining_fades(shared):
    values = sf.value(shared / "cg_transfer" / "cg_table.csv", "accuracy")
    full = max(values, key=lambda value: len(value.cells))
    assert len(full.cells) == 63
    small = [c for c in full.cells if c.finetune <= 10_000]
    large = [c for c in full.cells if c.finetune == 100_000]
    assert {c.state for c in small} == {"helps"}
    assert "harms" not in {c.state for c in full.cells}
    assert {c.state for c in large} == {"unsure"}
    assert 10_000 < full.fades < 100_000
    assert all(0 < c.effective < 10 * c.finetune for c in small)
