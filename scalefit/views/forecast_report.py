"""The main job as a page: the answer, the picture, the table, both metrics' fits, every note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalefit.fitting import Fit
from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.outlook import Outlook
from scalefit.table import metric
from scalefit.views.forecast import plot_forecast
from scalefit.views.report import Report, Section


def forecast_report(
    forecast: Forecast, *, title: str = "Transfer scaling", more: Iterable[Section] = ()
) -> Report:
    """Return the report on a forecast.

    Parameters
    ----------
    forecast : Forecast
    title : str
        Heading of the page.
    more : iterable of Section
        Further sections, put before the notes.
    """
    question = forecast.question
    answer = Section(
        f"Tokens for {question}",
        text=(
            "Open marks are runs; bands hold the mean curve; shaded and dashed is extrapolated.",
        ),
        svg=plot_forecast(forecast).to_svg(),
        rows=tuple(forecast.shown()),
    )
    fits = (_fits(forecast, question.quality), _fits(forecast, question.loss))
    about = Section("About the data", notes=forecast.about_data) if forecast.about_data else None
    more = tuple(more)
    sections = (answer, *fits, *more, about)
    return Report(
        title=title,
        summary=(forecast.verdict, *(section.lead for section in more if section.lead)),
        sections=tuple(s for s in sections if s is not None),
        footer=tuple(fit.signature for outlook in forecast for fit in _both(outlook)),
    )


def _both(outlook: Outlook) -> list[Fit]:
    return [fit for fit in (outlook.quality, outlook.loss) if fit is not None]


def _fits(forecast: Forecast, name: str) -> Section | None:
    """Estimates, intervals and notes of all fits of one metric."""
    found = [(o, fit) for o in forecast for fit in _both(o) if fit.metric == name]
    if not found:
        return None
    law = found[0][1].law
    return Section(
        f"{metric(name).title}: {law.name} law",
        text=(f"{law.formula}. {law.source}.",),
        rows=tuple(_row(outlook, fit, forecast.question.level) for outlook, fit in found),
        notes=tuple(f"{o.name}: {note}" for o, fit in found for note in fit.notes),
    )


def _row(outlook: Outlook, fit: Fit, level: float) -> dict[str, Any]:
    row: dict[str, Any] = dict(outlook.group)
    for name, interval in fit.intervals(level).items():
        row[name] = "not identified" if name in fit.not_identified else str(interval)
    return {**row, "typical error": fit.typical_error, "points": int(fit.points.y.size)}
