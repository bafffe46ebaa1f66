"""A stored fit outlives the session: versioned JSON, no pickle, nothing lost."""

import json

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import FormatError
from scalefit.fitting import from_dict, to_dict

NAN_IS_NO_JSON = {"allow_nan": False}


def seeds(curve, sizes, losses):
    rng = np.random.default_rng(0)
    three = np.repeat(losses, 3) + 0.01 * rng.normal(size=24)
    return curve(three, np.repeat(sizes, 3), pretrain_seed=np.tile([1, 2, 3], 8))


def same(again, fit):
    assert again.params == pytest.approx(fit.params, rel=1e-9)
    assert again.objective == pytest.approx(fit.objective, rel=1e-9)
    assert again.signature == fit.signature
    assert again.notes == fit.notes
    assert again.group == fit.group
    for name, interval in fit.intervals().items():
        assert again.intervals()[name].low == pytest.approx(interval.low, rel=1e-6)
        assert again.intervals()[name].high == pytest.approx(interval.high, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"law": "pure_power", "residual": "log"},
        {"objective": "huber", "delta": 1e-2, "residual": "log"},
        {"where": {"corpus": "fr"}},
        {"weights": "none"},
    ],
    ids=str,
)
def test_a_saved_fit_comes_back(curve, losses, tmp_path, options):
    data = curve(losses, corpus=["fr"] * 8, stderr=np.full(8, 0.01))
    fit = sf.fit(data, "cross_entropy", **{"law": "power", **options})
    sf.save(fit, tmp_path / "fit.json")
    same(sf.load(tmp_path / "fit.json"), fit)


def test_a_fit_to_seeds_comes_back(curve, sizes, losses):
    fit = sf.fit(seeds(curve, sizes, losses), "cross_entropy", "power")
    same(from_dict(json.loads(json.dumps(to_dict(fit)))), fit)


def test_the_log_law_keeps_its_reference(curve, sizes, scatter, tmp_path):
    values = 20 * (np.log(sizes / 1e4) / np.log(1e4)) ** 1.2 + 0.1 * scatter
    fit = sf.fit(curve(values, metric="bleu"), "bleu", "log")
    sf.save(fit, tmp_path / "fit.json")
    again = sf.load(tmp_path / "fit.json")
    same(again, fit)
    assert again.law.constants == fit.law.constants


def test_what_is_stored_is_strict_json(curve, sizes):
    """Infinity is no JSON: β of a log-law that is a power law becomes null."""
    values = 20 * (sizes / 1e8) ** 0.15
    values[[0, 3]] *= 1.01
    fit = sf.fit(curve(values, metric="bleu"), "bleu", "log")
    assert np.isinf(fit.params["beta"])
    stored = to_dict(fit)
    text = json.dumps(stored, **NAN_IS_NO_JSON)
    assert stored["params"]["beta"] is None
    assert from_dict(json.loads(text)).params["s"] == pytest.approx(fit.params["s"])


def test_groups_of_fit_many_are_strict_json(curve, losses):
    data = curve(
        np.tile(losses, 2),
        np.tile(np.geomspace(1e6, 1e9, 8), 2),
        finetune_tokens=[6e6] * 8 + [3e7] * 8,
    )
    for fit in sf.fit_many(data, "cross_entropy").values():
        json.dumps(to_dict(fit), **NAN_IS_NO_JSON)


def test_to_dict_of_the_fit_is_the_same(curve, losses):
    fit = sf.fit(curve(losses), "cross_entropy", "power")
    assert fit.to_dict() == to_dict(fit)
    assert to_dict(fit)["version"] == 1


def test_a_law_of_the_users_own_is_given_again(curve, sizes, losses, tmp_path):
    law = sf.Law(
        name="mine",
        formula="a + b·ln x",
        coefficients=(sf.Coefficient("a"), sf.Coefficient("b")),
        basis=lambda x: (1.0, np.log(x)),
    )
    fit = sf.fit(curve(losses), "cross_entropy", law)
    sf.save(fit, tmp_path / "fit.json")
    with pytest.raises(FormatError, match="law 'mine', which is not built in: give law="):
        sf.load(tmp_path / "fit.json")
    same(sf.load(tmp_path / "fit.json", law=law), fit)


def test_what_is_no_stored_fit_is_refused(tmp_path):
    path = tmp_path / "x.json"
    for text, words in [
        ("a,b\n1,2\n", "not JSON"),
        ("[1, 2]", "a stored fit is a JSON object, found list"),
        ('{"scalefit": "plan"}', "no fit stored by scalefit"),
        ('{"scalefit": "fit", "version": 99}', r"version 99, needed 1"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=words):
            sf.load(path)
