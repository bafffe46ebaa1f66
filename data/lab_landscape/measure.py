"""Print the loss landscape of the transfer lab's finetuned models: barriers within and between starts.

Run ``python data/lab_landscape/measure.py --work WORK`` after ``data/transfer_lab/lab.py --work WORK`` has kept the
finetuned weights (``WORK/weights``); it needs torch and transformers. The loss: cross-entropy on development segments.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

LAB = Path(__file__).resolve().parents[1] / "transfer_lab"
sys.path.insert(0, str(LAB))

from model import Shape, new_model  # noqa: E402
from segments import segments  # noqa: E402

from scalefit import landscape  # noqa: E402
from scalefit.landscape import Distances  # noqa: E402

SEGMENTS, POINTS = 120, 7


def development_loss(work: Path) -> landscape.ModuleLoss:
    """Return cross-entropy per target piece on in-domain development segments."""
    chosen = segments(work, "en-fr", "dev")[:SEGMENTS]
    rows = [{"input_ids": row.source, "labels": row.target} for row in chosen]
    return landscape.hf_loss(new_model(Shape(), 0), rows, batch=SEGMENTS)


def score(work: Path, name: str, part: str, metric: str) -> float:
    """Read a score from the folder of the run whose weights these are."""
    folder = work / "runs" / Path(*name.split("_", 1))
    found = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return float(found[f"{part}_{metric}"])


def start_of(name: str) -> tuple[str, str]:
    """Return corpus and pretraining run of a model, from its name."""
    corpus, _, seed = name.split("_", 1)[0].rsplit("-", 2)
    return corpus, f"{corpus}-{seed}"


def kinds(pairs: Distances) -> dict[str, np.ndarray]:
    """Sort the paths: one checkpoint with two finetuning seeds, one corpus, different corpora."""
    starts = [start_of(name) for name in pairs.names]
    same_run = np.array([starts[i] == starts[j] for i, j in pairs.pairs])
    same_corpus = np.array([starts[i][0] == starts[j][0] for i, j in pairs.pairs])
    return {
        "one pretraining run, two finetuning seeds": same_run,
        "one corpus, two pretraining seeds": same_corpus & ~same_run,
        "two corpora": ~same_corpus,
    }


def report(pairs: Distances, work: Path) -> None:
    """Print barriers by kind of pair, basins, and what they foretell."""
    for title, chosen in kinds(pairs).items():
        heights = pairs.values("barrier")[chosen]
        lengths = pairs.values("euclidean")[chosen]
        ends = f"barrier {heights.mean():.3f} (from {heights.min():.3f} to {heights.max():.3f})"
        print(f"{title}: {chosen.sum()} paths, {ends}, distance {lengths.mean():.1f}")
    print(landscape.clusters(pairs))
    for metric in ("bleu", "loss"):
        outside = [score(work, name, "eval_ood", metric) for name in pairs.names]
        inside = [score(work, name, "eval", metric) for name in pairs.names]
        print(f"-- out-of-domain {metric}, from {min(outside):.3g} to {max(outside):.3g}")
        print(landscape.predict(pairs, outside, in_domain=inside, neighbours=2))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--starts", nargs="*", default=["*"], help="as code-401408-p1; default: all"
    )
    asked = parser.parse_args()
    work: Path = asked.work
    torch.set_num_threads(1)
    patterns = [f"{start}_ft-en-fr-*.safetensors" for start in asked.starts]
    files = sorted(file for p in patterns for file in (work / "weights").glob(p))
    print(f"{len(files)} models; {landscape.budget(len(files), POINTS)}", flush=True)
    store = work / "landscape.sqlite"
    loss = development_loss(work)
    report(landscape.distances(files, loss, points=POINTS, store=store), work)


if __name__ == "__main__":
    main()
