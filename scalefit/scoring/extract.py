"""Many systems' segment statistics: on several cores, kept as they come, so a rerun resumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scalefit.executors import Workers, packs, processes, working

from .cache import Cache, pack, unpack
from .sacre import SacreSpec, Scorer, digest
from .statistics import compact
from .text import Text

WORTH_PROCESSES = 10_000
"""Segments that take longer to count than processes to start."""

TOGETHER = 8  # texts that travel together, for the references' n-grams are counted once a journey

Array: TypeAlias = NDArray[Any]
References: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Task:
    """One system under one metric: the key under which its statistics are kept, and their width."""

    system: str
    spec: SacreSpec
    lines: tuple[str, ...]
    key: bytes
    width: int = 0


def tasks(
    heads: Mapping[str, Scorer], references: References, systems: Mapping[str, Text]
) -> list[Task]:
    """List what is to be counted; the keys depend on the texts and on all settings."""
    of_references = digest(*(digest(*lines).hex() for lines in references)).hex()
    made = []
    for name, text in systems.items():
        of_lines = digest(*text.lines).hex()
        for head in heads.values():
            key = digest("statistics", head.identity, of_references, of_lines)
            made.append(Task(name, head.spec, text.lines, key, head.width))
    return made


def extract(
    work: Sequence[Task],
    references: References,
    cache: Cache,
    *,
    workers: int,
    progress: bool,
    executor: Workers = None,
) -> Iterator[tuple[Task, Array]]:
    """Yield every task's statistics: first what is known, then the rest as it is counted.

    Parameters
    ----------
    work : sequence of Task
        What is wanted.
    references : tuple of tuple of str
        Reference texts.
    cache : Cache
        Where to look first; what is counted goes there at once.
    workers : int
        Processes to count in; 1 counts in this one.
    progress : bool
        Whether to show a bar where it takes more than two seconds.
    executor
        Where to count instead, see :func:`scalefit.executors.working`.
    """
    from tqdm.auto import tqdm

    held = cache.get([task.key for task in work])
    known = {t.key: v for t in work if (v := _whole(held.get(t.key), t)) is not None}
    cache.damaged.update(held.keys() - known.keys())
    yield from ((task, known[task.key]) for task in work if task.key in known)
    missing = [task for task in work if task.key not in known]
    done = len(work) - len(missing)
    lines = sum(len(task.lines) for task in missing)
    counted = _in_processes if workers > 1 and lines >= WORTH_PROCESSES else _here
    if executor is not None:
        counted = partial(_elsewhere, executor)
    with tqdm(
        total=len(work), initial=done, desc="scoring", unit="text", delay=2, disable=not progress
    ) as bar:
        for task, statistics in counted(missing, references, workers):
            cache.put({task.key: pack(statistics)})
            bar.update()
            yield task, statistics


def _whole(held: bytes | None, task: Task) -> Array | None:
    """Return kept statistics that have a row for each segment; anything else is counted anew."""
    try:
        values = None if held is None else unpack(held)
    except Exception:  # whatever a file may hold that is no array
        return None
    if values is None or values.ndim != 2 or values.dtype.kind not in "uif":
        return None
    fits = values.shape == (len(task.lines), task.width or values.shape[1])
    return values if fits and np.isfinite(values).all() else None


def _here(
    work: Sequence[Task], references: References, workers: int
) -> Iterator[tuple[Task, Array]]:
    scorers: dict[str, Scorer] = {}
    for task in work:
        yield task, _count(scorers, references, task.spec, task.lines)


def _in_processes(
    work: Sequence[Task], references: References, workers: int
) -> Iterator[tuple[Task, Array]]:
    pool = processes(min(workers, len(work)), initializer=_start_worker, initargs=(references,))
    try:
        futures: dict[Future[Array], Task] = {
            pool.submit(_count_in_worker, task.spec, task.lines): task for task in work
        }
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _elsewhere(
    executor: Workers, work: Sequence[Task], references: References, workers: int
) -> Iterator[tuple[Task, Array]]:
    with working(executor) as each:
        counted = each(partial(_counted, references), packs(work, TOGETHER))
        for some, arrays in zip(packs(work, TOGETHER), counted, strict=True):
            yield from zip(some, arrays, strict=True)


def _counted(references: References, work: Sequence[Task]) -> list[Array]:
    return [statistics for _, statistics in _here(work, references, 1)]


def _count(
    scorers: dict[str, Scorer], references: References, spec: SacreSpec, lines: tuple[str, ...]
) -> Array:
    """Count one text; the references' n-grams are counted once for each metric."""
    if spec.metric not in scorers:
        scorers[spec.metric] = Scorer(spec, references)
    return compact(scorers[spec.metric].statistics(lines))


_worker: dict[str, Any] = {}


def _start_worker(references: References) -> None:
    _worker.update(references=references, scorers={})


def _count_in_worker(spec: SacreSpec, lines: tuple[str, ...]) -> Array:
    return _count(_worker["scorers"], _worker["references"], spec, lines)
