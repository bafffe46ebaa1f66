"""Choose the finetuning learning rate before the grid is run: on en-de, a seed used nowhere else.

The rule, fixed beforehand: the lowest cross-entropy on the development set, averaged over a start
from nothing and a start from one checkpoint.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from finetune import finetune
from plan import Finetuning, Grid
from pretrain import Pretraining, pretrain

RATES = (4e-3, 6e-3, 9e-3)
SEED = 99
SIZE = 401_408
STARTS = (("none", 0), ("de+en", SIZE))


def tune(work: Path, corpus: str, size: int) -> list[dict[str, Any]]:
    """Finetune one start at every rate; return the development scores."""
    torch.set_num_threads(1)
    grid, found = Grid(), []
    if size:
        pretrain(Pretraining(corpus, SEED, (size,)), work, grid.shape)
    for rate in RATES:
        job = Finetuning(
            corpus, size, SEED, "en-de", grid.finetune_tokens[0], SEED, rate, grid.steps, grid.batch
        )
        record: dict[str, Any] = finetune(
            job, work, grid.shape, "dev", work / "tuning" / f"{rate:g}"
        )
        scores = {s["metric"]: round(s["value"], 4) for s in record["scores"]["in"]}
        found.append({"corpus": corpus, "pretrain_tokens": size, "learning_rate": rate, **scores})
        print(found[-1], record["seconds"], flush=True)
    return found


def best_rate(rows: list[dict[str, Any]]) -> float:
    """Apply the rule."""
    sums: dict[float, float] = defaultdict(float)
    for row in rows:
        sums[row["learning_rate"]] += row["cross_entropy"]
    return min(sums, key=lambda rate: sums[rate])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "full")
    work = parser.parse_args().work.resolve()
    with multiprocessing.get_context("spawn").Pool(len(STARTS)) as pool:
        rows = [
            row for part in pool.starmap(tune, [(work, *start) for start in STARTS]) for row in part
        ]
    chosen = {"chosen": best_rate(rows), "runs": rows}
    (Path(__file__).parent / "tuning.json").write_text(json.dumps(chosen, indent=1) + "\n")
