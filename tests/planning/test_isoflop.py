"""Minima of isoFLOP curves: on surfaces whose optimum is known, and on public runs."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError
from scalefit.planning.isoflop import BudgetRuns, Refits, bias_of, budgets_of, isoflop_of, minima_of

TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.37}
INPUTS = {"N": "N", "D": "D"}


def optimum(budget):
    """Hoffmann et al. 2022, eq. 4."""
    total = TRUTH["alpha"] + TRUTH["beta"]
    scale = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / total)
    return scale * (budget / 6) ** (TRUTH["beta"] / total)


def runs(noise=0.0, rng=None, off=1.0, budgets=(1e19, 1e20, 1e21, 1e22)):
    """Nine sizes a budget, from a fifth to five times the optimum, moved by ``off``."""
    c, share = (v.ravel() for v in np.meshgrid(budgets, np.geomspace(0.2, 5, 9)))
    n = share * off * optimum(c)
    d = c / 6 / n
    loss = TRUTH["E"] + TRUTH["A"] * n ** -TRUTH["alpha"] + TRUTH["B"] * d ** -TRUTH["beta"]
    extra = 0.0 if rng is None else noise * rng.standard_normal(n.size)
    return {"N": n, "D": d, "cross_entropy": loss + extra}


def test_centred_runs_have_their_minimum_at_the_optimum():
    found = sf.isoflop(runs(), inputs=INPUTS)
    for split in found.splits:
        assert split.inputs["N"][0] == pytest.approx(optimum(split.budget), rel=0.06)
        assert 6 * split.inputs["N"][0] * split.inputs["D"][0] == pytest.approx(split.budget)
    total = TRUTH["alpha"] + TRUTH["beta"]
    assert found.exponents["N"][0] == pytest.approx(TRUTH["beta"] / total, abs=0.01)
    assert found.exponents["N"][0] + found.exponents["D"][0] == pytest.approx(1.0)


def test_intervals_hold_the_minimum_and_the_exponent_as_often_as_they_say():
    rng, sizes, slopes = np.random.default_rng(2), [], []
    plain, slope = (
        sf.isoflop(runs(), inputs=INPUTS),
        TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"]),
    )
    for seed in range(60):
        data = runs(0.004, rng)
        part = BudgetRuns(data["N"], data["D"], data["cross_entropy"], 6 * data["N"] * data["D"])
        found = isoflop_of(part, ("N", "D"), "loss", Refits(0.9, 200, seed))
        for split, known in zip(found.splits, plain.splits, strict=True):
            sizes.append(split.inputs["N"][1] <= known.inputs["N"][0] <= split.inputs["N"][2])
        slopes.append(found.exponents["N"][1] <= slope <= found.exponents["N"][2])
    assert 0.84 <= np.mean(sizes) <= 0.96
    assert 0.8 <= np.mean(slopes) <= 0.98


def test_the_bias_of_runs_off_the_centre_is_said_and_is_what_it_is():
    data = runs(off=2.5)
    part = BudgetRuns(data["N"], data["D"], data["cross_entropy"], 6 * data["N"] * data["D"])
    which = budgets_of(part.compute)
    found, _ = minima_of(part, which)
    factors, _ = bias_of(part, which, found, TRUTH)
    assert np.exp(found.size[:, 0]) / factors == pytest.approx(optimum(found.budgets), rel=1e-3)
    assert (factors > 1.02).all()
    (said,) = [n for n in sf.isoflop(data, inputs=INPUTS).notes if "is off by a factor" in n]
    assert "biased where runs are not centred" in said


def test_public_runs_give_exponents_near_a_half(shared):
    path = shared / "chinchilla" / "openathena_ml_scalefit_isoflops.csv"
    found = sf.isoflop(path, "loss", inputs={"N": "params", "D": "tokens"}, compute="budget")
    middle, low, high = found.exponents["params"]
    assert low < middle < high
    assert 0.45 < low < 0.56 < high < 0.6  # approach 2 of the paper: .49; of the replication: .53
    assert len(found.splits) == 8


def test_a_minimum_beyond_the_runs_is_not_made_up():
    outside = runs(off=30.0, budgets=(1e19,))
    both = {k: np.concatenate([v, outside[k]]) for k, v in runs(budgets=(1e20, 1e21)).items()}
    found = sf.isoflop(both, inputs=INPUTS)
    assert [round(np.log10(s.budget)) for s in found.splits] == [20, 21]
    assert any("beyond the model sizes run" in note for note in found.notes)
    with pytest.raises(DesignError, match="no budget has a minimum"):
        sf.isoflop(outside, inputs=INPUTS)


def test_runs_that_come_in_no_budgets():
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 9, 200), 10 ** rng.uniform(9, 11, 200)
    with pytest.raises(DesignError, match="do not come in budgets"):
        sf.isoflop({"N": n, "D": d, "cross_entropy": 2 + n**-0.3 + d**-0.3}, inputs=INPUTS)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"inputs": {"N": "N"}}, "inputs= names N"),
        ({"inputs": {"x": "N", "D": "D"}}, "inputs= names"),
        ({"metric": "bleu", "inputs": INPUTS}, "more bleu is better"),
        ({"inputs": INPUTS, "resamples": 1}, "resamples is 1"),
    ],
)
def test_a_question_that_has_no_minima(asked, why):
    data = {**runs(), "bleu": np.linspace(1, 30, 36)}
    with pytest.raises(DomainError, match=why):
        sf.isoflop(data, **asked)


def test_usual_columns_need_no_inputs() -> None:
    table = {name: np.asarray(column) for name, column in runs().items()}
    named = {"params": table["N"], "tokens": table["D"], "loss": table["cross_entropy"]}
    plain = sf.isoflop(named, "loss", resamples=20)
    flops = sf.isoflop({**named, "Train FLOPs": 3 * table["N"] * table["D"]}, "loss", resamples=20)
    assert set(plain.exponents) == {"parameters", "pretrain_tokens"}
    assert flops.splits[0].budget == pytest.approx(plain.splits[0].budget / 2)
    assert any("Train FLOPs" in note for note in flops.notes)


def test_the_only_loss_is_meant_where_nobody_named_one() -> None:
    table = runs()
    named = {"params": table["N"], "tokens": table["D"], "val_loss": table["cross_entropy"]}
    found = sf.isoflop(named, resamples=20)
    assert found.splits == sf.isoflop(named, "loss", resamples=20).splits
    assert any("loss is taken: the table has no cross_entropy" in note for note in found.notes)
