"""Damaged and hostile files: one of our errors with file and line, in bounded time and memory."""

import gzip
import io
import json
import pickle
import time
import zipfile

import pytest

from scalefit.errors import FormatError, ScalefitError
from scalefit.ingest import read, source
from scalefit.ingest.registry import FORMATS

FILES = [
    "fairseq/pipes.log",
    "fairseq/json.log",
    "fairseq/generate-test.txt",
    "fairseq/written_by_0.12.2.log",
    "fairseq/generate-written_by_0.12.2.txt",
    "marian/valid.log",
    "joeynmt/validations.txt",
    "joeynmt/written_by_2.3.txt",
    "opennmt/train.log",
    "opennmt/written_by_3.5.1.log.gz",
    "t5x/inference_eval/wmt_t2t_ende_v003-metrics.jsonl",
    "wandb/panel.csv",
    "wandb/runs.csv",
    "wandb/run.wandb.gz",
    "lm_eval/results_old.json",
    "lighteval/results_2025-01-01T00-00-00.000000.json",
    "sacrebleu/one.json",
    "sacrebleu/lines.txt",
    "comet/score.json",
    "comet/score.txt",
]


@pytest.fixture
def copied(fixtures, tmp_path, request):
    kept = fixtures / request.param
    target = tmp_path / kept.name
    target.write_bytes(kept.read_bytes())
    return target


def answer(path, **options):
    """Return the table, or None where one of our errors names the file."""
    try:
        return read(path, **options)
    except ScalefitError as error:
        if path.name not in str(error):
            pytest.fail(f"{path.name} is not named: {error}")
        return None


@pytest.mark.parametrize("copied", FILES, indirect=True)
def test_cut_anywhere_is_a_table_or_an_error_with_the_files_name(copied):
    data = copied.read_bytes()
    for share in (0.03, 0.2, 0.5, 0.8, 0.99):
        copied.write_bytes(data[: int(len(data) * share)])
        answer(copied)


@pytest.mark.parametrize("copied", FILES, indirect=True)
def test_packed_is_read_the_same(copied):
    whole = answer(copied)
    packed = copied.with_name(copied.name + ".gz")
    packed.write_bytes(gzip.compress(copied.read_bytes()))
    again = answer(packed if copied.suffix != ".gz" else copied)
    assert list(again.column("value")) == list(whole.column("value"))


@pytest.mark.parametrize("copied", FILES, indirect=True)
def test_half_of_a_gzip_is_refused(copied):
    packed = copied.with_name(copied.name + ".gz")
    packed.write_bytes(gzip.compress(copied.read_bytes())[:-12])
    with pytest.raises(FormatError, match=r"gzip data are cut short|none of the known"):
        read(packed)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.json", "a.jsonl", "valid.log", "x-metrics.jsonl", "run.wandb"]
)
def test_empty_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(FormatError, match=f"{name}: is empty; needed"):
        read(tmp_path / name)
    (tmp_path / name).write_bytes(b"\n  \n")
    with pytest.raises(FormatError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"corpus,pretrain_tokens,bleu\na,1,2.2\nM\xfcnchen,2,3.3\n",
            r"a\.csv:3: found byte 0xfc, which is no UTF-8",
        ),
        (
            "corpus,pretrain_tokens,bleu\na,1,2.2\n".encode("utf-16")[:-1],
            r"a\.csv: found damaged UTF-16 text",
        ),
        (
            b"pretrain_tokens,bleu\n1,2,3\n",
            r"a\.csv:2: found 3 fields; needed 2, as the header has",
        ),
        (b"a,a,pretrain_tokens\n1,2,3\n", r"a\.csv:1: column names stand twice: 'a'"),
        (
            b"pretrain_tokens,bleu\n" + b"1" * 200_000 + b",2\n",
            r"a\.csv:2: no valid CSV: field larger than",
        ),
        (b'pretrain_tokens,bleu\n1,"2\n3,4\n', r"a\.csv:"),
    ],
)
def test_damaged_csv_names_its_line(tmp_path, data, words):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ScalefitError, match=words):
        read(tmp_path / "a.csv", format="csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested deeper than|no valid JSON"),
        ("[" * 500 + "]" * 500, "nested deeper than 64"),
        ('{"a":' * 100_000, "nested deeper than|no valid JSON"),
        ('[{"pretrain_tokens": 1, "bleu": ' + "9" * 10_000 + "}]", "cannot be held"),
        ('[{"pretrain_tokens": 1,\n "bleu": }]', r"a\.json:2: no valid JSON"),
        ("[1, 2, 3]", "is JSON, but no table"),
        ('{"pretrain_tokens": [1, 2], "bleu": [3]}', "is JSON, but no table"),
        ("[]", "is JSON, but no table"),
    ],
)
def test_json_bombs_and_damaged_json(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=words):
        read(tmp_path / "a.json")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def archive(member="archive/data.pkl"):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as found:
        found.writestr(member, pickle.dumps(Trap()))
    return held.getvalue()


