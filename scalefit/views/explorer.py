"""The explorer: turn law, target, budget and level, and see what a curve then says; in a notebook and in a report.

The report's page reads between numbers that were worked out beforehand, and computes none.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from scalefit.doors.fit import fit as fit_curve
from scalefit.errors import MissingDependencyError, ScalefitError
from scalefit.fitting.intervals.uncertainty import lay_together
from scalefit.fitting.result import Fit
from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.predict import predict
from scalefit.forecasting.tokens import TokensFor, tokens_each, tokens_for
from scalefit.groups import group_name
from scalefit.ingest import table_of
from scalefit.laws import LAWS
from scalefit.table import Table, grouping
from scalefit.table import metric as metric_of
from scalefit.table.draft import number_cell
from scalefit.types import Floats
from scalefit.units import counted

from .curves import Ribbon, drawn_at, ribbon
from .plots import curve_of_one, plot_curve
from .style import ON_DARK, PALE, Picture, for_both_grounds

MIXTURE = "mixture"
_DARK = "; ".join(f"--c{light[1:].lower()}: {colour}" for light, colour in ON_DARK.items())
STYLE = f"""<style>
.widget-html-content svg {{ max-width: 100%; height: auto; }}
.widget-html-content p {{ line-height: 1.4; margin: 0 0 .6em; }}
[data-jp-theme-light="false"] .widget-html-content svg {{ {_DARK} }}
[data-jp-theme-light="false"] .widget-html-content svg text {{ fill: {PALE} }}
</style>"""
"""Lines as close as elsewhere in a notebook; in a dark JupyterLab the picture's colours are those of a dark ground."""


def explore(data: Any, metric: str = "bleu", **where: Any) -> Explorer:
    """Show a table's curves with controls for corpus, law, target, budget and level; for Jupyter.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
    metric : what is explored.
    **where : conditions on columns, as in :meth:`scalefit.Table.where`.

    Returns Explorer: it shows itself at the end of a cell. A pointer that rests on a run is told its value, file and
    line.

    Raises MissingDependencyError: ipywidgets is not here.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> explorer = sf.explore(table)
    >>> explorer.law.value, explorer.target.value = "log", "20"
    >>> explorer.answer.value.count("<p>")
    2
    """
    return Explorer(table_of(data, where=where, metrics=[metric]), metric)


