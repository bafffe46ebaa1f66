"""What is saved comes back bit for bit, with no fit and no code run; what was changed is refused by name."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit import store
from scalefit.errors import FormatError

SIZES = np.geomspace(1e6, 1e9, 8)
SCATTER = np.array([0.13, -0.13, 0.64, 0.1, -0.54, 0.36, 1.3, -1.86])
LOSSES = 1.7 + 400 * SIZES**-0.3 + 0.002 * SCATTER
BLEU = 20 * (np.log(SIZES / 1e4) / np.log(1e4)) ** 1.2 + 0.1 * SCATTER


def line(x, a, b):
    return a + b * np.log(x)


def runs(seeds=3):
    rng = np.random.default_rng(0)
    return {
        "pretrain_tokens": np.repeat(SIZES, seeds),
        "pretrain_seed": np.tile(np.arange(seeds), 8),
        "cross_entropy": np.repeat(LOSSES, seeds) + 0.01 * rng.normal(size=8 * seeds),
        "bleu": np.repeat(BLEU, seeds) + 0.2 * rng.normal(size=8 * seeds),
    }


def corpora(*names):
    one = {k: v[::3] for k, v in runs().items() if k != "pretrain_seed"}
    whole = {k: np.concatenate([v + i for i in range(len(names))]) for k, v in one.items()}
    whole["pretrain_tokens"] = np.tile(SIZES, len(names))
    return {**whole, "corpus": np.repeat(names, 8)}


def of_loss(**options):
    table = {"pretrain_tokens": SIZES, "cross_entropy": LOSSES}
    return sf.fit(table, "cross_entropy", options.pop("law", "power"), **options)


def misaligned():
    bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    loss = [3.0, 3.01, 2.99, 2.9, 2.91, 2.89, 2.8, 2.81, 2.79, 2.7, 2.71, 2.69]
    sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    return sf.align({
        "pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4, "corpus": ["fr ü"] * 12,
        "bleu": bleu, "cross_entropy": loss,
    })  # fmt: skip


MADE = {
    "a fit": lambda: of_loss(),
    "a robust fit": lambda: of_loss(objective="huber", delta=1e-2, residual="log"),
    "a fit with draws": lambda: sf.bootstrap(of_loss(), resamples=20),
    "a fit to seeds": lambda: sf.fit(runs(), "cross_entropy", "power"),
    "a fit to checkpoints": lambda: sf.fit(
        {**runs(), "pretrain_run": np.tile(["a", "b", "c"], 8)}, "cross_entropy", "power"
    ),
    "a fit with an infinite parameter": lambda: sf.fit(
        {"pretrain_tokens": SIZES, "bleu": 20 * (SIZES / 1e8) ** 0.15}, "bleu", "log"
    ),
    "a fit without degrees of freedom": lambda: sf.fit(
        {"pretrain_tokens": SIZES[:3], "cross_entropy": LOSSES[:3]}, "cross_entropy", "power"
    ),
    "a fit of several inputs": lambda: sf.fit(
        {
            "parameters": np.tile([1e7, 1e8, 1e9], 3),
            "pretrain_tokens": np.repeat([1e9, 1e10, 1e11], 3),
            "cross_entropy": [3.62, 2.93, 2.63, 3.37, 2.70, 2.35, 3.27, 2.58, 2.26],
        },
        "cross_entropy",
        "chinchilla",
        inputs={"N": "parameters", "D": "pretrain_tokens"},
    ),
    "many fits": lambda: sf.fit_each(corpora("fr", "inf", "null", "ünï\n"), "bleu", "log"),
    "a forecast": lambda: sf.forecast(corpora("fr", "nan"), target=30.0),
    "an outlook": lambda: sf.forecast(corpora("fr"), target=30.0)["fr"],
    "a band": lambda: sf.predict(of_loss(), x=[1e9, 1e10]),
    "tokens out of reach": lambda: sf.tokens_for(of_loss(), 1.5),
    "an alignment": lambda: misaligned()[0],
    "alignments": lambda: misaligned(),
}


@pytest.fixture(scope="module", params=MADE)
def result(request):
    return MADE[request.param]()


@pytest.fixture(scope="module")
def fit():
    return of_loss()


def numbers(answer):
    """Everything a reader can ask of an answer."""
    told = [answer.to_dict(), answer.rows(), str(answer)]
    if isinstance(answer, sf.Fit):
        told += [answer.intervals(0.8), answer.signature, answer.draws and answer.draws.stderr()]
    return repr(told)


def test_what_is_saved_comes_back_bit_for_bit(result, tmp_path):
    path = tmp_path / "answer.json"
    result.save(path)
    again = sf.load(path)
    assert type(again) is type(result)
    assert store.document(again) == store.document(result)
    assert numbers(again) == numbers(result)


def test_loading_fits_nothing(result, tmp_path, monkeypatch):
    sf.save(result, tmp_path / "answer.json")

    def never(*_, **__):
        raise AssertionError("a fit was made while loading")

    for module in ("fit", "solve"):
        for name in ("solve_problem", "fit_observations", "refit"):
            monkeypatch.setattr(f"scalefit.fitting.{module}.{name}", never, raising=False)
    sf.load(tmp_path / "answer.json")


def test_a_loaded_fit_answers_what_it_was_never_asked(fit, tmp_path):
    sf.save(fit, tmp_path / "fit.json")
    again = sf.load(tmp_path / "fit.json")
    assert sf.predict(again, x=1e11).rows() == sf.predict(fit, x=1e11).rows()
    assert sf.tokens_for(again, 2.0).rows() == sf.tokens_for(fit, 2.0).rows()


def places(value, at=()):
    """Where every single value of a document stands."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from places(item, (*at, key))
    else:
        yield at


