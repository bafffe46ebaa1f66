"""Laws one after the other: values and doubt carried through, tested against the direct law, Gadre's ladder."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import DomainError, FitError
from scalefit.laws import Coefficient, Law, Shape

D = np.geomspace(1e7, 1e10, 10)
STEPS = [sf.Step("loss", "power"), sf.Step("error", "loss_to_error")]


def data(noise=0.0, seed=0, sizes=D):
    rng = np.random.default_rng(seed)
    loss = 1.8 + 90 * sizes**-0.25 + noise * rng.standard_normal(sizes.size)
    error = 0.85 - 1.6 * np.exp(-0.6 * loss) + 0.3 * noise * rng.standard_normal(sizes.size)
    return {"D": sizes, "loss": loss, "error": error}


def truth(x):
    return 0.85 - 1.6 * np.exp(-0.6 * (1.8 + 90 * x**-0.25))


def test_a_chain_is_its_laws_one_after_the_other():
    chain = sf.chain(data(0.002), STEPS, inputs={"x": "D"})
    band = chain.predict(D=[1e9, 1e11])
    first, second = chain.fits
    through = second.value(first.value(np.array([1e9, 1e11])))
    np.testing.assert_allclose(band.estimate, through, rtol=1e-12)
    assert (band.low < band.estimate).all()
    assert (band.estimate < band.high).all()


def test_doubt_of_the_loss_reaches_the_metric():
    """With an exact second step the interval is what the loss's own becomes."""
    given = data(0.01)
    given["error"] = 0.85 - 1.6 * np.exp(-0.6 * given["loss"])
    chain = sf.chain(given, STEPS, inputs={"x": "D"})
    loss = sf.predict(chain.fits[0], D=[3e9])
    band = chain.predict(D=[3e9])
    ends = 0.85 - 1.6 * np.exp(-0.6 * np.array([loss.low[0], loss.high[0]]))
    assert (band.low[0], band.high[0]) == pytest.approx(tuple(ends), rel=2e-3)


@pytest.mark.slow
def test_intervals_of_a_chain_hold_the_truth():
    """A chain over three decades, asked within them and just beyond: 95 % intervals of the mean."""
    held = []
    for seed in range(40):
        chain = sf.chain(data(0.01, seed), STEPS, inputs={"x": "D"}, hold_out=9)
        band = chain.predict(D=[3e8, 2e10])
        held += (
            (band.low <= truth(band.inputs["D"])) & (truth(band.inputs["D"]) <= band.high)
        ).tolist()
    assert np.mean(held) >= 0.88


def test_a_chain_beats_a_direct_law_that_cannot_bend_and_says_so():
    chain = sf.chain(data(0.002), STEPS, inputs={"x": "D"}, direct="power", hold_out=3)
    assert set(chain.errors) == {"chain", "direct", "nearest run"}
    assert chain.errors["chain"] < chain.errors["direct"]
    assert chain.verdict.endswith("take the chain")
    assert [row["step"] for row in chain.rows()] == ["step 1", "step 2", "direct"]


def test_the_direct_law_is_recommended_where_the_loss_says_little():
    given = data(0.002)
    rng = np.random.default_rng(1)
    given["loss"] = given["loss"] * np.exp(0.15 * rng.standard_normal(D.size))
    given["error"] = 0.3 + 3 * D**-0.2
    chain = sf.chain(given, STEPS, inputs={"x": "D"}, direct="power", hold_out=3)
    assert chain.verdict.endswith("the direct law forecasts better: take it")


def test_three_steps():
    given = data(0.001)
    given["task_loss"] = 0.3 + 0.8 * given["loss"]
    given["error"] = 0.85 - 1.6 * np.exp(-0.6 * given["task_loss"])
    steps = [STEPS[0], sf.Step("task_loss", "loss_to_loss"), STEPS[1]]
    chain = sf.chain(given, steps, inputs={"x": "D"}, hold_out=1)
    wanted = 0.85 - 1.6 * np.exp(-0.6 * (0.3 + 0.8 * (1.8 + 90 * 1e11**-0.25)))
    assert chain.predict(D=1e11).estimate[0] == pytest.approx(wanted, abs=0.01)


