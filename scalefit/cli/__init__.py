"""The command line: one command a file, each reads, calls one public function, and writes.

To add a command: write ``cli/name.py`` with a function ``command``, then add one import and one
line to ``COMMANDS``. Import heavy things inside the function, so that ``scalefit --help`` is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer

from . import (
    align,
    backtest,
    compare,
    doctor,
    fit,
    forecast,
    ingest,
    landscape,
    laws,
    plan,
    plot,
    predict,
    rank,
    report,
    score,
    seeds,
    similarity,
    stream,
    tokens,
    value,
)
from ._guard import guarded
from ._quiet import can_be_quiet

COMMANDS: dict[str, Callable[..., Any]] = {
    "align": align.command,
    "backtest": backtest.command,
    "compare": compare.command,
    "doctor": doctor.command,
    "fit": fit.command,
    "forecast": forecast.command,
    "ingest": ingest.command,
    "landscape": landscape.command,
    "laws": laws.command,
    "plan": plan.command,
    "plot": plot.command,
    "predict": predict.command,
    "rank": rank.command,
    "report": report.command,
    "score": score.command,
    "seeds": seeds.command,
    "similarity": similarity.command,
    "stream": stream.command,
    "tokens": tokens.command,
    "value": value.command,
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
    app.command(_name)(can_be_quiet(_command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of ours become one line on stderr and exit code 2."""
    with guarded():
        app(arguments, prog_name="scalefit")