@dataclass(eq=False)
class Explorer:
    """Controls and what they change: each is a widget of ipywidgets, whose ``value`` may be set from code.

    Attributes
    ----------
    curve, law, level : what is fitted, by which law (or the mixture), and the confidence of its intervals.
    target, budget : a value to be reached, and tokens that can be spent (``"10M"``); either may be empty.
    answer, picture : what came out, as HTML.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> explorer = sf.explore(table)
    >>> explorer.budget.value = "1B"
    >>> "one new run at pretrain tokens 1B" in explorer.answer.value
    True
    """

    table: Table
    metric: str
    curve: Any = field(init=False)
    law: Any = field(init=False)
    level: Any = field(init=False)
    target: Any = field(init=False)
    budget: Any = field(init=False)
    answer: Any = field(init=False)
    picture: Any = field(init=False)

    def __post_init__(self) -> None:
        widgets = _widgets()
        self.metric = self.table.metric(self.metric)
        self.table = self.table.where(metric=self.metric)
        names = grouping(self.table).columns
        self._groups = {group_name(key): rows for key, rows in self.table.groups(names)}
        shared = {
            "style": {"description_width": "3.6em"},
            "layout": widgets.Layout(width="auto"),
            "continuous_update": False,
        }
        of_choices = {name: shared[name] for name in ("style", "layout")}
        laws = [MIXTURE, *_laws(self.metric)]
        self.curve = widgets.Dropdown(options=list(self._groups), description="curve", **of_choices)
        self.law = widgets.Dropdown(options=laws, description="law", **of_choices)
        self.level = widgets.FloatSlider(
            value=0.8,
            min=0.5,
            max=0.99,
            step=0.01,
            readout_format=".0%",
            description="level",
            **shared,
        )
        self.target = widgets.Text(description="target", placeholder=self.metric, **shared)
        self.budget = widgets.Text(description="budget", placeholder="10M", **shared)
        self.answer, self.picture = widgets.HTML(), widgets.HTML()
        self._fitted = lru_cache(maxsize=32)(self._fit)
        for control in self.controls:
            control.observe(self._show, names="value")
        # Side by side where there is room for both, below one another where there is not.
        left = widgets.VBox([*self.controls, self.answer], layout=widgets.Layout(flex="1 1 18em"))
        right = widgets.Box([self.picture], layout=widgets.Layout(flex="2 1 24em", min_width="0"))
        self._box = widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))
        self._show()

    @property
    def controls(self) -> tuple[Any, ...]:
        """What may be turned."""
        return self.curve, self.law, self.level, self.target, self.budget

    def __repr__(self) -> str:
        return f"Explorer of {metric_of(self.metric).title}: {counted(len(self._groups), 'curve')}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the controls where there are widgets; elsewhere, as on a page of docs, what they say now."""
        shown: dict[str, Any] = self._box._repr_mimebundle_()
        return {**shown, "text/html": self.answer.value + self.picture.value}

    def _fit(self, curve: str, law: str) -> Fit | Mixture:
        chosen = None if law == MIXTURE else law
        fitted: Fit | Mixture = fit_curve(self._groups[curve], self.metric, law=chosen)
        return fitted

    def _show(self, _: Any = None) -> None:
        """Answer anew; a question without an answer says why and leaves no old picture standing."""
        try:
            fitted = self._fitted(self.curve.value, self.law.value)
            target = number_cell(self.target.value)  # None while nothing finished is written
            lines = [fitted.verdict, *self._told(fitted, target)]
            drawn = curve_of_one(fitted, target=target, level=self.level.value)
            told = origins(self._groups[self.curve.value])
            places = np.column_stack([drawn.x, drawn.y]).tolist()
            tells = tuple(told.get((x, y), "") for x, y in places)
            drawn = replace(drawn, label=self.curve.value, tells=tells)
            picture = plot_curve(drawn)
            assert isinstance(picture, Picture)
            self.picture.value = for_both_grounds(picture.to_svg())
        except ScalefitError as error:
            lines, self.picture.value = [str(error)], ""
        self.answer.value = STYLE + "".join(f"<p>{html.escape(line)}</p>" for line in lines)

    def _told(self, fitted: Fit | Mixture, target: float | None) -> list[str]:
        lines = []
        if target is not None:
            lines.append(tokens_for(fitted, target, level=self.level.value).verdict)
        if self.budget.value.strip():
            said = predict(fitted, self.budget.value.strip(), level=self.level.value, kind="run")
            lines.append(said.verdict)
        return lines


def _laws(metric: str) -> list[str]:
    """Return the laws of sizes that can move as the metric gets better."""
    wanted = metric_of(metric).direction
    return [
        name
        for name, law in LAWS.items()
        if len(law.inputs) == 1
        and law.takes in ("positive", "zero")
        and (law.falls is None or wanted is None or law.falls == (wanted == "-"))
    ]


def _widgets() -> Any:
    try:
        import ipywidgets
    except ImportError:
        raise MissingDependencyError(
            "sf.explore needs ipywidgets. Try: pip install 'transfer-scalefit[notebook]'"
        ) from None
    return ipywidgets


_LEVELS = (0.5, 0.8, 0.9, 0.95)
REACH, TARGETS = 100.0, 6
_MOST = 40
"""Curves at most: beyond, the page would grow too large to open; a page says how many it left out."""
_ORIGIN = {
    "source": "{}",
    "pretrain_run": "run {}",
    "pretrain_seed": "pretraining seed {:g}",
    "finetune_seed": "finetuning seed {:g}",
}
"""What a run tells of where it is from: column -> words."""


def origins(rows: Table) -> dict[tuple[float, float], str]:
    """Return where each run of one curve is from, by its size and value: its file, its run and its seeds."""
    known = [name for name in _ORIGIN if rows.has(name)]
    columns = [rows.column(name) for name in ("pretrain_tokens", "value", *known)]
    places: dict[tuple[float, float], list[str]] = {}
    for size, value, *origin in zip(*columns, strict=True):
        told = [
            _ORIGIN[n].format(v)
            for n, v in zip(known, origin, strict=True)
            if v == v and v is not None
        ]
        places.setdefault((float(size), float(value)), []).append(", ".join(told))
    return {place: "; ".join(told) for place, told in places.items()}


