"""The one place where errors become a line on stderr and an exit code, and warnings a line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scalefit.cli._cures import in_shell
from scalefit.cli._quiet import aside
from scalefit.errors import ScalefitError, ScalefitWarning

BAD_INPUT = 2


def one_line(error: BaseException) -> str:
    """Put an error's message on one line; a message of several lines is joined by semicolons."""
    message = str(error) or type(error).__name__
    return "; ".join(line.strip() for line in message.splitlines() if line.strip())


def file_line(error: OSError) -> str:
    """Say what went wrong with which file, as the shell's own tools do."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


@contextmanager
def guarded() -> Iterator[None]:
    """Turn our errors, and files that cannot be opened, into one line and exit code 2."""
    try:
        with warnings_on_one_line():
            yield
    except ScalefitError as error:
        _stop(in_shell(one_line(error)))
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        _stop(file_line(error))


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


def _stop(message: str) -> None:
    print(f"scalefit: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)
