"""Logs of translation toolkits: Marian, JoeyNMT, Sockeye, OpenNMT-py and OpenNMT-tf; perplexities become nats."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from scalefit.table.metrics import METRICS
from scalefit.table.names import metric_name

from .reader import Extract, Reader, Row, cross_entropy, of_perplexity
from .source import Source, number

_MARIAN_LINE = re.compile(
    r"\[valid\]\s+Ep\.\s*(?P<epoch>[\d.]+)\s*:\s*Up\.\s*(?P<update>\d{1,15})\s*:\s*"
    r"(?P<metric>[\w-]+)\s*:\s*(?P<value>[^\s:]+)"
)
_MARIAN_METRICS = {
    "ce-mean-words": "cross_entropy",
    "perplexity": "perplexity",
    "bleu-detok": "bleu",
    "bleu-segmented": "bleu",
    "bleu": "bleu",
    "translation": "bleu",
    "chrf": "chrf",
}
_LABELS = re.compile(r"^labels-total:\s*(\d{1,18})\s*$")
_BATCHES = re.compile(r"^batches:\s*(\d{1,15})\s*$")


def recognises_marian(source: Source) -> bool:
    """Whether there is a [valid] line, or a Marian version line."""
    text = source.head.decode("utf-8", errors="replace")
    return bool(_MARIAN_LINE.search(text)) or "[marian] Marian v" in text


def read_marian(source: Source) -> Extract:
    """Return every validation; cross-entropies that are not per token are left out and named."""
    extract = Extract()
    for line, text in source.lines():
        valid = _MARIAN_LINE.search(text)
        if valid is None:
            continue
        name = _MARIAN_METRICS.get(valid["metric"])
        if name is None:
            extract.note(f"Marian's {valid['metric']} is not per target token or unknown: left out")
            continue
        own = {"signature": f"marian:{valid['metric']}"} if name in ("bleu", "chrf") else {}
        if valid["metric"] == "translation":
            extract.note("Marian's translation is what the user's script printed: taken as BLEU")
        unit = {"unit": "nats/target token"} if name == "cross_entropy" else {}
        place = {"step": int(valid["update"]), "eval_set": "valid", "source": source.at(line)}
        extract.rows.append({"metric": name, "value": valid["value"], **own, **unit, **place})
    if not extract.rows:
        raise source.nothing("a Marian log without a [valid] line that can be used")
    _add_entropy(extract)
    _add_labels(source, extract)
    return extract


def _add_entropy(extract: Extract) -> None:
    """Add ln(perplexity), which Marian counts per target token, where the log has no other."""
    if any(row["metric"] == "cross_entropy" for row in extract.rows):
        return
    for row in [row for row in extract.rows if row["metric"] == "perplexity"]:
        value = number(row["value"])
        extract.rows.append({**row, **of_perplexity(math.nan if value is None else value)})
        extract.note("Marian's cross-entropy is ln(perplexity) here")


def _add_labels(source: Source, extract: Extract) -> None:
    """Add the target tokens seen, which Marian keeps beside the model."""
    progress = [] if source.held is not None else sorted(source.path.parent.glob("*.progress.yml"))
    if len(progress) != 1:
        return
    labels = batches = None
    for _, text in Source.of(progress[0]).lines():
        labels = _LABELS.match(text) or labels
        batches = _BATCHES.match(text) or batches
    for row in extract.rows:
        if labels and batches and row["step"] == int(batches[1]):
            row["target_tokens_seen"] = int(labels[1])


MARIAN = Reader("marian", "a Marian log", recognises_marian, read_marian)


_JOEY_LINE = re.compile(r"Steps:\s*(\d{1,15})[\t,]")
_JOEY_PAIR = re.compile(r"([A-Za-z][\w-]{0,40}):\s*([^\s,]+(?:,\d+)?)")
_JOEY_METRICS = {"bleu": ("bleu", 1.0), "chrf": ("chrf", 100.0), "acc": ("token_accuracy", 1.0)}
"""Logged name -> metric, and what brings it to the table's unit."""
_JOEY_STEP = re.compile(r"\b[Ss]tep:?\s+(\d{1,15})\b")
_JOEY_RESULT = re.compile(r"(?:Validation|Evaluation) result[^:]{0,80}:\s*(.+)")
_JOEY_NOTE = (
    "JoeyNMT's cross-entropy is ln(PPL), label smoothing included where the run had it; its Loss "
    "may be a corpus sum"
)


