"""``scalefit laws``: which laws there are, what they say and where they come from."""

from __future__ import annotations

from scalefit.cli._options import AsJson


def command(as_json: AsJson = False) -> None:
    """List the laws: name, formula, inputs, parameters, source."""
    from scalefit.cli._io import write_rows
    from scalefit.laws import LAWS

    rows = [
        {
            "law": law.name,
            "formula": law.formula,
            "inputs": ", ".join(law.inputs),
            "parameters": ", ".join(law.parameters),
            "source": law.source,
        }
        for law in LAWS.values()
    ]
    write_rows(rows, as_json=as_json)
