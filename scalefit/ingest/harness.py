"""Evaluation harnesses of language models: lm-evaluation-harness, lighteval, T5X."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from scalefit.rows import Row
from scalefit.table.names import metric_name

from .reader import BYTE, LN2, Extract, Reader, first_object, load_json, load_lines, mean_with_error
from .source import Source, number

_SAMPLES = re.compile(r"samples_(?P<task>.+?)(_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl")
_MODEL = re.compile(r"(?:pretrained|model|path)=([^,]+)")
_STEP = re.compile(r"revision=(?:step[_-]?)?(\d{1,12})\b")
_BITS, _BYTES = "bits_per_byte", "byte_perplexity"
_COUNTS = ("alias", "name", "samples", "sample_len", "sample_count")
_PLAIN = ("doc_id", "id", "version")


def recognises_lm_eval(source: Source) -> bool:
    """Whether it is JSON with ``results`` beside ``versions`` and ``config``, not lighteval's."""
    head = source.head
    if not head.lstrip().startswith(b"{") or source.suffix != ".json" or b'"results"' not in head:
        return False
    known = (b'"config_general"', b"|0", b'"config"', b'"configs"', b'"versions"')
    lighteval, _, *ours = (key in head for key in known)
    return not lighteval and (any(ours) or len(head) >= 1 << 16)


def _document(source: Source, tool: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a harness's document, and the results by task in it."""
    document = load_json(source)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, dict):
        raise source.wrong(None, f"has no object 'results'; needed {tool} results")
    return document, results


def read_lm_eval(source: Source) -> Extract:
    """Return every task's metrics with their standard errors."""
    document, results = _document(source, "lm-evaluation-harness")
    extract, versions = Extract(), document.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    model, release = _lm_eval_model(document), document.get("lm_eval_version", "?")
    for task, numbers in results.items():
        if isinstance(numbers, dict):
            told = f"lm-eval:{release}|task:{task}:v{versions.get(task, '?')}"
            own = {"eval_set": str(task), "signature": told}
            rows = _lm_eval_task(numbers, extract)
            extract.rows += [{**row, **own, **model, "source": source.name} for row in rows]
    return extract


def _lm_eval_model(document: dict[str, Any]) -> Row:
    """Return the model's name, and the step whose checkpoint it is (``revision=step3000``)."""
    config = document.get("config")
    arguments = config.get("model_args") if isinstance(config, dict) else None
    told = document.get("model_name") or arguments
    if isinstance(told, dict):
        told = told.get("pretrained")
    named = _MODEL.search(told) if isinstance(told, str) else None
    name = named[1] if named else told
    step = _STEP.search(_spelled(arguments))
    known = {"model": name} if isinstance(name, str) and name else {}
    return {**known, "step": int(step[1])} if step else known


def _spelled(arguments: Any) -> str:
    """Return the model's arguments as older versions print them."""
    if isinstance(arguments, dict):
        return ",".join(f"{name}={value}" for name, value in arguments.items())
    return arguments if isinstance(arguments, str) else ""


def _lm_eval_task(numbers: dict[str, Any], extract: Extract) -> Iterator[Row]:
    for key, value in numbers.items():
        name, _, kept = key.partition(",")
        known = number(value)
        if known is None or name.endswith("_stderr") or name in _COUNTS:
            continue
        error = number(numbers.get(f"{name}_stderr,{kept}" if kept else f"{name}_stderr"))
        of = "word_perplexity" if metric_name(name) == "perplexity" else metric_name(name)
        row: Row = {"metric": of, "value": known, "stderr": error}  # LAMBADA's is of the last word
        if name in (_BITS, _BYTES):
            if name == _BYTES and _BITS in (key.partition(",")[0] for key in numbers):
                continue  # the same quantity once more
            row = _per_byte(name, known, error, extract)
        yield {**row, **({"filter": kept} if kept not in ("", "none") else {})}


def _per_byte(name: str, value: float, error: float | None, extract: Extract) -> Row:
    """Return bits per byte, or their perplexity, in nats per byte."""
    if name == _BITS:
        nats, slope = value * LN2, LN2
        extract.note("lm-eval's bits_per_byte times ln 2 is cross_entropy_per_byte, not per token")
    else:
        nats = math.log(value) if 0 < value < math.inf else math.nan
        slope = 1 / value if value > 0 else math.nan
        extract.note("ln of lm-eval's byte_perplexity is cross_entropy_per_byte, not per token")
    stderr = None if error is None else error * slope
    return {"metric": "cross_entropy_per_byte", "value": nats, "unit": BYTE, "stderr": stderr}


def recognises_lm_eval_samples(source: Source) -> bool:
    """Whether the first line is a sample with ``doc_id`` and responses."""
    return {"doc_id", "resps"} <= set(first_object(source))