def changed(document, at, value):
    edited = copy.deepcopy(document)
    inside = edited
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = value
    return edited


def same(a, b):
    return type(a) is type(b) and a == b


DOCUMENTS = {name: store.document(MADE[name]()) for name in ("a fit", "alignments")}
OTHER = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**6), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.just([]), st.just({}),
)  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
@settings(max_examples=150)
@given(data=st.data())
def test_whatever_single_value_is_changed_the_file_is_refused(name, data):
    document = DOCUMENTS[name]
    at = data.draw(st.sampled_from(sorted(places(document), key=repr)))
    old = document
    for key in at:
        old = old[key]
    value = data.draw(OTHER.filter(lambda new: not same(new, old)))
    with pytest.raises(FormatError):
        store.restore(changed(document, at, value))


@settings(max_examples=60)
@given(data=st.data())
def test_a_number_that_moves_by_one_bit_is_refused_by_name(data):
    document = DOCUMENTS["a fit"]
    at = data.draw(st.sampled_from([p for p in places(document) if p[0] in ("params", "state")]))
    old = document
    for key in at:
        old = old[key]
    if not isinstance(old, float):
        return
    name = at[0] if at[0] != "state" else f"state.{at[1]}"
    with pytest.raises(FormatError, match=f"what differs: {name}"):
        store.restore(changed(document, at, math.nextafter(old, math.inf)))


def test_a_part_that_is_taken_out_or_put_in_is_refused(fit):
    document = store.document(fit)
    for name in document:
        less = {k: v for k, v in document.items() if k != name}
        with pytest.raises(FormatError):
            store.restore(less)
    with pytest.raises(FormatError, match="what differs: more"):
        store.restore({**document, "more": 1})


def test_types_are_checked_even_where_the_digest_is_made_anew(fit):
    """The digest guards against accidents; whoever makes a new one still gets no nonsense."""
    for name, value, words in [
        ("theta", "abc", "found 'abc'; needed an array"),
        ("theta", [1.0, "x", 2.0], "found 'x'; needed a number"),
        ("objective", [], r"found \[\]; needed a number"),
        ("steps", 1.5, "found 1.5; needed a int"),
        ("problem", {}, "needed all fields of a Problem"),
    ]:
        content = copy.deepcopy({k: v for k, v in store.document(fit).items() if k != "digest"})
        content["state"]["solution"][name] = value
        with pytest.raises(FormatError, match=words):
            store.restore({**content, "digest": store.digests(content)})


def test_a_file_from_before_a_field_came_is_read_with_its_default():
    table = {
        "pretrain_tokens": [1e6, 4e6, 16e6, 64e6],
        "corpus": ["fr"] * 4,
        "bleu": [5.2, 9.1, 12.9, 17.3],
    }
    forecast = sf.forecast(table, target=20.0)
    content = copy.deepcopy({k: v for k, v in store.document(forecast).items() if k != "digest"})
    del content["state"]["outlooks"][0]["level"]
    again = store.restore({**content, "digest": store.digests(content)})
    assert again.rows() == forecast.rows()


def test_data_of_another_digest_are_refused(fit):
    content = copy.deepcopy({k: v for k, v in store.document(fit).items() if k != "digest"})
    content["state"]["observations"]["values"][0] += 1
    with pytest.raises(FormatError, match="needed the data of digest sha256:"):
        store.restore({**content, "digest": store.digests(content)})


