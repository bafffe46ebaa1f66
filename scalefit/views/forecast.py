"""The picture of the main job: quality above, loss below, a panel for each task and finetuning size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.outlook import Outlook
from scalefit.groups import group_name
from scalefit.views.curves import Curve, Goal, curve_ahead
from scalefit.views.plots import OVERLAY, Panel, plot_many
from scalefit.views.style import Picture


def plot_forecast(forecast: Forecast, *, ax: Axes | None = None, **options: Any) -> Picture:
    """Draw every group of a forecast, the corpora of one task in one panel.

    Parameters
    ----------
    forecast : Forecast
    ax : Axes, optional
        Whose place the picture takes; by default it stands alone.
    **options
        ``reach``, ``level``: see :func:`scalefit.views.curves.curve_of`.
    """
    panels = forecast_panels(forecast, **options)
    across = len({panel.title for panel in panels})
    columns = min(across, 4) if across > 1 else len(panels)
    return plot_many(panels, columns=columns, title=forecast.verdict.split(";")[0], ax=ax)


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
        if metric in outlook.measured
    )
    return Panel(title, curves[0].title_y if curves else metric, curves)


def _curve(
    outlook: Outlook, fit: Mixture | None, metric: str, goal: Goal | None, options: dict[str, Any]
) -> Curve:
    label, baseline = str(outlook.group.get(OVERLAY) or ""), outlook.baselines.get(metric)
    if fit is not None:
        return curve_ahead(fit, label=label, baseline=baseline, goal=goal, **options)
    x, y = outlook.measured[metric]
    return Curve(x, y, label=label, metric=metric, baseline=baseline, goal=goal)
