"""``-q`` in every command: the answer and errors, and nothing beside them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any

import typer

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notes, no progress: the answer alone.")
]
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def can_be_quiet(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with an option ``-q`` that its function need not know."""

    def run(**options: Any) -> Any:
        before = _QUIET.set(options.pop("quiet"))
        try:
            return command(**options)
        finally:
            _QUIET.reset(before)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet
    )
    parameters = [*own.parameters.values(), option]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__doc__ = command.__doc__
    return run


def quiet() -> bool:
    """Return whether only the answer was asked for."""
    return _QUIET.get()


def aside(text: str) -> None:
    """Write a line to stderr, beside the answer; not where only that was asked for."""
    if not quiet():
        print(text, file=sys.stderr)
