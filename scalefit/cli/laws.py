"""``scalefit laws``: which laws there are, and what each says and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scalefit.cli._options import AsJson

if TYPE_CHECKING:
    from scalefit.laws import Law


def command(
    law: Annotated[
        str | None, typer.Argument(help="Name of a law, to be told all of it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the laws: name, formula, inputs. With a name: that law's parameters, bounds and source."""
    from scalefit.cli._io import write_json, write_rows
    from scalefit.laws import LAWS, get_law

    if law is not None:
        chosen = get_law(law)
        write_json(_row(chosen)) if as_json else _tell(chosen)
        return
    rows = [_row(each) for each in LAWS.values()]
    if not as_json:
        rows = [{k: row[k] for k in ("law", "formula", "inputs")} for row in rows]
    write_rows(rows, as_json=as_json)
    if not as_json:
        typer.echo("\nscalefit laws NAME tells its parameters and where it comes from.")


def _row(law: Law) -> dict[str, str]:
    return {
        "law": law.name,
        "formula": law.formula,
        "inputs": ", ".join(law.inputs),
        "parameters": ", ".join(law.parameters),
        "source": law.source,
    }


def _tell(law: Law) -> None:
    """Write one law: what it says, of what, its parameters with their roles, what it contains, its source."""
    from scalefit.cli._io import write_rows

    typer.echo(f"{law.name}: {law.formula}")
    about = {
        "inputs": ", ".join(law.inputs),
        "quoted": ", ".join(law.parameters),
        "holds at": law.reference or "",
        "runs": {True: "only falls", False: "only rises", None: ""}[law.falls],
        "contains": ", ".join(special.law for special in law.special),
        "source": law.source,
    }
    for name, text in about.items():
        if text:
            typer.echo(f"  {name}: {text}")
    typer.echo("")
    told = [(c.name, c.role, c.meaning) for c in law.coefficients]
    told += [(s.name, s.role, s.meaning) for s in law.shapes]
    rows = [{"parameter": n, "role": r or "–", "meaning": m or "–"} for n, r, m in told]
    write_rows(rows, as_json=False)
