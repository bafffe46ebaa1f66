"""Small files that would take hours or all memory: each is answered at once, by name."""

import gzip
import json
import os
import resource
import time
import zipfile

import pytest

from scalefit.errors import FormatError, MissingDependencyError, ScalefitError
from scalefit.ingest import read, source
from scalefit.ingest.complete import _glob
from scalefit.ingest.reader import BoundedRows, Extract
from scalefit.table.names import split

SECONDS = 20.0
"""Of processor time; all of these take less than two on an idle core."""
MEGABYTES = 1500


@pytest.fixture(autouse=True)
def bounded():
    """Fail where a test takes more time or memory than it may."""
    start, before = time.process_time(), peak()
    yield
    assert time.process_time() - start < SECONDS
    assert peak() - before < MEGABYTES


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def refused(path, words, **options):
    with pytest.raises(FormatError, match=words) as error:
        read(path, **options)
    assert path.name in str(error.value)


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_lines_are_counted_before_rows_are_held(tmp_path, name):
    line = b"1,20.25\n" if "csv" in name else b'{"bleu": 20.25}\n'
    head = b"pretrain_tokens,bleu\n" if "csv" in name else b""
    (tmp_path / name).write_bytes(gzip.compress(head + line * 4_000_000))
    before = peak()
    refused(tmp_path / name, "more than 2000000 rows")
    assert peak() - before < 300


def test_a_header_of_a_million_columns(tmp_path):
    path = written(tmp_path / "a.csv", ",".join(f"c{i}" for i in range(1_000_000)))
    refused(path, r"a\.csv:1: 1000000 columns; at most 10000 are read")


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_rows_that_share_no_columns(tmp_path, suffix):
    rows = [{"pretrain_tokens": 1, "bleu": 20.5, f"a{i}": 1} for i in range(30_000)]
    text = json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows))
    refused(written(tmp_path / f"a.{suffix}", text), "30000 rows with 30002 different columns")


@pytest.mark.parametrize("item", ["{}", "[]", "1"])
def test_json_of_millions_of_empty_things(tmp_path, item):
    path = written(tmp_path / "a.json", "[" + f"{item}," * 4_000_000 + f"{item}]")
    refused(path, r"a\.json:1: JSON of more than 3000000 values")


@pytest.mark.parametrize("name", ["eval_" + "_" * 200_000 + "x", "eval" + "_mem_" * 40_000])
def test_names_that_match_in_many_ways(tmp_path, name):
    state = {"log_history": [{"step": 1, name: 1.5}]}
    refused(written(tmp_path / "trainer_state.json", json.dumps(state)), "holds no evaluation")
    assert split(name) is None


def test_panel_columns_with_many_dashes(tmp_path):
    header = '"Step","' + "x - " * 30_000 + '""","fr - s1 - eval/bleu"\n'
    path = written(tmp_path / "panel.csv", header + '"1","2","20.25"\n' * 50)
    table = read(path)
    assert table.where(metric="bleu").unique("run") == ["fr - s1"]


def test_manifests_whose_wildcards_match_in_many_ways(tmp_path):
    (tmp_path / ("a" * 200)).mkdir()
    written(tmp_path / ("a" * 200) / "t.csv", "pretrain_tokens,bleu\n1,20.5\n")
    manifest = written(tmp_path / "runs.csv", "path,corpus\n*a*a*a*a*b,fr\n")
    with pytest.raises(
        FormatError, match=r"runs\.csv:2: path .* more than 3 wildcards in one name"
    ):
        read(tmp_path)
    manifest.write_text("path,corpus\n" + "*a*a*b,fr\n" * 200 + "**/**/**/*a*a*/*a*b,fr\n**,de\n")
    assert read(tmp_path).unique("corpus") == ["de"]


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a/*/c", "a/b/c/d.json", True),
        ("a/*/c", "a/b/x/c", False),
        ("**/c", "c", True),
        ("**/c", "a/b/c/d", True),
        ("a/**", "a/b", True),
        ("*-s1", "fr-s1-s1/x", True),
        ("*-s1", "fr-s12", False),
        ("s?", "s1/x", True),
        ("s?", "s12", False),
        ("a.b", "axb", False),
    ],
)
def test_wildcards_of_manifests(pattern, path, fits):
    assert (_glob(pattern).fullmatch(path) is not None) == fits


def test_a_manifest_with_a_line_a_run_is_no_slower_for_thousands_of_runs(tmp_path):
    lines = []
    for i in range(2000):
        (tmp_path / f"r{i}").mkdir()
        written(tmp_path / f"r{i}" / "eval_results.json", f'{{"eval_loss": {2 + i / 4096}}}')
        lines.append(f"r{i},{i + 1}M,{i}")
    written(tmp_path / "runs.csv", "path,pretrain_tokens,finetune_seed\n" + "\n".join(lines))
    table = read(tmp_path)
    assert sorted(table.column("pretrain_tokens")) == [1e6 * (i + 1) for i in range(2000)]


def test_a_flood_of_notes_ends(tmp_path):
    for i in range(2000):
        (tmp_path / f"r{i}").mkdir()
        written(tmp_path / f"r{i}" / "trainer_state.json", '{"log_history": [{"loss": 3.1}]}')
    written(tmp_path / "b.csv", "pretrain_tokens,bleu\n1,20.5\n")
    notes = read(tmp_path).notes
    assert len(notes) < 10
    assert "left out: 1995 more that are broken or in which nothing is measured" in notes
    lines = "".join(f"[valid] Ep. 1 : Up. {i} : m{i} : 1.5\n" for i in range(100_000))
    path = written(tmp_path / "valid.log", lines + "[valid] Ep. 1 : Up. 5 : chrf : 41.25\n")
    notes = read(path).notes
    assert len(notes) < source.LIMITS.notes + 5
    assert "… and more notes" in notes


