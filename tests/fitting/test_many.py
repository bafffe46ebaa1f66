"""One law, many groups."""

import numpy as np
import pytest

import scalefit as sf

X = np.geomspace(1e6, 1e9, 8)
SCATTER = 0.005 * np.cos(7 * np.arange(8.0))


def table(corpora=("de", "fr"), tasks=("en-de",)):
    rows = [(c, t, i) for c in corpora for t in tasks for i in range(8)]
    alpha = {"de": 0.25, "fr": 0.3, "ro": 0.35}
    return {
        "corpus": [c for c, _, _ in rows],
        "task": [t for _, t, _ in rows],
        "pretrain_tokens": [X[i] for *_, i in rows],
        "cross_entropy": [1.7 + 400 * X[i] ** -alpha[c] + SCATTER[i] for c, _, i in rows],
    }


def test_every_group_has_its_fit():
    many = sf.fit_many(table(), "cross_entropy", "power", by=["corpus"])
    assert list(many) == [("de",), ("fr",)]
    assert many["fr"].params["alpha"] == pytest.approx(0.3, abs=0.01)
    assert many[("de",)].params["alpha"] == pytest.approx(0.25, abs=0.01)
    assert many["de"].group == {"corpus": "de"}
    assert "corpus de" in many["de"].verdict
    assert not many.failures
    assert len(many) == 2


def test_a_group_s_fit_is_the_fit_of_its_rows():
    many = sf.fit_many(table(), "cross_entropy", "power", by=["corpus"])
    alone = sf.fit(table(), "cross_entropy", "power", where={"corpus": "fr"})
    assert many["fr"].params == alone.params
    assert many["fr"].signature == alone.signature


def test_groups_are_found_when_none_are_named():
    many = sf.fit_many(table(tasks=("en-de", "en-fr")), "cross_entropy", "power")
    assert many.by == ("corpus", "task")
    assert set(many) == {(c, t) for c in ("de", "fr") for t in ("en-de", "en-fr")}


def test_a_group_that_cannot_be_fitted_is_named_with_its_reason():
    data = table(("de", "fr", "ro"))
    keep = [i for i, c in enumerate(data["corpus"]) if c != "ro"] + [16, 17]
    data = {k: [v[i] for i in keep] for k, v in data.items()}
    many = sf.fit_many(data, "cross_entropy", "power", by=["corpus"])
    assert list(many) == [("de",), ("fr",)]
    assert [f.group for f in many.failures] == [{"corpus": "ro"}]
    assert "2 points cannot fix the 3 parameters" in many.failures[0].reason
    assert "no fit for {'corpus': 'ro'}" in repr(many)
    assert "2 fits by corpus; 1 groups without a fit" in repr(many)
    assert "cannot fix" in many._repr_html_()


def test_a_number_that_is_not_identified_is_not_printed():
    data = table()
    rising = np.array(data["corpus"]) == "fr"
    data["cross_entropy"] = np.where(
        rising, 1 + 0.1 * np.log(data["pretrain_tokens"]), data["cross_entropy"]
    )
    rows = sf.fit_many(data, "cross_entropy", "power", by=["corpus"]).rows()
    assert rows[1]["alpha"] == "not identified"
    assert rows[0]["alpha"].startswith("0.25")


def test_rows_become_a_frame():
    frame = sf.fit_many(table(), "cross_entropy", "power", by=["corpus"]).to_frame()
    assert list(frame["corpus"]) == ["de", "fr"]
    assert list(frame["points"]) == [8, 8]


def test_conditions_and_options_are_passed_on():
    many = sf.fit_many(
        table(tasks=("en-de", "en-fr")),
        "cross_entropy",
        "power",
        by=["corpus"],
        where={"task": "en-fr"},
        objective="huber",
        delta=0.01,
    )
    assert all("huber(0.01)" in fit.signature for fit in many.values())
    assert all(fit.points.y.size == 8 for fit in many.values())


def test_the_bar_shows_only_when_asked_or_long(capsys):
    sf.fit_many(table(), "cross_entropy", "power", by=["corpus"])
    assert capsys.readouterr().err == ""
    sf.fit_many(table(), "cross_entropy", "power", by=["corpus"], progress=True)
    assert "fit cross_entropy" in capsys.readouterr().err
