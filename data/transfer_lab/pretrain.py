"""Denoising pretraining: spans are masked in the input, the decoder writes the whole segment.

Of the corpus `unpaired`, a bitext whose pairs do not belong together, the encoder reads an English
segment and the decoder writes a French one that has nothing to do with it.

One run at a constant learning rate (after a short warm-up) passes through all sizes of the grid,
so every checkpoint is what a run of that size would have been. Checkpoints of one run are one
cluster: they share `pretrain_run`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model import Shape, new_model, save_weights
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from text import UNPAIRED, parts
from tokenizer import EOS, MASK, PAD, encoded_corpus, train_tokenizer

SEGMENT = 32  # pieces of a segment, its end mark included
BATCH = 16  # segments of a step: 512 tokens
MASKED = 0.3
MEAN_SPAN = 3


@dataclass(frozen=True)
class Pretraining:
    """One pretraining run."""

    corpus: str
    seed: int
    sizes: tuple[int, ...]
    learning_rate: float = 3e-3
    warmup: int = 20

    @property
    def run(self) -> str:
        """The run's name; part of every table row that came from it."""
        return f"{self.corpus}-p{self.seed}"


def segments(paragraphs: list[NDArray[np.uint16]], rng: np.random.Generator) -> NDArray[np.int64]:
    """Cut the shuffled paragraphs, joined by end marks, into equal segments."""
    order = rng.permutation(len(paragraphs))
    end = np.array([EOS], dtype=np.uint16)
    stream = np.concatenate([part for i in order for part in (paragraphs[i], end)]).astype(np.int64)
    count = len(stream) // (SEGMENT - 1)
    rows = stream[: count * (SEGMENT - 1)].reshape(count, SEGMENT - 1)
    return np.concatenate([rows, np.full((count, 1), EOS)], axis=1)


def batches(parts: list[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Yield batches for ever, equal shares of each part; a part starts again when it is used up."""
    share, place = BATCH // len(parts), [0] * len(parts)
    while True:
        rows = []
        for i, part in enumerate(parts):
            rows.append(part.take(range(place[i], place[i] + share), axis=0, mode="wrap"))
            place[i] += share
        yield np.concatenate(rows)


def corrupt(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Replace random spans (30 % of the pieces) by one mask each; pad what gets shorter."""
    starts = rng.random(rows.shape) < MASKED / MEAN_SPAN
    lengths = rng.poisson(MEAN_SPAN - 1, rows.shape) + 1
    out = np.full_like(rows, PAD)
    for i, row in enumerate(rows):
        kept, j = [], 0
        while j < len(row) - 1:
            kept.append(MASK if starts[i, j] else row[j])
            j += int(lengths[i, j]) if starts[i, j] else 1
        out[i, : len(kept) + 1] = [*kept, EOS]
    return out[:, : int((out != PAD).sum(axis=1).max())]


def examples(
    job: Pretraining, work: Path, tokenizer: SentencePieceProcessor, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield batches for ever: what the encoder reads and what the decoder writes."""
    found = [segments(encoded_corpus(work, name, tokenizer), rng) for name in parts(job.corpus)]
    if job.corpus in UNPAIRED:
        yield from zip(*(batches([part]) for part in found), strict=True)
    else:
        yield from ((corrupt(rows, rng), rows) for rows in batches(found))


def pretrain(job: Pretraining, work: Path, shape: Shape) -> None:
    """Train through all sizes; leave one checkpoint a size and a `done` file."""
    folder = work / "pretrained" / job.run
    if (folder / "done").exists():
        return
    tokenizer = train_tokenizer(work, shape.vocabulary)
    rng = np.random.default_rng([job.seed, *job.corpus.encode()])
    model = new_model(shape, job.seed).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=job.learning_rate, weight_decay=0.0, fused=True
    )
    stream, seen, step = examples(job, work, tokenizer, rng), 0, 0
    for size in job.sizes:
        while seen < size:
            source, target = map(torch.from_numpy, next(stream))
            warm = min(1.0, (step + 1) / job.warmup)
            for group in optimiser.param_groups:
                group["lr"] = job.learning_rate * warm
            loss = model(input_ids=source, attention_mask=source != PAD, labels=target).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            seen, step = seen + target.numel(), step + 1
        save_weights(model, folder / f"{size}.safetensors")
        with (folder / "log.txt").open("a") as log:
            log.write(f"{seen} tokens, {step} steps, loss {loss.item():.4f}\n")
    (folder / "done").touch()