def explored(forecast: Forecast, table: Table | None = None) -> dict[str, Any]:
    """Return every curve of a forecast's quality as plain data: its runs, and what mixture and heaviest law say of it.

    Parameters
    ----------
    table : Table, optional; whose rows tell where a run is from.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> told = explored(sf.forecast(table, target=20.0))
    >>> told["metric"], [law["name"] for law in told["curves"][0]["laws"]][0]
    ('BLEU', 'mixture')
    """
    every, asked = [o.quality for o in forecast if o.quality is not None], forecast.question
    mixtures = every[:_MOST]
    targets = _targets(mixtures, asked.target)
    lay_together([law.uncertainty for law in _heaviest(mixtures)], _LEVELS)
    return {
        "metric": metric_of(asked.metric).title,
        "levels": _LEVELS,
        "level": min(_LEVELS, key=lambda level: abs(level - asked.level)),
        "target": targets.index(asked.target) if asked.target in targets else len(targets) // 2,
        "targets": targets,
        "left_out": len(every) - len(mixtures),
        "curves": [_curve(m, targets, table) for m in mixtures],
    }


def _heaviest(mixtures: list[Mixture]) -> Iterator[Fit]:
    """Yield the heaviest law of each curve, where one can be fitted alone."""
    for mixture in mixtures:
        with suppress(ScalefitError):
            yield mixture.best


def _targets(mixtures: list[Mixture], asked: float | None) -> list[float]:
    """Return round values from the smallest measured to the largest forecast, and the one that was asked for."""
    if not mixtures:
        return []
    ends = [v for m in mixtures for v in (*m.series.y, *m.ahead.median[:20])]
    known = metric_of(mixtures[0].metric).up_to(max(float(m.series.y.max()) for m in mixtures))
    low, high = max(min(ends), known.lower), min(max(ends), known.upper)
    round_ = [float(v) for v in MaxNLocator(TARGETS).tick_values(low, high) if low < v < high]
    return sorted({*round_, *([] if asked is None else [float(asked)])})


def _curve(mixture: Mixture, targets: list[float], table: Table | None) -> dict[str, Any]:
    runs = mixture.observations
    x, y = next(iter(runs.inputs.values())), runs.values
    told: Mapping[tuple[float, float], str] = {}
    if table is not None:
        given = {name: value for name, value in mixture.group.items() if value is not None}
        told = origins(table.where(metric=mixture.metric, **given))
    sizes = drawn_at(np.asarray(x, dtype=float), None, REACH)[::3]
    return {
        "name": group_name(mixture.group) or "the only curve",
        "largest": float(np.max(x)),
        "runs": [
            [a, b, told.get((a, b), "")] for a, b in np.column_stack([x, y]).astype(float).tolist()
        ],
        "laws": list(_laws_of(mixture, sizes, targets)),
    }


def _laws_of(mixture: Mixture, sizes: Floats, targets: list[float]) -> Iterator[dict[str, Any]]:
    """Yield what the mixture says, and the heaviest law alone, where one can be fitted."""
    yield _law(MIXTURE, mixture, sizes, targets)
    with suppress(ScalefitError):
        yield _law(f"{mixture.best.law.name} law", mixture.best, sizes, targets)


def _law(name: str, fit: Fit | Mixture, sizes: Floats, targets: list[float]) -> dict[str, Any]:
    bands, answers = _bands(fit, sizes), tokens_each(fit, targets)
    return {
        "name": name,
        "x": _short(sizes),
        "estimate": _short(bands[0].estimate),
        "low": [_short(band.low) for band in bands],
        "high": [_short(band.high) for band in bands],
        "tokens": [_tokens(answer, sizes) for answer in answers],
    }


def _bands(fit: Fit | Mixture, sizes: Floats) -> list[Ribbon]:
    """Return the band of a new run at every level; those of a mixture come from one forecast."""
    if isinstance(fit, Mixture):
        said = fit.predictive(sizes)
        return [Ribbon(sizes, said.median, *said.interval(level)) for level in _LEVELS]
    return [ribbon(fit, sizes, "run", level) for level in _LEVELS]


def _tokens(answer: TokensFor, sizes: Floats) -> dict[str, Any]:
    each = [replace(answer, level=level) for level in _LEVELS]
    return {
        "needs": [one.needs for one in each],
        "chance": _short([answer.within(max(x / answer.largest, 1.0)) for x in sizes]),
    }


def _short(values: Any) -> list[float]:
    """Return numbers with the four digits that people read."""
    return [float(f"{value:.4g}") for value in values]