@pytest.mark.parametrize(
    "name", ["a.csv", "results.pkl", "a.json", "training_args.bin", "trainer_state.json"]
)
@pytest.mark.parametrize(
    "data", [pickle.dumps(Trap()), archive(), b"\x93NUMPY\x01\x00" + pickle.dumps(Trap())]
)
def test_pickles_are_never_opened(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match="never read here"):
        read(tmp_path / name)
    for format in FORMATS:
        with pytest.raises(ScalefitError):
            read(tmp_path / name, format=format)


def test_a_gzip_bomb_stops_at_the_bound(tmp_path, monkeypatch):
    bounds = source.Limits(whole=1 << 20, stream=4 << 20, line=1 << 18)
    for module in ("source", "reader"):
        monkeypatch.setattr(f"scalefit.ingest.{module}.LIMITS", bounds)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'[{"a": "' + b" " * (64 << 20)))
    with pytest.raises(FormatError, match=r"more than 1 MiB \(after decompression\)"):
        read(tmp_path / "a.json.gz")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (4 << 20)))
    with pytest.raises(
        FormatError, match=r"a\.csv\.gz:\d+: more than 4194304 bytes after decompression"
    ):
        read(tmp_path / "a.csv.gz")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1" * (1 << 20)))
    with pytest.raises(FormatError, match=r"b\.csv\.gz:2: a line of more than"):
        read(tmp_path / "b.csv.gz", format="csv")


def test_an_excel_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("scalefit.ingest.columnar.LIMITS", source.Limits(excel=1 << 20))
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as found:
        found.writestr("xl/worksheets/sheet1.xml", b" " * (4 << 20))
    with pytest.raises(FormatError, match="unpacks to 4194304 bytes"):
        read(tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", ["parquet", "xlsx"])
def test_damaged_binary_tables(tmp_path, suffix):
    from scalefit.table import as_table

    pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl"}[suffix], exc_type=ImportError)
    path = tmp_path / f"a.{suffix}"
    as_table({"pretrain_tokens": [1, 2], "bleu": [20.5, 21.5]}).write(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError, match=f"a.{suffix}: cannot be read as"):
        read(path)


def test_a_wandb_file_with_a_wrong_checksum(fixtures, tmp_path):
    data = bytearray(gzip.decompress((fixtures / "wandb/run.wandb.gz").read_bytes()))
    data[5000] ^= 0xFF
    (tmp_path / "run.wandb").write_bytes(data)
    with pytest.raises(FormatError, match=r"the chunk at byte \d+ is damaged"):
        read(tmp_path / "run.wandb")


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "b.csv").write_text("pretrain_tokens,bleu\n2,30.5\n")
    (inside / "a.csv").write_text("pretrain_tokens,bleu\n1,20.5\n")
    (inside / "out").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    assert list(read(inside).column("value")) == [20.5]


def test_many_columns_and_long_logs_take_seconds_at_most(tmp_path):
    start = time.process_time()
    (tmp_path / "wide.json").write_text(json.dumps([{f"c{i}": i for i in range(3000)}]))
    answer(tmp_path / "wide.json")
    (tmp_path / "long.log").write_text(
        "| valid on 'valid' subset " + "| a 1 " * 20_000 + "\n" + "{" * 100_000
    )
    answer(tmp_path / "long.log")
    assert time.process_time() - start < 20


@pytest.mark.parametrize("format", sorted(FORMATS))
@pytest.mark.parametrize(
    "text", ["pretrain_tokens,bleu\n1,20.5\n", '[{"pretrain_tokens": 1, "bleu": 20.5}]', "Steps: x"]
)
def test_a_forced_format_on_another_file_is_answered(tmp_path, format, text):
    (tmp_path / "a.txt").write_text(text)
    answer(tmp_path / "a.txt", format=format)
