"""Plain tables: every notation, comments, missing cells, lines, folders, globs, standard input."""

import io
import os
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit import read
from scalefit.errors import FormatError, TableError

LONG = "corpus,pretrain_tokens,metric,value\nfr,1.5M,bleu,21.53\n# a comment\nfr,300M,bleu,27.91\nnone,0,bleu,--\n"

ENGINES = {"parquet": ("pyarrow",), "xlsx": ("openpyxl",)}


def test_csv_with_comments_counts_and_missing_marks(tmp_path):
    (tmp_path / "a.csv").write_text("# made today\n" + LONG)
    table = read(tmp_path / "a.csv")
    assert list(table.column("pretrain_tokens")) == [1.5e6, 3e8]
    assert [s.split("/")[-1] for s in table.column("source")] == ["a.csv:3", "a.csv:5"]
    assert any(
        re.search(r"1 row without a value left out: .*a\.csv:6", note) for note in table.notes
    )


def test_an_error_names_file_and_line(tmp_path):
    (tmp_path / "a.csv").write_text(LONG.replace("27.91", "279.1"))
    with pytest.raises(
        TableError, match=r"a\.csv:4, column 'value': found bleu 279.1; needed 0 to 100"
    ):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", LONG.replace(",", "\t")),
        ("a.csv", LONG.replace(",", ";")),
        ("a.txt", LONG.replace(",", "|")),
        ("bom.csv", "\ufeff" + LONG),
        ("crlf.csv", LONG.replace("\n", "\r\n")),
        ("wide.csv", "corpus,pretrain_tokens,BLEU\nfr,1.5M,21.53\nfr,300M,27.91\n"),
        (
            "a.json",
            '[{"corpus":"fr","pretrain_tokens":1.5e6,"metric":"bleu","value":21.53},{"corpus":"fr","pretrain_tokens":"300M","metric":"bleu","value":27.91}]',
        ),
        (
            "columns.json",
            '{"corpus":["fr","fr"],"pretrain_tokens":[1.5e6,3e8],"bleu":[21.53,27.91]}',
        ),
        (
            "split.json",
            '{"columns":["pretrain_tokens","bleu"],"index":[0,1],"data":[[1500000,21.53],[300000000,27.91]]}',
        ),
        (
            "a.jsonl",
            '{"pretrain_tokens":1.5e6,"bleu":21.53}\n\n{"pretrain_tokens":3e8,"bleu":27.91}\n',
        ),
    ],
)
def test_every_notation_of_a_table(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    table = read(tmp_path / name)
    assert list(table.column("pretrain_tokens")) == [1.5e6, 3e8]
    assert list(table.column("value")) == [21.53, 27.91]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "xlsx"])
def test_what_was_written_is_read_back(tmp_path, suffix):
    for name in ENGINES.get(suffix, ()):
        pytest.importorskip(name, exc_type=ImportError)
    (tmp_path / "a.csv").write_text(LONG)
    table = read(tmp_path / "a.csv")
    table.write(tmp_path / f"b.{suffix}")
    again = read(tmp_path / f"b.{suffix}")
    pd.testing.assert_frame_equal(again.frame, table.frame, check_dtype=False)


def test_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LONG.encode())))
    table = read("-")
    assert len(table) == 2
    assert table.column("source")[0] == "stdin:2"


def test_many_files_by_glob_and_by_folder(tmp_path):
    for i in range(30):
        (tmp_path / f"r{i:02}.csv").write_text(
            f"pretrain_tokens,bleu,finetune_seed\n{i + 1}M,{20 + i / 7},1\n"
        )
    (tmp_path / "readme.md").write_text("words")
    table = read(f"{tmp_path}/r*.csv")
    assert len(table) == 30
    assert table.notes[0] == "taken for: a CSV table × 30"
    again = read(tmp_path)
    assert list(again.column("value")) == list(table.column("value"))
    assert any("1 file of no known format left out" in note for note in again.notes)
    assert len(read([tmp_path / "r00.csv", tmp_path / "r01.csv"])) == 2


