"""What is fuzzed: every door through which bytes come in, each with genuine ones to begin with."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import socket
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

import scalefit as sf
from scalefit.ingest.registry import FORMATS
from scalefit.landscape.checkpoint import load as load_weights
from scalefit.scoring.cache import Cache
from scalefit.table.build import ALLOWABLE

from .mutate import mutated

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDERS = (
    "hf_trainer/none-0-p1",
    "mlflow/mlruns",
    "mt_metrics_eval/wmt22",
    "t5x/inference_eval",
    "lighteval_0.13",
)
TABLE = {
    "corpus": ["fr", "fr", "#2 =1+1", "de"],
    "pretrain_tokens": [1e6, 4e6, 16e6, 64e6],
    "finetune_seed": [1, 2, 1, 2],
    "bleu": [10.25, 14.5, 18.125, 22.0625],
    "note": ["a,b", 'say "x"', "a\nb", None],
}
REFERENCE = "".join(f"the cat number {i} sat down on the mat\n" for i in range(12)).encode()


@cache
def files() -> tuple[Path, ...]:
    """Fixture files that are not too large, in sorted order."""
    every = (
        p for p in sorted(FIXTURES.rglob("*")) if p.is_file() and p.suffix not in (".md", ".sql")
    )
    return (*(p for p in every if p.stat().st_size < 60_000), FIXTURES / "tables" / "paper.md")


@cache
def written(suffix: str, folder: Path) -> bytes:
    """Bytes of a table that scalefit wrote."""
    path = folder / f"genuine.{suffix}"
    sf.as_table(TABLE).write(path)
    return path.read_bytes()


def reader(rng: random.Random, folder: Path) -> None:
    """Read a damaged file, by its name or by a format that it has not."""
    if rng.random() < 0.3:
        suffix = rng.choice(["csv", "tsv", "json", "jsonl", "parquet", "xlsx"])
        name, data = f"t.{suffix}", written(suffix, folder.parent)
    else:
        path = rng.choice(files())
        name, data = path.name, path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            name, data = name.removesuffix(".gz"), gzip.decompress(data)[:60_000]
    data = mutated(rng, data)
    if rng.random() < 0.1:
        name, data = name + ".gz", gzip.compress(data)
    (folder / name).write_bytes(data)
    sf.read(
        folder / name,
        format=rng.choice([None, None, None, rng.choice(sorted(FORMATS))]),
        checkpoints=rng.choice(["best", "last", "all"]),
        allow=rng.choice([(), tuple(ALLOWABLE)]),
    )


def folder_of_runs(rng: random.Random, folder: Path) -> None:
    """Read a folder in which one file is damaged."""
    run = shutil.copytree(FIXTURES / rng.choice(FOLDERS), folder / "run")
    file = rng.choice(sorted(p for p in run.rglob("*") if p.is_file()))
    file.write_bytes(mutated(rng, file.read_bytes()))
    sf.read(run)


def manifest(rng: random.Random, folder: Path) -> None:
    """Read runs beside which a damaged manifest lies."""
    (folder / "fr").mkdir()
    (folder / "fr" / "valid.log").write_bytes((FIXTURES / "marian/valid.log").read_bytes())
    text = (
        b"path,corpus,pretrain_tokens,task,log_eval_set\nfr/*,fr,1.5M,en-{corpus},valid\n**,fr,,,\n"
    )
    (folder / "runs.csv").write_bytes(mutated(rng, text))
    sf.read(folder)


@cache
def stored_fit(folder: Path) -> bytes:
    """Bytes of a stored fit."""
    points = {name: TABLE[name] for name in ("pretrain_tokens", "bleu")}
    fit = sf.fit(sf.as_table(points), "bleu", "log")
    sf.save(fit, folder / "fit.json")
    return (folder / "fit.json").read_bytes()


def stored(rng: random.Random, folder: Path) -> None:
    """Load a damaged result."""
    (folder / "fit.json").write_bytes(mutated(rng, stored_fit(folder.parent)))
    sf.load(folder / "fit.json")


@cache
def weights_of(suffix: str, folder: Path) -> bytes:
    """Bytes of small weights."""
    if suffix == ".npz":
        np.savez(folder / "w.npz", a=np.arange(12.0).reshape(3, 4), b=np.ones(2, dtype=np.float16))
        return (folder / "w.npz").read_bytes()
    if suffix == ".index.json":
        return b'{"metadata": {}, "weight_map": {"a": "w.safetensors", "b": "w.safetensors"}}'
    entries = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
               "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]}}  # fmt: skip
    head = json.dumps(entries).encode()
    return len(head).to_bytes(8, "little") + head + bytes(range(28))


def weights(rng: random.Random, folder: Path) -> None:
    """Open damaged weights, and read all their tensors."""
    suffix = rng.choice([".npz", ".safetensors", ".index.json"])
    (folder / "w.safetensors").write_bytes(weights_of(".safetensors", folder.parent))
    path = folder / ("model.safetensors.index.json" if suffix == ".index.json" else f"w{suffix}")
    path.write_bytes(mutated(rng, weights_of(suffix, folder.parent)))
    found = load_weights(path)
    for name in found.shapes:
        found.read(name)


def texts(rng: random.Random, folder: Path) -> None:
    """Score damaged texts."""
    for name in ("hyp.txt", "ref.txt"):
        (folder / name).write_bytes(mutated(rng, REFERENCE) if rng.random() < 0.8 else REFERENCE)
    sf.score(folder / "hyp.txt", folder / "ref.txt", None, ["bleu", "chrf"], cache=False, progress=False,
             resamples=5, allow_empty=rng.random() < 0.5)  # fmt: skip


@cache
def kept_scores(folder: Path) -> bytes:
    """Bytes of a cache of scores."""
    path = folder / "kept.sqlite"
    lines = REFERENCE.decode().splitlines()
    sf.score(lines, lines, None, ["bleu"], cache=path, progress=False, resamples=5)
    with Cache(path) as held:
        held._connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


def kept(rng: random.Random, folder: Path) -> None:
    """Score with a damaged cache: right scores, or our error."""
    data = bytearray(kept_scores(folder.parent))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(100 if rng.random() < 0.9 else 0, len(data))] ^= 1 << rng.randrange(8)
    (folder / "kept.sqlite").write_bytes(data)
    lines = REFERENCE.decode().splitlines()
    table = sf.score(
        lines, lines, None, ["bleu"], cache=folder / "kept.sqlite", progress=False, resamples=5
    )
    assert list(table.column("value")) == [100.0]


@cache
def genuine(folder: Path) -> None:
    """Make all genuine bytes, which also loads the libraries, so that no case pays for them."""
    for suffix in ("csv", "tsv", "json", "jsonl", "parquet", "xlsx"):
        written(suffix, folder)
        sf.read(folder / f"genuine.{suffix}")
    for make in (stored_fit, kept_scores):
        make(folder)


class Server:
    """A server on loopback that answers every call with the bytes it was given."""

    def __init__(self) -> None:
        self.answer = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                try:
                    connection.recv(1 << 16)
                    connection.sendall(self.answer)
                except OSError:
                    continue


@cache
def server() -> Server:
    """Return the one server."""
    return Server()


def wire(rng: random.Random, folder: Path) -> None:
    """Read a server whose answers are damaged."""
    run = {
        "info": {"run_id": "a", "run_name": "r", "status": "FINISHED"},
        "data": {
            "metrics": [{"key": "eval_bleu", "value": 20.25, "step": 3, "timestamp": 1}],
            "params": [],
        },
    }
    text = mutated(
        rng, json.dumps({"experiments": [{"experiment_id": "0"}], "runs": [run]}).encode()
    )
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text
    server().answer = mutated(rng, answer) if rng.random() < 0.3 else answer
    sf.read(server().address)


DOORS: dict[str, tuple[Callable[[random.Random, Path], None], int]] = {
    "reader": (reader, 10),
    "folder": (folder_of_runs, 1),
    "manifest": (manifest, 1),
    "stored": (stored, 2),
    "weights": (weights, 2),
    "texts": (texts, 1),
    "kept": (kept, 1),
    "wire": (wire, 1),
}
"""Doors, and how often each is tried."""
