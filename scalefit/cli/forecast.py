"""The main job, on a terminal and as a page, and its trial: ``scalefit forecast``, ``report`` and ``backtest``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalefit.arguments import BLEU, LOSS
from scalefit.cli import _io
from scalefit.cli._io import aside, doing, write_notes
from scalefit.cli._options import Answer, By, Level, Loss, Metric, Pool, Source, Target, Work
from scalefit.errors import DomainError

if TYPE_CHECKING:
    from scalefit.corpora.ranking import Rankings
    from scalefit.doors.overview import Overview
    from scalefit.forecasting.forecast import Forecast
    from scalefit.planning.plan import Plan
    from scalefit.table import Table
    from scalefit.views import Section


@dataclass(frozen=True)
class Wanted:
    """What is asked of every curve."""

    metric: Metric = BLEU
    target: Target = None
    at: Annotated[
        str,
        typer.Option(
            "--at",
            help="Pretraining sizes to be forecast, e.g. 1B,3B; at the first, corpora are compared "
            "where there is no target.",
        ),
    ] = ""
    through: Loss = LOSS
    by: By = None
    level: Level = 0.8

    def __post_init__(self) -> None:
        _io.numbers(self.at, "--at")

    def overview(self, table: Table, **options: Any) -> Overview:
        """Forecast every curve and rank corpora."""
        from scalefit.doors.overview import overview
        from scalefit.forecasting.forecast import Question

        at = tuple(_io.numbers(self.at, "--at"))
        question = Question(self.metric, self.through, self.target, at, self.level)
        with doing("forecasting every curve, ranking corpora"):
            return overview(table, question, by=_io.names(self.by), **options)


def forecast(
    source: Source,
    wanted: Wanted = Wanted(),
    target_bleu: Annotated[
        float | None,
        typer.Option(help="BLEU to be reached; short for --target with --metric bleu."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option("--log", help="Append the forecast to this file, to be scored later."),
    ] = None,
    pool: Pool = "auto",
    work: Work = Work(),  # noqa: B008
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Say for every group which corpus to choose, how the metric goes on, and what a target takes."""
    if wanted.target is not None and target_bleu is not None:
        raise DomainError("give one target: --target-bleu 20, or e.g. --metric chrf --target 50")
    if target_bleu is not None:
        wanted = replace(wanted, metric="bleu", target=target_bleu)
    table = source.table(wanted.metric, wanted.through)
    seen = wanted.overview(table, pool=_io.pool(pool), executor=work.executor)
    if answer.as_json:
        _io.write_json(_io.document_of(seen.forecast))
    else:
        _show(seen.forecast, seen.ranking)
    if log is not None:
        aside(f"logged {seen.forecast.log(log)} forecasts in {log}")
    with doing("writing"):
        answer.save(seen.forecast)


def _show(forecast: Forecast, ranking: Rankings | None) -> None:
    """Write the verdict, what to choose, and the table; notes go to stderr."""
    _io.say(forecast.verdict if ranking is None else forecast.beside_ranking)
    if ranking is not None:
        typer.echo("Which corpus to choose:")
        for one in ranking:
            typer.echo(f"  {one.verdict}")
    typer.echo("")
    _io.write_rows(forecast.shown())
    level = f"{forecast.question.level:.0%}"
    typer.echo(
        f"\nEach metric: not pretrained (where that was run) → at the largest size; {level} intervals."
    )
    write_notes(forecast.notes)


def report(
    source: Source,
    output: Annotated[str, typer.Option("--output", "-o", help="Page to write, .html.")],
    wanted: Wanted = Wanted(),
) -> None:
    """Write one HTML file: what to choose, what comes, what a target takes, whether each corpus helps."""
    _io.check_suffix(output, known=(".html",))
    from scalefit.files import write_text
    from scalefit.views import alignment_section, forecast_report, render

    table = source.table(wanted.metric, wanted.through)
    seen = wanted.overview(table)
    with doing("which run would tell most"):
        planned = _next(seen.next_run())
    name = "stdin" if source.results == "-" else Path(source.results).name
    with doing("drawing, and working out what the explorer shows"):
        page = forecast_report(
            seen.forecast,
            title=f"Transfer scaling: {name}",
            ranking=seen.ranking,
            more=[*planned, alignment_section(seen.judged)],
            table=table,
            spoken=_io.in_shell,
        )
        write_text(output, render(page))
    aside(f"wrote {output}")


def _next(told: tuple[Mapping[str, Any], Plan] | None) -> list[Section]:
    """Say which run would tell most about the choice that is least sure; nothing where there is none."""
    from scalefit.groups import group_name
    from scalefit.views import Section

    if told is None:
        return []
    group, plan = told
    name = group_name(group)
    said = (f"The choice that is least sure: {name}.",) if name else ()
    lead = plan.verdict if plan.sure else f"{plan.verdict} (which is {plan.question})"
    return [Section("What to run next", (*said, lead), rows=tuple(plan.shown()), lead=lead)]


def backtest(
    source: Source,
    metric: Metric = BLEU,
    laws: Annotated[
        str | None,
        typer.Option(
            help="Single laws beside the mixture, comma-separated; default: those that suit."
        ),
    ] = None,
    hold_out: Annotated[
        int | None,
        typer.Option(
            help="Hold out this many largest sizes, once; default: 1 to 5 in turn.", min=1
        ),
    ] = None,
    fit_smallest: Annotated[
        int | None,
        typer.Option(
            help="Fit this many smallest sizes, hold out the rest; 4 is Isik's protocol.", min=2
        ),
    ] = None,
    by: By = None,
    work: Work = Work(),  # noqa: B008
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Hold back the largest sizes of every curve, and score what mixture, laws and baselines say of them."""
    import scalefit as sf
    from scalefit.laws import get_law

    names = _io.names(laws)
    for name in names or ():
        get_law(name)  # an unknown one is refused before anything is read
    table = source.table(metric)
    with doing("holding back, forecasting, scoring"):
        tested = sf.backtest(
            table,
            metric,
            names,
            hold_out=hold_out,
            fit_smallest=fit_smallest,
            by=_io.names(by),
            executor=work.executor,
        )
    answer.write(tested)
