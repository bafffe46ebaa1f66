"""Thin and odd tables through every door of the shell: an answer, or one line that says why there is none."""

import csv
import shlex
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COMMANDS = [
    "fit --metric bleu --law log",
    "forecast --target-bleu 20 -o picture.png",
    "report --target 20 -o page.html",
    "rank --at 1B",
    "value",
    "align",
    "plan --at 1B",
    "seeds --metric bleu",
    "compare --metric bleu --a fr --b en --runs",
    "backtest --hold-out 1",
    "joint",
    "ingest -o table.csv",
]
HEAD = ["corpus", "pretrain_tokens", "pretrain_seed", "bleu"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["fr", "en", "", "法语 🇫🇷"]),
        st.sampled_from(["0", "1M", "4M", "16M", "64M"]),
        st.sampled_from(["1", "2", ""]),
        st.sampled_from(["", "5", "9.25", "13.1", "17.4"]),
    ),
    max_size=8,
)


def answered(ran):
    """Whether a command gave an answer, or said in one line why there is none."""
    said = [line for line in ran.err.splitlines() if line.startswith("scalefit: ")]
    return ran.code == 0 or (ran.code == 2 and len(said) <= 1 and ran.err.strip() != "")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, command=st.sampled_from(COMMANDS))
def test_a_thin_table_is_answered_or_refused_in_a_line(scalefit, tmp_path_factory, rows, command):
    folder = tmp_path_factory.mktemp("thin")
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    name, *options = command.split()
    options = [str(folder / o) if o.endswith((".png", ".html", ".csv")) else o for o in options]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert answered(scalefit(name, folder / "t.csv", *options))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_of_models_without_pretraining(scalefit, tmp_path, command):
    (tmp_path / "t.csv").write_text("corpus,pretrain_tokens,bleu\nfr,0,5\nfr,0,6\n")
    name, *options = command.split()
    options = [str(tmp_path / o) if o.endswith((".png", ".html", ".csv")) else o for o in options]
    assert answered(scalefit(name, tmp_path / "t.csv", *options))


@pytest.mark.parametrize(
    ("cells", "cure"),
    [
        (["1,000,5", "2,3"], "a decimal point, no comma"),
        (["14,2%", "15,3%"], "a decimal point, no comma"),
        (["lost", "9.1x"], "an empty cell where nothing was measured"),
        (["inf", "-inf"], "an empty cell where nothing was measured"),
    ],
)
def test_a_cell_that_is_no_number_is_named_by_its_own_column(scalefit, tmp_path, cells, cure):
    lines = [f'fr,{i + 1}M,"{cell}"' for i, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["corpus,pretrain_tokens,My BLEU", *lines]))
    ran = scalefit("fit", tmp_path / "t.csv", "--metric", "bleu", "--map", "My BLEU=BLEU")
    assert ran.err.count("column 'BLEU'") == 1
    assert "t.csv:2" in ran.err
    assert "(and so in " in ran.err
    assert cure in ran.err


@pytest.mark.parametrize("name", ["BLEU", "My BLEU (all)"])
def test_a_cure_may_be_copied_into_a_shell(scalefit, tmp_path, name):
    lines = [f"fr,{10**i}M,0.{2 + i}5" for i in range(4)]
    (tmp_path / "t.csv").write_text("\n".join([f"corpus,pretrain_tokens,{name}", *lines]))
    words = ["fit", tmp_path / "t.csv", "--metric", "bleu"]
    for _ in range(3):
        ran = scalefit(*words)
        if ran.code:
            cure = shlex.split(
                ran.err.split("Try ")[-1].removeprefix(": ").split(", or ")[0].strip()
            )
            words += [word.rstrip(";:.") for word in cure[cure.index("--map") :][:2]]
    assert ran.code == 0
