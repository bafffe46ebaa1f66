"""Commands that make tables: ``scalefit ingest`` from logs and outputs, ``scalefit score`` from translations."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.errors import FormatError
from scalefit.units import counted

from ._io import doing, write_notes
from ._options import AsJson, Config, Rename, Scheduler

if TYPE_CHECKING:
    from scalefit.scoring.checkpoint import Comet
    from scalefit.scoring.score import Outputs, Scored
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
SetHyp = Annotated[
    list[str] | None,
    typer.Option("--hyp", help="SET=FILE: hypotheses in each run's folder, to be scored."),
]
SetRef = Annotated[
    list[str] | None,
    typer.Option("--ref", help="SET=PATH: their reference; may refer to columns: {task}.txt."),
]
SetSrc = Annotated[
    list[str] | None, typer.Option("--src", help="SET=PATH: their source, for COMET.")
]
Metric = Annotated[
    list[str], typer.Option("--metric", help="What to score: bleu, chrf, chrf++, ter, comet.")
]
Model = Annotated[str | None, typer.Option("--comet-model", help="COMET model: name or path.")]


@dataclass(frozen=True)
class Reading:
    """How files are read."""

    format: Format = None
    rename: Rename = None
    manifest: Manifest = None
    pattern: Pattern = None
    allow: Allow = None
    checkpoints: Checkpoints = None
    tokens_per_step: TokensPerStep = None
    config: Config = None

    @property
    def options(self) -> dict[str, Any]:
        """What ``read`` is told."""
        return {
            "format": self.format,
            "mapping": _io.pairs(self.rename, "--map") or None,
            "manifest": self.manifest,
            "pattern": self.pattern,
            "allow": self.allow or (),
            "checkpoints": self.checkpoints,
            "tokens_per_step": next(
                iter(_io.numbers(self.tokens_per_step or "", "--tokens-per-step")), None
            ),
            "config": self.config,
        }


@dataclass(frozen=True)
class Texts:
    """Texts in each run's folder that are scored as they are read."""

    hyp: SetHyp = None
    ref: SetRef = None
    src: SetSrc = None
    metric: Metric = field(default_factory=lambda: ["bleu", "chrf"])
    comet_model: Model = None

    @property
    def outputs(self) -> Outputs | None:
        """Return what is scored; None where no hypotheses are named."""
        from scalefit.scoring.score import Outputs

        named = {"--hyp": self.hyp, "--ref": self.ref, "--src": self.src}
        hyp, ref, src = (_io.pairs(given, flag) for flag, given in named.items())
        if not hyp:
            if ref or src:
                raise FormatError("--ref and --src are for --hyp SET=FILE, which is missing")
            return None
        names = [name for words in self.metric for name in words.split(",") if name]
        return Outputs(
            hyp, ref, src, names, {"comet": self.comet_model} if self.comet_model else {}
        )


def ingest(
    paths: Inputs,
    output: Output = None,
    reading: Reading = Reading(),
    texts: Texts = Texts(),
    as_json: AsJson = False,
) -> None:
    """Read training runs, tool outputs or tables into one checked table.

    scalefit ingest runs/ --pattern 'runs/{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}'
    -o table.parquet
    """
    from scalefit.ingest import FORMATS, read

    if reading.format == "list":
        print("\n".join(f"{name}: {reader.title}" for name, reader in FORMATS.items()))
        return
    _io.check_table(output)
    outputs, options = texts.outputs, reading.options
    with doing(f"reading {paths[0]}" + (f" and {len(paths) - 1} more" if paths[1:] else "")):
        table = read(paths[0] if len(paths) == 1 else paths, outputs=outputs, **options)
    _show(table, output, as_json=as_json)


def _show(table: Table, output: Path | None, *, as_json: bool) -> None:
    from scalefit.table.names import KNOWN

    if output is not None:
        table.write(output)
    if as_json:
        _io.write_json(table.frame.to_dict("records"))
    elif output is None:
        names = [n for n in KNOWN if n in table.frame.columns and n not in _LONG]
        shown = table.frame[names]
        rows: list[dict[str, Any]] = shown.head(20).to_dict("records")  # type: ignore[assignment]
        more = f"the first {len(rows)} rows" if len(table.frame) > len(rows) else ""
        _io.write_rows(rows, title="\n".join(filter(None, (str(table), more))))
    else:
        print(f"{table}, written to {output}")
    write_notes(table.notes)


