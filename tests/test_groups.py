"""One default grouping, one name, one spelling, one way to ask for rows: in Python and in a shell."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import TableError
from scalefit.groups import condition, group_columns, group_name, meant, met
from scalefit.table import as_table

SIZES = [1e6, 5e6, 5e9, 2e10, 5e10]


def table(**columns):
    return as_table({"pretrain_tokens": SIZES, "bleu": [10.0, 12.0, 14.0, 16.0, 18.0], **columns})


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("<=5e9", [True, True, True, False, False]),
        ("<5B", [True, True, False, False, False]),
        (">= 5B", [False, False, True, True, True]),
        ("5B..50B", [False, False, True, True, True]),
        ("..5M", [True, True, False, False, False]),
        ((5e9, 5e10), [False, False, True, True, True]),
        ((None, "5M"), [True, True, False, False, False]),
        ("!=1M", [False, True, True, True, True]),
        (["1M", 5e9], [True, False, True, False, False]),
        (["!=1M", "!=5M"], [False, False, True, True, True]),
    ],
)
def test_conditions_on_numbers(wanted, kept):
    assert met(SIZES, wanted, number=True).tolist() == kept


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("fr", [False, True, False]),
        ("!=fr", [True, False, True]),
        (("fr", "<=2"), [False, True, True]),
        (None, [True, False, False]),
        (["fr", None], [True, True, False]),
    ],
)
def test_conditions_on_texts(wanted, kept):
    assert met([None, "fr", "<=2"], wanted, number=False).tolist() == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [("task", "needed COLUMN=VALUE"), ("=3", "needed COLUMN=VALUE"), ("a=", "needed COLUMN=VALUE")],
)
def test_what_is_no_condition_is_refused(text, words):
    with pytest.raises(TableError, match=words):
        condition(text)


@pytest.mark.parametrize("wanted", ["<=many", "many", "9..1", (3, 1)])
def test_a_condition_on_numbers_needs_numbers(wanted):
    with pytest.raises(TableError, match="needed"):
        table().where(pretrain_tokens=wanted)


@given(
    sign=st.sampled_from(["<=", ">=", "<", ">", "!=", "=", ".."]),
    low=st.sampled_from(["1M", "5e9", "5000000", "2e10"]),
    high=st.sampled_from(["5e10", "50B"]),
)
def test_a_condition_means_in_a_shell_what_it_means_in_python(sign, low, high):
    said = f"{low}..{high}" if sign == ".." else low if sign == "=" else f"{sign}{low}"
    typed = f"pretrain_tokens={said}" if sign in ("=", "..") else f"pretrain_tokens{said}"
    name, wanted = condition(typed)
    assert name == "pretrain_tokens"
    assert met(SIZES, wanted, number=True).tolist() == met(SIZES, said, number=True).tolist()


@given(
    values=st.lists(
        st.text(
            st.characters(exclude_characters='"\r\n', exclude_categories=["Cs", "Cc"]), min_size=1
        )
        .map(str.strip)
        .filter(lambda v: v and not v.startswith("!=")),
        min_size=1,
        max_size=3,
    ),
    sign=st.sampled_from(["=", " = ", "=="]),
)
@example(values=["≤"], sign="=")
@example(values=["≠ a"], sign="=")
def test_any_value_can_be_asked_for_in_a_shell(values, sign):
    """A comma stands in double quotes; whatever else is in a name, it means itself."""
    typed = ",".join(
        f'"{value}"' if "," in value or value[0] in "=<>!" else value for value in values
    )
    assert condition(f"corpus{sign}{typed}") == ("corpus", values)


def test_signs_as_they_are_printed():
    for typed, plain in (("≤5B", "<=5B"), ("≥ 5B", ">=5B"), ("≠5B", "!=5B")):
        wanted = condition(f"pretrain_tokens{typed}")[1]
        kept = met(SIZES, plain, number=True).tolist()
        assert met(SIZES, wanted, number=True).tolist() == kept
        assert met(SIZES, typed, number=True).tolist() == kept


def test_did_you_mean():
    with pytest.raises(TableError, match="Did you mean 'fr'"):
        table(corpus=["fr"] * 5).where(corpus=["FR"])
    sized = as_table({"pretrain_tokens": [1e6], "bleu": [20.0]})
    with pytest.raises(TableError) as told:
        sized.where(
            finetune_tokens=1e3
        )  # a column of ours is no misspelling of another one of ours
    assert "Did you mean" not in str(told.value)
    with pytest.raises(TableError, match="Did you mean 'french'"):
        table(corpus=["french"] * 5).where(corpus="frensh")
    with pytest.raises(TableError, match="Did you mean 'fluency'"):
        meant("fluencey", ["bleu", "fluency"])


@given(st.data())
def test_the_case_of_a_metric_changes_nothing(data):
    """For metrics that the registry knows and for the user's own."""
    name = data.draw(st.sampled_from(["bleu", "cross_entropy", "fluency", "My Score"]))
    spelled = "".join(data.draw(st.sampled_from([c.upper(), c.lower()])) for c in name)
    mine = as_table({"pretrain_tokens": SIZES, name: [1.0, 2.0, 3.0, 4.0, 5.0]}, metrics=[name])
    assert mine.metric(spelled) == mine.metrics[0]
    assert len(mine.where(metric=spelled)) == 5


