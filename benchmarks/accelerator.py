"""COMET scoring and landscape evaluation on a GPU against the CPU: scores, speed, memory. Five minutes at most.

    python benchmarks/accelerator.py                                  # both, on a GPU where there is one
    python benchmarks/accelerator.py --comet Unbabel/wmt22-comet-da   # with the real model, where it is at hand
    python benchmarks/accelerator.py --layers 12 --width 768 --batches 16   # a landscape of BERT's size

Fails where a score moves by more than 1e-3 against the CPU in float32, or a loss by more than that part of
itself. Without a GPU only the CPU's rows are printed, half precision too, which no CPU is quick at: it is there
so that the code is run.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from scalefit import landscape
from scalefit.scoring.cache import Cache
from scalefit.scoring.checkpoint import Comet
from scalefit.scoring.comet import CometScorer

SAME = 1e-3
WORDS = "the cat dog child sees eats likes an apple book house in old green garden at night"
TOKENS, BATCH = 64, 32


@dataclass(frozen=True)
class Row:
    """One kind of work in one place: how fast, how far from the first row's numbers, and what it held."""

    what: str
    place: str
    kind: str
    rate: float
    memory: float
    difference: float


@dataclass
class Watch:
    """Seconds and megabytes of what ran under :func:`watched`."""

    seconds: float = 0.0
    memory: float = 0.0


def places() -> list[tuple[str, str]]:
    """Return where to work and in which type, the one that all others are held against first."""
    first, other = ("cpu", "float32"), "cuda" if torch.cuda.is_available() else "cpu"
    return list(dict.fromkeys([first, (other, "float32"), (other, "float16")]))


@contextmanager
def watched(place: str) -> Iterator[Watch]:
    """Take the time and the peak memory of some work: the card's, or the whole process's."""
    watch = Watch()
    if place == "cuda":
        torch.cuda.reset_peak_memory_stats()
    begun = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - begun
    watch.memory = (
        torch.cuda.max_memory_allocated() / 2**20
        if place == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    )


def sentences(count: int) -> list[dict[str, str]]:
    """Return so many segments, as COMET takes them, of three to thirty words drawn at random."""
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS.split(), n)) for n in rng.integers(3, 30, size=count)]
    return [{"src": line, "mt": line.replace("cat", "dog", 1), "ref": line} for line in lines]


def comet(model: str, segments: int, batch: int = Comet.batch_size) -> list[Row]:
    """Score the same segments everywhere, for the second time: a card loads a kernel for every new length."""
    samples = sentences(segments)
    rows, first = [], None
    for place, kind in places():
        chosen = Comet(
            model,
            batch_size=batch,
            gpus=int(place == "cuda"),
            precision="fp16" if kind == "float16" else "fp32",
        )
        scorer = CometScorer(chosen, Cache(False), references=True)
        scorer.predict(samples)
        with watched(place) as watch:
            values = np.array(scorer.predict(samples))
        first = values if first is None else first
        apart = float(np.abs(values - first).max())
        rows.append(
            Row("COMET, segments", place, kind, segments / watch.seconds, watch.memory, apart)
        )
    return rows


def encoder(layers: int, width: int) -> torch.nn.Module:
    """Return a classifier made of transformer layers."""
    layer = torch.nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True, dropout=0.0)
    body = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    return torch.nn.Sequential(body, torch.nn.Flatten(1), torch.nn.Linear(width * TOKENS, 10))


def paths(models: int, batches: int, layers: int, width: int) -> list[Row]:
    """Walk all paths between models on the CPU and on the GPU; the losses agree to 1e-3 of themselves."""
    torch.manual_seed(0)
    states = [encoder(layers, width).state_dict() for _ in range(models)]
    data = [
        (torch.randn(BATCH, TOKENS, width), torch.randint(10, (BATCH,))) for _ in range(batches)
    ]
    rows, first = [], None
    for place, kind in places():
        loss = landscape.ModuleLoss(encoder(layers, width), data, device=place, dtype=kind)
        loss(states[0])
        with watched(place) as watch:
            curves = landscape.distances(states, loss, points=5, progress=False).curves[..., 0]
        first = curves if first is None else first
        apart = float(np.abs(curves / first - 1).max())
        done = models + 3 * models * (models - 1) // 2
        rows.append(
            Row("landscape, evaluations", place, kind, done / watch.seconds, watch.memory, apart)
        )
    return rows


def report(rows: Sequence[Row]) -> str:
    """Return the table in Markdown; speed is a ratio to the CPU in float32."""
    card = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else "none: the CPU's half only"
    )
    usual = {row.what: row.rate for row in reversed(rows)}  # the first row of each kind stays
    lines = [
        f"GPU: {card}; torch {torch.__version__}, {torch.get_num_threads()} CPU threads.",
        "",
        "| what | where | type | a second | × CPU float32 | MB | largest difference |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.what} | {row.place} | {row.kind} | {row.rate:.3g} | {row.rate / usual[row.what]:.2f} | "
            f"{row.memory:.0f} | {row.difference:.1e} |"
        )
    return "\n".join(lines)


def check(rows: Sequence[Row]) -> None:
    """Fail where a place or a type says something else than the CPU in float32."""
    wrong = [row for row in rows if not row.difference <= SAME]
    if wrong:
        raise SystemExit(f"more than {SAME} from the CPU in float32: {wrong}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and fail where numbers differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--comet", help="COMET model; without one only the landscape is evaluated")
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--batch", type=int, default=Comet.batch_size, help="segments at once")
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--layers", type=int, default=4, help="of the landscape's models")
    parser.add_argument("--width", type=int, default=256)
    told: Any = parser.parse_args(arguments)
    rows = comet(told.comet, told.segments, told.batch) if told.comet else []
    rows += paths(told.models, told.batches, told.layers, told.width)
    print(report(rows))
    check(rows)


if __name__ == "__main__":
    main()
