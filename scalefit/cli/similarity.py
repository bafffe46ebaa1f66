"""``scalefit similarity``: how near a corpus is to a task, before anything is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from ._options import AsJson

Share = Annotated[float | None, typer.Option(help="Share of that language in the corpus, 0 to 1.")]


def command(
    corpus: Annotated[str, typer.Argument(help="Pretraining text, one segment a line.")],
    source: Annotated[str, typer.Argument(help="Source side of the finetuning set.")],
    target: Annotated[str, typer.Argument(help="Target side of the finetuning set.")],
    source_share: Share = None,
    target_share: Share = None,
    lines: Annotated[int, typer.Option(help="Lines used of each text at most.", min=1)] = 20_000,
    as_json: AsJson = False,
) -> None:
    """Score how near a corpus is to a task; context beside `align`, never its substitute."""
    from scalefit.corpora import similarity
    from scalefit.errors import DesignError

    from ._io import write_json, write_rows

    if (source_share is None) != (target_share is None):
        raise DesignError("give --source-share and --target-share together, or neither")
    known = source_share is not None and target_share is not None
    shares = (float(source_share or 0), float(target_share or 0)) if known else None
    found = similarity(corpus, source, target, shares=shares, most=lines)
    if as_json:
        write_json(found)
        return
    write_rows(found.shown(), as_json=False, title="Similarity")
    print(found.notes[0])
