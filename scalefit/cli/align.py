"""Whether a corpus helps: ``scalefit align``, and before anything is trained ``scalefit similarity``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalefit.arguments import LOSS
from scalefit.cli import _io
from scalefit.cli._io import doing, write_notes
from scalefit.cli._options import Answer, AsJson, By, Level, Loss, Source, Work
from scalefit.errors import DesignError

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
_ADJUSTED = ("holm", "bh", "none")


@dataclass(frozen=True)
class Judging:
    """How each corpus is judged."""

    by: By = None
    quality: Annotated[
        str | None, typer.Option(help="Quality metrics; default: bleu,comet, or the one there.")
    ] = None
    loss: Loss = LOSS
    margin: Annotated[
        str, typer.Option(help="Fall that does not matter: BLEU points, or human:0.7.")
    ] = "human:0.7"
    level: Level = 0.95

    @property
    def metrics(self) -> list[str]:
        """The quality metrics, and the loss."""
        return [*(_io.names(self.quality) or ("bleu", "comet")), self.loss]

    @property
    def options(self) -> dict[str, Any]:
        """What ``sf.align`` and ``sf.monitor`` are told."""
        named = {} if self.quality is None else {"quality": _io.names(self.quality)}
        return {
            **named,
            "by": _io.names(self.by),
            "loss": self.loss,
            "margin": _margin(self.margin),
            "level": self.level,
        }


@dataclass(frozen=True)
class Stop:
    """What makes the command fail, for a script that trains on."""

    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help=f"Exit with {ALARM} on: {', '.join(_STOPS)}.")
    ] = None
    adjust: Annotated[
        str, typer.Option(help="Which alarms count for --fail-on over many groups: holm, bh, none.")
    ] = "holm"

    def __post_init__(self) -> None:
        if self.fail_on is not None and self.fail_on not in _STOPS:
            raise DesignError(f"--fail-on {self.fail_on}: needed one of {', '.join(_STOPS)}")
        if self.adjust not in _ADJUSTED:
            raise DesignError(f"--adjust {self.adjust}: needed one of {', '.join(_ADJUSTED)}")

    def seen_in(self, table: AlignmentTable) -> bool:
        """Whether the table holds what it is asked to stop on."""
        raised = {*table.flags(self.adjust), *table.verdicts(self.adjust)}
        return self.fail_on is not None and bool(raised & set(_STOPS[self.fail_on]))


@dataclass(frozen=True)
class Following:
    """Whether, how often and how long a file that still grows is looked at."""

    follow: Annotated[
        bool, typer.Option("--follow", help="Watch the file; sequential test as sizes arrive.")
    ] = False
    every: Annotated[float, typer.Option(help="Seconds between looks with --follow.")] = 30.0
    planned: Annotated[
        int | None, typer.Option(help="Pretraining sizes planned, for --follow.")
    ] = None
    looks: Annotated[int | None, typer.Option(help="Stop following after so many readings.")] = None

    def watch(self, read: Callable[[], Table], options: dict[str, Any], stop: Stop) -> None:
        """Read the file again and again; print what changed; stop on the alarm that is asked for."""
        import scalefit as sf

        shown, readings = "", 0
        while True:
            watch = sf.monitor(read(), **options, planned=self.planned)
            if str(watch) != shown:
                shown = str(watch)
                _io.say(shown)
            readings += 1
            if stop.fail_on is not None and watch.stopped:
                sys.exit(ALARM)
            if self.looks is not None and readings >= self.looks:
                return
            time.sleep(self.every)


def align(
    source: Source,
    judging: Judging = Judging(),
    stop: Stop = Stop(),
    following: Following = Following(),
    plot: Annotated[Path | None, typer.Option(help="Write the picture: .png, .svg, .pdf.")] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show all evidence, not only the table.")
    ] = False,
    work: Work = Work(),  # noqa: B008 - a frozen value
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Tell corpora that help from corpora of which only cross-entropy says so."""
    import scalefit as sf

    if following.follow and source.results == "-":
        raise DesignError("--follow reads a file again and again, and stdin only once; give a path")
    _io.check_suffix(plot, known=_io.DRAWN)
    options = judging.options
    read = partial(source.table, *judging.metrics)
    if following.follow:
        following.watch(read, options, stop)
        return
    table = read()
    with doing("asking whether each corpus helps"):
        judged = sf.align(table, **options, executor=work.executor)
    if answer.as_json:
        _io.write_json(judged)
    else:
        _show(judged, evidence=evidence)
    answer.save(judged)
    if plot is not None:
        _io.save_picture(judged.plot(), str(plot))
    if stop.seen_in(judged):
        sys.exit(ALARM)


def _margin(given: str) -> float | str:
    """Return a number where it is one, else the words; what is neither is refused before anything is read."""
    import numpy as np

    from scalefit.alignment.margin import metric_scale

    try:
        margin: float | str = float(given)
    except ValueError:
        margin = given
    metric_scale("bleu", np.array([20.0]), margin)
    return margin


def _show(table: AlignmentTable, *, evidence: bool) -> None:
    if evidence or len(table) == 1:
        _io.say(str(table))
        return
    # --evidence and --json have the rest.
    _io.write_rows(table.brief(), title=table.verdict)
    write_notes(table.notes)


Share = Annotated[float | None, typer.Option(help="Share of that language in the corpus, 0 to 1.")]


def similarity(
    corpus: Annotated[str, typer.Argument(help="Pretraining text, one segment a line.")],
    source: Annotated[str, typer.Argument(help="Source side of the finetuning set.")],
    target: Annotated[str, typer.Argument(help="Target side of the finetuning set.")],
    source_share: Share = None,
    target_share: Share = None,
    lines: Annotated[int, typer.Option(help="Lines used of each text at most.", min=1)] = 20_000,
    test: Annotated[
        str | None, typer.Option(help="Test set: how much of it lies in the corpus.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score how near a corpus is to a task; context beside `align`, never its substitute."""
    import scalefit as sf

    if (source_share is None) != (target_share is None):
        raise DesignError("give --source-share and --target-share together, or neither")
    known = source_share is not None and target_share is not None
    shares = (float(source_share or 0), float(target_share or 0)) if known else None
    with doing("comparing texts"):
        near = sf.similarity(corpus, source, target, shares=shares, most=lines, test=test)
    if as_json:
        _io.write_json(near)
        return
    _io.write_rows(near.shown(), title="Similarity")
    _io.say(f"{near.verdict}\n{near.notes[0]}")
