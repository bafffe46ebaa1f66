"""``wandb-summary.json``: the last value of everything that a W&B run logged."""

from __future__ import annotations

from .jsons import load, number
from .names import loss_note
from .reader import Extract, Reader
from .source import Source


def recognises(source: Source) -> bool:
    """Whether it is named so."""
    return source.basename == "wandb-summary.json" and source.is_file


def read(source: Source) -> Extract:
    """Return the run's evaluations, as they were at its last step."""
    document = load(source)
    if not isinstance(document, dict):
        raise source.wrong(None, "is no JSON object; needed W&B's summary")
    found, step = Extract(), number(document.get("_step"))
    for (eval_set, metric), value in source.names.evaluations(document).items():
        own = {"eval_set": eval_set, "metric": metric, "value": value}
        found.rows.append({**own, "step": step, "source": source.name})
    if not found.rows:
        raise source.nothing("holds no evaluation (a key such as eval/bleu or val_loss)")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


READER = Reader("wandb-summary", "a W&B summary", recognises, read)
