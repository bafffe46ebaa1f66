"""A report as one HTML file: what it says, with pictures as inline SVG, tables that sort and filter, and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scalefit.alignment import AlignmentTable
from scalefit.corpora.ranking import Rankings
from scalefit.forecasting.forecast import Forecast, Outlook
from scalefit.forecasting.mixture import Mixture
from scalefit.groups import group_name
from scalefit.result import common_notes, plain
from scalefit.rows import Row, cell, columns, without_shared
from scalefit.table import Table
from scalefit.table import metric as metric_of
from scalefit.version import __version__
from scalefit.views.alignment import plot_alignment
from scalefit.views.explorer import explored
from scalefit.views.plots import OVERLAY, plot_forecast, shows_anything
from scalefit.views.style import ON_DARK, for_both_grounds
from scalefit.views.tables import is_number, is_numeric

TITLE = "Does each corpus help the task?"


@dataclass(frozen=True)
class Section:
    """One part of a report; whatever is empty is left out. Its lead belongs to the page's summary.

    ``explorer`` holds what :func:`scalefit.views.explorer.explored` worked out.
    """

    title: str
    text: tuple[str, ...] = ()
    svg: str = ""
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    lead: str = ""
    explorer: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """What a report says, top to bottom; the summary comes first, signatures last."""

    title: str
    summary: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    footer: tuple[str, ...] = ()


def render(report: Report) -> str:
    """Return the report as one HTML page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scalefit.views"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cell=cell, columns=columns, numeric=is_numeric, is_number=is_number, turned=for_both_grounds
    )
    scripts = ["report.js", *(["explorer.js"] if any(s.explorer for s in report.sections) else [])]
    loader = PackageLoader("scalefit.views")
    script = "\n".join(loader.get_source(environment, name)[0] for name in scripts)
    return environment.get_template("report.html").render(
        report=report, version=__version__, script=script, dark=ON_DARK
    )


def forecast_report(
    forecast: Forecast,
    *,
    title: str = "Transfer scaling",
    ranking: Rankings | None = None,
    more: Iterable[Section] = (),
    table: Table | None = None,
    spoken: Callable[[str], str] = str,
) -> Report:
    """Return the report on a forecast.

    Parameters
    ----------
    title : heading of the page.
    ranking : what to choose: it opens the page.
    more : further sections, put before the notes.
    table : what was forecast: the explorer's runs then tell where they are from.
    spoken : turns a note's cures into the words of who asked.
    """
    question = forecast.question
    answer = Section(
        f"Forecast of {question}",
        text=(
            f"Open marks are runs; bands hold a new run ({question.level:.0%}); shaded and dashed is extrapolated.",
        ),
        svg=plot_forecast(forecast).to_svg() if shows_anything(forecast) else "",
        rows=tuple(forecast.shown()),
    )
    choice = None if ranking is None else _choice(ranking)
    carried = (_carried(forecast, question.metric), _carried(forecast, question.through))
    about = Section("About the data", notes=forecast.about_data) if forecast.about_data else None
    said = {*forecast.about_data}  # once, at the end
    more = tuple(replace(s, notes=tuple(n for n in s.notes if n not in said)) for s in more)
    sections = (choice, answer, _explorer(forecast, table, ranking), *more, *carried, about)
    leads = tuple(section.lead for section in more if section.lead)
    first = () if ranking is None else tuple(r.verdict for r in ranking)
    verdict = forecast.verdict if ranking is None else forecast.beside_ranking
    return Report(
        title=title,
        summary=(*first, verdict, *leads),
        sections=tuple(
            replace(s, notes=tuple(map(spoken, s.notes))) for s in sections if s is not None
        ),
        footer=tuple(
            f"{o.name}: {m.metric} {m.observations.digest}" for o in forecast for m in _both(o)
        ),
    )


def _explorer(forecast: Forecast, table: Table | None, ranking: Rankings | None) -> Section | None:
    """Return the part whose target, budget, level, law and curve a reader turns; it begins with what to choose."""
    told = explored(forecast, table)
    names = [curve["name"] for curve in told["curves"]]
    if not names:
        return None
    best = ranking[0].best if ranking else None
    name = ""
    if ranking is not None and best is not None:
        name = group_name({OVERLAY: best.corpus, **ranking[0].group})
    told["curve"] = names.index(name) if name in names else 0
    left = told["left_out"]
    said = "Every number was worked out beforehand; between two sizes the page reads on a straight line."
    more = (f"The first {len(told['curves'])} curves; {left} more are in the forecast above.",)
    return Section("Explore", text=(said, *(more if left else ())), explorer=plain(told))


def _choice(ranking: Rankings) -> Section:
    first = ranking[0]
    loss = (
        "expected factor is how many times as many tokens as the best it takes on average"
        if first.by_target
        else "expected loss is what choosing it costs on average"
    )
    return Section(
        f"Which to choose: {first.asked}",
        text=(
            f"P best is the probability of being the best that may be recommended; {loss}. Both draw corpora together, "
            "for what they share cancels between them. Misaligned ones come last and are never the choice.",
        ),
        rows=tuple(ranking.shown()),
        notes=tuple(said for r in ranking for said in r.overtakings),
    )


def _both(outlook: Outlook) -> list[Mixture]:
    return [m for m in (outlook.quality, outlook.loss) if m is not None]


def _carried(forecast: Forecast, name: str) -> Section | None:
    """Say which laws and guesses carry the forecasts of one metric, and with what weight."""
    mine = [(o, m) for o in forecast for m in _both(o) if m.metric == name]
    if not mine:
        return None
    said = {*forecast.about_data}
    return Section(
        f"{metric_of(name).title}: what carries the forecast",
        rows=tuple({**o.group, "sizes": len(m.series), **m.weights} for o, m in mine),
        notes=common_notes((o.name, [n for n in m.notes if n not in said]) for o, m in mine),
    )


def alignment_section(table: AlignmentTable | None) -> Section:
    """Return the verdicts, worst first, with the picture of the worst; or that nothing can be told."""
    if table is None:
        said = "Nothing tells: alignment needs a quality metric and pretraining sizes above 0."
        return Section(TITLE, text=(said,))
    drawn = any(result.evidence is not None for result in table)
    shared, rows = without_shared(table.brief())
    return Section(
        TITLE,
        lead=_lead(table),
        text=(f"{' · '.join((table.verdict, *shared))}.",),
        svg=plot_alignment(table, most=3).to_svg() if drawn else "",
        rows=tuple(rows),
        notes=table.notes,
    )


def _lead(table: AlignmentTable) -> str:
    """Name what is misaligned with no false alarm in the whole family; empty where nothing is."""
    flagged = table.flagged("holm")
    return f"misaligned: {'; '.join(result.name for result in flagged)}" if flagged else ""
