"""The record of what is finished: one line of JSON a run, appended at once."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plan import Finetuning

Record = dict[str, Any]
RUN = "{corpus}-{pretrain_tokens}-p{pretrain_seed}/ft-{task}-{finetune_tokens}-s{seed}"


def append(path: Path, job: Finetuning, measured: Record) -> None:
    """Append one finished run; a lock keeps lines of several processes apart."""
    line = json.dumps(
        {"run": str(job.folder), **asdict(job), "pretrain_run": job.pretrain_run, **measured}
    )
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line + "\n")


def write(path: Path, found: list[Record]) -> None:
    """Write a whole record at once."""
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(record) + "\n" for record in found), encoding="utf-8")
    part.rename(path)


def read(path: Path) -> list[Record]:
    """Read all whole lines; a line cut off by a kill is passed over and its run is made again."""
    found: dict[str, Record] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        found.setdefault(record["run"], record)
    return list(found.values())
