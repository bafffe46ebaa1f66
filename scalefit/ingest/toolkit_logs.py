"""Logs of toolkits: Marian, JoeyNMT, Sockeye, OpenNMT, Megatron, consoles of pretraining; perplexities become nats."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from scalefit.rows import Row
from scalefit.table.metrics import METRICS, SETS
from scalefit.table.names import metric_name

from .reader import Extract, Reader, cross_entropy, of_perplexity
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
    text = source.beginning
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


def _log(
    source: Source,
    steps: re.Pattern[str],
    told: Callable[[str], Iterable[Row]],
    eval_set: str,
    nothing: str,
    note: str = "",
    tokens: re.Pattern[str] | None = None,
) -> Extract:
    """Return what every line tells, at the last step and the tokens told before it or in it."""
    extract, step, seen = Extract(), None, dict[str, float]()
    for line, text in source.lines():
        if told_step := steps.search(text):
            step = int(told_step[1])
        if tokens and (told_seen := tokens.search(text)):
            seen = {"pretrain_tokens": float(told_seen[1].replace(",", ""))}
        place = {"step": step, "eval_set": eval_set, "source": source.at(line), **seen}
        extract.rows += ({**place, **row} for row in told(text))
    if not extract.rows:
        raise source.nothing(nothing)
    extract.notes += [note] if note else []
    return extract


def _numbers(pairs: re.Pattern[str], text: str) -> dict[str, float]:
    """Return the numbers of a line by their names in lower case."""
    numbers = {name.lower(): number(value) for name, value in pairs.findall(text)}
    return {name: value for name, value in numbers.items() if value is not None}


def _rows(
    numbers: dict[str, float], perplexity: str, scores: Mapping[str, tuple[str, float]]
) -> Iterator[Row]:
    """Yield the logarithm of a perplexity, and scores in the table's units."""
    if perplexity in numbers:
        yield of_perplexity(numbers[perplexity])
    for name, (metric, factor) in scores.items():
        if name in numbers:
            yield {"metric": metric, "value": numbers[name] * factor}


_JOEY_LINE = re.compile(r"^Steps:\s*(\d{1,15})[\t,]")
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
    nothing = "has no line 'Steps: N … PPL: x' that is whole"
    return _log(source, _JOEY_LINE, lambda t: _joey_rows(_JOEY_LINE, t), "dev", nothing, _JOEY_NOTE)


def _joey_rows(shape: re.Pattern[str], text: str) -> Iterable[Row]:
    told = shape.search(text)
    return _rows(_numbers(_JOEY_PAIR, text[told.start(1) :]), "ppl", _JOEY_METRICS) if told else ()


def recognises_joeynmt_train(source: Source) -> bool:
    """Whether it is what JoeyNMT prints while it trains."""
    return b" - joeynmt." in source.head or b" joeynmt.training" in source.head


def read_joeynmt_train(source: Source) -> Extract:
    """Return every validation of a ``train.log``, each at the last step told before it."""
    nothing = "a JoeyNMT log without a validation result"
    return _log(
        source, _JOEY_STEP, lambda t: _joey_rows(_JOEY_RESULT, t), "dev", nothing, _JOEY_NOTE
    )


JOEYNMT_TRAIN = Reader(
    "joeynmt-train", "a JoeyNMT training log", recognises_joeynmt_train, read_joeynmt_train
)
JOEYNMT = Reader("joeynmt", "a JoeyNMT validation log", recognises_joeynmt, read_joeynmt)


_SOCKEYE_START = re.compile(r"^(\d{1,9})\t(?=[\w-]+=)")
_SOCKEYE_PAIR = re.compile(r"([A-Za-z][\w-]{0,40})=([^\t]{0,60})")
_SOCKEYE_FRACTIONS = {
    "bleu-val": ("bleu", 100.0),
    "chrf-val": ("chrf", 100.0),
    "rouge1-val": ("rouge", 100.0),
}


def recognises_sockeye(source: Source) -> bool:
    """Whether a first line is a checkpoint's number and values on the validation set."""
    return any(_SOCKEYE_START.match(t) and "-val=" in t for t in source.first_lines[:5])


def read_sockeye(source: Source) -> Extract:
    """Return every checkpoint's evaluation; its number stands for the step."""
    return _log(
        source,
        _SOCKEYE_START,
        _sockeye_rows,
        "valid",
        "has no checkpoint with perplexity-val or bleu-val",
        "Sockeye's cross-entropy is ln(perplexity-val), its BLEU and chrF were fractions; its steps are checkpoints",
    )


def _sockeye_rows(text: str) -> Iterable[Row]:
    start = _SOCKEYE_START.match(text)
    return (
        _rows(_numbers(_SOCKEYE_PAIR, text), "perplexity-val", _SOCKEYE_FRACTIONS) if start else ()
    )


SOCKEYE = Reader("sockeye", "a Sockeye metrics file", recognises_sockeye, read_sockeye)


_STEP = re.compile(r"\bStep\s+(\d{1,15})/\s*\d+\s*;")
_PAIR = re.compile(r"[Vv]alidation (perplexity|accuracy|BLEU):?\s*([^\s;]+?),?(?=[\s;]|$)")
_PREAMBLE = re.compile(
    r"INFO\] (Parsed \d+ corpora from -data|Weighted corpora loaded so far|NMTModel\()"
)
_OPENNMT = {"accuracy": ("token_accuracy", 0.01), "bleu": ("bleu", 1.0)}


