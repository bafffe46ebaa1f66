"""``scalefit ingest``: training logs, tool outputs and tables in, one checked table out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.cli._options import AsJson, Config, Rename
from scalefit.cli._stderr import doing, write_notes
from scalefit.errors import FormatError

if TYPE_CHECKING:
    from scalefit.scoring.outputs import Outputs
    from scalefit.table import Table

_LONG = ("signature", "source")  # in the written table, too long for a terminal's
Inputs = Annotated[
    list[str], typer.Argument(help="Files, folders, globs, an MLflow server, or - for stdin.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Table to write: .csv, .parquet, ….")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Format, where it is not recognised; `list` lists.")
]
Manifest = Annotated[
    Path | None,
    typer.Option(help="CSV: path, corpus, pretrain_tokens, …; default: runs.csv in the folder."),
]
Pattern = Annotated[
    str | None,
    typer.Option(help="Columns from paths: 'runs/{corpus}-{pretrain_tokens}/s{finetune_seed}'."),
]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", help="Check to switch off; may be repeated.")
]
Checkpoints = Annotated[
    Literal["best", "last", "all"] | None,
    typer.Option(
        help="Of a log's evaluations, those of the best step, the last (default), or all."
    ),
]
TokensPerStep = Annotated[
    str | None,
    typer.Option(help="Tokens of one batch of pretraining, e.g. 2M: pretrain_tokens is step × it."),
]
Hyp = Annotated[
    list[str] | None,
    typer.Option("--hyp", help="SET=FILE: hypotheses in each run's folder, to be scored."),
]
Ref = Annotated[
    list[str] | None,
    typer.Option("--ref", help="SET=PATH: their reference; may refer to columns: {task}.txt."),
]
Src = Annotated[list[str] | None, typer.Option("--src", help="SET=PATH: their source, for COMET.")]
Metric = Annotated[
    list[str], typer.Option("--metric", help="What to score: bleu, chrf, chrf++, ter, comet.")
]
Model = Annotated[str | None, typer.Option("--comet-model", help="COMET model: name or path.")]


def ingest(
    paths: Inputs,
    output: Output = None,
    format: Format = None,
    rename: Rename = None,
    manifest: Manifest = None,
    pattern: Pattern = None,
    allow: Allow = None,
    checkpoints: Checkpoints = None,
    tokens_per_step: TokensPerStep = None,
    config: Config = None,
    hyp: Hyp = None,
    ref: Ref = None,
    src: Src = None,
    metric: Metric = ["bleu", "chrf"],  # noqa: B006 - typer copies it
    comet_model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Read training runs, tool outputs or tables into one checked table.

    scalefit ingest runs/ --pattern 'runs/{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}'
    -o table.parquet
    """
    from scalefit.ingest import FORMATS, read

    if format == "list":
        print("\n".join(f"{name}: {reader.title}" for name, reader in FORMATS.items()))
        return
    _io.check_table(output)
    named = (_io.pairs(hyp, "--hyp"), _io.pairs(ref, "--ref"), _io.pairs(src, "--src"))
    outputs = _outputs(*named, metrics=metric, model=comet_model)
    per_step = next(iter(_io.numbers(tokens_per_step or "", "--tokens-per-step")), None)
    mapping = _io.pairs(rename, "--map") or None
    with doing(f"reading {paths[0]}" + (f" and {len(paths) - 1} more" if paths[1:] else "")):
        table = read(
            paths[0] if len(paths) == 1 else paths,
            format=format,
            mapping=mapping,
            allow=allow or (),
            manifest=manifest,
            pattern=pattern,
            checkpoints=checkpoints,
            tokens_per_step=per_step,
            config=config,
            outputs=outputs,
        )
    _show(table, output, as_json=as_json)


def _outputs(
    hyp: dict[str, str], ref: dict[str, str], src: dict[str, str], metrics: list[str], model: Any
) -> Outputs | None:
    from scalefit.scoring.outputs import Outputs

    if not hyp:
        if ref or src:
            raise FormatError("--ref and --src are for --hyp SET=FILE, which is missing")
        return None
    names = [name for words in metrics for name in words.split(",") if name]
    return Outputs(hyp, ref, src, names, {"comet": model} if model else {})


def _show(table: Table, output: Path | None, *, as_json: bool) -> None:
    from scalefit.table.columns import KNOWN

    if output is not None:
        table.write(output)
    if as_json:
        _io.write_json(table.frame.to_dict("records"))
    elif output is None:
        names = [n for n in KNOWN if n in table.frame.columns and n not in _LONG]
        shown = table.frame[names]
        rows: list[dict[str, Any]] = shown.head(20).to_dict("records")  # type: ignore[assignment]
        more = f"the first {len(rows)} rows" if len(table.frame) > len(rows) else ""
        _io.write_rows(rows, as_json=False, title="\n".join(filter(None, (str(table), more))))
    else:
        print(f"{table}, written to {output}")
    write_notes(table.notes)