def test_a_chain_of_one_step_or_of_a_law_of_sizes_is_refused():
    with pytest.raises(FitError, match=r"found 1 steps; needed two or more"):
        sf.chain(data(), STEPS[:1], inputs={"x": "D"})
    with pytest.raises(
        FitError, match=r"step 'error': law 'chinchilla' takes N, D; needed a law of one input"
    ):
        sf.chain(data(), [STEPS[0], sf.Step("error", "chinchilla")], inputs={"x": "D"})
    with pytest.raises(DomainError, match="the fit has no input 'N'"):
        sf.chain(data(0.01), STEPS, inputs={"x": "D"}).predict(N=3)


ONE_EXPONENT = Law(
    name="one exponent",
    formula="E + A·N^−α + B·D^−α",
    inputs=("N", "D"),
    coefficients=(Coefficient("E", 0.0), Coefficient("a", 0.0), Coefficient("b", 0.0)),
    shapes=(Shape("alpha", (0.0, 3.0), points=201),),
    basis=lambda N, D, alpha: (1.0, (N / 1e8) ** -alpha, (D / 1e9) ** -alpha),
    source="Gadre et al. 2024, arXiv 2403.08540, equation of over-training",
)


@pytest.mark.parametrize(
    ("corpus", "percent"), [("c4_original", 0.14), ("rpj", 0.05), ("rw_original", 2.94)]
)
def test_the_two_stage_ladder_of_gadre_2024_table_2(shared, gadre_tasks, corpus, percent):
    """Mean error of 17 tasks at 6.9B, from five small runs for the loss and one of 1.4B besides for the error."""
    runs = pd.read_csv(shared / "gadre" / "gadre_104_models.csv").query("train_dataset == @corpus")
    plain, longest = (
        runs.chinchilla_multiplier == 1,
        (runs.chinchilla_multiplier == 16) & (runs.N < 2e7),
    )
    ladder = (plain & (runs.N < 1e9)) | longest
    table = pd.DataFrame(
        {
            "N": runs.N,
            "D": runs.D,
            "c4": runs.loss_c4_val,
            "error": 1 - runs[[f"acc_{task}" for task in gadre_tasks]].mean(axis=1),
            "for_loss": ladder.astype(int),
            "for_error": (ladder | (plain & (runs.N < 2e9))).astype(int),
        }
    )
    steps = [
        sf.Step("c4", ONE_EXPONENT, where={"for_loss": 1}),
        sf.Step("error", "loss_to_error", where={"for_error": 1}),
    ]
    chain = sf.chain(table, steps, inputs={"N": "N", "D": "D"}, hold_out=1)
    largest = table.loc[table.N.idxmax()]
    band = chain.predict(N=largest.N, D=largest.D)
    relative = abs(band.estimate[0] - largest.error) / largest.error
    assert 100 * relative == pytest.approx(percent, abs=0.006)
    assert band.low[0] <= largest.error <= band.high[0]


def test_on_all_runs_of_gadre_the_backtest_says_whether_the_chain_is_worth_it(shared, gadre_tasks):
    runs = pd.read_csv(shared / "gadre" / "gadre_104_models.csv").query(
        "train_dataset == 'rw_original'"
    )
    table = pd.DataFrame(
        {
            "N": runs.N,
            "D": runs.D,
            "c4": runs.loss_c4_val,
            "error": 1 - runs[[f"acc_{task}" for task in gadre_tasks]].mean(axis=1),
        }
    )
    steps = [sf.Step("c4", "chinchilla"), sf.Step("error", "loss_to_error")]
    chain = sf.chain(table, steps, inputs={"N": "N", "D": "D"}, direct="chinchilla", hold_out=1)
    assert chain.errors["chain"] < chain.errors["direct"]
