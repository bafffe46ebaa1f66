"""``scalefit score``: translations in, a table of BLEU, chrF, TER and COMET out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.cli._options import AsJson, Scheduler
from scalefit.cli._stderr import write_notes
from scalefit.errors import ScoringError

if TYPE_CHECKING:
    from scalefit.scoring.score import Scored

_LONG = ("signature", "source")  # written to the table, too long for a terminal's
PARTLY = 1
"""Exit code where some systems were scored and some could not be."""

Hyp = Annotated[list[str], typer.Option("--hyp", help="Hypotheses: a file or a quoted glob.")]
Ref = Annotated[list[Path] | None, typer.Option("--ref", help="Reference; again for more.")]
Src = Annotated[Path | None, typer.Option("--src", help="Source text, which COMET reads.")]
Names = Annotated[
    list[str], typer.Option("--metric", help="bleu, chrf, chrf++, ter, comet: one or several.")
]
More = Annotated[list[str] | None, typer.Argument(help="More metrics or hypotheses.", hidden=True)]
Model = Annotated[
    str | None, typer.Option("--comet-model", help="COMET model: hub name or checkpoint path.")
]
Precision = Annotated[Literal["fp32", "fp16"], typer.Option("--comet-precision")]
Batch = Annotated[int, typer.Option("--comet-batch", help="Segments at once.", min=1)]
Gpus = Annotated[int | None, typer.Option("--gpus", help="0: CPU, 1: GPU; default: if any.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never ask the network for a model.")]
Tokenizer = Annotated[str | None, typer.Option("--tokenize", help="sacreBLEU's, e.g. zh.")]
Resamples = Annotated[int, typer.Option(help="Resampled test sets for standard errors.", min=2)]
CacheFile = Annotated[Path | None, typer.Option("--cache", help="File of what is scored.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep nothing.")]
Workers = Annotated[int | None, typer.Option(help="Processes; default: one a core.", min=1)]
Empty = Annotated[bool, typer.Option("--allow-empty", help="Score empty lines.")]
Columns = Annotated[
    list[str] | None, typer.Option("--set", help="COLUMN=VALUE for every row; may be repeated.")
]
ManifestFile = Annotated[
    Path | None, typer.Option("--manifest", help="CSV: path, corpus, pretrain_tokens, ….")
]
Pattern = Annotated[
    str | None, typer.Option("--pattern", help="Path pattern: 'runs/{corpus}-{pretrain_tokens}'.")
]
Segments = Annotated[
    Path | None, typer.Option("--segments", help="Folder for segment statistics (.npz).")
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="System to compare all others with, paired.")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Table to write.")]


def score(
    hyp: Hyp,
    ref: Ref = None,
    src: Src = None,
    metric: Names = ["bleu", "chrf"],  # noqa: B006 - typer copies it
    more: More = None,
    comet_model: Model = None,
    comet_precision: Precision = "fp32",
    comet_batch: Batch = 16,
    gpus: Gpus = None,
    offline: Offline = False,
    tokenize: Tokenizer = None,
    resamples: Resamples = 1000,
    cache: CacheFile = None,
    no_cache: NoCache = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    allow_empty: Empty = False,
    columns: Columns = None,
    manifest: ManifestFile = None,
    pattern: Pattern = None,
    segments: Segments = None,
    baseline: Baseline = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Score hypotheses against references; what is scored once is not scored again.

    scalefit score --hyp 'runs/*/hyp.de' --ref ref.de --src src.en --metric bleu chrf comet
    --comet-model Unbabel/wmt22-comet-da -o scores.parquet
    """
    from scalefit.scoring.options import Comet
    from scalefit.scoring.score import score_systems

    _io.check_table(output)
    metrics, files = _sorted_out([*metric, *(more or [])], hyp)
    comet = Comet(
        comet_model or Comet.model,
        batch_size=comet_batch,
        gpus=gpus,
        precision=comet_precision,
        local_files_only=True if offline else None,
    )
    scored = score_systems(
        files,
        ref,
        src,
        metrics,
        comet=comet,
        columns=_io.pairs(columns, "--set"),
        manifest=manifest,
        pattern=pattern,
        tokenize=tokenize,
        resamples=resamples,
        cache=False if no_cache else cache,
        workers=workers or os.cpu_count() or 1,
        executor=scheduler,
        allow_empty=allow_empty,
    )
    _write(scored, segments, output, baseline, as_json=as_json)


def _sorted_out(names: Sequence[str], hyp: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Tell metrics from files: a shell leaves both behind an option that takes only one."""
    from scalefit.scoring.measure import KNOWN

    words = [word for name in names for word in name.split(",") if word]
    metrics = [word for word in words if word in KNOWN]
    files = [word for word in words if word not in KNOWN]
    unknown = [word for word in files if not Path(word).exists()]
    if unknown:
        raise ScoringError(
            f"{unknown[0]!r} is neither a metric nor a file; metrics are {', '.join(KNOWN)}"
        )
    return metrics, [Path(name) for name in (*hyp, *files)]


def _write(
    scored: Scored, segments: Path | None, output: Path | None, baseline: str | None, as_json: bool
) -> None:
    from scalefit.scoring.bootstrap import compare_systems

    if segments is not None:
        segments.mkdir(parents=True, exist_ok=True)
        for name, statistics in scored.statistics.items():
            statistics.save(segments / f"{name}.npz")
    if output is not None:
        scored.table.write(output)
    compared = [compare_systems(one, baseline) for one in scored.statistics.values() if baseline]
    rows: list[dict[str, Any]] = scored.table.frame.to_dict("records")  # type: ignore[assignment]
    if as_json:
        _io.write_json({"scores": rows, "compared": [one.to_dict() for one in compared]})
    else:
        shown = [{k: v for k, v in row.items() if k not in _LONG} for row in rows]
        title = f"{len(rows)} scores" + (f", written to {output}" if output else "")
        _io.write_rows(shown, as_json=False, title=title)
        for one in compared:
            print(one)
    write_notes(f"{name}: {one.signature}" for name, one in scored.statistics.items())
    write_notes(scored.table.notes)
    if scored.problems:
        raise typer.Exit(PARTLY)
