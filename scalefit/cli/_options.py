"""Arguments and options that several commands share, spelled once."""

from __future__ import annotations

from typing import Annotated

import typer

Results = Annotated[str, typer.Argument(help="Results file in any known format, or - for stdin.")]
Fits = Annotated[str, typer.Argument(help="JSON of `scalefit fit --json`, or - for stdin.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Keep rows with COLUMN=VALUE[,VALUE...], COLUMN=LOW..HIGH, 'COLUMN<=NUMBER' or "
        "COLUMN!=VALUE; may be repeated.",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--map", help="Rename a column: THEIRS=OURS, e.g. tokens=pretrain_tokens."),
]
Allow = Annotated[
    str | None,
    typer.Option("--allow", help="Checks to switch off, comma-separated, e.g. range,fractions."),
]
Level = Annotated[float, typer.Option(help="Confidence level of intervals.", min=0.5, max=0.999)]
By = Annotated[
    str | None,
    typer.Option("--by", help="Columns that make a group, comma-separated; default: what varies."),
]
Output = Annotated[str, typer.Option("--output", "-o", help="File to write.")]
At = Annotated[
    list[str] | None,
    typer.Option("--at", help="Other inputs of the law: NAME=VALUE, e.g. N=1B; may be repeated."),
]
Quality = Annotated[str, typer.Option(help="Quality metric, fitted with the log-law.")]
Loss = Annotated[str, typer.Option(help="Loss metric, fitted with the power law.")]
