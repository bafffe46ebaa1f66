"""Where work is done: here, in processes of this machine, or on whatever executor a user has.

Every door that looks at many things cuts its work into pieces by the things alone, never by who does them, and
takes the answers in the order of the pieces. So the answers are the same, bit for bit, whatever the executor, the
number of workers, and the order in which they finish.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from scalefit.errors import ExecutorError, MissingDependencyError, ScalefitError
from scalefit.version import __version__

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Made = TypeVar("Made")

HANDED_OUT = 64  # pieces handed out and not yet taken back: enough to keep many workers busy, few enough to hold
DEATHS = 3  # processes of ours that may die before the work itself is thought to kill them
ANSWERS_WITHIN = 10.0  # seconds in which a scheduler has to answer

Workers = Any
"""What ``executor=`` takes: None (here); a number of processes of this machine; the address of a dask scheduler
(``"tcp://host:8786"``); a ``distributed.Client``; a ``joblib.Parallel``; or anything with ``submit``, such as the
executors of ``concurrent.futures``, loky's or mpi4py's. Ours are closed at the end, a user's are left open."""


class Each(Protocol):
    """Applies a function to items, and yields the answers in the items' order."""

    def __call__(
        self, function: Callable[[Item], Made], items: Iterable[Item], /
    ) -> Iterator[Made]:
        """Yield ``function(item)`` for every item."""