def recognises_joeynmt(source: Source) -> bool:
    """Whether a first line reads ``Steps: N … PPL: x``."""
    return any(_JOEY_LINE.match(t) and "ppl:" in t.lower() for t in source.first_lines)


def read_joeynmt(source: Source) -> Extract:
    """Return every validation."""
    extract = Extract()
    for line, text in source.lines():
        start = _JOEY_LINE.match(text)
        if start is None:
            continue
        numbers = {name.lower(): number(value) for name, value in _JOEY_PAIR.findall(text)}
        place = {"step": int(start[1]), "eval_set": "dev", "source": source.at(line)}
        ppl = numbers.get("ppl")
        if ppl is not None:
            extract.rows.append({**of_perplexity(ppl), **place})
            extract.note(_JOEY_NOTE)
        extract.rows += _joey_scores(numbers, place)
    if not extract.rows:
        raise source.nothing("has no line 'Steps: N … PPL: x' that is whole")
    return extract


def _joey_scores(numbers: dict[str, float | None], place: Row) -> Iterator[Row]:
    for name, (metric, factor) in _JOEY_METRICS.items():
        value = numbers.get(name)
        if value is not None:
            yield {"metric": metric, "value": value * factor, **place}


def recognises_joeynmt_train(source: Source) -> bool:
    """Whether it is what JoeyNMT prints while it trains."""
    return b" - joeynmt." in source.head or b" joeynmt.training" in source.head


def read_joeynmt_train(source: Source) -> Extract:
    """Return every validation of a ``train.log``, each at the last step told before it."""
    extract, step = Extract(), None
    for line, text in source.lines():
        told = _JOEY_STEP.search(text)
        step = int(told[1]) if told else step
        result = _JOEY_RESULT.search(text)
        if result is None:
            continue
        numbers = {name.lower(): number(value) for name, value in _JOEY_PAIR.findall(result[1])}
        place = {"step": step, "eval_set": "dev", "source": source.at(line)}
        if (ppl := numbers.get("ppl")) is not None:
            extract.rows.append({**of_perplexity(ppl), **place})
            extract.note(_JOEY_NOTE)
        extract.rows += _joey_scores(numbers, place)
    if not extract.rows:
        raise source.nothing("a JoeyNMT log without a validation result")
    return extract


JOEYNMT_TRAIN = Reader(
    "joeynmt-train", "a JoeyNMT training log", recognises_joeynmt_train, read_joeynmt_train
)
JOEYNMT = Reader("joeynmt", "a JoeyNMT validation log", recognises_joeynmt, read_joeynmt)


_SOCKEYE_START = re.compile(r"(\d{1,9})\t(?=[\w-]+=)")
_SOCKEYE_PAIR = re.compile(r"([A-Za-z][\w-]{0,40})=([^\t]{0,60})")
_SOCKEYE_FRACTIONS = {"bleu-val": "bleu", "chrf-val": "chrf", "rouge1-val": "rouge"}


def recognises_sockeye(source: Source) -> bool:
    """Whether a first line is a checkpoint's number and values on the validation set."""
    return any(_SOCKEYE_START.match(t) and "-val=" in t for t in source.first_lines[:5])


def read_sockeye(source: Source) -> Extract:
    """Return every checkpoint's evaluation; its number stands for the step."""
    extract = Extract()
    for line, text in source.lines():
        start = _SOCKEYE_START.match(text)
        if start is None:
            continue
        numbers = {name: number(value) for name, value in _SOCKEYE_PAIR.findall(text)}
        place = {"step": int(start[1]), "eval_set": "valid", "source": source.at(line)}
        if (ppl := numbers.get("perplexity-val")) is not None:
            extract.rows.append({**of_perplexity(ppl), **place})
        for name, metric in _SOCKEYE_FRACTIONS.items():
            if (value := numbers.get(name)) is not None:
                extract.rows.append({"metric": metric, "value": 100 * value, **place})
    if not extract.rows:
        raise source.nothing("has no checkpoint with perplexity-val or bleu-val")
    extract.note(
        "Sockeye's cross-entropy is ln(perplexity-val), its BLEU and chrF were fractions; its steps "
        "are checkpoints"
    )
    return extract


