"""``scalefit align``: tell corpora that help from those of which only cross-entropy says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Allow, AsJson, By, Config, Jobs, Level, Rename, Results, Scheduler, Where

if TYPE_CHECKING:
    from scalefit import Table
    from scalefit.alignment import AlignmentTable

ALARM = 3
"""Exit code when `--fail-on` finds what it looks for; 2 is bad input."""
_STOPS = {
    "misaligned": ("misaligned",),
    "suspected": ("misaligned", "suspected"),
    "deteriorating": ("deteriorating", "harmful"),
    "any": ("misaligned", "suspected", "deteriorating", "fluctuating", "harmful"),
}

FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        help=f"Exit with {ALARM} on: misaligned, suspected, deteriorating or any.",
    ),
]
Adjust = Annotated[
    str, typer.Option(help="Which alarms count for --fail-on over many groups: holm, bh or none.")
]


def command(
    results: Results,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    by: By = None,
    quality: Annotated[str, typer.Option(help="Quality metrics.")] = "bleu,comet",
    loss: Annotated[str, typer.Option(help="The loss.")] = "cross_entropy",
    margin: Annotated[
        str, typer.Option(help="Fall that does not matter: BLEU points, or human:0.7.")
    ] = "human:0.7",
    level: Level = 0.95,
    fail_on: FailOn = None,
    adjust: Adjust = "holm",
    follow: Annotated[
        bool, typer.Option("--follow", help="Watch the file; sequential test as sizes arrive.")
    ] = False,
    every: Annotated[float, typer.Option(help="Seconds between looks with --follow.")] = 30.0,
    planned: Annotated[
        int | None, typer.Option(help="Pretraining sizes planned, for --follow.")
    ] = None,
    looks: Annotated[
        int | None, typer.Option(help="Stop following after so many readings.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the picture: .png, .svg, .pdf.")] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show all evidence, not only the table.")
    ] = False,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Tell corpora that help from corpora of which only cross-entropy says so."""
    import scalefit
    from scalefit.errors import DesignError

    from ._io import DRAWN, check_suffix, names, read_table, save_picture, workers

    if fail_on is not None and fail_on not in _STOPS:
        raise DesignError(f"--fail-on {fail_on}: needed one of {', '.join(_STOPS)}")
    if follow and results == "-":
        raise DesignError("--follow reads a file again and again, and stdin only once; give a path")
    check_suffix(None if plot is None else str(plot), known=DRAWN)
    if adjust not in ("holm", "bh", "none"):
        raise DesignError(f"--adjust {adjust}: needed holm, bh or none")
    options: dict[str, Any] = {
        "by": names(by),
        "quality": names(quality),
        "loss": loss,
        "margin": _margin(margin),
        "level": level,
    }
    read = partial(
        read_table,
        results,
        where=where,
        rename=rename,
        config=config,
        allow=allow,
        metrics=[*(names(quality) or ()), loss],
    )
    if follow:
        _follow(read, {**options, "planned": planned}, every, looks, fail_on)
        return
    table = scalefit.align(read(), **options, executor=workers(jobs, scheduler))
    _show(table, as_json=as_json, evidence=evidence)
    if plot is not None:
        save_picture(table.plot(), str(plot))
    if fail_on is not None and _alarms(table, fail_on, adjust):
        sys.exit(ALARM)


def _margin(given: str) -> float | str:
    """Return a number where it is one; words are the diagnostic's to understand."""
    try:
        return float(given)
    except ValueError:
        return given


def _show(table: AlignmentTable, *, as_json: bool, evidence: bool) -> None:
    from ._io import write_json, write_rows

    if as_json:
        write_json(table)
    elif evidence or len(table) == 1:
        print(table)
    else:
        write_rows([_short(row) for row in table.shown()], as_json=False, title=table.verdict)
        for note in table.notes:
            print(f"note: {note}")


def _short(row: dict[str, object]) -> dict[str, object]:
    """Drop what would make the terminal's table too wide; --evidence and --json have it."""
    return {k: v for k, v in row.items() if k not in ("flag (BH)", "p")}


def _alarms(table: AlignmentTable, fail_on: str, adjust: str) -> bool:
    found = {*table.flags(adjust), *table.verdicts(adjust)}
    return bool(found & set(_STOPS[fail_on]))


def _follow(
    read: Callable[[], Table],
    options: dict[str, Any],
    every: float,
    looks: int | None,
    fail_on: str | None,
) -> None:
    """Read the file again and again; print what changed; stop on the alarm that is asked for."""
    import scalefit

    shown, readings = "", 0
    while True:
        watch = scalefit.monitor(read(), **options)
        if str(watch) != shown:
            shown = str(watch)
            print(shown, flush=True)
        readings += 1
        if fail_on is not None and watch.stopped:
            sys.exit(ALARM)
        if looks is not None and readings >= looks:
            return
        time.sleep(every)