def test_mapping_and_format(tmp_path):
    (tmp_path / "a.dat").write_text("tokens,loss\n1M,2.31\n4M,2.11\n")
    mapping = {"tokens": "pretrain_tokens", "loss": "cross_entropy"}
    assert read(tmp_path / "a.dat", format="csv", mapping=mapping).metrics == ("cross_entropy",)
    with pytest.raises(
        FormatError, match="there is no format 'docx'; needed one of parquet, excel"
    ):
        read(tmp_path / "a.dat", format="docx")


def test_long_and_wide_files_are_not_mixed(tmp_path):
    (tmp_path / "a.csv").write_text(LONG)
    (tmp_path / "b.csv").write_text("pretrain_tokens,bleu\n1M,21.5\n")
    with pytest.raises(FormatError, match=r"b\.csv:2: long rows \(metric, value\) and wide ones"):
        read(tmp_path)


def test_own_source_column_is_kept(tmp_path):
    (tmp_path / "a.csv").write_text(
        "pretrain_tokens,metric,value,source\n1M,bleu,21.53,paper table 3\n"
    )
    assert list(read(tmp_path / "a.csv").column("source")) == ["paper table 3"]


def test_nothing_there_says_what_is(tmp_path):
    (tmp_path / "a.csv").write_text(LONG)
    with pytest.raises(FormatError, match=r"there is no such file or folder; .*has a\.csv"):
        read(tmp_path / "b.csv")
    with pytest.raises(FormatError, match="no file fits this pattern"):
        read(f"{tmp_path}/*.tsv")


def test_importing_the_package_brings_in_no_pandas():
    import subprocess

    code = "import sys, scalefit; assert not {'pandas','pandera','tensorboard','matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_table_with_a_column_step_is_no_log_all_its_rows_stay(tmp_path):
    (tmp_path / "a.csv").write_text(
        "pretrain_tokens,metric,value,step\n1M,bleu,21.53,800\n4M,bleu,23.71,800\n"
    )
    assert len(read(tmp_path / "a.csv")) == 2


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_spreadsheets(tmp_path, code, end):
    text = end.join(["corpus,pretrain_tokens,bleu", "Müller,1,20.25", "fr,2,21.25", ""])
    data = b"\xff\xfe" + text.encode("utf-16-le") if code == "utf-16-le-bom" else text.encode(code)
    (tmp_path / "a.csv").write_bytes(data)
    table = read(tmp_path / "a.csv")
    assert table.unique("corpus") == ["Müller", "fr"]
    assert [s[-1] for s in table.column("source")] == ["2", "3"]


def test_a_manifest_with_old_line_ends(tmp_path):
    (tmp_path / "runs.csv").write_bytes(b"path,corpus,pretrain_tokens\rr1,fr,1M\r")
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "all_results.json").write_text('{"eval_loss": 2.5}')
    assert read(tmp_path).unique("corpus") == ["fr"]


def test_halves_of_characters_in_json(tmp_path):
    rows = '[{"corpus": "a\\ud800", "pretrain_tokens": 1, "bleu": 20.25}]'
    (tmp_path / "a.json").write_text(rows)
    assert read(tmp_path / "a.json").unique("corpus") == ["a?"]


def test_a_file_name_that_is_no_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.csv"))
    path.write_text("pretrain_tokens,bleu\n1,20.25\n")
    assert read(path).column("source")[0].endswith("a\ufffd.csv:2")


@pytest.mark.parametrize(
    "cell",
    ["20.1 ± 0.3", "20.1 (0.3)", "20.1(.3)", "20.1 (± 0.3)", "$20.1 \\pm 0.3$", "**20.1** (0.3)"],
)
def test_what_papers_put_behind_a_value_is_left_out_and_said(cell, tmp_path):
    (tmp_path / "a.csv").write_text(f"pretrain_tokens,bleu\n1M,{cell}\n4M,22.5\n")
    table = read(tmp_path / "a.csv")
    assert list(table.column("value")) == [20.1, 22.5]
    assert any("± or a bracket, which is left out" in note for note in table.notes)


