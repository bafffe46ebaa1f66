"""The main job: its picture (quality above, loss below, a panel for each task and finetuning size), and its page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes

from scalefit.corpora.ranking import Rankings
from scalefit.errors import DesignError
from scalefit.forecasting.forecast import Forecast, Outlook
from scalefit.forecasting.mixture import Mixture
from scalefit.groups import group_name
from scalefit.result import common_notes, plain
from scalefit.table import Table
from scalefit.table import metric as metric_of
from scalefit.views.curves import DrawnCurve, Goal, curve_ahead
from scalefit.views.explorer import explored
from scalefit.views.plots import OVERLAY, Panel, plot_many
from scalefit.views.report import Report, Section
from scalefit.views.style import Picture, on_its_ground


@on_its_ground
def plot_forecast(forecast: Forecast, *, ax: Axes | None = None, **options: Any) -> Picture:
    """Draw every group of a forecast, the corpora of one task in one panel.

    Parameters
    ----------
    ax : whose place the picture takes; by default it stands alone.
    **options : ``reach``, ``level``: see :func:`scalefit.views.curves.drawn_curve`.

    Raises DesignError: no group was measured at a size above 0.
    """
    if not _drawn(forecast):
        raise DesignError("no group was measured at a size above 0, so there is nothing to draw")
    panels = forecast_panels(forecast, **options)
    across = len({panel.title for panel in panels})
    columns = min(across, 4) if across > 1 else len(panels)
    title = forecast.verdict.split(";")[0]
    return plot_many(panels, columns=columns, title=title, ax=ax)  # type: ignore[no-any-return]


def _drawn(forecast: Forecast) -> bool:
    """Whether a picture shows anything: a group at a size above 0."""
    return any(outlook.largest for outlook in forecast)


def forecast_panels(forecast: Forecast, **options: Any) -> list[Panel]:
    """Return one panel for each metric and each combination of keys but the corpus."""
    question = forecast.question
    titles = list(dict.fromkeys(group_name(o.group, (OVERLAY,)) for o in forecast))
    panels = []
    for metric in (question.metric, question.through):
        for title in titles:
            inside = [o for o in forecast if group_name(o.group, (OVERLAY,)) == title]
            panels.append(_panel(title, inside, metric, forecast, options))
    return [panel for panel in panels if panel.curves]


def _panel(
    title: str, inside: Sequence[Outlook], metric: str, forecast: Forecast, options: dict[str, Any]
) -> Panel:
    is_quality = metric == forecast.question.metric
    target = forecast.question.target
    goal = Goal(target) if is_quality and target is not None else None
    curves = tuple(
        _curve(outlook, outlook.quality if is_quality else outlook.loss, metric, goal, options)
        for outlook in inside
        if metric in outlook.measured and outlook.measured[metric][0].any()
    )
    return Panel(title, curves[0].title_y if curves else metric, curves)


def _curve(
    outlook: Outlook, fit: Mixture | None, metric: str, goal: Goal | None, options: dict[str, Any]
) -> DrawnCurve:
    label, baseline = str(outlook.group.get(OVERLAY) or ""), outlook.baselines.get(metric)
    if fit is not None:
        return curve_ahead(fit, label=label, baseline=baseline, goal=goal, **options)
    x, y = outlook.measured[metric]
    return DrawnCurve(x, y, label=label, metric=metric, baseline=baseline, goal=goal)


def forecast_report(
    forecast: Forecast,
    *,
    title: str = "Transfer scaling",
    ranking: Rankings | None = None,
    more: Iterable[Section] = (),
    table: Table | None = None,
) -> Report:
    """Return the report on a forecast.

    Parameters
    ----------
    title : heading of the page.
    ranking : what to choose: it opens the page.
    more : further sections, put before the notes.
    table : what was forecast: the explorer's runs then tell where they are from.
    """
    question = forecast.question
    answer = Section(
        f"Forecast of {question}",
        text=(
            "Open marks are runs; bands hold a new run (80 %); shaded and dashed is extrapolated.",
        ),
        svg=plot_forecast(forecast).to_svg() if _drawn(forecast) else "",
        rows=tuple(forecast.shown()),
    )
    choice = None if ranking is None else _choice(ranking)
    carried = (_carried(forecast, question.metric), _carried(forecast, question.through))
    about = Section("About the data", notes=forecast.about_data) if forecast.about_data else None
    more = tuple(more)
    sections = (choice, answer, _explorer(forecast, table, ranking), *more, *carried, about)
    leads = tuple(section.lead for section in more if section.lead)
    first = () if ranking is None else tuple(r.verdict for r in ranking)
    verdict = forecast.verdict if ranking is None else forecast.beside_ranking
    return Report(
        title=title,
        summary=(*first, verdict, *leads),
        sections=tuple(s for s in sections if s is not None),
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
        notes=tuple(str(c) for r in ranking for c in r.crossings if c.likely),
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
