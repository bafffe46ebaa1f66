"""Rules for single rows: ranges, signs, units, and percentages given as fractions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scalefit.groups import spelling
from scalefit.types import Floats, Mask

from .columns import COUNTS
from .draft import Draft
from .metrics import METRICS, Metric, canonical, metric

_UNITS = {
    "nats/token": ("cross_entropy", 1.0),
    "nats/target token": ("cross_entropy", 1.0),
    "nats": ("cross_entropy", 1.0),
    "bits/token": ("cross_entropy", math.log(2)),
    "bits/target token": ("cross_entropy", math.log(2)),
    "bits": ("cross_entropy", math.log(2)),
    "nats/byte": ("cross_entropy_per_byte", 1.0),
    "bits/byte": ("cross_entropy_per_byte", math.log(2)),
}
_PER_TOKEN = ("token", "target token")
"""Units of a perplexity whose logarithm is the cross-entropy."""
ENTROPIES = ("cross_entropy", "cross_entropy_per_byte")
_DUST = 1e-6
"""What rounding may add beyond a range's edge, relative to it: sacreBLEU's 100.00000000000004."""


def check(draft: Draft) -> None:
    """Spell metrics canonically, bring cross-entropy to nats, and check every row by itself."""
    _spell_metrics(draft)
    if draft.has("unit"):
        _to_nats(draft)
    for name in COUNTS:
        if draft.has(name):
            _count(draft, name)
    _stderr(draft)
    for known, mine in by_metric(draft):
        _metric_range(draft, known, mine)
        _fractions(draft, known, mine)


def by_metric(draft: Draft) -> list[tuple[Metric, Mask]]:
    """Return every metric with its rows."""
    codes, names = pd.factorize(draft.frame["metric"])
    return [(metric(str(name)), codes == k) for k, name in enumerate(names)]


def rows_of(draft: Draft, name: str) -> Mask:
    """Return the rows of one metric."""
    return np.asarray(draft.frame["metric"] == name, dtype=bool)


def _spell_metrics(draft: Draft) -> None:
    spelled: dict[str, str] = {}
    for name in draft.frame["metric"].unique():
        plain = canonical(str(name))
        plain = next((s for s in spelled.values() if spelling(s) == spelling(plain)), plain)
        if plain != name:
            draft.note(f"metric {name!r} read as {plain!r}")
        spelled[name] = plain
    if any(name != plain for name, plain in spelled.items()):
        draft.put("metric", [spelled[name] for name in draft.frame["metric"]])


def _to_nats(draft: Draft) -> None:
    """Bring cross-entropies to nats, and perplexities whose unit is known to cross-entropies."""
    kinds = draft.frame[["metric", "unit"]].drop_duplicates()
    for name, unit in kinds.itertuples(index=False):
        said = str(unit).strip().lower()
        target, factor = _UNITS.get(said, ("", 1.0)) if name in ENTROPIES else ("", 1.0)
        rows = rows_of(draft, name) & np.asarray(draft.frame["unit"] == unit, dtype=bool)
        if name == "perplexity" and said in _PER_TOKEN:
            target = "cross_entropy"
            _take_logarithms(draft, rows)
            draft.note(f"{rows.sum()} perplexities per token: their logarithms are cross-entropies")
        if not target:
            continue
        if name in ENTROPIES and target != name:
            draft.note(f"{name} in {said} is {target}, another metric")
        if factor != 1.0:
            _scale(draft, rows, factor)
            draft.note(f"cross-entropy in {said} turned into {METRICS[target].unit} (times ln 2)")
        draft.put("metric", np.where(rows, target, draft.frame["metric"]).astype(object))
        draft.put("unit", np.where(rows, METRICS[target].unit, draft.frame["unit"]).astype(object))


def _scale(draft: Draft, rows: Mask, factor: float) -> None:
    for column in ("value", "stderr"):
        if draft.has(column):
            values = draft.frame[column].to_numpy(dtype=float)
            draft.put(column, np.where(rows, values * factor, values))


def _take_logarithms(draft: Draft, rows: Mask) -> None:
    values = draft.frame["value"].to_numpy(dtype=float)
    safe = np.where(rows, np.maximum(values, 1.0 - _DUST), 1.0)
    if draft.has("stderr"):
        draft.put("stderr", draft.frame["stderr"].to_numpy(dtype=float) / safe)
    draft.put("value", np.where(rows, np.log(safe), values))


def _seen(value: float) -> str:
    """Return a refused number as text; the text ``nan`` arrives as infinity, to be refused at all."""
    return "inf or nan" if value == np.inf else f"{value:g}"


def _count(draft: Draft, name: str) -> None:
    values = draft.frame[name].to_numpy(dtype=float)
    wrong = np.isinf(values) | (values < 0)
    draft.blame(wrong, name, lambda i: _seen(values[i]), "a finite number, 0 or more")


def _stderr(draft: Draft) -> None:
    if draft.has("stderr"):
        values = draft.frame["stderr"].to_numpy(dtype=float)
        wrong = np.isinf(values) | (values < 0)
        draft.blame(wrong, "stderr", lambda i: _seen(values[i]), "a finite number, 0 or more")


def _metric_range(draft: Draft, known: Metric, mine: Mask) -> None:
    values = _clipped(draft, known, mine)
    infinite = mine & np.isinf(values)
    draft.blame(infinite, "value", lambda i: f"{known.name} {_seen(values[i])}", "a finite number")
    if "range" in draft.allow:
        return
    outside = mine & np.isfinite(values) & ((values < known.lower) | (values > known.upper))
    needed = (
        f"{known.lower:g} to {known.upper:g}"
        if known.upper < math.inf
        else f"{known.lower:g} or more"
    )
    draft.blame(
        outside, "value", lambda i: f"{known.name} {values[i]:g}", needed, _range_hint(known)
    )


def _clipped(draft: Draft, known: Metric, mine: Mask) -> Floats:
    """Return all values; those of one metric that lie beyond an edge by dust only are put on it."""
    values = draft.frame["value"].to_numpy(dtype=float)
    for edge, side in ((known.lower, -1.0), (known.upper, 1.0)):
        beyond = side * (values - edge) if math.isfinite(edge) else np.zeros(len(values))
        dust = mine & (beyond > 0) & (beyond <= _DUST * max(1.0, abs(edge)))
        if dust.any():
            values = np.where(dust, edge, values)
            draft.put("value", values)
    return values


def _range_hint(known: Metric) -> str:
    if known.upper == 1.0:
        return "divide percentages by 100, or allow='range'"
    return "look at the file's columns, or allow='range'"


def _fractions(draft: Draft, known: Metric, mine: Mask) -> None:
    values = draft.frame["value"].to_numpy(dtype=float)
    if known.percent and 0 < np.max(values[mine]) <= 1 and "fractions" not in draft.allow:
        draft.blame(
            mine,
            "value",
            lambda i: f"{known.name} {values[i]:g}",
            f"0 to 100: no {known.name} here is above 1, so these look like fractions",
            "multiply by 100, or allow='fractions' where they are truly that low",
        )
