"""``python -m tests.fuzz --cases 20000``: failures are printed, and belong into ``kept.py``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .run import Case, cases, peak


def main() -> int:
    """Run the cases; return 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", help="DOOR:NUMBER, one case that failed")
    told = parser.parse_args()
    door, _, number = (told.only or "").partition(":")
    wanted = [Case(door, int(number))] if told.only else cases(told.cases, told.start)
    tried, failed, begun = Counter(), [], time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        for case in wanted:
            tried[case.door] += 1
            if (wrong := case.failure(Path(home))) is not None:
                failed.append(case)
                print(f"{case.door}:{case.number}\n{wrong}", flush=True)
    counts = ", ".join(f"{door} {n}" for door, n in tried.items())
    took = f"{time.monotonic() - begun:.0f} s, peak {peak():.0f} MB"
    print(f"{tried.total()} cases ({counts}) in {took}; {len(failed)} failed")
    return int(bool(failed))


sys.exit(main())
