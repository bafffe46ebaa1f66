"""The finetuning and evaluation sets as pieces: the same for every run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from pairs import Pair
from text import read_pairs
from tokenizer import EOS, PAD, train_tokenizer

LONGEST = {
    "train": 28,
    "dev": 28,
    "test": 28,
    "out": 40,
}  # pieces of either side, end mark included
EVALUATED = {"test": 400, "dev": 300, "out": 200}  # segments at most


@dataclass(frozen=True)
class Segment:
    """One pair as text and as pieces."""

    pair: Pair
    source: tuple[int, ...]
    target: tuple[int, ...]


@lru_cache(maxsize=16)
def segments(work: Path, task: str, split: str) -> tuple[Segment, ...]:
    """Return a split in a fixed random order, pairs with an overlong side left out."""
    tokenizer = train_tokenizer(work, 0)
    pairs = read_pairs(work / "text", task, split)
    random.Random(1).shuffle(pairs)
    sources, targets = (
        tokenizer.encode([getattr(p, side) for p in pairs]) for side in ("source", "target")
    )
    made = (
        Segment(p, (*s, EOS), (*t, EOS)) for p, s, t in zip(pairs, sources, targets, strict=True)
    )
    kept = tuple(m for m in made if max(len(m.source), len(m.target)) <= LONGEST[split])
    return kept[: EVALUATED.get(split)]


def training_set(work: Path, task: str, tokens: int) -> tuple[Segment, ...]:
    """Return the first segments of `tokens` target tokens: smaller sets are parts of larger."""
    total, count = 0, 0
    everything = segments(work, task, "train")
    for segment in everything:
        if total + len(segment.target) > tokens:
            break
        total, count = total + len(segment.target), count + 1
    return everything[:count]


def padded(rows: list[tuple[int, ...]], fill: int = PAD) -> torch.Tensor:
    """Stack rows of different lengths."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


def collate(batch: list[dict[str, tuple[int, ...]]]) -> dict[str, torch.Tensor]:
    """Make the model's inputs from segments given as `input_ids` and `labels`."""
    source = padded([row["input_ids"] for row in batch])
    return {
        "input_ids": source,
        "attention_mask": (source != PAD).long(),
        "labels": padded([row["labels"] for row in batch], fill=-100),
    }
