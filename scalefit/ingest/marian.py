"""Marian ``valid.log`` and training logs; ``ce-mean-words`` is nats per target token."""

from __future__ import annotations

import math
import re

from .entropy import of_perplexity
from .jsons import number
from .reader import Extract, Reader
from .source import Source

_VALID = re.compile(
    r"\[valid\]\s+Ep\.\s*(?P<epoch>[\d.]+)\s*:\s*Up\.\s*(?P<update>\d{1,15})\s*:\s*"
    r"(?P<metric>[\w-]+)\s*:\s*(?P<value>[^\s:]+)"
)
_METRICS = {
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


def recognises(source: Source) -> bool:
    """Whether there is a [valid] line, or a Marian version line."""
    text = source.head.decode("utf-8", errors="replace")
    return bool(_VALID.search(text)) or "[marian] Marian v" in text


def read(source: Source) -> Extract:
    """Return every validation; cross-entropies that are not per token are left out and named."""
    found = Extract()
    for line, text in source.lines():
        valid = _VALID.search(text)
        if valid is None:
            continue
        name = _METRICS.get(valid["metric"])
        if name is None:
            found.note(f"Marian's {valid['metric']} is not per target token or unknown: left out")
            continue
        own = {"signature": f"marian:{valid['metric']}"} if name in ("bleu", "chrf") else {}
        if valid["metric"] == "translation":
            found.note("Marian's translation is what the user's script printed: taken as BLEU")
        unit = {"unit": "nats/target token"} if name == "cross_entropy" else {}
        place = {"step": int(valid["update"]), "eval_set": "valid", "source": source.at(line)}
        found.rows.append({"metric": name, "value": valid["value"], **own, **unit, **place})
    if not found.rows:
        raise source.nothing("a Marian log without a [valid] line that can be used")
    _add_entropy(found)
    _add_labels(source, found)
    return found


def _add_entropy(found: Extract) -> None:
    """Add ln(perplexity), which Marian counts per target token, where the log has no other."""
    if any(row["metric"] == "cross_entropy" for row in found.rows):
        return
    for row in [row for row in found.rows if row["metric"] == "perplexity"]:
        value = number(row["value"])
        found.rows.append({**row, **of_perplexity(math.nan if value is None else value)})
        found.note("Marian's cross-entropy is ln(perplexity) here")


def _add_labels(source: Source, found: Extract) -> None:
    """Add the target tokens seen, which Marian keeps beside the model."""
    progress = [] if source.held is not None else sorted(source.path.parent.glob("*.progress.yml"))
    if len(progress) != 1:
        return
    labels = batches = None
    for _, text in Source.of(progress[0]).lines():
        labels = _LABELS.match(text) or labels
        batches = _BATCHES.match(text) or batches
    for row in found.rows:
        if labels and batches and row["step"] == int(batches[1]):
            row["target_tokens_seen"] = int(labels[1])


READER = Reader("marian", "a Marian log", recognises, read)