PARTLY = 1
"""Exit code where some systems were scored and some could not be."""

Hyp = Annotated[list[str], typer.Option("--hyp", help="Hypotheses: a file or a quoted glob.")]
Ref = Annotated[list[Path] | None, typer.Option("--ref", help="References, one or several.")]
Src = Annotated[Path | None, typer.Option("--src", help="Source text, which COMET reads.")]
Names = Annotated[
    list[str], typer.Option("--metric", help="bleu, chrf, chrf++, ter, comet: one or several.")
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
Segments = Annotated[
    Path | None, typer.Option("--segments", help="Folder for segment statistics (.npz).")
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="System to compare all others with, paired.")
]


@dataclass(frozen=True)
class CometModel:
    """Which COMET model scores, and on what."""

    comet_model: Model = None
    comet_precision: Precision = "fp32"
    comet_batch: Batch = 16
    gpus: Gpus = None
    offline: Offline = False

    def made(self) -> Comet:
        """Return it as scoring takes it."""
        from scalefit.scoring.checkpoint import Comet

        return Comet(
            self.comet_model or Comet.model,
            batch_size=self.comet_batch,
            gpus=self.gpus,
            precision=self.comet_precision,
            local_files_only=True if self.offline else None,
        )


@dataclass(frozen=True)
class Scoring:
    """How texts are scored, what is kept of it, and by whom: what scoring takes by name."""

    tokenize: Tokenizer = None
    resamples: Resamples = 1000
    cache: CacheFile = None
    no_cache: NoCache = False
    workers: Workers = None
    scheduler: Scheduler = None
    allow_empty: Empty = False

    @property
    def options(self) -> dict[str, Any]:
        """What ``score_systems`` is told."""
        return {
            "tokenize": self.tokenize,
            "resamples": self.resamples,
            "cache": False if self.no_cache else self.cache,
            "workers": self.workers or os.cpu_count() or 1,
            "executor": self.scheduler,
            "allow_empty": self.allow_empty,
        }


@dataclass(frozen=True)
class Columnar:
    """Where the columns of a table of scores come from, beside the scores."""

    columns: Columns = None
    manifest: ManifestFile = None
    pattern: Pattern = None


@dataclass(frozen=True)
class Answers:
    """Where scores go, and what they are compared with."""

    segments: Segments = None
    baseline: Baseline = None
    output: Output = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        _io.check_table(self.output)


def score(
    hyp: Hyp,
    ref: Ref = None,
    src: Src = None,
    metric: Names = ["bleu", "chrf"],  # noqa: B006 - typer copies it
    comet: CometModel = CometModel(),
    scoring: Scoring = Scoring(),
    about: Columnar = Columnar(),
    answer: Answers = Answers(),
) -> None:
    """Score hypotheses against references; what is scored once is not scored again.

    scalefit score --hyp 'runs/*/hyp.de' --ref ref.de --src src.en --metric bleu chrf comet
    --comet-model Unbabel/wmt22-comet-da -o scores.parquet
    """
    from scalefit.scoring.score import score_systems

    scored = score_systems(
        [Path(file) for file in hyp],
        ref,
        src,
        [word for name in metric for word in name.split(",") if word],
        comet=comet.made(),
        columns=_io.pairs(about.columns, "--set"),
        manifest=about.manifest,
        pattern=about.pattern,
        **scoring.options,
    )
    _write(scored, answer)


def _write(scored: Scored, answer: Answers) -> None:
    from scalefit.scoring.bootstrap import compare_systems

    segments, output, baseline = answer.segments, answer.output, answer.baseline
    if segments is not None:
        segments.mkdir(parents=True, exist_ok=True)
        for name, statistics in scored.statistics.items():
            statistics.save(segments / f"{name}.npz")
    if output is not None:
        scored.table.write(output)
    compared = [compare_systems(one, baseline) for one in scored.statistics.values() if baseline]
    rows = scored.rows()
    if answer.as_json:
        _io.write_json({"scores": rows, "compared": compared})
    else:
        shown = [{k: v for k, v in row.items() if k not in _LONG} for row in rows]
        title = counted(len(rows), "score") + (f", written to {output}" if output else "")
        _io.write_rows(shown, title=title)
        for one in compared:
            print(one)
    write_notes(f"{name}: {one.signature}" for name, one in scored.statistics.items())
    write_notes(scored.table.notes)
    if scored.problems:
        raise typer.Exit(PARTLY)
