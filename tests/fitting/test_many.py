"""One law, many groups."""

import numpy as np
import pandas as pd
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
    many = sf.fit_each(table(), "cross_entropy", "power", by=["corpus"])
    assert [fit.group["corpus"] for fit in many] == ["de", "fr"]
    assert many["fr"].params["alpha"] == pytest.approx(0.3, abs=0.01)
    assert many[("de",)].params["alpha"] == pytest.approx(0.25, abs=0.01)
    assert many["de"].group == {"corpus": "de"}
    assert many["de"].verdict.startswith("de: ")
    assert not many.failures
    assert len(many) == 2


def test_a_group_s_fit_is_the_fit_of_its_rows():
    many = sf.fit_each(table(), "cross_entropy", "power", by=["corpus"])
    alone = sf.fit(table(), "cross_entropy", "power", where={"corpus": "fr"})
    assert many["fr"].params == pytest.approx(alone.params, rel=1e-9)
    assert many["fr"].signature == alone.signature


@pytest.mark.parametrize(("law", "metric"), [("power", "cross_entropy"), ("log", "bleu")])
def test_many_fits_are_the_fits_one_by_one(law, metric):
    rng, rows = np.random.default_rng(5), []
    for i in range(12):
        x = X[: 5 + i % 4]
        loss, bleu = 1.7 + 400 * x**-0.3, 30 - 200 * x**-0.25
        for size, ce, b in zip(x, loss * (1 + 0.003 * rng.normal(size=x.size)),
                               bleu * (1 + 0.01 * rng.normal(size=x.size)), strict=True):  # fmt: skip
            rows.append(
                {"corpus": f"c{i:02}", "pretrain_tokens": size, "cross_entropy": ce, "bleu": b}
            )
    data = pd.DataFrame(rows)
    for many in sf.fit_each(data, metric, law, by=["corpus"]):
        alone = sf.fit(data, metric, law, where=many.group)
        assert many.objective == pytest.approx(alone.objective, rel=1e-9)
        assert many.params == pytest.approx(
            alone.params, rel=1e-9
        )  # in the log-law's flat valley, too
        assert many.notes == alone.notes
        for name, ends in alone.intervals().items():
            theirs = many.intervals()[name]
            assert (theirs.low, theirs.high) == pytest.approx((ends.low, ends.high), rel=1e-7)


def test_what_is_doubted_is_worked_out_when_it_is_looked_at():
    fit = sf.fit_each(table(), "cross_entropy", "power")[0]
    assert "uncertainty" not in vars(fit)
    assert fit.intervals()["alpha"].low < fit.params["alpha"]
    assert "uncertainty" in vars(fit)


def test_a_value_names_one_fit_or_the_part_that_has_it():
    many = sf.fit_each(table(tasks=("en-de", "en-fr")), "cross_entropy", "power")
    assert many["fr", "en-fr"].group == {"corpus": "fr", "task": "en-fr"}
    part = many["fr"]
    assert type(part) is sf.Fits
    assert [fit.group["task"] for fit in part] == ["en-de", "en-fr"]
    assert part["en-de"] is many["fr", "en-de"]
    assert many[0] is next(iter(many))
    assert len(many[1:]) == 3
    assert "fr" in many
    assert "xx" not in many


def test_a_name_that_nothing_has_is_answered_with_those_there_are():
    many = sf.fit_each(table(), "cross_entropy", "power")
    with pytest.raises(
        KeyError, match="nothing here belongs to 'dee'; there is de, en-de, fr; did you mean 'de'"
    ):
        _ = many["dee"]


def test_groups_are_found_when_none_are_named():
    many = sf.fit_each(table(tasks=("en-de", "en-fr")), "cross_entropy", "power")
    assert many.by == ("corpus", "task")
    pairs = {(fit.group["corpus"], fit.group["task"]) for fit in many}
    assert pairs == {(c, t) for c in ("de", "fr") for t in ("en-de", "en-fr")}


def test_a_group_that_cannot_be_fitted_is_named_with_its_reason():
    data = table(("de", "fr", "ro"))
    keep = [i for i, c in enumerate(data["corpus"]) if c != "ro"] + [16, 17]
    data = {k: [v[i] for i in keep] for k, v in data.items()}
    many = sf.fit_each(data, "cross_entropy", "power", by=["corpus"])
    assert [fit.group["corpus"] for fit in many] == ["de", "fr"]
    assert [f.group for f in many.failures] == [{"corpus": "ro"}]
    assert "2 points cannot fix the 3 parameters" in many.failures[0].reason
    assert "note: ro: no fit: 2 points cannot fix" in repr(many)
    assert "2 fits by corpus; 1 group without a fit" in repr(many)
    assert "cannot fix" in many._repr_html_()


def test_what_a_law_takes_in_parts_no_groups():
    n, d = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e8, 1e10, 5))
    )
    loss = 1.7 + 400 * n**-0.34 + 410 * d**-0.28
    many = sf.fit_each({"params": n, "tokens": d, "loss": loss}, "loss", "chinchilla")
    assert not many.by
    assert many[0].params["E"] == pytest.approx(1.7, rel=1e-4)


@pytest.mark.parametrize(
    ("law", "why"), [("nolaw", "no law is called"), ("power", "more bleu is better")]
)
def test_a_law_that_no_group_could_follow_is_an_error(law, why):
    data = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6], "bleu": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(sf.errors.ScalefitError, match=why):
        sf.fit_each(data, "bleu", law)


def test_a_number_that_is_not_identified_is_not_printed():
    data = table()
    rising = np.array(data["corpus"]) == "fr"
    data["cross_entropy"] = np.where(
        rising, 1 + 0.1 * np.log(data["pretrain_tokens"]), data["cross_entropy"]
    )
    many = sf.fit_each(data, "cross_entropy", "power", by=["corpus"])
    assert many.shown()[1]["alpha"] == "not identified"
    assert many.shown()[0]["alpha"].startswith("0.25")
    assert np.isnan(many.to_frame()["alpha"][1])
    assert many.to_frame()["alpha"][0] == many["de"].params["alpha"]


def test_rows_become_a_frame():
    frame = sf.fit_each(table(), "cross_entropy", "power", by=["corpus"]).to_frame()
    assert list(frame["corpus"]) == ["de", "fr"]
    assert list(frame["points"]) == [8, 8]


def test_conditions_and_options_are_passed_on():
    many = sf.fit_each(
        table(tasks=("en-de", "en-fr")),
        "cross_entropy",
        "power",
        by=["corpus"],
        where={"task": "en-fr"},
        objective="huber",
        delta=0.01,
    )
    assert all("huber(0.01)" in fit.signature for fit in many)
    assert all(fit.points.y.size == 8 for fit in many)


def test_the_bar_shows_only_when_asked_or_long(capsys):
    sf.fit_each(table(), "cross_entropy", "power", by=["corpus"])
    assert capsys.readouterr().err == ""
    sf.fit_each(table(), "cross_entropy", "power", by=["corpus"], progress=True)
    assert "fit cross_entropy" in capsys.readouterr().err
