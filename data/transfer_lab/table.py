"""From the record of runs to `results.csv`: one measured value a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from records import Record
from text import UNPAIRED, parts

COLUMNS = (
    "corpus", "pretrain_tokens", "model", "parameters", "task", "finetune_tokens",
    "pretrain_seed", "finetune_seed",
    "eval_set", "domain", "metric", "value", "stderr", "signature", "source",
    "unique_tokens", "pretrain_run", "learning_rate", "source_blind",
)  # fmt: skip
EVAL_SETS = {"in": "synopses", "out": "first-sentences"}


def unique_tokens(corpus: str, seen: int, sizes: dict[str, int]) -> int:
    """Return how many different tokens were written: a used-up corpus starts again."""
    written = parts(corpus)[corpus in UNPAIRED :] if seen else ()
    return sum(min(seen // len(written), sizes[part]) for part in written)


def rows(record: Record, model: str, sizes: dict[str, int]) -> Iterator[dict[str, object]]:
    """Yield the table rows of one run."""
    common = {
        **{name: record[name] for name in COLUMNS if name in record},
        "model": model,
        "finetune_seed": record["seed"],
        "source": "transfer_lab",
        "unique_tokens": unique_tokens(record["corpus"], record["pretrain_tokens"], sizes),
    }
    for domain, scores in record["scores"].items():
        for score in scores:
            numbers = {
                n: "" if score[n] is None else f"{score[n]:.6g}" for n in ("value", "stderr")
            }
            place = {"eval_set": f"{record['task']}/{EVAL_SETS[domain]}", "domain": domain}
            yield {
                **common,
                **place,
                **numbers,
                "metric": score["metric"],
                "signature": score["signature"],
            }


def write_table(records: list[Record], path: Path, model: str, sizes: dict[str, int]) -> int:
    """Write all runs, sorted, whatever the order of training; return the number of rows."""
    found = [row for r in sorted(records, key=sort_key) for row in rows(r, model, sizes)]
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    part.rename(path)
    return len(found)


def sort_key(record: Record) -> tuple[object, ...]:
    """Order runs by task, sizes, corpus and seeds."""
    names = ("task", "finetune_tokens", "corpus", "pretrain_tokens", "pretrain_seed", "seed")
    return tuple(record[name] for name in names)
