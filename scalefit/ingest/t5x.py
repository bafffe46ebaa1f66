"""T5X / seqio ``inference_eval/<task>-metrics.jsonl``: one object a line, step −1 = unknown."""

from __future__ import annotations

import re

from scalefit.table.names import metric_name

from .jsons import first_object, load_lines, number
from .reader import Extract, Reader
from .source import Source

_NAME = re.compile(r"(?P<task>.+?)-metrics\.jsonl")
_PER_TOKEN = re.compile(r"(?:cross_ent_)?loss_per_\w*target_tokens?|nll_per_\w*target_tokens?")


def recognises(source: Source) -> bool:
    """Whether it is named ``…-metrics.jsonl`` and its first line has a step."""
    return bool(_NAME.fullmatch(source.basename)) and "step" in first_object(source)


def read(source: Source) -> Extract:
    """Return every metric of every step."""
    found = Extract()
    named = _NAME.fullmatch(source.path.name.removesuffix(".gz"))
    for line, record in load_lines(source):
        if not isinstance(record, dict) or number(record.get("step")) is None:
            raise source.wrong(line, "is no object with a 'step'; needed T5X metrics")
        step = record["step"] if record["step"] != -1 else None
        place = {"eval_set": named and named["task"], "step": step, "source": source.at(line)}
        for key, value in record.items():
            if key == "step" or number(value) is None:
                continue
            name = _metric(str(key), found)
            if name:
                unit = {"unit": "nats/target token"} if name == "cross_entropy" else {}
                found.rows.append({"metric": name, "value": value, **unit, **place})
    if not found.rows:
        raise source.nothing("holds no metric")
    return found


def _metric(key: str, found: Extract) -> str | None:
    if _PER_TOKEN.fullmatch(key):
        return "cross_entropy"
    if "loss" in key or "nll" in key or "weight_sum" in key:
        found.note(f"T5X's {key} is not per target token: left out")
        return None
    return metric_name(key)


READER = Reader("t5x", "T5X metrics", recognises, read)
