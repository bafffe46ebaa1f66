"""Everything that stands on standard error, beside the answer: errors, warnings, notes, progress, and ``-q``."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scalefit.errors import ScalefitError, ScalefitWarning

BAD_INPUT = 2
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)

_QUOTED = r"\[?['\"]([^'\"]*)['\"]\]?"
_FLAGS = {"mapping": "--map", "where": "--where", "inputs": "--input"}
_PAIR = re.compile(rf"\b(mapping|where|inputs)=\{{{_QUOTED}: (?:{_QUOTED}|([^}}]*))\}}")
_NAMES = {
    "allow": "--allow",
    "by": "--by",
    "metrics": "--metric",
    "metric": "--metric",
    "quality": "--quality",
    "checkpoints": "--checkpoints",
    "tokenize": "--tokenize",
}
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})={_QUOTED}")
_CALL = re.compile(r"\bsf\.\w+\(\.\.\., (--[^)]*)\)")


def in_shell(message: str) -> str:
    """Return a message with its Python cures turned into options.

    Examples
    --------
    >>> in_shell("Try mapping={'loss': 'cross_entropy'}, or allow='range'")
    'Try --map loss=cross_entropy, or --allow range'
    >>> in_shell("fit each with sf.fit_each(..., by=['Layers'])")
    'fit each with --by Layers'
    """
    turned = _PAIR.sub(lambda m: f"{_FLAGS[m[1]]} {m[2]}={m[3] or m[4]}", message)
    turned = _NAME.sub(lambda m: f"{_NAMES[m[1]]} {m[2]}", turned)
    return _CALL.sub(r"\1", turned)


def one_line(error: BaseException) -> str:
    """Put an error's message on one line; a message of several lines is joined by semicolons."""
    message = str(error) or type(error).__name__
    return "; ".join(line.strip() for line in message.splitlines() if line.strip())


@contextmanager
def guarded() -> Iterator[None]:
    """Turn our errors, and files that cannot be opened, into one line and exit code 2; others are bugs and stay."""
    try:
        with warnings_on_one_line():
            yield
    except ScalefitError as error:
        _stop(in_shell(one_line(error)))
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or str(error)
        _stop(f"{error.filename}: {reason}" if error.filename else reason)


def _stop(message: str) -> None:
    print(f"scalefit: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)


@contextmanager
def warnings_on_one_line() -> Iterator[None]:
    """Show warnings of ours as ``scalefit: note: …``; leave others as they are."""
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", ScalefitWarning)

        def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            if issubclass(category, ScalefitWarning):
                aside(f"scalefit: note: {one_line(message)}")
            else:
                usual(message, category, *rest, **more)

        warnings.showwarning = show
        yield


@contextmanager
def quietly(wanted: bool) -> Iterator[None]:
    """Leave notes and progress out, where that is wanted."""
    before = _QUIET.set(wanted)
    try:
        yield
    finally:
        _QUIET.reset(before)


def aside(text: str) -> None:
    """Write a line beside the answer; not where only the answer was asked for."""
    if not _QUIET.get():
        print(text, file=sys.stderr)


def write_notes(notes: Iterable[str]) -> None:
    """Write notes, one a line, so that stdout stays what was asked for."""
    for note in notes:
        aside(f"note: {in_shell(note)}")


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show what is being done, with its seconds, while it is: one line on a terminal, nothing anywhere else."""
    if _QUIET.get() or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    look = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*look, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what)
        yield
