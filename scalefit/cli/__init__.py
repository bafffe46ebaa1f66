"""The command line: each command reads, calls one public function, and writes; commands of one kind share a file.

To add a command: write its function beside its kind, and add one line to ``COMMANDS``. Import heavy things inside
the function, so that ``scalefit --help`` is quick. Options that others have too are in ``_options.py``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import typer

from . import about, align, choose, fit, forecast, landscape, seeds, tables
from ._io import guarded
from ._options import Command, spread

COMMANDS: dict[str, Callable[..., Any]] = {
    "align": align.align,
    "allocate": choose.allocate,
    "backtest": forecast.backtest,
    "compare": seeds.compare,
    "doctor": about.doctor,
    "fit": fit.fit,
    "forecast": forecast.forecast,
    "ingest": tables.ingest,
    "joint": fit.joint,
    "landscape": landscape.landscape,
    "laws": about.laws,
    "plan": choose.plan,
    "plot": fit.plot,
    "predict": fit.predict,
    "rank": choose.rank,
    "report": forecast.report,
    "score": tables.score,
    "seeds": seeds.seeds,
    "similarity": align.similarity,
    "stream": fit.stream,
    "tokens": fit.tokens,
    "value": choose.value,
}

app = typer.Typer(
    name="scalefit",
    help="Transfer scaling laws: fit, forecast, and flag misaligned pretraining data.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from scalefit import __version__

        typer.echo(f"scalefit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    """Transfer scaling laws: fit, forecast, and flag misaligned pretraining data."""


for _name, _command in COMMANDS.items():
    app.command(_name, cls=Command)(spread(_command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of ours become one line on stderr and exit code 2."""
    # A command makes many objects and few circles: to look for these at every 700th takes one part in ten of it.
    gc.set_threshold(100_000)
    with guarded():
        app(arguments, prog_name="scalefit")