def test_the_default_groups():
    grid = as_table(
        {
            "corpus": ["a", "b"] * 4,
            "model": ["m1", "m2"] * 4,
            "domain": ["in"] * 4 + ["out"] * 4,
            "eval_set": ["news"] * 4 + ["web"] * 4,
            "pretrain_tokens": [1, 1, 2, 2] * 2,
            "bleu": np.arange(8.0) + 5,
        }
    )
    assert group_columns(grid) == ("corpus", "domain")
    assert group_columns(grid, ["domain"]) == ("domain", "corpus")
    assert group_columns(grid, used=["corpus"]) == ("domain",)


def test_a_model_that_follows_from_the_inputs_makes_no_group():
    sizes = as_table(
        {
            "parameters": [1e6, 1e7, 1e6, 1e7],
            "model": ["s", "l", "s", "l"],
            "pretrain_tokens": [1e8, 1e8, 1e9, 1e9],
            "cross_entropy": [3.0, 2.5, 2.8, 2.2],
        }
    )
    assert group_columns(sizes) == ("model",)
    assert group_columns(sizes, used=["parameters", "pretrain_tokens"]) == ()


def test_a_group_has_one_name():
    key = {"corpus": "fr", "task": None, "finetune_tokens": 3e5, "parameters": 1e9, "Layers": 6.0}
    assert group_name(key) == "fr · finetuned on 300k · 1B parameters · Layers 6"


@pytest.mark.parametrize("name", ["model", "parameters"])
def test_models_that_take_turns_along_the_sizes_have_a_curve_each(name):
    sizes = {1e8: [5e8, 2e9, 8e9], 4e8: [2.1e9, 8.1e9, 3e10], 1e9: [5e9, 2e10, 8e10]}
    rows = [(n, d) for n, ds in sizes.items() for d in ds]
    grid = {"pretrain_tokens": [d for _, d in rows], "cross_entropy": np.linspace(4, 2, len(rows))}
    grid[name] = [n if name == "parameters" else f"m{n:g}" for n, _ in rows]
    assert group_columns(as_table(grid), used=["pretrain_tokens"]) == (name,)
    assert len(sf.forecast(grid, "cross_entropy", at="100B")) == 3


def test_a_ladder_of_models_is_one_curve():
    ladder = {
        "parameters": [1e7, 1e7, 1e8, 1e9, 1e9],
        "pretrain_tokens": [1e8, 2e8, 2e9, 2e10, 4e10],
        "cross_entropy": [4.0, 3.7, 3.1, 2.6, 2.5],
    }
    assert group_columns(as_table(ladder), used=["pretrain_tokens"]) == ()
