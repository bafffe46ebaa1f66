"""One ``scalefit.toml`` for every command and every call, named or beside the data."""

import inspect

import pandas as pd
import pytest

import scalefit as sf
from scalefit.cli import COMMANDS, main, spread
from scalefit.errors import FormatError, TableError

SIZES = [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8]
COLUMNS = {
    "Web": ["fr"] * 5 + ["en"] * 5,
    "Size": SIZES * 2,
    "score": [0.105, 0.125, 0.145, 0.165, 0.185, 0.1, 0.115, 0.13, 0.145, 0.16],
}
KEPT = (
    'allow = ["fractions"]\n'
    '[map]\nWeb = "corpus"\nSize = "pretrain_tokens"\nscore = "bleu"\nunused = "task"\n'
)
SHELL = {
    "align": ["--quality", "bleu", "--loss", "chrf"],
    "allocate": ["--way", "transfer", "--budget", "1e9"],
    "backtest": ["--metric", "bleu"],
    "compare": ["--metric", "bleu", "--a", "corpus=fr", "--b", "corpus=en"],
    "fit": ["--metric", "bleu", "--law", "log"],
    "forecast": ["--at", "1B"],
    "joint": ["--at", "1B", "--finetune", "32k"],
    "plan": ["--budget", "1e9", "--cost", "1"],
    "rank": ["--at", "1B"],
    "report": ["--at", "1B", "-o", "report.html"],
    "seeds": ["--metric", "bleu"],
    "value": [],
}


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "elsewhere" / "own.toml"
    path.parent.mkdir()
    path.write_text(KEPT)
    pd.DataFrame(COLUMNS).to_csv(tmp_path / "results.csv", index=False)
    return path


def test_every_command_that_reads_results_takes_it():
    options = {name: inspect.signature(spread(c)).parameters for name, c in COMMANDS.items()}
    reads = {name for name, taken in options.items() if "rename" in taken}
    takes = {name for name, taken in options.items() if "config" in taken}
    assert reads == takes == {*SHELL, "ingest", "stream"}  # these two read in their own ways


@pytest.mark.parametrize("command", SHELL)
def test_a_command_reads_it_where_it_is_named(command, kept, tmp_path, monkeypatch):
    asked = {}

    def read(data, **options):
        asked.update(options, data=data)
        raise TableError("enough")

    monkeypatch.setattr("scalefit.ingest.data.read", read)
    with pytest.raises(SystemExit):
        main([command, str(tmp_path / "results.csv"), *SHELL[command], "--config", str(kept)])
    assert (asked["data"], asked["config"]) == (str(tmp_path / "results.csv"), kept)


def test_files_that_are_read_by_part_are_read_by_it(kept, tmp_path, capsys):
    results, out = str(tmp_path / "results.csv"), str(tmp_path / "fits")
    asked = ["stream", results, "--metric", "bleu", "--law", "log", "--by", "corpus", "-o", out]
    with pytest.raises(SystemExit) as end:
        main([*asked, "--config", str(kept)])
    assert not end.value.code
    assert "2 groups" in capsys.readouterr().out


def test_the_shells_own_words_come_first(kept, tmp_path, capsys):
    arguments = ["fit", str(tmp_path / "results.csv"), "--metric", "chrf", "--law", "log"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--config", str(kept), "--where", "corpus=fr"])
    assert end.value.code == 2
    assert "chrf" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--config", str(kept), "--map", "score=chrf", "--where", "corpus=fr"])
    assert end.value.code in (0, None), capsys.readouterr().err


FORMS = {
    "file": lambda folder: folder / "results.csv",
    "frame": lambda _: pd.DataFrame(COLUMNS),
    "columns": lambda _: COLUMNS,
    "levels": lambda _: pd.DataFrame(COLUMNS).set_index(["Web", "Size"]),
    "pyarrow": lambda _: pytest.importorskip("pyarrow").table(COLUMNS),
    "long": lambda _: pd.DataFrame(COLUMNS).melt(["Web", "Size"], var_name="metric"),
    "table": lambda _: sf.as_table(
        COLUMNS, mapping={"Size": "pretrain_tokens"}, metrics=["score"], allow=["fractions"]
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_mapping_takes_the_file(form, kept, tmp_path):
    fits = sf.fit_each(form(tmp_path), "bleu", "log", mapping=kept)
    assert [fit.group["corpus"] for fit in fits] == ["en", "fr"]
    assert fits.rows() == sf.fit_each(COLUMNS, "bleu", "log", mapping=str(kept)).rows()


def test_what_is_no_file_is_said(tmp_path):
    with pytest.raises(FormatError, match=r"no\.toml"):
        sf.fit(COLUMNS, "bleu", "log", mapping=tmp_path / "no.toml")
    with pytest.raises(FormatError, match=r"own\.txt"):
        sf.fit(COLUMNS, "bleu", "log", mapping="own.txt")
