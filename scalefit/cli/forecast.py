"""``scalefit forecast``: the main job in one command."""

from __future__ import annotations

from typing import Annotated

import typer

from scalefit.cli._options import Allow, AsJson, By, Level, Loss, Quality, Rename, Results, Where
from scalefit.errors import DomainError


def command(
    results: Results,
    target_bleu: Annotated[
        float | None, typer.Option(help="BLEU to be reached; short for --target with bleu.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Quality to be reached.")] = None,
    quality: Quality = "bleu",
    loss: Loss = "cross_entropy",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    allow: Allow = None,
    level: Level = 0.95,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Save the picture: .png, .svg, .pdf.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit loss and quality for every corpus, task and finetuning size; say what a target takes."""
    import scalefit as sf
    from scalefit.cli import _io
    from scalefit.store import document

    wanted, quality = _question(target, target_bleu, quality)
    table = _io.read_table(
        results, where=where, rename=rename, allow=allow, metrics=[quality, loss]
    )
    found = sf.forecast(table, wanted, quality=quality, loss=loss, by=_io.names(by), level=level)
    if as_json:
        _io.write_json(document(found))
    else:
        _io.write_rows(found.shown(), as_json=False)
        typer.echo(
            f"\nEach metric: not pretrained → fitted at the largest size; {level:.0%} intervals."
        )
        typer.echo(found.verdict)
        _io.write_notes(found.notes)
    if output is not None:
        _io.save_picture(found.plot(), output)


def _question(target: float | None, target_bleu: float | None, quality: str) -> tuple[float, str]:
    """Return the target and its metric."""
    if (target is None) == (target_bleu is None):
        raise DomainError("give one target: --target-bleu 20, or e.g. --target 50 --quality chrf")
    return (target, quality) if target is not None else (target_bleu or 0.0, "bleu")