def test_logs_stop_at_their_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "LIMITS", source.Limits(rows=50))
    log = "".join(f"[valid] Ep. 1 : Up. {i} : chrf : 41.25\n" for i in range(60))
    refused(written(tmp_path / "valid.log", log), r"valid\.log: more than 50 rows")
    for i in range(60):
        written(tmp_path / f"{i}.csv", f"pretrain_tokens,bleu\n{i},20.5\n")
    (tmp_path / "valid.log").unlink()
    with pytest.raises(FormatError, match=r"csv: with what was read before, more than 50 rows"):
        read(tmp_path)


def test_a_glob_that_finds_too_much_says_so(tmp_path, monkeypatch):
    for i in range(6):
        written(tmp_path / f"{i}.csv", f"pretrain_tokens,bleu\n{i},20.5\n")
    monkeypatch.setattr("scalefit.ingest.registry.LIMITS", source.Limits(files=5))
    with pytest.raises(FormatError, match=r"\*\.csv: more than 5 files"):
        read(tmp_path / "*.csv")


def test_rows_count_their_cells(monkeypatch):
    monkeypatch.setattr(source, "LIMITS", source.Limits(cells=5))
    found = Extract()
    found.rows += [{"a": 1, "b": 2}, {"c": 3}]
    assert isinstance(found.rows, BoundedRows)
    with pytest.raises(FormatError, match="5 cells"):
        found.rows.append({"a": 1, "b": 2, "c": 3})


@pytest.mark.parametrize("name", ["trainer_state.json", "a.csv", "events.out.tfevents.1", "x.db"])
def test_pipes_are_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(FormatError, match=name):
        read(tmp_path / name)
    with pytest.raises(FormatError, match=f"{name}: is no regular file"):
        read(tmp_path / name, format="csv")
    written(tmp_path / "b.csv", "pretrain_tokens,bleu\n1,20.5\n")
    assert len(read(tmp_path)) == 1


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{}</sheetData></worksheet>"
)


@pytest.fixture
def excel(tmp_path):
    """Make an Excel file whose first sheet is the given XML."""
    pytest.importorskip("openpyxl")
    from scalefit.table import as_table

    as_table({"pretrain_tokens": [1], "bleu": [20.5]}).write(tmp_path / "whole.xlsx")

    def made(sheet, name="a.xlsx"):
        with (
            zipfile.ZipFile(tmp_path / "whole.xlsx") as whole,
            zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as found,
        ):
            for member in whole.namelist():
                own = sheet if member == "xl/worksheets/sheet1.xml" else whole.read(member)
                found.writestr(member, own)
        return tmp_path / name

    return made


def row(number, **cells):
    texts = (f'<c r="{c}{number}" t="inlineStr"><is><t>{v}</t></is></c>' for c, v in cells.items())
    return f'<row r="{number}">{"".join(texts)}</row>'


def test_excel_cells_at_the_far_ends_of_a_sheet(excel):
    """Seventeen thousand million cells, if they were all made."""
    rows = row(1, A="pretrain_tokens", B="bleu", XFD="far") + row(1_048_576, A="4M", B="20.25")
    table = read(excel(SHEET.format(rows)))
    assert list(table.column("value")) == [20.25]
    assert table.column("source")[0].endswith("a.xlsx:1048576")


def test_excel_entities_do_not_multiply(excel):
    doubled = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    kinds = f'<!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{doubled}]>'
    with pytest.raises(ScalefitError, match=r"a\.xlsx"):
        read(excel(kinds + SHEET.format(row(1, A="pretrain_tokens", B="&e9;"))))


def test_excel_columns_without_a_name_and_names_that_stand_twice(excel):
    rows = row(1, A="pretrain_tokens", B="bleu") + row(3, A="4M", B="20.25", D="odd")
    assert list(read(excel(SHEET.format(rows))).column("column 4")) == ["odd"]
    with pytest.raises(
        FormatError, match=r"a\.xlsx:1: column names stand twice: 'bleu'\. Try: one line of names"
    ):
        read(excel(SHEET.format(row(1, A="bleu", B="bleu") + row(2, A="1", B="2"))))


@pytest.fixture
def parquet():
    """pyarrow's Parquet module."""
    return pytest.importorskip("pyarrow.parquet", exc_type=ImportError)


def test_parquet_of_millions_of_nothing(tmp_path, parquet):
    import pyarrow

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"bleu": pyarrow.nulls(50_000_000, pyarrow.int64())}), path)
    assert path.stat().st_size < 1_000_000
    refused(path, "holds 50000000 rows of 1 columns; too many")


def test_parquet_whose_dictionary_stands_for_gigabytes(tmp_path, parquet):
    import pyarrow

    indices = pyarrow.array([0] * 100_000, pyarrow.int32())
    texts = pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(["x" * 1_000_000]))
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"corpus": texts}), path)
    refused(path, r"a\.parquet: unpacks to more than 134217728 bytes of text")


def test_a_missing_library_is_named_with_the_file(tmp_path, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name.startswith(("pyarrow", "openpyxl")):
            raise ImportError(f"no {name}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for name, start in (("a.parquet", b"PAR1"), ("a.xlsx", b"PK\5\6" + b"\0" * 18)):
        (tmp_path / name).write_bytes(start)
        with pytest.raises(MissingDependencyError, match=rf"{name}: reading .*\(no .*pip install"):
            read(tmp_path / name)