def here(function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterator[Made]:
    """Apply a function in this process, one item after the other.

    Examples
    --------
    >>> list(here(abs, [-1, -2]))
    [1, 2]
    """
    for item in items:
        yield alone(function, item)


@contextmanager
def working(executor: Workers = None) -> Iterator[Each]:
    """Give what applies a function to many items, where ``executor`` says.

    Raises ExecutorError: ``executor`` is none; no scheduler answers; or, while items are taken, workers died, run
    another version, or could not be sent the function.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool, working(pool) as each:
    ...     list(each(abs, [-1, -2, -3]))
    [1, 2, 3]
    """
    if executor is None:
        yield here
    elif isinstance(executor, int) and not isinstance(executor, bool) and executor > 0:
        ours = _Submitting(processes(executor), partial(processes, executor))
        try:
            yield ours.each
        finally:
            ours.close()
    elif isinstance(executor, str):
        with _client(executor) as client:
            yield _Submitting(client.get_executor(pure=False)).each
    elif hasattr(executor, "get_executor"):
        yield _Submitting(executor.get_executor(pure=False)).each
    elif hasattr(executor, "submit"):
        yield _Submitting(executor).each
    elif hasattr(executor, "dispatch_one_batch"):
        yield _joblib(executor)
    elif callable(executor):  # what this function gave to a door that asks another one
        yield executor
    else:
        raise ExecutorError(
            f"executor={executor!r}; needed a number of processes, the address of a scheduler, a distributed.Client, "
            "a joblib.Parallel, or anything with submit. Try executor=2"
        )


def packs(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut items into lists of one size, the last may be shorter; so many are worth a journey together.

    Examples
    --------
    >>> list(packs("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    while pack := list(islice(left, size)):
        yield pack


def alone(function: Callable[[Item], Made], item: Item) -> Made:
    """Apply a function on one thread.

    Linear algebra that splits a product over threads adds up in another order, so that its last bits depend on the
    machine; and as many threads as cores, in as many processes as cores, get into each other's way.
    """
    with _libraries(len(sys.modules)).limit(limits=1):
        return function(item)


@lru_cache(maxsize=1)
def _libraries(_modules: int) -> ThreadpoolController:
    """Return what limits the threads of linear algebra.

    Looking through a process's libraries takes as long as a fit; none is new while no module is.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _far(version: str, function: Callable[[Item], Made], item: Item) -> Made:
    """Apply a function in a worker, which must run what its sender runs."""
    if version != __version__:
        raise ExecutorError(
            f"a worker has scalefit {__version__}, and {version} asks it. Try: install one version everywhere"
        )
    return alone(function, item)


class _Submitting:
    """Items on their way through an executor's ``submit``, in a window of fixed length."""

    def __init__(self, executor: Any, renewed: Callable[[], Any] | None = None) -> None:
        self.executor, self.renewed, self.deaths = executor, renewed, 0

    def each(self, function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterator[Made]:
        """Yield answers in order; what was handed out is called back where the caller goes away."""
        if isinstance(self.executor, ProcessPoolExecutor):
            _travels(function)
        left = iter(items)
        out: deque[tuple[Item, Any]] = deque()
        try:
            while True:
                for item in islice(left, HANDED_OUT - len(out)):
                    out.append((item, self._submit(function, item)))
                if not out:
                    return
                try:
                    answer = out[0][1].result()
                except Exception as error:
                    self._renew(error)
                    out = deque((item, self._submit(function, item)) for item, _ in out)
                    continue
                out.popleft()
                yield answer
        finally:
            for _, future in out:
                future.cancel()

    def _submit(self, function: Callable[[Item], Made], item: Item) -> Any:
        try:
            return self.executor.submit(_far, __version__, function, item)
        except Exception as error:  # a pool tells of a death when the next item is handed in
            self._renew(error)
            return self.executor.submit(_far, __version__, function, item)

    def _renew(self, error: Exception) -> None:
        """Start workers anew where one of ours was killed; a user's executor is the user's to mend."""
        if self.renewed is None or self.deaths == DEATHS or not isinstance(error, BrokenExecutor):
            _raise(error)
        assert self.renewed is not None
        self.deaths += 1
        self.executor.shutdown(cancel_futures=True)
        self.executor = self.renewed()

    def close(self) -> None:
        """End the workers; nothing that waits is begun."""
        self.executor.shutdown(cancel_futures=True)


def processes(jobs: int) -> ProcessPoolExecutor:
    """Return a pool of processes that end with this one, even where it is killed.

    They are spawned, not forked: this process may run threads (torch's, a notebook's), which a fork leaves locked.
    """
    spawning = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=spawning, initializer=_started)


def _started() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    """End with the parent, even where that was killed and could not say so."""
    parent.join()
    os._exit(1)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            "a scheduler is asked through dask; install it: pip install 'transfer-scalefit[distributed]'"
        ) from error
    try:
        client = Client(address, timeout=ANSWERS_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"no scheduler answers at {address!r} ({error}). Try: dask scheduler, and dask worker {address}"
        ) from error
    with client:
        yield client


def _joblib(parallel: Any) -> Each:
    def each(function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterator[Made]:
        from joblib import delayed

        try:
            yield from parallel(delayed(_far)(__version__, function, item) for item in items)
        except Exception as error:
            _raise(error)

    return each


def _travels(function: Callable[..., object]) -> None:
    """Refuse what cannot be sent to another process, before anything is done."""
    try:
        pickle.dumps(function)
    except Exception as error:
        _raise(error)


def _raise(error: Exception) -> NoReturn:
    """Raise an error of the work as it is, and one of the workers in our words."""
    told = None if isinstance(error, ScalefitError) else _explained(error)
    if told is None:
        raise error
    raise ExecutorError(told) from error


def _explained(error: Exception) -> str | None:
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) or "No module named" in told:
        return f"a worker lacks a package ({told}). Try: pip install transfer-scalefit=={__version__} on every worker"
    if isinstance(error, pickle.PicklingError) or "pickle" in told.lower():
        return (
            f"the work cannot be sent to another process ({told}). Try: put a law or a loss of your own into a "
            "module, where its functions have a name; or use threads, or a distributed.Client, which sends "
            "functions by value"
        )
    if isinstance(error, RuntimeError) and "after shutdown" in told:
        return f"the executor was shut down before the work was done ({told}). Try: a new one, or executor=2"
    dead = (BrokenExecutor, CancelledError)
    if isinstance(error, dead) or type(error).__name__ in ("KilledWorker", "FutureCancelledError"):
        return (
            f"workers died before the work was done ({told}): they were killed, ran out of memory, or could not import "
            "the module of a function of yours (then their own error stands above). Try: fewer at a time; with "
            "scalefit.stream what is done is kept"
        )
    return None
