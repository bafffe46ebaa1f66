"""The law card tells all that somebody else needs."""

import json

import numpy as np

import scalefit as sf

SIZES = np.geomspace(1e6, 1e9, 6)
TABLE = {
    "corpus": ["fr|en"] * 6,
    "pretrain_tokens": SIZES,
    "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 24.2],
}


def test_a_card_holds_form_numbers_data_and_version():
    fit = sf.fit(TABLE, "bleu", "log", where={"corpus": "fr|en"})
    card = fit.card(held_out=0.5)
    text = card.to_markdown()
    for told in (
        fit.law.formula,
        fit.law.source,
        fit.observations.digest,
        "held-out error**: 0.5",
        "BLEU points",
    ):
        assert told in text
    stored = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert stored["parameters"][0]["estimate"] == fit.params["D0"]
    assert stored["group"] == {"corpus": "fr|en"}
    assert stored["made_by"] == sf.__version__


def test_a_card_without_a_held_out_score_says_so():
    assert "not measured" in sf.fit(TABLE, "bleu", "log").card().to_markdown()


def test_every_answer_is_a_table_for_papers():
    ranking = sf.rank(
        {**{k: [*v, *v] for k, v in TABLE.items()}, "corpus": ["fr|en"] * 6 + ["de"] * 6}, at="4B"
    )
    lines = ranking.to_markdown().splitlines()
    assert lines[0].startswith("| corpus | p best |")
    assert any("fr\\|en" in line for line in lines)
    assert ranking.to_latex().startswith("\\begin{tabular}")


LINE = {"pretrain_tokens": [1e8, 1e9, 1e10, 1e11], "bleu": [10.25, 12.25, 14.75, 17.65]}


def test_an_interval_stands_behind_its_estimate_and_what_is_not_fixed_has_no_number():
    card = sf.fit(LINE, "bleu", "log").card()
    told = {row["parameter"]: row for row in card.shown()}
    lost = [row["parameter"] for row in card.rows() if not row["identified"]]
    assert lost
    assert all(
        told[name]["estimate"] == "not identified" and told[name]["low"] is None for name in lost
    )
    s = next(row for row in card.rows() if row["parameter"] == "s")
    assert f"{s['estimate']:.4g} [{s['low']:.4g}, {s['high']:.4g}]" in str(card)


def test_an_interval_that_is_a_limit_alone_is_not_shown():
    rng = np.random.default_rng(0)
    size = np.repeat(np.geomspace(1e8, 1e10, 5), 3)
    rows = {"pretrain_tokens": size, "pretrain_seed": [1, 2, 3] * 5}
    rows["bleu"] = 10 * (size / 1e8) ** 0.15 + rng.normal(0, 0.05, 15)
    shown = sf.fit(rows, "bleu", "log").shown()
    assert all("[0, 0]" not in row["95% interval"] for row in shown)


def test_many_fits_write_sizes_as_counts_as_one_does():
    rng = np.random.default_rng(1)
    size = np.repeat(np.geomspace(1e9, 1e12, 7), 2)
    rows = {"pretrain_tokens": np.tile(size, 2), "corpus": ["a"] * 14 + ["b"] * 14}
    curve = 25 + 45 / (1 + (rows["pretrain_tokens"] / 3e10) ** -1.2)
    fits = sf.fit_each({**rows, "accuracy": curve + rng.normal(0, 0.5, 28)}, "accuracy", "logistic")
    one = next(row for row in fits[0].shown() if row["parameter"] == "x_mid")
    assert fits.shown()[0]["x_mid"] == f"{one['estimate']} {one['95% interval']}"
    assert fits.shown()[0]["x_mid"].endswith("B]")
