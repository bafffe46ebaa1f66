"""Write what a reader of the run folders needs: references, sources, and a manifest of the runs."""

from __future__ import annotations

import csv
from pathlib import Path

from records import Record
from segments import segments

PLACES = {"in": "test", "out": "out"}
MANIFEST = ("corpus", "pretrain_tokens", "task", "finetune_tokens", "pretrain_seed")


def write_references(work: Path, tasks: tuple[str, ...]) -> None:
    """Write the evaluation sets as text, a line for every line of the hypotheses files."""
    folder = work / "references"
    folder.mkdir(exist_ok=True)
    for task in tasks:
        for domain, split in PLACES.items():
            pairs = [row.pair for row in segments(work, task, split)]
            for name in ("source", "target"):
                lines = "\n".join(getattr(pair, name) for pair in pairs)
                (folder / f"{task}.{domain}.{name}.txt").write_text(lines + "\n", encoding="utf-8")


def write_manifest(found: list[Record], path: Path) -> None:
    """Write one line a run folder that is here: what no training log knows about itself."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", *MANIFEST, "finetune_seed"])
        for record in (r for r in found if (path.parent / r["run"]).exists()):
            writer.writerow([record["run"], *(record[name] for name in MANIFEST), record["seed"]])
