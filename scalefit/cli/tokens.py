"""``scalefit tokens``: how many tokens a target takes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scalefit.cli._options import AsJson, At, Fits, Given, Level80


def command(
    fits: Fits,
    target: Annotated[float, typer.Option(help="Value of the metric to be reached.")],
    at: At = None,
    level: Level80 = 0.8,
    given_law: Given = False,
    as_json: AsJson = False,
) -> None:
    """Say when a target is reached: chances within 2, 10 and 100 times the largest size, median, interval."""
    import scalefit as sf
    from scalefit.cli import _fits, _io
    from scalefit.groups import group_name
    from scalefit.result import common_notes

    others: dict[str, Any] = {name: value[0] for name, value in _io.values(at).items()}
    if given_law:
        others["given"] = "law"
    found = _fits.read_fits(fits)
    answers = [sf.tokens_for(fit, target, level=level, **others) for fit in found]
    pairs = list(zip(found, answers, strict=True))
    if as_json:
        _io.write_json([{"group": dict(fit.group), **answer.to_dict()} for fit, answer in pairs])
        return
    for fit, answer in pairs:
        name = group_name(fit.group)
        typer.echo(f"{name}: {answer.verdict}" if name else answer.verdict)
    _io.write_notes(common_notes((group_name(f.group), a.notes) for f, a in pairs))
