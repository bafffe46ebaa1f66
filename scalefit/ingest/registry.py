"""All readers, in the order in which they are tried: the most particular first."""

from __future__ import annotations

from scalefit.errors import FormatError
from scalefit.groups import did_you_mean

from . import (
    columnar,
    comet_scores,
    delimited,
    fairseq,
    fairseq_generate,
    hf_text,
    hf_trainer,
    history_csv,
    joeynmt,
    json_table,
    lighteval,
    lm_eval,
    marian,
    markdown,
    mlflow_files,
    mlflow_sqlite,
    mt_metrics_eval,
    opennmt,
    opennmt_tf,
    sacrebleu_json,
    sockeye,
    t5x,
    tensorboard,
    wandb_csv,
    wandb_offline,
    wandb_summary,
)
from .reader import Reader
from .source import Source

READERS: tuple[Reader, ...] = (
    columnar.POINTER,
    columnar.PARQUET,
    columnar.EXCEL,
    columnar.REFUSED,
    tensorboard.READER,
    wandb_offline.READER,
    mlflow_sqlite.READER,
    mlflow_files.READER,
    hf_trainer.READER,
    hf_text.RESULTS,
    hf_text.LLAMAFACTORY,
    wandb_summary.READER,
    mt_metrics_eval.READER,
    fairseq.READER,
    fairseq_generate.READER,
    marian.READER,
    joeynmt.READER,
    joeynmt.TRAIN,
    sockeye.READER,
    opennmt_tf.READER,
    opennmt.READER,
    hf_text.CONSOLE,
    t5x.READER,
    lighteval.READER,
    lm_eval.READER,
    lm_eval.SAMPLES,
    sacrebleu_json.READER,
    comet_scores.JSON,
    comet_scores.TEXT,
    wandb_csv.PANEL,
    wandb_csv.RUNS,
    history_csv.READER,
    markdown.READER,
    json_table.LINES,
    json_table.JSON,
    delimited.TSV,
    delimited.CSV,
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
    if json_table.is_long(source):
        return json_table.LINES if source.head.lstrip().startswith(b"{") else json_table.JSON
    if not delimited.is_long(source):
        return None
    return delimited.TSV if source.suffix == ".tsv" else delimited.CSV


def required(source: Source) -> Reader:
    """Return the reader of a source, or raise what it is not."""
    found = recognise(source)
    if found is not None:
        return found
    if source.is_file and not source.head:
        source.data(limit=1 << 30) if source.held is None else None
        raise source.wrong(None, "is empty; needed a results file")
    raise source.wrong(
        None,
        f"is none of the known formats ({', '.join(FORMATS)}). Try: format= where you know better",
    )
