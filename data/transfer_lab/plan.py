"""The plan: every run, in the order in which they are made. Fixed before any result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model import Shape
from pretrain import Pretraining
from records import RUN

CORPORA = {
    "en-fr": ("fr+en", "fr", "en", "de", "code", "unpaired"),
    "en-de": ("de+en", "de", "en", "fr", "code"),
}


@dataclass(frozen=True)
class Finetuning:
    """One finetuning run on one checkpoint."""

    corpus: str
    pretrain_tokens: int
    pretrain_seed: int
    task: str
    finetune_tokens: int
    seed: int
    learning_rate: float
    steps: int
    batch: int
    keep: bool = False  # keep the finetuned weights, for a study of the loss surface

    @property
    def pretrain_run(self) -> str:
        """The pretraining run (or bare initialisation) that this run starts from."""
        return f"{self.corpus}-p{self.pretrain_seed}"

    @property
    def folder(self) -> Path:
        """Where the trainer leaves its logs, under `work/runs`."""
        return Path(RUN.format_map(vars(self)))

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint it starts from, under `work/pretrained`; None without pretraining."""
        return (
            Path(self.pretrain_run) / f"{self.pretrain_tokens}.safetensors"
            if self.pretrain_tokens
            else None
        )


@dataclass(frozen=True)
class Grid:
    """Everything that a lab's size depends on."""

    shape: Shape = field(default_factory=Shape)
    sizes: tuple[int, ...] = (
        25_600,
        64_000,
        159_744,
        401_408,
        1_024_000,
        2_560_000,
    )  # whole batches
    finetune_tokens: tuple[int, ...] = (128_000, 32_000)  # the central size first
    seeds: tuple[int, ...] = (1, 2, 3)
    finetune_seeds: tuple[int, ...] = (1, 2)
    learning_rate: float = 6e-3  # chosen by tune.py
    steps: int = 800
    batch: int = 16
    saved_size: int = 401_408

    def pretraining(self, corpus: str, seed: int) -> Pretraining:
        """Return the run of one corpus and seed through all sizes."""
        return Pretraining(corpus, seed, self.sizes)

    def finetunings(
        self, corpora: tuple[str, ...], task: str, tokens: int, seeds: tuple[int, int]
    ) -> Iterator[Finetuning]:
        """Yield one task's runs at one finetuning size and pair of seeds, all pretraining sizes."""
        for corpus in corpora:
            for size in (0,) if corpus == "none" else self.sizes:
                keep = (
                    task == "en-fr"
                    and tokens == self.finetune_tokens[0]
                    and size == self.saved_size
                )
                training = (self.learning_rate, self.steps, self.batch)
                yield Finetuning(corpus, size, seeds[0], task, tokens, seeds[1], *training, keep)


def plan(grid: Grid) -> list[Finetuning]:
    """Return all runs: a first part, the central factorial, then the other cells with one seed."""
    central = grid.finetune_tokens[0]
    jobs = list(grid.finetunings(("none", "fr+en", "en"), "en-fr", central, (1, 1)))
    for p in grid.seeds:
        for corpus in ("none", *CORPORA["en-fr"]):
            for f in grid.finetune_seeds:
                jobs += grid.finetunings((corpus,), "en-fr", central, (p, f))
    others = [("en-fr", t) for t in grid.finetune_tokens[1:]] + [
        ("en-de", t) for t in grid.finetune_tokens
    ]
    for task, tokens in others:
        jobs += grid.finetunings(("none", *CORPORA[task]), task, tokens, (1, 1))
    return list(dict.fromkeys(jobs))