SOCKEYE = Reader("sockeye", "a Sockeye metrics file", recognises_sockeye, read_sockeye)


_STEP = re.compile(r"\bStep\s+(\d{1,15})/\s*\d+\s*;")
_PPL = re.compile(r"[Vv]alidation perplexity:\s*(\S+)")
_ACCURACY = re.compile(r"[Vv]alidation accuracy:\s*(\S+)")
_PREAMBLE = re.compile(
    r"INFO\] (Parsed \d+ corpora from -data|Weighted corpora loaded so far|NMTModel\()"
)
_BLEU = re.compile(r"[Vv]alidation BLEU:?\s*(\S+)")


def recognises_opennmt(source: Source) -> bool:
    """Whether a line reads ``Step N/M; acc: …`` or ``Validation perplexity: …``.

    What stands before the first of them may be long: the model, and a line for each round through
    a small corpus.
    """
    text = source.head.decode("utf-8", errors="replace")
    if _PPL.search(text) or (_STEP.search(text) and "ppl:" in text):
        return True
    return _PREAMBLE.search(text) is not None


def read_opennmt(source: Source) -> Extract:
    """Return every validation, each at the last training step before it."""
    extract, step = Extract(), None
    for line, text in source.lines():
        if train := _STEP.search(text):
            step = int(train[1])
        place = {"step": step, "eval_set": "valid", "source": source.at(line)}
        extract.rows += [{**row, **place} for row in _opennmt_rows(text)]
    if not extract.rows:
        raise source.nothing("an OpenNMT-py log without 'Validation perplexity'")
    extract.note("OpenNMT-py's cross-entropy is ln(validation perplexity)")
    return extract


def _opennmt_rows(text: str) -> list[Row]:
    rows: list[Row] = []
    ppl = _number(_PPL, text)
    if ppl is not None:
        rows.append(of_perplexity(ppl))
    accuracy, bleu = _number(_ACCURACY, text), _number(_BLEU, text)
    if accuracy is not None:
        rows.append({"metric": "token_accuracy", "value": accuracy / 100})
    if bleu is not None:
        rows.append({"metric": "bleu", "value": bleu})
    return rows


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text)
    return number(match[1].rstrip(";,")) if match else None


OPENNMT = Reader("opennmt", "an OpenNMT-py log", recognises_opennmt, read_opennmt)


_TF_LINE = re.compile(r"Evaluation result for step (\d{1,15}): (.+)")
_TF_PAIR = re.compile(r"([A-Za-z][\w-]{0,40}) = ([^\s;]{1,40})")


def recognises_opennmt_tf(source: Source) -> bool:
    """Whether a line tells an evaluation, or the log's first lines are OpenNMT-tf's."""
    text = source.head.decode("utf-8", errors="replace")
    return bool(_TF_LINE.search(text)) or "INFO:tensorflow:Using OpenNMT-tf" in text


def read_opennmt_tf(source: Source) -> Extract:
    """Return every evaluation; its loss is nats per target token, as its perplexity shows."""
    extract = Extract()
    for line, text in source.lines():
        if told := _TF_LINE.search(text):
            place = {"step": int(told[1]), "eval_set": "eval", "source": source.at(line)}
            numbers = {
                n.lower(): v for n, s in _TF_PAIR.findall(told[2]) if (v := number(s)) is not None
            }
            extract.rows += [{**row, **place} for row in _tf_rows(numbers)]
    if not extract.rows:
        raise source.nothing("an OpenNMT-tf log without 'Evaluation result for step'")
    return extract


def _tf_rows(numbers: dict[str, float]) -> list[Row]:
    rows: list[Row] = []
    if "perplexity" in numbers:
        rows.append(of_perplexity(numbers["perplexity"]))
    elif "loss" in numbers:
        rows.append(cross_entropy(numbers["loss"]))
    for name, value in numbers.items():
        if metric_name(name) in METRICS and name != "perplexity":
            rows.append({"metric": metric_name(name), "value": value})
    return rows


OPENNMT_TF = Reader("opennmt-tf", "an OpenNMT-tf log", recognises_opennmt_tf, read_opennmt_tf)
