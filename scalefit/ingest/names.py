"""What the names of logged numbers mean: which set, which metric, or just a clock."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scalefit.table.metrics import METRICS, canonical

from .jsons import number
from .limits import LIMITS

_PREFIX = re.compile(r"(eval|evaluation|valid|validation|val|dev|test|predict)(?:[_/](.+))", re.I)
_SETS = {"predict": "test", "evaluation": "eval", "validation": "valid", "val": "valid"}
_CLOCKS = re.compile(
    r"(.*_)?(runtime|samples|steps|samples_per_second|steps_per_second|tokens_per_second|epoch|step|"
    r"model_preparation_time|mem_.*|gen_len|global_step|num_input_tokens_seen|timestamp|total_flos|"
    r"jit_compilation_time|.*_mem_.*|throughput|grad_norm|learning_rate|lr|duration|seconds)",
    re.I,
)
Named = tuple[str | None, str]


def split(name: str) -> Named | None:
    """Return (evaluation set, metric) of a logged name such as ``eval_ood_bleu`` or ``val/loss``.

    None where the name is no evaluation, or a clock reading. A ``loss`` stays a ``loss``: only the
    reader knows its unit.
    """
    found = _PREFIX.fullmatch(name.strip()) if len(name) <= LIMITS.name else None
    if found is None or _CLOCKS.fullmatch(found[2]):
        return None
    place, rest = _SETS.get(found[1].lower(), found[1].lower()), found[2]
    head, mark, tail = (
        re.split(r"([_/])", rest, maxsplit=1) if re.search("[_/]", rest) else (rest, "", "")
    )
    if not _is_metric(rest) and mark and _is_metric(tail):
        return head.lower(), metric_name(tail)
    return place, metric_name(rest)


def _is_metric(name: str) -> bool:
    low = name.lower()
    if canonical(low) in METRICS or low.startswith(("loss", "nll")):
        return True
    return any(low.startswith(f"{m}_") for m in METRICS)


def metric_name(name: str) -> str:
    """Return the metric's canonical name, or the name in the registry's manner."""
    plain = canonical(name.replace("/", "_"))
    return plain if plain in METRICS else plain.lower()


def evaluations(record: Mapping[str, object]) -> dict[Named, float]:
    """Return the evaluation numbers of a flat record of logged names."""
    found: dict[Named, float] = {}
    for name, value in record.items():
        named, known = split(str(name)), number(value)
        if named is not None and known is not None:
            found[named] = known
    return found


def loss_note(metrics: set[str]) -> list[str]:
    """Return a note where a loss came without its unit."""
    if not metrics & {"loss", "nll_loss"}:
        return []
    return [
        "a logged 'loss' has no unit and is kept as the metric 'loss'; where it is nats per target "
        "token, mapping={'loss': 'cross_entropy'} says so"
    ]
