"""``scalefit doctor``: what is installed, what is not, and what would install it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil

import typer

from scalefit.cli._options import AsJson

NAME = "transfer-scalefit"
NEEDED = ("numpy", "scipy", "pandas", "matplotlib", "lmfit", "sacrebleu", "typer", "rich")
OPTIONAL = {
    "excel": ("Excel tables", "openpyxl"),
    "parquet": ("Parquet tables", "pyarrow"),
    "tensorboard": ("TensorBoard logs", "tensorboard"),
    "mixed": ("mixed models of seeds", "statsmodels"),
    "notebook": ("notebooks and sf.explore", "ipywidgets"),
    "comet": ("COMET scores", "unbabel-comet"),
    "landscape": ("loss landscapes of torch models", "torch"),
    "lab": ("the transfer lab's own runs", "transformers"),
}


def command(as_json: AsJson = False) -> None:
    """Say which versions are here, which optional parts are missing, and what to install for them."""
    from scalefit import __version__
    from scalefit.cli._io import write_json, write_rows

    rows = [*map(_needed, NEEDED), *(_optional(*item) for item in OPTIONAL.items())]
    if as_json:
        write_json({"scalefit": __version__, "python": platform.python_version(), "parts": rows})
        return
    typer.echo(f"scalefit {__version__}, Python {platform.python_version()}, {platform.platform()}")
    write_rows(
        [{k: v for k, v in row.items() if k != "install"} for row in rows if row["version"]],
        as_json=False,
    )
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
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
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
