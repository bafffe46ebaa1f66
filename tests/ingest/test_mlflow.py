"""MLflow's three stores, as MLflow 3.17 wrote them and in made-up variations.

The server here is a stand-in, for answers that the real one does not give at will; the real one
is in ``test_mlflow_live.py``.
"""

import gzip
import io
import json
import sqlite3
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scalefit.errors import FormatError
from scalefit.ingest import read

SCHEMA = """
create table runs (run_uuid varchar(32) primary key, name varchar(250), source_type varchar(20),
  status varchar(9), start_time bigint, end_time bigint, lifecycle_stage varchar(20), experiment_id integer);
create table metrics (key varchar(250) not null, value float not null, timestamp bigint not null,
  run_uuid varchar(32) not null, step bigint default '0' not null, is_nan boolean default '0' not null);
create table params (key varchar(250) not null, value varchar(8000) not null, run_uuid varchar(32) not null);
"""


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.executescript(SCHEMA)
        for run, stage in (("a", "active"), ("b", "active"), ("c", "deleted")):
            base.execute(
                "insert into runs(run_uuid, name, lifecycle_stage) values (?, 'same name', ?)",
                (run, stage),
            )
            base.executemany(
                "insert into params values (?, ?, ?)",
                [
                    ("pretrain_tokens", "1500000", run),
                    ("finetune_seed", str(ord(run)), run),
                    ("lr", ".1", run),
                ],
            )
            for step in (100, 200):
                base.executemany(
                    "insert into metrics values (?, ?, 0, ?, ?, ?)",
                    [
                        ("eval_bleu", 20.123 + step, run, step, 0)
                        if step == 1
                        else ("eval_bleu", 20.123, run, step, 0),
                        ("train_loss", 1.0, run, step, 0),
                        ("eval_chrf", 0.0, run, step, 1),
                    ],
                )
    return path


def test_the_database(database):
    table = read(database)
    assert len(table) == 2, "runs of one name stay apart, the deleted one is left out"
    assert table.unique("finetune_seed") == [97, 98]
    assert table.unique("pretrain_tokens") == [1_500_000]
    assert list(table.column("step")) == [200, 200]
    assert len(read(database, checkpoints="all")) == 4


def test_what_mlflow_itself_wrote(fixtures, tmp_path):
    path = tmp_path / "real.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.executescript((fixtures / "mlflow" / "mlflow.sql").read_text(encoding="utf-8"))
    for table in (read(path), read(fixtures / "mlflow" / "mlruns")):
        found = table.where(metric="bleu").frame.sort_values("finetune_seed")
        assert found["value"].tolist() == [23.123, 24.123]
        assert found["run"].tolist() == ["fr+en-1.5M-s1", "fr+en-1.5M-s2"]
        assert list(table.where(metric="loss").column("value")) == [2.3, 2.3]
        assert table.unique("pretrain_tokens") == [1_500_000]


def test_a_packed_database_and_one_from_standard_input(database, tmp_path, monkeypatch):
    expected = list(read(database).column("value"))
    packed = tmp_path / "mlflow.db.gz"
    packed.write_bytes(gzip.compress(database.read_bytes()))
    assert list(read(packed).column("value")) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(database.read_bytes())))
    assert list(read("-").column("value")) == expected
    packed.write_bytes(gzip.compress(database.read_bytes()[:5_000]))
    with pytest.raises(FormatError, match=r"mlflow\.db\.gz: (cannot be read|is none of)"):
        read(packed)


