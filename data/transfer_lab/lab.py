"""Rebuild the whole transfer lab: text, vocabulary, pretraining, finetuning, scores, table.

python data/transfer_lab/lab.py            everything that is not yet done (hours of two cores)
python data/transfer_lab/lab.py --tiny     the whole path on made-up text, two minutes, no network
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import records
from adopt import adopt
from comet_scores import add_comet
from export import write_manifest, write_references
from facts import facts, text_facts, write_facts
from model import Shape
from plan import Grid, plan
from scheduler import Lab, run_all
from table import write_table
from text import TASKS, build_text
from tokenizer import corpus_sizes, train_tokenizer

HERE = Path(__file__).resolve().parent
TINY = Grid(
    shape=Shape(vocabulary=200, width=16, key_width=8, heads=2, feed_forward=32, layers=1),
    sizes=(512, 1024),
    finetune_tokens=(2000,),
    seeds=(1,),
    finetune_seeds=(1,),
    steps=6,
    batch=8,
    saved_size=1024,
)


def options(words: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work",
        type=Path,
        help="folder for text, checkpoints and runs (default: work/ or work-tiny/ here)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="the table (default: results.csv here; with --tiny inside the work folder)",
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="two sizes, six steps, made-up text: tests the path, measures nothing",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each")
    parser.add_argument(
        "--table-only", action="store_true", help="only write the table of the runs that are done"
    )
    parser.add_argument(
        "--comet-model",
        type=Path,
        help="a COMET checkpoint file: scores all kept hypotheses with it",
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Do what is left to do, then write the table."""
    asked = options(words)
    grid = TINY if asked.tiny else Grid()
    work = (asked.work or HERE / "work" / ("tiny" if asked.tiny else "full")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    build_text(work, asked.tiny)
    sizes = corpus_sizes(work, train_tokenizer(work, grid.shape.vocabulary))
    out = asked.out or (work / "results.csv" if asked.tiny else HERE / "results.csv")
    known, record = out.with_name("facts.json"), work / "runs.jsonl"
    adopted = adopt(out, known, text_facts(work, sizes), record)
    failed = []
    if not asked.table_only:
        done = {run["run"] for run in records.read(record)}
        failed = run_all(
            Lab(work, grid),
            [job for job in plan(grid) if str(job.folder) not in done],
            asked.workers,
        )
    found = records.read(record)
    if asked.comet_model:
        found = add_comet(found, work, asked.comet_model)
    count = write_table(found, out, grid.shape.name, sizes)
    write_references(work, TASKS)
    write_manifest(found, work / "runs" / "runs.csv")
    write_facts(known, facts(work, grid, found, sizes))
    print(f"{len(found)} runs ({adopted} of them from the table as it was), {count} rows: {out}")
    print(*failed, sep="\n", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
