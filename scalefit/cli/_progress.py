"""What a long command is doing: one line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scalefit.cli._quiet import quiet


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show on standard error what is being done, with its seconds, while it is; silent where nobody looks."""
    if quiet() or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    look = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*look, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what)
        yield
