"""``scalefit predict``: what quality to expect at other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from scalefit.cli._options import AsJson, At, Fits, Given, Level


def command(
    fits: Fits,
    tokens: Annotated[str, typer.Option(help="Pretraining tokens, e.g. 1e9,3B.")] = "",
    at: At = None,
    level: Level = 0.95,
    kind: Annotated[
        Literal["mean", "run"], typer.Option(help="Interval of the mean curve, or of one new run.")
    ] = "mean",
    given_law: Given = False,
    as_json: AsJson = False,
) -> None:
    """Predict the metric at given sizes, with intervals."""
    import scalefit as sf
    from scalefit.cli import _fits, _io
    from scalefit.groups import group_name
    from scalefit.result import common_notes

    wanted: dict[str, Any] = dict(_io.values(at))
    if tokens:
        wanted["pretrain_tokens"] = _io.numbers(tokens, "--tokens")
    if given_law:
        wanted["given"] = "law"
    found = _fits.read_fits(fits)
    bands = [sf.predict(fit, level=level, kind=kind, **wanted) for fit in found]
    pairs = list(zip(found, bands, strict=True))
    rows = [
        {**fit.group, "metric": fit.metric, **_named(row, fit.observations.columns)}
        for fit, band in pairs
        for row in band.rows()
    ]
    _io.write_rows(rows, as_json=as_json, title=f"{level:.0%} interval of the {kind}")
    if not as_json:
        _io.write_notes(common_notes((group_name(f.group), b.notes) for f, b in pairs))


def _named(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Call a law's inputs by the names of their columns."""
    return {columns.get(name, name): value for name, value in row.items()}