@pytest.mark.parametrize("cell", ["20.1 (n=3)", "(0.3)", "20.1 0.3", "20.1 (0.3) (0.4)"])
def test_what_could_be_anything_is_asked_for(cell, tmp_path):
    (tmp_path / "a.csv").write_text(f"pretrain_tokens,bleu\n1M,{cell}\n")
    with pytest.raises(TableError, match="needed a number"):
        read(tmp_path / "a.csv")


@given(st.lists(st.floats(0.01, 99.9).map(lambda v: round(v, 2)), min_size=1, max_size=6))
def test_decimal_commas_are_points_where_nothing_may_be_thousands(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("commas") / "a.csv"
    cells = [f"{v:.2f}".replace(".", ",") for v in values]
    rows = [f"fr;{i + 1}M;{cell}" for i, cell in enumerate(cells)]
    path.write_text("\n".join(["corpus;pretrain_tokens;bleu", *rows]))
    table = read(path, allow=["fractions", "units"])
    assert list(table.column("value")) == values
    assert any("decimal commas of bleu read as points" in note for note in table.notes)


def test_commas_that_may_be_thousands_stay(tmp_path):
    (tmp_path / "a.csv").write_text("pretrain_tokens;bleu\n500,000;20.5\n1,000,000;21.5\n")
    assert list(read(tmp_path / "a.csv").column("pretrain_tokens")) == [5e5, 1e6]


def test_sheets_of_one_head_are_read_together_and_others_named(tmp_path):
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"pretrain_tokens": [1e6, 4e6], "bleu": [20.51, 21.52]})
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"Notes": ["all by sacreBLEU"]}).to_excel(book, sheet_name="about")
        for name in ("fr", "en"):
            frame.to_excel(book, sheet_name=name, index=False)
    table = read(tmp_path / "a.xlsx")
    assert any(note.endswith("sheet 'fr', 'en' is read; left out: 'about'") for note in table.notes)
    assert table.column("sheet").tolist() == ["fr", "fr", "en", "en"]
    assert table.column("value").tolist() == [20.51, 21.52] * 2
    assert table.column("source")[2].endswith("a.xlsx[en]:2")


@pytest.mark.parametrize("names", [(None, None), ("corpus", "metric"), (None, "metric")])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_pivot_that_pandas_wrote_is_read(tmp_path, names, ending):
    columns = [("fr", "bleu"), ("fr", "chrf"), ("en", "bleu"), ("en", "chrf")]
    pivot = pd.DataFrame({name: [10.25 + i, 11.25 + i] for i, name in enumerate(columns)})
    pivot.columns.names = names
    pivot.index = pd.Index([1e6, 4e6], name="tokens")
    path = tmp_path / f"pivot.{ending}"
    pytest.importorskip("openpyxl")
    pivot.to_csv(path) if ending == "csv" else pivot.to_excel(path)
    table = read(path)
    assert table.column("pretrain_tokens").tolist() == [1e6] * 4 + [4e6] * 4
    assert table.column("value").tolist() == pivot.to_numpy().ravel().tolist()
    assert table.column("eval_set").tolist() == ["fr", "fr", "en", "en"] * 2


def test_values_of_a_wide_file_beside_logs_are_never_lost(tmp_path):
    """Columns named after a metric on a set (eval/bleu) are measured too."""
    history = '{"log_history": [{"step": 10, "eval_loss": 2.0}]}'
    for name, file, text in (
        ("a-1M", "trainer_state.json", history),
        ("b-2M", "history.csv", "_step,eval/bleu,val_loss\n1,5.25,3.0\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    with pytest.raises(FormatError, match=r"long rows \(metric, value\) and wide ones"):
        read(tmp_path, pattern="{corpus}-{pretrain_tokens}")
