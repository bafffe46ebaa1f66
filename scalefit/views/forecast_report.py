"""The main job as a page: the choice first, then the forecast, its picture, what carries it, every note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalefit.corpora.ranking import Rankings
from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.outlook import Outlook
from scalefit.table import metric
from scalefit.views.forecast import plot_forecast
from scalefit.views.report import Report, Section


def forecast_report(
    forecast: Forecast,
    *,
    title: str = "Transfer scaling",
    ranking: Rankings | None = None,
    more: Iterable[Section] = (),
) -> Report:
    """Return the report on a forecast.

    Parameters
    ----------
    forecast : Forecast
    title : str
        Heading of the page.
    ranking : Rankings, optional
        What to choose: it opens the page.
    more : iterable of Section
        Further sections, put before the notes.
    """
    question = forecast.question
    answer = Section(
        f"Forecast of {question}",
        text=(
            "Open marks are runs; bands hold a new run (80 %); shaded and dashed is extrapolated.",
        ),
        svg=plot_forecast(forecast).to_svg(),
        rows=tuple(forecast.shown()),
    )
    choice = None if ranking is None else _choice(ranking)
    carried = (_carried(forecast, question.metric), _carried(forecast, question.through))
    about = Section("About the data", notes=forecast.about_data) if forecast.about_data else None
    more = tuple(more)
    sections = (choice, answer, *more, *carried, about)
    leads = tuple(section.lead for section in more if section.lead)
    first = () if ranking is None else tuple(r.verdict for r in ranking)
    return Report(
        title=title,
        summary=(*first, forecast.verdict, *leads),
        sections=tuple(s for s in sections if s is not None),
        footer=tuple(
            f"{o.name}: {m.metric} {m.observations.digest}" for o in forecast for m in _both(o)
        ),
    )


def _choice(ranking: Rankings) -> Section:
    return Section(
        f"Which one to choose, {ranking[0].metric} {ranking[0].question}",
        text=(
            "P best is the probability of being the best that may be recommended; expected loss is what choosing it "
            "costs on average. Misaligned ones come last and are never the choice.",
        ),
        rows=tuple(ranking.rows()),
        notes=tuple(str(c) for r in ranking for c in r.crossings),
    )


def _both(outlook: Outlook) -> list[Mixture]:
    return [m for m in (outlook.quality, outlook.loss) if m is not None]


def _carried(forecast: Forecast, name: str) -> Section | None:
    """Say which laws and guesses carry the forecasts of one metric, and with what weight."""
    mine = [(o, m) for o in forecast for m in _both(o) if m.metric == name]
    if not mine:
        return None
    return Section(
        f"{metric(name).title}: what carries the forecast",
        rows=tuple(_row(outlook, mixture) for outlook, mixture in mine),
        notes=tuple(f"{o.name}: {note}" for o, m in mine for note in m.notes),
    )


def _row(outlook: Outlook, mixture: Mixture) -> dict[str, Any]:
    return {**outlook.group, "sizes": len(mixture.series), **mixture.weights}
