"""Scores 100 systems again and again, disturbed each time: ``python tests/scoring/interrupted.py FOLDER``.

Everything is loaded once; each try is a fork that starts with an empty cache. Prints one line a disturbance:
its name, and whether the table that came out of it in the end is the undisturbed one, byte for byte.
"""

import os
import resource
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

from tqdm import tqdm

import scalefit as sf
from scalefit.errors import ScalefitWarning
from scalefit.scoring.cache import Cache

SYSTEMS, LINES, MOMENTS = 100, 6, 20
WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "red", "big"]
NOBODY = 65534
# tqdm's own lock is shared between processes: a child that is killed while it holds it would stop all others for ever.
tqdm.set_lock(threading.RLock())
tqdm.monitor_interval = 0  # and a thread of its own may hold the lock while we fork


def lines(system):
    return [
        " ".join(WORDS[(i * 7 + j * (3 + (i + system) % 5)) % len(WORDS)] for j in range(8))
        for i in range(LINES)
    ]


def score(cache, output):
    """Score all systems, a transaction each, and write the table."""
    table = sf.score(
        {f"s{i:03}": lines(i) for i in range(1, SYSTEMS + 1)},
        lines(0),
        None,
        ["bleu", "chrf"],
        cache=cache,
        workers=1,
        resamples=10,
        progress=False,
    )
    table.write(output)


def child(*work):
    """Do some work in a fork; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for one in work:
            one()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def finished(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def expect_warning(work):
    """Do work that has to say that nothing is kept."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ScalefitWarning)
        work()
    assert any("cannot be written" in str(one.message) for one in told), told


def main(home):
    """Disturb, go on, compare."""
    cache, output = home / "c.sqlite", home / "t.csv"
    work = lambda: score(cache, output)  # noqa: E731

    def cleared():
        for path in home.iterdir():
            path.unlink()

    work()  # loads all modules: forks, one of whom may not read them, have them from here
    cleared()
    begun = time.monotonic()
    assert finished(child(work))
    whole, right = time.monotonic() - begun, output.read_bytes()

    def tell(name, same):
        print(name, "same" if same else "DIFFERENT", flush=True)

    for moment in range(MOMENTS):
        cleared()
        pid = child(work)
        time.sleep(whole * (moment + 0.5) / MOMENTS)
        os.kill(pid, signal.SIGKILL)
        finished(pid)
        partly = output.read_bytes() if output.exists() else right
        tell(
            f"killed-at-{moment}",
            partly == right and finished(child(work)) and output.read_bytes() == right,
        )

    cleared()
    outputs = [home / "t1.csv", home / "t2.csv"]
    both = [child(lambda o=one: score(cache, o)) for one in outputs]
    ends = [finished(pid) for pid in both]
    tell("two-at-once", all(ends) and all(one.read_bytes() == right for one in outputs))

    def with_full_disk():
        """Score where no file grows beyond 40 kB; the table is written once there is room again."""
        real, hard = sf.Table.write, resource.getrlimit(resource.RLIMIT_FSIZE)[1]

        def write(table, path):
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            real(table, path)

        sf.Table.write = write
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
        expect_warning(work)

    cleared()
    tell("full-disk", finished(child(with_full_disk)) and output.read_bytes() == right)
    tell("after-a-full-disk", finished(child(work)) and output.read_bytes() == right)

    def read_only():
        """Score as somebody who may read half of a cache and write nothing of it."""
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        open_to_all = Path(os.environ["OPEN"])
        expect_warning(lambda: score(cache, open_to_all / "t.csv"))

    cleared()
    pid = child(work)
    time.sleep(whole / 2)
    os.kill(pid, signal.SIGKILL)
    finished(pid)
    with Cache(cache) as held:  # what the killed one left in the log goes into the file
        held._connection.execute("PRAGMA journal_mode=DELETE")
    cache.chmod(0o444)
    home.chmod(0o555)
    tell(
        "read-only",
        finished(child(read_only)) and (Path(os.environ["OPEN"]) / "t.csv").read_bytes() == right,
    )
    home.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