def read_lm_eval_samples(source: Source) -> Extract:
    """Return the means of the per-sample numbers with their standard errors."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    extract = Extract()
    for line, sample in load_lines(source):
        if not isinstance(sample, dict) or "doc_id" not in sample:
            raise source.wrong(line, "is no sample with a 'doc_id'")
        for key, value in sample.items():
            known = number(value) if isinstance(value, int | float) else None
            if known is not None and key not in _PLAIN and not key.endswith("_hash"):
                values[key, str(sample.get("filter", "none"))].append(known)
            elif key in ("bleu", "chrf", "ter"):
                extract.note(
                    f"{key} is no mean over samples: left out; score the responses instead"
                )
    named = _SAMPLES.fullmatch(source.path.name.removesuffix(".gz"))
    for (key, kept), many in values.items():
        row = {"metric": metric_name(key), **mean_with_error(many)}
        own = {"filter": kept} if kept != "none" else {}
        extract.rows.append(
            {**row, **own, "eval_set": named and named["task"], "source": source.name}
        )
    if not extract.rows:
        raise source.nothing("its samples hold no number. Try: score their responses")
    return extract


LM_EVAL = Reader("lm-eval", "lm-evaluation-harness results", recognises_lm_eval, read_lm_eval)
LM_EVAL_SAMPLES = Reader(
    "lm-eval-samples",
    "lm-evaluation-harness samples",
    recognises_lm_eval_samples,
    read_lm_eval_samples,
)


def recognises_lighteval(source: Source) -> bool:
    """Whether it is JSON with ``config_general`` and ``results``."""
    head = source.head
    return head.lstrip().startswith(b"{") and b'"config_general"' in head


def read_lighteval(source: Source) -> Extract:
    """Return every task's metrics with their standard errors; the average over all is left out."""
    document, results = _document(source, "lighteval")
    extract, model = Extract(), _lighteval_model(document)
    for key, numbers in results.items():
        if key == "all":
            extract.note(f"{source.name}: lighteval's average over all tasks left out")
        elif isinstance(numbers, dict):
            own = {"eval_set": str(key), "signature": f"lighteval:{key}", "source": source.name}
            extract.rows += [{**row, **own, **model} for row in _lighteval_task(numbers)]
    return extract


def _lighteval_task(numbers: dict[str, Any]) -> list[Row]:
    names = [n for n in numbers if not n.endswith("_stderr") and number(numbers[n]) is not None]
    return [
        {
            "metric": metric_name(name),
            "value": number(numbers[name]),
            "stderr": number(numbers.get(f"{name}_stderr")),
        }
        for name in names
    ]


def _lighteval_model(document: dict[str, Any]) -> Row:
    config = document.get("config_general")
    if not isinstance(config, dict):
        return {}
    inner = config.get("model_config")
    name = config.get("model_name") or (
        inner.get("model_name") if isinstance(inner, dict) else None
    )
    return {"model": name} if isinstance(name, str) else {}


LIGHTEVAL = Reader("lighteval", "lighteval results", recognises_lighteval, read_lighteval)


_NAME = re.compile(r"(?P<task>.+?)-metrics\.jsonl")
_PER_TOKEN = re.compile(r"(?:cross_ent_)?loss_per_\w*target_tokens?|nll_per_\w*target_tokens?")


def recognises_t5x(source: Source) -> bool:
    """Whether it is named ``…-metrics.jsonl`` and its first line has a step."""
    return bool(_NAME.fullmatch(source.basename)) and "step" in first_object(source)


def read_t5x(source: Source) -> Extract:
    """Return every metric of every step."""
    extract = Extract()
    named = _NAME.fullmatch(source.path.name.removesuffix(".gz"))
    for line, record in load_lines(source):
        if not isinstance(record, dict) or number(record.get("step")) is None:
            raise source.wrong(line, "is no object with a 'step'; needed T5X metrics")
        step = record["step"] if record["step"] != -1 else None
        place = {"eval_set": named and named["task"], "step": step, "source": source.at(line)}
        for key, value in record.items():
            if key == "step" or number(value) is None:
                continue
            name = _metric(str(key), extract)
            if name:
                unit = {"unit": "nats/target token"} if name == "cross_entropy" else {}
                extract.rows.append({"metric": name, "value": value, **unit, **place})
    return extract


def _metric(key: str, extract: Extract) -> str | None:
    if _PER_TOKEN.fullmatch(key):
        return "cross_entropy"
    if "loss" in key or "nll" in key or "weight_sum" in key:
        extract.note(f"T5X's {key} is not per target token: left out")
        return None
    return metric_name(key)


T5X = Reader("t5x", "T5X metrics", recognises_t5x, read_t5x)
