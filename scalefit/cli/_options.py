"""Arguments and options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
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
Config = Annotated[
    Path | None, typer.Option("--config", help="scalefit.toml; default: the one beside the data.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", help="Processes of this machine; default: this one.", min=1)
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Or a dask scheduler's address: tcp://host:8786.")
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
Metric = Annotated[str, typer.Option(help="Metric, e.g. bleu, chrf, comet, cross_entropy.")]
Over = Annotated[str, typer.Option(help="Column of what is chosen from.")]
Level80 = Annotated[
    float, typer.Option("--level", help="Confidence of intervals.", min=0.5, max=0.999)
]
File = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write; its suffix says what: .png .svg .pdf, .csv .tsv .json, .html.",
    ),
]
Through = Annotated[str, typer.Option(help="Loss metric shown beside the quality.")]
Target = Annotated[float | None, typer.Option(help="Value of the metric to be reached.")]
TargetBleu = Annotated[
    float | None, typer.Option(help="BLEU to be reached; short for --target with --metric bleu.")
]
Given = Annotated[
    bool,
    typer.Option("--given-law", help="Take a single law for the truth: leave doubt about it out."),
]
