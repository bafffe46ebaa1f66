"""Own column names to canonical ones, by the user's mapping and by plain spelling."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from scalefit.errors import MissingColumnError, TableError

from .cells import count_cell, numbers
from .columns import KNOWN
from .draft import Draft
from .problems import listed
from .recognise import recognise

_SCALED = re.compile(r"(?P<name>.+?)\s*(?P<sign>[*/])\s*(?P<factor>[\d.]+(?:e[+-]?\d+)?)", re.I)


def rename(draft: Draft, mapping: Mapping[str, str], kept: Collection[str] = ()) -> None:
    """Apply the user's mapping, then recognise canonical names written otherwise.

    Columns among ``kept`` are asked for by their own names and keep them.
    """
    for own, target in mapping.items():
        _map(draft, str(own), str(target))
    for name in list(draft.frame.columns):
        plain = re.sub(r"[\s-]+", "_", name.strip().lower())
        if plain != name and plain in KNOWN and not draft.has(plain):
            draft.frame = draft.frame.rename(columns={name: plain})
            draft.note(f"column {name!r} read as {plain!r}")
    for own, target in recognise(draft, kept).items():
        _map(draft, own, target, "the only meaning it has here")


def _map(draft: Draft, own: str, target: str, why: str = "") -> None:
    if own == target:
        return
    scaled = None if draft.has(own) else _SCALED.fullmatch(own)
    source = scaled["name"] if scaled else own
    if not draft.has(source) and _map_metric(draft, own, target):
        return
    if not draft.has(source):
        raise MissingColumnError(
            f"the mapping names a column {source!r} that is not there "
            f"(columns: {listed(draft.frame.columns)})"
        )
    if draft.has(target):
        raise TableError(
            f"the mapping turns {source!r} into {target!r}, which is there already. "
            f"Try: map {target!r} to another name first"
        )
    if scaled:
        _scale(draft, scaled, target)
    else:
        draft.frame = draft.frame.rename(columns={own: target})
    doubt = f" ({why})" if why else _doubt(source, target, scaled)
    draft.note(f"column {own!r} taken as {target!r}{doubt}")


def _map_metric(draft: Draft, own: str, target: str) -> bool:
    """Rename a metric where there is no such column; return whether there was one."""
    if not draft.has("metric") or own not in set(draft.frame["metric"]):
        return False
    draft.put("metric", [target if m == own else m for m in draft.frame["metric"]])
    draft.note(f"metric {own!r} taken as {target!r}")
    return True


def _scale(draft: Draft, found: re.Match[str], target: str) -> None:
    values, bad = numbers(draft.frame[found["name"]], count_cell)
    factor = count_cell(found["factor"]) or 0.0
    if bad.any() or factor <= 0:
        raise TableError(f"{found[0]!r} is no number; needed a numeric column and a factor over 0")
    draft.put(target, values / factor if found["sign"] == "/" else values * factor)


def _doubt(source: str, target: str, scaled: re.Match[str] | None) -> str:
    if "byte" in source.lower() and target.endswith("tokens") and not scaled:
        return f" one for one: bytes are not tokens, '{source}/4' would divide"
    return ""
