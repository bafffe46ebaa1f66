"""lighteval: ``results_<time>.json`` with keys ``suite|task|fewshot``, lately ``task|fewshot``."""

from __future__ import annotations

from typing import Any

from scalefit.table.names import metric_name

from .jsons import load, number
from .reader import Extract, Reader, Row
from .source import Source


def recognises(source: Source) -> bool:
    """Whether it is JSON with ``config_general`` and ``results``."""
    head = source.head
    return head.lstrip().startswith(b"{") and b'"config_general"' in head


def read(source: Source) -> Extract:
    """Return every task's metrics with their standard errors; the average over all is left out."""
    document = load(source)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, dict):
        raise source.wrong(None, "has no object 'results'; needed lighteval results")
    found, model = Extract(), _model(document)
    for key, numbers in results.items():
        if key == "all":
            found.note(f"{source.name}: lighteval's average over all tasks left out")
        elif isinstance(numbers, dict):
            own = {"eval_set": str(key), "signature": f"lighteval:{key}", "source": source.name}
            found.rows += [{**row, **own, **model} for row in _task(numbers)]
    if not found.rows:
        raise source.nothing("holds no task with a number")
    return found


def _task(numbers: dict[str, Any]) -> list[Row]:
    names = [n for n in numbers if not n.endswith("_stderr") and number(numbers[n]) is not None]
    return [
        {
            "metric": metric_name(name),
            "value": number(numbers[name]),
            "stderr": number(numbers.get(f"{name}_stderr")),
        }
        for name in names
    ]


def _model(document: dict[str, Any]) -> Row:
    config = document.get("config_general")
    if not isinstance(config, dict):
        return {}
    inner = config.get("model_config")
    name = config.get("model_name") or (
        inner.get("model_name") if isinstance(inner, dict) else None
    )
    return {"model": name} if isinstance(name, str) else {}


READER = Reader("lighteval", "lighteval results", recognises, read)