def recognises_opennmt(source: Source) -> bool:
    """Whether a line reads ``Step N/M; acc: …`` or ``Validation perplexity: …``.

    What stands before the first of them may be long: the model, and a line for each round through a small corpus.
    """
    text = source.beginning
    if "alidation perplexity:" in text or (_STEP.search(text) and "ppl:" in text):
        return True
    return _PREAMBLE.search(text) is not None


def read_opennmt(source: Source) -> Extract:
    """Return every validation, each at the last training step before it."""
    return _log(
        source,
        _STEP,
        lambda t: _rows(_numbers(_PAIR, t), "perplexity", _OPENNMT),
        "valid",
        "an OpenNMT-py log without 'Validation perplexity'",
        "OpenNMT-py's cross-entropy is ln(validation perplexity)",
    )


OPENNMT = Reader("opennmt", "an OpenNMT-py log", recognises_opennmt, read_opennmt)


_TF_LINE = re.compile(r"Evaluation result for step (\d{1,15}): (.+)")
_TF_PAIR = re.compile(r"([A-Za-z][\w-]{0,40}) = ([^\s;]{1,40})")


def recognises_opennmt_tf(source: Source) -> bool:
    """Whether a line tells an evaluation, or the log's first lines are OpenNMT-tf's."""
    text = source.beginning
    return bool(_TF_LINE.search(text)) or "INFO:tensorflow:Using OpenNMT-tf" in text


def read_opennmt_tf(source: Source) -> Extract:
    """Return every evaluation; its loss is nats per target token, as its perplexity shows."""
    nothing = "an OpenNMT-tf log without 'Evaluation result for step'"
    return _log(source, _TF_LINE, _tf_rows, "eval", nothing)


def _tf_rows(text: str) -> list[Row]:
    told = _TF_LINE.search(text)
    numbers = _numbers(_TF_PAIR, told[2]) if told else {}
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


_ITERATION = re.compile(r"\biteration\s+(\d{1,15})\b")
_MEGATRON = re.compile(
    r"validation loss at (?:iteration +\d+|the end of training)(?: (?:on|for) (\w+) (?:set|data)| \[([^\]|]+)\])?"
    r" *\| *lm loss value: *([^\s|]+)"
)


def recognises_megatron(source: Source) -> bool:
    """Whether a line tells a validation's or an iteration's ``lm loss``."""
    text = source.beginning
    return bool(_MEGATRON.search(text)) or ("| lm loss:" in text and "| consumed samples:" in text)


def read_megatron(source: Source) -> Extract:
    """Return every validation; its loss is nats per token, and its iterations are those of pretraining."""
    nothing = "a Megatron log without 'validation loss at iteration'"
    note = "Megatron's iterations are steps of pretraining: tokens_per_step (batch × length) makes sizes of them"
    return _log(source, _ITERATION, _megatron_rows, "valid", nothing, note)


def _megatron_rows(text: str) -> list[Row]:
    told = _MEGATRON.search(text)
    place = (told[1] or told[2] or "valid") if told else ""
    return [{**cross_entropy(number(told[3])), "eval_set": SETS.get(place, place)}] if told else []


MEGATRON = Reader("megatron", "a Megatron log", recognises_megatron, read_megatron)


_BATCH = re.compile(
    r"(?:\[batch=|\[step=|validate step: *|^(?:step|iter)[ :]|^s:|^(?=\d+ (?:val|train|hella) ))(\d{1,15})"
)
_SEEN = re.compile(r"(?:Train time/token: *|throughput/total_tokens=)([\d,]{1,20})")
_VALIDATED = re.compile(
    r"validate step: *\d+(?:\s|\x1b\[[\d;]*m)*loss: *([\d.naif]+)|Eval (?:metrics/(\S+)/)?LanguageCrossEntropy: *(\S+)"
    r"|eval/(\S+)/CrossEntropyLoss=(\S+)|^step \d+: train loss \S+, val loss (\S+)|^step:\d+/\d+ val_loss:(\S+)"
    r"|^\d+ val (\S+)$|^s:\d+ tel:(\S+)"
)
_TRAINED = re.compile(
    r"\[batch=\d+/\d+\]:|\bstep: *\d+\W.*\bloss: .*\btps: |\| consumed_tokens: .*\| lm_loss: "
)


def recognises_pretraining(source: Source) -> bool:
    """Whether a line is one of Composer's, torchtitan's, nanotron's, OLMo's, nanoGPT's or one of its kin's."""
    return any(_VALIDATED.search(t) or _TRAINED.search(t) for t in source.first_lines)


def read_pretraining(source: Source) -> Extract:
    """Return every validation; the loss of training batches is none."""
    nothing = (
        "a pretraining log without a validation ('validate step', 'Eval … LanguageCrossEntropy')"
    )
    note = (
        "its steps are those of pretraining: tokens_per_step (batch × length) makes sizes of them"
    )
    extract = _log(source, _BATCH, _validated, "valid", nothing, note, _SEEN)
    if any("pretrain_tokens" in row for row in extract.rows):
        extract.notes.remove(note)
    return extract


def _validated(text: str) -> list[Row]:
    told = _VALIDATED.search(text)
    place = {"eval_set": told[2] or told[4]} if told and (told[2] or told[4]) else {}
    return [{**cross_entropy(number(told[told.lastindex or 0])), **place}] if told else []


PRETRAINING = Reader(
    "pretraining",
    "a console of pretraining (Composer, torchtitan, OLMo, nanoGPT)",
    recognises_pretraining,
    read_pretraining,
)
