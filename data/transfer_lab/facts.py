"""What the card needs to know beside the scores: sizes of the text, versions, machine, duration."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

from plan import Grid
from records import Record
from segments import segments
from text import SPLITS, TASKS, read_pairs

PACKAGES = ("torch", "transformers", "accelerate", "sentencepiece", "sacrebleu", "numpy")


def pair_counts(work: Path) -> dict[str, list[int]]:
    """Return pairs found and pairs used, by task and split."""
    return {
        f"{task} {split}": [
            len(read_pairs(work / "text", task, split)),
            len(segments(work, task, split)),
        ]
        for task in TASKS
        for split in SPLITS
    }


def pretraining_seconds(work: Path, grid: Grid) -> float:
    """Return the time between the first and the last checkpoint, summed over runs."""
    total = 0.0
    for folder in (work / "pretrained").glob("*"):
        first, last = (folder / f"{size}.safetensors" for size in (grid.sizes[0], grid.sizes[-1]))
        if last.exists():
            total += last.stat().st_mtime - first.stat().st_mtime
    return total


def text_facts(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Return what tells one text from another: pairs by task and split, pieces by corpus."""
    return {"pairs_found_and_used": pair_counts(work), "corpus_pieces": sizes}


def facts(work: Path, grid: Grid, found: list[Record], sizes: dict[str, int]) -> dict[str, Any]:
    """Gather everything; durations of adopted runs are those that were measured with them."""
    path = work / "adopted.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    spent = {
        "finetuning_process_seconds": sum(r["seconds"]["all"] for r in found if "seconds" in r),
        "pretraining_process_seconds": pretraining_seconds(work, grid),
    }
    return {
        "runs": len(found),
        "source_blind_runs": [r["run"] for r in found if r["source_blind"]],
        **text_facts(work, sizes),
        "finetuning_sets": finetuning_sets(found),
        **{name: round(seconds + earlier.get(name, 0)) for name, seconds in spent.items()},
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
    }


def finetuning_sets(found: list[Record]) -> list[dict[str, Any]]:
    """Return the distinct finetuning sets: nominal tokens, and the segments and tokens they hold."""
    names = ("task", "finetune_tokens", "train_segments", "train_tokens")
    distinct = sorted({tuple(record[name] for name in names) for record in found})
    return [dict(zip(names, values, strict=True)) for values in distinct]


def write_facts(path: Path, found: dict[str, Any]) -> None:
    """Write the facts beside the table."""
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
