"""Published fits: each is usable, those whose runs are here hold on them, and others are told apart."""

import csv

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import LawError
from scalefit.laws import get_law

PAIR = {"N": "N", "D": "D"}
N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))


def table(path):
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


@pytest.mark.parametrize("name", sf.published())
def test_each_entry_says_all_that_its_use_needs(name):
    fit = sf.published()[name]
    law = get_law(fit.law)
    assert set(fit.params) == set(law.parameters)
    assert set(fit.inputs) == set(law.inputs)
    assert set(fit.stderr) <= set(fit.params)
    assert all((fit.metric, fit.data, fit.source))
    at = [3.0 if law.takes == "any" else 1e9 for _ in law.inputs]
    assert np.isfinite(fit(*at))
    theta = law.anchored(tuple(np.array([x, 2 * x]) for x in at)).theta(fit.params)
    assert np.isfinite(theta).all()


def test_there_are_some_twenty_and_each_is_as_published_refitted_or_recalled():
    assert 18 <= len(sf.published()) <= 25
    assert {fit.origin for fit in sf.published().values()} == {"published", "refitted", "recalled"}
    with pytest.raises(
        LawError, match="no published fit is called 'hofmann'; there are hoffmann-2022"
    ):
        sf.refit_published("hofmann", {}, "loss", inputs=PAIR)


def chinchilla(shared, most=None):
    rows = sorted(
        table(shared / "chinchilla" / "epoch_svg_extracted_data.csv"),
        key=lambda r: float(r["loss"]),
    )[:most]
    size, flops = column(rows, "Model Size"), column(rows, "Training FLOP")
    return {"N": size, "D": flops / (6 * size), "C": flops, "loss": column(rows, "loss")}


@pytest.mark.parametrize(("name", "most"), [("besiroglu-2024", 240), ("besiroglu-2024-all", None)])
def test_besiroglu_2024_on_its_runs(shared, name, most):
    again = sf.refit_published(name, chinchilla(shared, most), "loss", inputs=PAIR)
    assert again.fit.params == pytest.approx(again.published, rel=1e-3)
    assert again.state == "holds"


def test_hoffmann_2022_does_not_hold_on_its_own_runs(shared):
    """The finding of Besiroglu et al. 2024: B and β are far off what the figure's points say."""
    again = sf.refit_published("hoffmann-2022", chinchilla(shared, 240), "loss", inputs=PAIR)
    assert again.state == "differs"
    assert {"B", "beta", "E"} <= set(again.apart)


def test_open_athena_on_its_runs(shared):
    data = chinchilla(shared, 240)
    small = data["C"] < 1e21
    scaled = {"N": data["N"][small] / 1e6, "D": data["D"][small] / 1e9, "loss": data["loss"][small]}
    again = sf.refit_published("open-athena-2026", scaled, "loss", inputs=PAIR)
    assert again.fit.params == pytest.approx(again.published, rel=1e-3)
    assert again.state == "holds"


@pytest.mark.parametrize("pair", ["de-en", "zh-en", "ru-en"])
def test_gordon_2021_on_its_runs(shared, pair):
    for file, metric, name, inputs in (
        ("gordon_bpe_bleu.csv", "ent_dev", "loss", {"N": "params", "D": "data_bytes"}),
        ("gordon_detok_bleu.csv", "bleu_dev", "bleu", {"L": "ent_dev"}),
    ):
        rows = [r for r in table(shared / "gordon_mt" / file) if r["Lang"] == pair.replace("-", "")]
        rows = [r for r in rows if float(r["data_bytes"]) > 5e6]
        data = {c: column(rows, c) for c in (metric, *inputs.values())}
        again = sf.refit_published(f"gordon-2021-{name}-{pair}", data, metric, inputs=inputs)
        assert again.fit.params == pytest.approx(again.published, rel=4e-3)
        assert again.apart == ()


@pytest.mark.parametrize(
    ("corpus", "name"), [("c4_original", "c4"), ("rpj", "redpajama"), ("rw_original", "refinedweb")]
)
def test_gadre_2024_on_its_runs(shared, gadre_tasks, corpus, name):
    rows = [
        r for r in table(shared / "gadre" / "gadre_104_models.csv") if r["train_dataset"] == corpus
    ]
    multiple, size = column(rows, "chinchilla_multiplier"), column(rows, "N")
    ladder = ((multiple == 1) & (size < 2e9)) | ((multiple == 16) & (size < 2e7))
    error = 1 - np.mean([column(rows, f"acc_{task}") for task in gadre_tasks], axis=0)
    data = {"L": column(rows, "loss_c4_val")[ladder], "error": error[ladder]}
    again = sf.refit_published(f"gadre-2024-error-{name}", data, "error", inputs={"L": "L"})
    assert again.fit.params == pytest.approx(again.published, rel=1e-3)
    assert again.apart == ()


def test_bansal_2022_on_its_runs(shared):
    rows = table(shared / "nmt_bansal" / "benchmark.nmt.csv")
    rows = [r for r in rows if r["Model"] == "28 Enc, 6 Dec" and r["Training"] == "1"]
    data = {"x": column(rows, "Seen Examples"), "loss": column(rows, "Loss")}
    again = sf.refit_published("bansal-2022-28-6", data, "loss", inputs={"x": "x"})
    assert again.fit.params == pytest.approx(again.published, rel=1e-3)
    assert again.apart == ()


def test_runs_of_another_law_differ_and_say_in_what():
    loss = get_law("chinchilla")(N, D, E=1.5, A=477.8, B=2143.0, alpha=0.3473, beta=0.3672)
    noise = 0.002 * np.random.default_rng(0).standard_normal(25)
    again = sf.refit_published(
        "besiroglu-2024", {"N": N, "D": D, "loss": loss + noise}, "loss", inputs=PAIR
    )
    assert again.state == "differs"
    assert "E" in again.apart
    assert again.verdict.startswith("besiroglu-2024: differs: E 1.817 published, 1.5")


def test_too_little_spread_is_not_identified():
    near = {"N": N**0.1 * 1e8, "D": D**0.1 * 1e9}
    loss = sf.published()["besiroglu-2024"](near["N"], near["D"])
    noise = 0.01 * np.random.default_rng(0).standard_normal(25)
    again = sf.refit_published(
        "besiroglu-2024", {**near, "loss": loss + noise}, "loss", inputs=PAIR
    )
    assert again.state in ("not identified", "beaten by a baseline")
    assert again.fit.not_identified


def test_a_law_that_the_nearest_run_beats_is_said():
    """A loss that stops falling: the law goes on, the nearest run knows."""
    x = np.geomspace(1e6, 1e10, 16)
    loss = np.maximum(30 * x**-0.2, 0.6) + 0.001 * np.random.default_rng(0).standard_normal(16)
    again = sf.refit_published(
        "kaplan-2020-data", {"x": x, "loss": loss}, "loss", inputs={"x": "x"}
    )
    assert again.state == "beaten by a baseline"
    assert "the nearest run forecasts the largest sizes better" in again.verdict


def test_each_says_what_doubt_its_source_gives():
    told = {name: fit.doubt for name, fit in sf.published().items()}
    assert told["besiroglu-2024"] == "standard errors given, no covariance"
    assert told["hoffmann-2022"] == "no errors given"
    assert all(fit.about.endswith(fit.doubt) for fit in sf.published().values())
