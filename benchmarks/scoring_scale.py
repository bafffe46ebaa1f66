"""Score many files, kill the run half-way, start it again, and see that no work is done twice.

Writes FILES hypothesis files of SEGMENTS lines, starts `scalefit score` with BLEU and chrF on two
processes, kills it (SIGKILL) once half the texts are in the cache, starts it again, and reports
which texts each run counted: the key of every counted text is written down before it is stored.
Some scores are compared with sacreBLEU's own, and a third run finds everything known. At full size
(500 × 3,000) that takes some 310 CPU seconds::

    python benchmarks/scoring_scale.py [--files 500] [--segments 3000] [--workers 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF
from scoring import texts

import scalefit as sf

METRICS = {"bleu": BLEU, "chrf": CHRF}
COMMAND = """
from scalefit.cli import main
from scalefit.scoring.cache import Cache

def put(self, items, store=Cache.put):
    with open("counted", "a") as log:
        log.writelines(f"{key.hex()}\\n" for key in items)
    store(self, items)

Cache.put = put
main()
"""
"""What a user would type, and a list of what was counted."""


def write_corpus(folder: Path, files: int, segments: int) -> None:
    """Write ``ref.en`` and ``runs/NNN/hyp.en``."""
    references, systems = texts(segments, files)
    (folder / "ref.en").write_text("\n".join(references) + "\n")
    for number, lines in enumerate(systems):
        run = folder / "runs" / f"{number:03d}"
        run.mkdir(parents=True)
        (run / "hyp.en").write_text("\n".join(lines) + "\n")


def start(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start the command that a user would type; its bar is shown."""
    words = ["score", "--hyp", "runs/*/hyp.en", "--ref", "ref.en", "--metric", *METRICS]
    words += ["--workers", str(workers), "--cache", "cache.sqlite", "-o", "scores.csv"]
    command = [sys.executable, "-c", COMMAND, *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def stored(folder: Path) -> int:
    """Count what is in the cache; none where it is not yet there."""
    if not (folder / "cache.sqlite").exists():
        return 0
    try:
        with closing(sqlite3.connect(folder / "cache.sqlite", timeout=30)) as connection:
            return int(connection.execute("SELECT count(*) FROM scored_1").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def counted(folder: Path) -> list[str]:
    """Return the keys of all texts that were counted so far, in order."""
    return (folder / "counted").read_text().split()


def killed_half_way(folder: Path, workers: int, half: int) -> float:
    """Run until half is stored, then kill; return the seconds it took."""
    began = time.monotonic()
    process = start(folder, workers)
    while stored(folder) < half and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit("the first run ended before it could be killed")
    return time.monotonic() - began


def finished(folder: Path, workers: int) -> float:
    """Run to the end; return the seconds it took."""
    began = time.monotonic()
    if start(folder, workers).wait() != 0:
        raise SystemExit("a run failed")
    return time.monotonic() - began


def differences(folder: Path, segments: int) -> dict[str, Any]:
    """Compare some systems' scores, whichever run counted them, with sacreBLEU's own."""
    references = (folder / "ref.en").read_text().split("\n")[:segments]
    runs = sorted((folder / "runs").iterdir())
    table, worst = sf.read(folder / "scores.csv", allow=("no_pretrain_tokens",)), 0.0
    chosen = runs[:: max(1, len(runs) // 6)]
    for run in chosen:
        lines = (run / "hyp.en").read_text().split("\n")[:segments]
        for name, metric in METRICS.items():
            expected = metric().corpus_score(lines, [references]).score
            (value,) = table.where(system=f"runs/{run.name}/hyp.en", metric=name).column("value")
            worst = max(worst, abs(value - expected))
    return {"scores_compared": len(chosen) * len(METRICS), "largest_difference": worst}


def measure(folder: Path, files: int, workers: int) -> dict[str, Any]:
    """Run, kill, resume, and run once more; return what was counted when."""
    total = files * len(METRICS)
    first = killed_half_way(folder, workers, total // 2)
    kept, before = stored(folder), counted(folder)
    second = finished(folder, workers)
    after = counted(folder)[len(before) :]
    scores = (folder / "scores.csv").read_text()
    third = finished(folder, workers)
    return {
        "texts": total,
        "counted_by_the_first_run": len(before),
        "stored_when_it_was_killed": kept,
        "counted_by_the_second_run": len(after),
        "counted_by_both": len({*before} & {*after}),
        "never_counted": total - len({*before, *after}),
        "counted_by_the_third_run": len(counted(folder)) - len(before) - len(after),
        "third_run_gives_the_same_file": (folder / "scores.csv").read_text() == scores,
        "seconds": {"first": round(first, 1), "second": round(second, 1), "third": round(third, 1)},
        "rows": len(scores.splitlines()) - 1,
        "cache_mb": round((folder / "cache.sqlite").stat().st_size / 1e6, 1),
    }


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--segments", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, given.files, given.segments)
        found = measure(folder, given.files, given.workers)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        found |= differences(folder, given.segments)
    found["cpu_s_without_the_killed_run"] = round(usage.ru_utime + usage.ru_stime, 1)
    found["peak_mb_of_one_process"] = round(usage.ru_maxrss / 1024)
    found["load"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps({**vars(given), **found}, indent=1))


if __name__ == "__main__":
    main()
