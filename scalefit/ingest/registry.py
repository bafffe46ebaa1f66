"""All readers, in the order in which they are tried: the most particular first."""

from __future__ import annotations

from scalefit.errors import FormatError
from scalefit.groups import did_you_mean

from . import (
    columnar,
    fairseq,
    harness,
    hugging_face,
    mlflow,
    score_files,
    tensorboard,
    text_tables,
    toolkit_logs,
    wandb,
)
from .reader import Reader
from .source import Source

READERS: tuple[Reader, ...] = (
    columnar.POINTER,
    columnar.PARQUET,
    columnar.EXCEL,
    columnar.REFUSED,
    tensorboard.TENSORBOARD,
    wandb.OFFLINE,
    mlflow.SQLITE,
    mlflow.STORE,
    hugging_face.TRAINER,
    hugging_face.RESULTS,
    hugging_face.LLAMAFACTORY,
    wandb.SUMMARY,
    score_files.MT_METRICS_EVAL,
    fairseq.TRAINING,
    fairseq.GENERATION,
    toolkit_logs.MARIAN,
    toolkit_logs.JOEYNMT,
    toolkit_logs.JOEYNMT_TRAIN,
    toolkit_logs.SOCKEYE,
    toolkit_logs.OPENNMT_TF,
    toolkit_logs.OPENNMT,
    hugging_face.CONSOLE,
    harness.T5X,
    harness.LIGHTEVAL,
    harness.LM_EVAL,
    harness.LM_EVAL_SAMPLES,
    score_files.SACREBLEU,
    score_files.COMET_JSON,
    score_files.COMET_TEXT,
    wandb.PANEL,
    wandb.RUNS,
    wandb.HISTORY,
    text_tables.MARKDOWN,
    text_tables.LINES,
    text_tables.JSON,
    text_tables.TSV,
    text_tables.CSV,
)
FORMATS = {reader.name: reader for reader in READERS if reader.name != "refused"}
TABLE_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm")


def by_name(name: str) -> Reader:
    """Return the reader of a format's name."""
    if name not in FORMATS:
        raise FormatError(
            f"there is no format {name!r}; needed one of {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}"
        )
    return FORMATS[name]


def recognise(source: Source) -> Reader | None:
    """Return the first reader that recognises a source, or None."""
    kind = "folder" if source.is_dir else "file"
    able = (r for r in READERS if r.takes in (kind, "both"))
    try:
        if (own := _long_table(source)) is not None:
            return own
        return next((reader for reader in able if reader.recognises(source)), None)
    except OSError as error:
        raise source.wrong(None, f"cannot be read: {error.strerror or error}") from error


def _long_table(source: Source) -> Reader | None:
    """Return the reader of a text table with columns metric and value: ours, whatever its texts say."""
    if not source.is_file or b"value" not in source.head or b"metric" not in source.head:
        return None
    if text_tables.is_long_json(source):
        return text_tables.LINES if source.head.lstrip().startswith(b"{") else text_tables.JSON
    if not text_tables.is_long_csv(source):
        return None
    return text_tables.TSV if source.suffix == ".tsv" else text_tables.CSV


def required(source: Source) -> Reader:
    """Return the reader of a source, or raise what it is not."""
    reader = recognise(source)
    if reader is not None:
        return reader
    if source.is_file and not source.head:
        source.data(limit=1 << 30) if source.held is None else None
        raise source.wrong(None, "is empty; needed a results file")
    raise source.wrong(
        None,
        f"is none of the known formats ({', '.join(FORMATS)}). Try: format= where you know better",
    )