def test_a_law_that_is_a_function_is_given_back_at_loading(tmp_path):
    path = tmp_path / "fit.json"
    fit = of_loss(law=line)
    sf.save(fit, path)
    again = sf.load(path, law=line)
    assert again.params == fit.params
    assert again.intervals() == fit.intervals()
    with pytest.raises(FormatError, match=r"law 'line' is not built in: give it back, sf\.load"):
        sf.load(path)


def test_a_law_of_other_parameters_or_values_is_refused(tmp_path):
    path = tmp_path / "fit.json"
    sf.save(of_loss(law=line), path)
    with pytest.raises(FormatError, match=r"needed a law of \['x'\] with parameters \['a', 'b'\]"):
        sf.load(path, law=lambda x, a, c: a + c * np.log(x))
    with pytest.raises(FormatError, match="found 'other values'; needed the law that was fitted"):
        sf.load(path, law=lambda x, a, b: a - b * np.log(x))


def test_a_law_of_the_users_own_is_given_back(tmp_path):
    law = sf.Law(
        name="mine",
        formula="a + b·ln x",
        coefficients=(sf.Coefficient("a"), sf.Coefficient("b")),
        basis=lambda x: (1.0, np.log(x)),
    )
    fit = of_loss(law=law)
    sf.save(fit, tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json", law=law).intervals() == fit.intervals()


def test_a_law_that_only_bears_the_name_of_ours_is_not_taken_for_it(tmp_path):
    law = sf.Law(
        name="power",
        formula="a + b·ln x",
        coefficients=(sf.Coefficient("a"), sf.Coefficient("b")),
        basis=lambda x: (1.0, np.log(x)),
    )
    sf.save(of_loss(law=law), tmp_path / "fit.json")
    with pytest.raises(FormatError, match="law 'power' is not built in"):
        sf.load(tmp_path / "fit.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty; needed"),
        ("a,b\n1,2\n", "line 1: not JSON"),
        ("[1, 2]", "a JSON list is no answer stored by scalefit"),
        ("3", "a JSON int is no answer"),
        ('{"some": "thing"}', "no answer stored by scalefit"),
        ('{"scalefit": "fits"}', "a fits in format None; this scalefit"),
        ('{"scalefit": "fit", "version": 1}', "a fit in format 1, which had no digest"),
        ('{"scalefit": "fit", "format": 2}', "a fit in format 2, in which an accuracy"),
        ('{"scalefit": "fit", "format": 99}', "in format 99"),
        ('{"scalefit": "fit", "format": [3]}', r"in format \[3\]"),
        (
            '{"scalefit": "horoscope", "format": 3}',
            "found a stored 'horoscope'; this scalefit reads fit,",
        ),
        ('{"scalefit": ["fit"], "format": 3}', "found a stored"),
        ('{"scalefit": "fit", "format": 3, "digest": 3}', "needed the digests"),
        ('{"scalefit": "fit", "format": 3, "x": NaN}', "NaN is no JSON"),
        ('{"scalefit": "fit", "format": 3, "digest": {}, "x": 1e999}', "none of JSON's"),
        ("[" * 100_000, "not JSON that can be read"),
        ('{"scalefit": "fit", "format": 3, "digest": {"x": "\\ud800"}}', "what differs"),
    ],
)
def test_what_is_no_stored_answer_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=words) as told:
        sf.load(path)
    assert str(told.value).startswith(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"cannot read .*gone\.json: No such file"):
        sf.load(tmp_path / "gone.json")


@pytest.mark.parametrize("depth", [100, 500, 900, 980, 990, 2000, 50_000])
def test_however_deep_a_file_is_nested_it_is_refused(tmp_path, depth):
    path = tmp_path / "deep.json"
    nested = "[" * depth + "]" * depth
    path.write_text(f'{{"scalefit": "fit", "format": 3, "digest": {{}}, "x": {nested}}}')
    with pytest.raises(FormatError):
        sf.load(path)


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FormatError, match="not JSON"):
        sf.load(path)


def test_a_lone_surrogate_is_saved_and_comes_back(tmp_path):
    fit = replace(of_loss(), group={"corpus": "a\ud800b"})
    sf.save(fit, tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json").group == {"corpus": "a\ud800b"}


def test_what_is_stored_is_strict_json_for_readers_of_any_language(result):
    text = json.dumps(store.document(result), allow_nan=False)
    told = json.loads(text)
    assert told["verdict"] == result.verdict
    assert told["notes"] == list(result.notes)
    assert set(result.to_dict()).isdisjoint({"scalefit", "format", "version", "state", "digest"})
