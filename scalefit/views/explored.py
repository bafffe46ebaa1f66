"""What a report's explorer shows, worked out beforehand: the page reads between these numbers and computes none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from scalefit.errors import ScalefitError
from scalefit.fitting import Fit
from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.predict import predict
from scalefit.forecasting.tokens import TokensFor, tokens_each
from scalefit.groups import group_name
from scalefit.table import Table
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.views.curves import drawn_at

LEVELS = (0.5, 0.8, 0.9, 0.95)
REACH, TARGETS = 100.0, 6
MOST = 40
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
    forecast : Forecast
    table : Table, optional
        Whose rows tell where a run is from.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> told = explored(sf.forecast(table, target=20.0))
    >>> told["metric"], [law["name"] for law in told["curves"][0]["laws"]][0]
    ('BLEU', 'mixture')
    """
    mixtures = [o.quality for o in forecast if o.quality is not None]
    asked = forecast.question
    targets = _targets(mixtures[:MOST], asked.target)
    return {
        "metric": metric_of(asked.metric).title,
        "levels": LEVELS,
        "level": min(LEVELS, key=lambda level: abs(level - asked.level)),
        "target": targets.index(asked.target) if asked.target in targets else len(targets) // 2,
        "targets": targets,
        "left_out": max(len(mixtures) - MOST, 0),
        "curves": [_curve(m, targets, table) for m in mixtures[:MOST]],
    }


def _targets(mixtures: list[Mixture], asked: float | None) -> list[float]:
    """Return round values from the smallest measured to the largest forecast, and the one that was asked for."""
    if not mixtures:
        return []
    ends = [v for m in mixtures for v in (*m.series.y, *m.ahead.median[:20])]
    known = metric_of(mixtures[0].metric)
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
        "laws": list(_laws(mixture, sizes, targets)),
    }


def _laws(mixture: Mixture, sizes: Floats, targets: list[float]) -> Iterator[dict[str, Any]]:
    """Yield what the mixture says, and the heaviest law alone, where one can be fitted."""
    yield _law("mixture", mixture, sizes, targets)
    try:
        yield _law(f"{mixture.best.law.name} law", mixture.best, sizes, targets)
    except ScalefitError:
        return


def _law(name: str, fit: Fit | Mixture, sizes: Floats, targets: list[float]) -> dict[str, Any]:
    bands = [predict(fit, sizes, level=level, kind="run") for level in LEVELS]
    answers = tokens_each(fit, targets)
    return {
        "name": name,
        "x": _short(sizes),
        "estimate": _short(bands[0].estimate),
        "low": [_short(band.low) for band in bands],
        "high": [_short(band.high) for band in bands],
        "tokens": [_tokens(answer, sizes) for answer in answers],
    }


def _tokens(answer: TokensFor, sizes: Floats) -> dict[str, Any]:
    each = [replace(answer, level=level) for level in LEVELS]
    return {
        "needs": [one.needs for one in each],
        "chance": _short([answer.within(max(x / answer.largest, 1.0)) for x in sizes]),
    }


def _short(values: Any) -> list[float]:
    """Return numbers with the four digits that people read."""
    return [float(f"{value:.4g}") for value in values]
