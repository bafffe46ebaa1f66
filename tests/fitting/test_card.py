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
