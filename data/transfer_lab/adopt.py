"""Go on from the committed table: a fresh machine makes only the runs that were never measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from records import RUN, Record, write

NUMBERS = ("pretrain_tokens", "parameters", "finetune_tokens", "pretrain_seed")


def adopt(table: Path, known: Path, now: dict[str, Any], record: Path) -> int:
    """Write the table's runs into an empty record; return how many there are.

    `known` holds the facts measured with the table, `now` the same facts about the text at hand.
    Numbers measured on other text do not belong into one table: that is an error.
    """
    if record.exists() or not (table.exists() and known.exists()):
        return 0
    facts = json.loads(known.read_text(encoding="utf-8"))
    if other := [n for n in now if facts[n] != {k: now[n].get(k) for k in facts[n]}]:
        raise SystemExit(
            f"{', '.join(other)} of the text fetched here differ from those in {known}: the packages "
            f"have changed since {table.name} was measured, and new runs cannot join it; "
            "--out FILE measures everything again into a table of its own"
        )
    found = from_table(table, facts["finetuning_sets"])
    record.with_name("adopted.json").write_text(json.dumps(facts), encoding="utf-8")
    write(record, found)
    return len(found)


def from_table(table: Path, sets: list[dict[str, Any]]) -> list[Record]:
    """Return the record of every run in a table: all that the table holds, none of its logs."""
    sizes = {(s["task"], s["finetune_tokens"]): s for s in sets}
    found: dict[str, Record] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            common: Record = {
                **{n: row[n] for n in ("corpus", "task", "pretrain_run")},
                **{n: int(row[n]) for n in NUMBERS},
                "run": RUN.format_map({**row, "seed": row["finetune_seed"]}),
                "seed": int(row["finetune_seed"]),
                "learning_rate": float(row["learning_rate"]),
                "source_blind": row["source_blind"] == "True",
                "scores": {"in": [], "out": []},
            }
            record = found.setdefault(common["run"], common)
            record |= sizes[record["task"], record["finetune_tokens"]]
            record["scores"][row["domain"]].append(score(row))
    return list(found.values())


def score(row: dict[str, str]) -> dict[str, Any]:
    """Return a row's measured value."""
    numbers = {n: float(row[n]) if row[n] else None for n in ("value", "stderr")}
    return {"metric": row["metric"], "signature": row["signature"], **numbers}
