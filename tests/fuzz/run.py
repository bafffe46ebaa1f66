"""One case: a door, a number that says how its bytes are damaged, and what came of it."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scalefit.errors import ScalefitError, ScalefitWarning

from .doors import DOORS, genuine

SECONDS, MEGABYTES = 5.0, 500.0
"""Processor time and memory of one case."""
HANGS = 60.0
"""Seconds after which a case counts as hanging, on a machine that may be busy."""


@dataclass(frozen=True)
class Case:
    """A door and a number; the same two give the same bytes."""

    door: str
    number: int

    def failure(self, home: Path) -> str | None:
        """Run it; return what went wrong, None where the answer is a result or one of our errors."""
        genuine(home)
        rng = random.Random(f"{self.door} {self.number}")
        folder = Path(tempfile.mkdtemp(dir=home))
        before, begun = peak(), time.process_time()
        try:
            with limited(), warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", ScalefitWarning)
                DOORS[self.door][0](rng, folder)
        except ScalefitError:
            pass
        except BaseException:
            return traceback.format_exc(limit=-6)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if time.process_time() - begun > SECONDS:
            return f"took {time.process_time() - begun:.1f} s of processor time"
        more = peak() - before
        return f"took {more:.0f} MB" if more > MEGABYTES else None


def cases(count: int, start: int = 0) -> Iterator[Case]:
    """Yield cases over all doors, in proportion to their weight."""
    turns = [door for door, (_, weight) in DOORS.items() for _ in range(weight)]
    for i in range(start, start + count):
        yield Case(turns[i % len(turns)], i)


def peak() -> float:
    """Return the most memory that the process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def limited() -> Iterator[None]:
    """Raise in a case that hangs."""

    def stop(*_: object) -> None:
        raise TimeoutError("no answer in time")

    usual = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
