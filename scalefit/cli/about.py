"""What the package tells of itself: ``scalefit laws`` and ``scalefit doctor``."""

from __future__ import annotations

import platform
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from scalefit.cli._io import write_json, write_rows
from scalefit.cli._options import AsJson
from scalefit.rows import text_table

if TYPE_CHECKING:
    from scalefit.laws import Law

NAME = "transfer-scalefit"
NEEDED = ("numpy", "scipy", "pandas", "matplotlib", "lmfit", "sacrebleu", "typer", "rich")
OPTIONAL = {
    "excel": ("Excel tables", "openpyxl"),
    "parquet": ("Parquet tables", "pyarrow"),
    "tensorboard": ("TensorBoard logs", "tensorboard"),
    "notebook": ("notebooks and sf.explore", "ipywidgets"),
    "comet": ("COMET scores", "unbabel-comet"),
    "landscape": ("loss landscapes of torch models", "torch"),
    "lab": ("the transfer lab's own runs", "transformers"),
}


def laws(
    law: Annotated[
        str | None, typer.Argument(help="Name of a law, to be told all of it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the laws: name, formula, inputs. With a name: that law's parameters, bounds and source."""
    from scalefit.laws import LAWS, get_law

    if law is not None:
        chosen = get_law(law)
        write_json(_row(chosen)) if as_json else _tell(chosen)
        return
    rows = [_row(each) for each in LAWS.values()]
    if as_json:
        write_json(rows)
        return
    # A formula that is wider than the terminal goes on below: a list of names, and another of formulas, say less.
    typer.echo(
        "\n".join(text_table([{k: r[k] for k in ("law", "inputs", "formula")} for r in rows]))
    )
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
    write_rows(rows)


def doctor(as_json: AsJson = False) -> None:
    """Say which versions are here, which optional parts are missing, and what to install for them."""
    from scalefit import __version__

    rows = [*map(_needed, NEEDED), *(_optional(*item) for item in OPTIONAL.items())]
    if as_json:
        write_json({"scalefit": __version__, "python": platform.python_version(), "parts": rows})
        return
    typer.echo(f"scalefit {__version__}, Python {platform.python_version()}, {platform.platform()}")
    write_rows({k: v for k, v in row.items() if k != "install"} for row in rows if row["version"])
    missing = [row for row in rows if not row["version"]]
    for row in missing:
        typer.echo(f"not here: {row['part']} ({row['for']}). {row['install']}")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    typer.echo(
        f"browser for the tests of pages: {browser or 'none; reports need no test to be read'}"
    )
    if any(row["for"] == "needed" for row in missing):
        raise typer.Exit(1)


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # of all commands, doctor alone

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _needed(name: str) -> dict[str, str | None]:
    install = f"pip install --force-reinstall {NAME}"
    return {"part": name, "for": "needed", "version": _version(name), "install": install}


def _optional(extra: str, part: tuple[str, str]) -> dict[str, str | None]:
    purpose, distribution = part
    install = f"pip install '{NAME}[{extra}]'"
    return {
        "part": distribution, "for": purpose, "version": _version(distribution), "install": install
    }  # fmt: skip