def test_what_only_the_write_ahead_log_holds_is_read_and_the_folder_left_as_it_was(
    database, tmp_path
):
    with closing(sqlite3.connect(database, isolation_level=None)) as base:
        base.execute("pragma journal_mode = wal")
        base.execute("insert into metrics values ('eval_bleu', 33.375, 1, 'a', 300, 0)")
        assert 33.375 in list(read(database).column("value"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow.db"]
    assert 33.375 in list(read(database).column("value"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow.db"]


def test_a_reader_waits_for_a_writer_rather_than_see_half(database):
    writer = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    with closing(writer) as base:
        base.execute("begin exclusive")
        base.execute("delete from metrics where step = 100")
        timer = threading.Timer(0.5, base.execute, ["commit"])
        timer.start()
        assert len(read(database, checkpoints="all")) == 2
        timer.join()


def test_runs_that_failed_are_left_out_and_numbers_that_are_none(database):
    with closing(sqlite3.connect(database)) as base, base:
        base.execute("update runs set status = 'FAILED' where run_uuid = 'b'")
        base.execute(
            "insert into metrics values ('eval_ter', ?, 0, 'a', 200, 0)", [1.7976931348623157e308]
        )
    table = read(database)
    assert table.unique("finetune_seed") == [97]
    assert table.metrics == ("bleu",)
    assert any("1 runs that failed or were killed left out (same name)" in n for n in table.notes)
    missed = [n for n in table.notes if "its last ter on eval" in n and "run diverged" in n]
    assert len(missed) == 1


def test_of_equal_steps_the_latest_counts(database, store):
    with closing(sqlite3.connect(database)) as base, base:
        base.execute("delete from metrics where run_uuid = 'b'")
        base.executemany(
            "insert into metrics values ('eval_bleu', ?, ?, 'a', 300, 0)",
            [(31.125, 2), (32.25, 9), (33.375, 5)],
        )
    assert list(read(database).column("value")) == [32.25]
    lines = "2 31.125 300\n9 32.25 300\n5 33.375 300\n1 40.5 100\n"
    (store / "1/a/metrics/eval/bleu").write_text(lines)
    assert list(read(store).column("value")) == [32.25]


def test_thousands_of_training_steps_hide_no_evaluation(database, monkeypatch):
    from scalefit.ingest.source import Limits

    with closing(sqlite3.connect(database)) as base, base:
        steps = ((1.5, step) for step in range(1000, 4000))
        base.executemany("insert into metrics values ('loss', ?, 0, 'a', ?, 0)", steps)
        base.execute("insert into metrics values ('eval_bleu', 25.125, 0, 'a', 5000, 0)")
    monkeypatch.setattr("scalefit.ingest.source.LIMITS", Limits(rows=100))
    assert 25.125 in list(read(database).column("value"))
    monkeypatch.setattr("scalefit.ingest.source.LIMITS", Limits(rows=4))
    with pytest.raises(FormatError, match=r"mlflow\.db: more than 4 rows"):
        read(database)


def test_another_database_is_no_mlflow(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as base, base:
        base.execute("create table t (a)")
    with pytest.raises(FormatError, match="is none of the known formats"):
        read(tmp_path / "x.db")
    with pytest.raises(FormatError, match="without MLflow's tables runs, metrics and params"):
        read(tmp_path / "x.db", format="mlflow-sqlite")


def test_views_that_never_end_are_not_run(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as base, base:
        base.executescript(SCHEMA.replace("create table metrics", "create table other"))
        base.execute(
            "create view metrics as with recursive n(x) as (select 1 union all select x from n) select x from n"
        )
    with pytest.raises(FormatError):
        read(tmp_path / "x.db", format="mlflow-sqlite")


def test_a_damaged_database(database):
    database.write_bytes(database.read_bytes()[:5000])
    with pytest.raises(FormatError):
        read(database, format="mlflow-sqlite")


@pytest.fixture
def store(tmp_path):
    for run, stage in (("a", "active"), ("b", "deleted")):
        folder = tmp_path / "mlruns" / "1" / run
        (folder / "metrics" / "eval").mkdir(parents=True)
        (folder / "params").mkdir()
        (folder / "meta.yaml").write_text(f"lifecycle_stage: {stage}\nrun_name: fr-1.5M-s1\n")
        (folder / "params" / "pretrain_tokens").write_text("1500000")
        (folder / "metrics" / "eval" / "bleu").write_text("1 20.123 100\n2 21.456 200\n")
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("name: e\n")
    return tmp_path / "mlruns"


@pytest.mark.parametrize("below", ["", "1", "1/a"])
def test_the_file_store_from_any_of_its_folders(store, below):
    table = read(store / below)
    assert list(table.column("value")) == [21.456]
    assert table.column("source")[0].endswith("metrics/eval/bleu:2")
    assert table.unique("run") == ["fr-1.5M-s1"]


def test_a_half_written_metric_names_its_line(store):
    (store / "1/a/metrics/eval/bleu").write_text("1 20.123 100\n2 21")
    assert len(read(store)) == 1
    (store / "1/a/metrics/eval/bleu").write_text("1 20.123 100 valid 0a1b\n2 nan 200\n")
    assert len(read(store, checkpoints="all")) == 1
    (store / "1/a/metrics/eval/bleu").write_text("1 20.123 100\n2")
    with pytest.raises(FormatError, match=r"eval/bleu:2: found '2'; needed 'timestamp value step'"):
        read(store)


ANSWERS = {
    "experiments/search": {"experiments": [{"experiment_id": "1", "name": "e"}]},
    "runs/search": {
        "runs": [
            {
                "info": {"run_id": "a", "run_name": "r"},
                "data": {
                    "metrics": [
                        {"key": "eval_bleu", "value": 21.456, "step": 200},
                        {"key": "loss", "value": 1.0},
                        {"key": "eval_chrf", "value": "NaN"},
                        "no metric",
                    ],
                    "params": [{"key": "pretrain_tokens", "value": "1500000"}],
                },
            }
        ]
    },
}


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            call = self.path.removeprefix("/api/2.0/mlflow/")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(ANSWERS[call]).encode())

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def test_the_tracking_server(server):
    table = read(server)
    assert list(table.column("value")) == [21.456]
    assert table.unique("pretrain_tokens") == [1_500_000]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "answered with something that is no MLflow"),
        ({"runs": 3}, "no active run has an evaluation"),
        ({"runs": [{"info": 1, "data": [2]}, 3]}, "no active run has an evaluation"),
        ({"runs": [], "next_page_token": "again"}, "more than 1000 pages of runs"),
    ],
)
def test_a_server_that_answers_nonsense(server, monkeypatch, answer, words):
    monkeypatch.setitem(ANSWERS, "runs/search", answer)
    with pytest.raises(FormatError, match=words):
        read(server)


def test_no_server_is_one_of_our_errors():
    with pytest.raises(FormatError, match="no MLflow tracking server answers here"):
        read("http://127.0.0.1:9/")
