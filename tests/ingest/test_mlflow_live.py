"""A real MLflow tracking server on loopback, its database, and the file store MLflow wrote."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from scalefit.cli import main
from scalefit.errors import FormatError
from scalefit.ingest import read

pytestmark = pytest.mark.xdist_group("mlflow")  # one server, not one a worker
NEEDED = ("mlflow", "flask", "sqlalchemy", "alembic", "uvicorn")
ENVIRONMENT = {
    **os.environ,
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "PYTHONWARNINGS": "ignore",
}
START = 120.0
"""Seconds that a server may take on a busy machine; some twenty on two idle cores."""
LAST = [
    ("fr-1.5M-s1", "eval", "bleu", 23.375, 200),
    ("fr-1.5M-s1", "eval", "loss", 2.25, 200),
    ("fr-1.5M-s2", "eval", "bleu", 24.375, 200),
    ("fr-1.5M-s2", "eval", "loss", 2.25, 200),
    ("none-0-s1", "eval", "bleu", 11.875, 200),
    ("still going", "eval", "ter", 61.125, 5),
]
"""The last values: the chrF that became NaN is left out, not taken from an earlier step."""
EARLIER = [
    ("fr-1.5M-s1", "eval", "bleu", 21.125, 100),
    ("fr-1.5M-s1", "eval", "bleu", 22.625, 150),
    ("fr-1.5M-s2", "eval", "bleu", 22.125, 100),
    ("fr-1.5M-s2", "eval", "bleu", 23.625, 150),
    ("none-0-s1", "eval", "chrf", 31.125, 100),
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def log(address):
    command = [sys.executable, str(Path(__file__).with_name("mlflow_log.py")), address]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1].split()


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """A server with runs in it; after the tests it is stopped, and must be gone."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"no {absent[0]} here: pip install 'transfer-scalefit[test-mlflow]'")
    folder = tmp_path_factory.mktemp("mlflow")
    address = f"http://127.0.0.1:{free_port()}"
    process = serve(folder, address)
    try:
        wait(process, folder, address)
        yield SimpleNamespace(folder=folder, address=address, experiments=log(address))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
    assert not answers(address)


def serve(folder, address):
    words = ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    words += ["--default-artifact-root", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as told:
        return subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )


def wait(process, folder, address):
    deadline = time.monotonic() + START
    while not answers(address):
        assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
        assert time.monotonic() < deadline, (folder / "server.log").read_text()[-3000:]
        time.sleep(0.2)


@pytest.fixture(scope="module")
def store(tracking):
    """The same runs in the old file store."""
    folder = tracking.folder / "mlruns"
    log(folder.as_uri())
    return folder


def values(table):
    names = ["run", "eval_set", "metric", "value", "step"]
    return sorted(tuple(row) for row in table.frame[names].itertuples(index=False))


@pytest.fixture(params=["server", "database", "file store"])
def door(request, tracking):
    if request.param == "file store":
        return request.getfixturevalue("store")
    return tracking.address if request.param == "server" else tracking.folder / "mlflow.db"


def test_every_door_gives_the_last_values(door):
    table = read(door)
    assert values(table) == LAST
    assert sorted(table.unique("pretrain_tokens")) == [0, 1_500_000, 3_000_000]
    assert table.unique("corpus") == ["fr", "none"]
    assert table.where(corpus="fr").unique("finetune_seed") == [1, 2]
    assert any("1 runs that failed or were killed left out (crashed)" in n for n in table.notes)
    assert any("1 runs that are not over" in n and "still going" in n for n in table.notes)
    assert any("is no number: the run diverged" in n for n in table.notes)


def test_every_door_gives_all_values(door):
    assert values(read(door, checkpoints="all")) == sorted(LAST + EARLIER)


@pytest.mark.parametrize("path", ["", "/", "/#/", "/#/experiments/{0}"])
def test_addresses_as_the_browser_shows_them(tracking, path):
    table = read(tracking.address + path.format(*tracking.experiments))
    expected = LAST[:-1] if "experiments" in path else LAST
    assert values(table) == expected


def test_one_runs_page(tracking):
    page = f"{tracking.address}/#/experiments/{tracking.experiments[0]}"
    runs = read(page).frame
    source = next(
        s for s, run in zip(runs["source"], runs["run"], strict=True) if run == "none-0-s1"
    )
    name = source.partition("#")[2].split("/")[0]
    assert values(read(f"{page}/runs/{name}?compareRunsMode=CHART")) == LAST[4:5]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            "#/experiments/999/runs/00",
            "the server refuses: HTTP Error 404.*Run with id=00 not found",
        ),
        ("#/models", "is no page of runs; needed the server's address, or that of an experiment"),
        ("#/experiments/999", "no active run has an evaluation"),
    ],
)
def test_pages_that_hold_nothing(tracking, page, words):
    with pytest.raises(FormatError, match=words):
        read(f"{tracking.address}/{page.format(*tracking.experiments)}")


def test_the_command_reads_the_server(tracking, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main(["ingest", tracking.address, "-o", str(tmp_path / "t.csv")])
    assert not stopped.value.code
    assert "taken for an MLflow tracking server" in capsys.readouterr().err
    assert len(read(tmp_path / "t.csv")) == len(LAST)


def test_more_runs_than_one_page_holds(tracking):
    """By the plain REST interface: a thousand clients would take minutes."""

    def ask(call, body):
        data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        url = f"{tracking.address}/api/2.0/mlflow/{call}"
        with urllib.request.urlopen(urllib.request.Request(url, data, kind)) as answer:
            return json.loads(answer.read())

    made = ask("experiments/create", {"name": "many"})["experiment_id"]
    run = ask("runs/create", {"experiment_id": made, "run_name": "long"})["run"]["info"]["run_id"]
    logged = [
        {"key": "eval_bleu", "value": 20 + i / 2048, "step": i, "timestamp": i} for i in range(2500)
    ]
    for start in range(0, len(logged), 1000):
        ask("runs/log-batch", {"run_id": run, "metrics": logged[start : start + 1000]})
    page = f"{tracking.address}/#/experiments/{made}"
    table = read(page, checkpoints="all")
    assert [m["value"] for m in logged] == list(table.column("value"))
    ask("experiments/delete", {"experiment_id": made})
