"""``scalefit laws``: which laws there are, what they say and where they come from."""

from __future__ import annotations

from ._options import AsJson


def command(as_json: AsJson = False) -> None:
    """List the laws: name, formula, inputs, parameters, source."""
    from ._io import write_rows

    rows = [{"law": "none yet"}]
    write_rows(rows, as_json=as_json, title="Laws")
