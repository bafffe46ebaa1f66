"""An MLflow tracking server, by its REST interface: ``scalefit.read("http://host:5000")``."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from scalefit.errors import FormatError
from scalefit.table.columns import KNOWN

from .limits import LIMITS
from .names import loss_note, split
from .reader import Extract, Row

_API = "/api/2.0/mlflow/"
_TIMEOUT = 30.0
_PAGES = 1000


def is_server(path: str) -> bool:
    """Whether a path is a tracking server's address."""
    return path.startswith(("http://", "https://"))


def read_server(address: str) -> Extract:
    """Return the last evaluations of all active runs of all experiments."""
    found = Extract()
    experiments = [
        str(e["experiment_id"]) for e in _pages(address, "experiments/search", "experiments", {})
    ]
    asked = {"experiment_ids": experiments, "run_view_type": "ACTIVE_ONLY"}
    for run in _pages(address, "runs/search", "runs", asked):
        found.rows += _rows(address, run)
    if not found.rows:
        raise FormatError(
            f"{address}: no active run has an evaluation (a metric such as eval_bleu)"
        )
    found.note(f"{address}: the last value of each metric is read; clocks and training left out")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def _rows(address: str, run: dict[str, Any]) -> Iterator[Row]:
    info, data = run.get("info", {}), run.get("data", {})
    params = {p.get("key"): p.get("value") for p in data.get("params", [])}
    common = {k: v for k, v in params.items() if k in KNOWN}
    name = info.get("run_name") or info.get("run_id")
    for metric in data.get("metrics", []):
        named = split(str(metric.get("key")))
        if named is not None:
            place = {"step": metric.get("step"), "source": f"{address}#{info.get('run_id')}"}
            values = {"eval_set": named[0], "metric": named[1], "value": metric.get("value")}
            yield {**common, "run": name, "@run": info.get("run_id"), **values, **place}


def _pages(address: str, call: str, key: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    token: str | None = None
    for _ in range(_PAGES):
        body = {**asked, "max_results": 1000, **({"page_token": token} if token else {})}
        answer = _post(address.rstrip("/") + _API + call, body)
        for item in answer.get(key, []):
            if isinstance(item, dict):
                yield item
        token = answer.get("next_page_token")
        if not token:
            return


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, data, kind)
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            text = answer.read(LIMITS.whole + 1)
        found = json.loads(text) if len(text) <= LIMITS.whole else None
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{url}: no MLflow tracking server answers here: {error}. "
            "Try: start it, or read its sqlite file or mlruns folder directly"
        ) from error
    if not isinstance(found, dict):
        raise FormatError(f"{url}: answered with something that is no MLflow")
    return found
