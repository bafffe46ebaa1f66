"""Score many files, kill the run half-way, start it again, and see that no work is done twice.

Writes FILES hypothesis files of SEGMENTS lines, starts `scalefit score` with BLEU and chrF on two
processes, kills it (SIGKILL) once half the texts are in the cache, starts it again, and reports
how many texts the second run counted. At full size (500 × 3,000) that takes some 310 CPU seconds::

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

from scoring import texts

METRICS = ("bleu", "chrf")


def write_corpus(folder: Path, files: int, segments: int) -> None:
    """Write ``ref.en`` and ``runs/NNN/hyp.en``."""
    references, systems = texts(segments, files)
    (folder / "ref.en").write_text("\n".join(references) + "\n")
    for number, lines in enumerate(systems):
        run = folder / "runs" / f"{number:03d}"
        run.mkdir(parents=True)
        (run / "hyp.en").write_text("\n".join(lines) + "\n")


def start(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start the command that a user would type."""
    words = ["score", "--hyp", "runs/*/hyp.en", "--ref", "ref.en", "--metric", *METRICS]
    words += ["--workers", str(workers), "--cache", "cache.sqlite", "-o", "scores.csv"]
    code = "from scalefit.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, stdout=subprocess.DEVNULL
    )


def stored(folder: Path) -> int:
    """Count what is in the cache; none where it is not yet there."""
    if not (folder / "cache.sqlite").exists():
        return 0
    try:
        with closing(sqlite3.connect(folder / "cache.sqlite", timeout=30)) as connection:
            return int(connection.execute("SELECT count(*) FROM scored_1").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def killed_half_way(folder: Path, workers: int, half: int) -> tuple[int, float]:
    """Run until half is stored, then kill; return what is stored and the seconds it took."""
    began = time.monotonic()
    process = start(folder, workers)
    while stored(folder) < half and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return stored(folder), time.monotonic() - began


def finished(folder: Path, workers: int) -> float:
    """Run to the end; return the seconds it took."""
    began = time.monotonic()
    if start(folder, workers).wait() != 0:
        raise SystemExit("the second run failed")
    return time.monotonic() - began


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--segments", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    total = given.files * len(METRICS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, given.files, given.segments)
        kept, first = killed_half_way(folder, given.workers, total // 2)
        second = finished(folder, given.workers)
        counted = stored(folder) - kept
        third = finished(folder, given.workers)
        found = {
            "texts": total,
            "stored_when_killed": kept,
            "counted_by_the_second_run": counted,
            "counted_twice": counted + kept - total,
            "seconds": {
                "until_killed": round(first, 1),
                "resumed": round(second, 1),
                "again_with_everything_known": round(third, 1),
            },
            "rows": len((folder / "scores.csv").read_text().splitlines()) - 1,
            "cache_mb": round((folder / "cache.sqlite").stat().st_size / 1e6, 1),
        }
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["cpu_s_without_the_killed_run"] = round(usage.ru_utime + usage.ru_stime, 1)
    found["peak_mb_of_one_process"] = round(usage.ru_maxrss / 1024)
    found["load"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps({**vars(given), **found}, indent=1))


if __name__ == "__main__":
    main()
