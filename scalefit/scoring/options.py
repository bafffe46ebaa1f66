"""How to score, as one value, and which COMET model to take, as another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from scalefit.errors import ScoringError
from scalefit.executors import Workers

from .bootstrap import SEED
from .sacre import SacreSpec


@dataclass(frozen=True)
class Comet:
    """A COMET model and how to run it.

    Attributes
    ----------
    model : str or path
        Name on the Hugging Face hub, or a checkpoint file, or the folder it lies in.
    revision : str, optional
        Commit or branch on the hub; without it, the one that is on this machine.
    batch_size : int
        Segments at once.
    gpus : int, optional
        0 runs on the CPU, 1 on a GPU; None takes a GPU where there is one.
    precision : {"fp32", "fp16"}
        ``comet-score`` takes fp16, which moves scores by some 3e-4.
    local_files_only : bool, optional
        True never asks the network. None looks on this machine first.

    Examples
    --------
    >>> Comet("Unbabel/wmt22-comet-da", batch_size=32, gpus=0).batch_size
    32
    """

    model: str | Path = "Unbabel/wmt22-comet-da"
    revision: str | None = None
    batch_size: int = 16
    gpus: int | None = None
    precision: Literal["fp32", "fp16"] = "fp32"
    local_files_only: bool | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "fp16"):
            raise ScoringError(f"precision {self.precision!r}; needed 'fp32' or 'fp16'")
        if self.gpus not in (None, 0, 1):
            raise ScoringError(f"gpus={self.gpus}; needed 0 or 1, with one process for each GPU")
        if self.batch_size < 1:
            raise ScoringError(f"batch_size={self.batch_size}; needed 1 or more")


@dataclass(frozen=True)
class Scoring:
    """How to score.

    Attributes
    ----------
    tokenize : str, optional
        SacreBLEU's tokenizer for BLEU: ``"13a"`` unless given; ``"zh"``, ``"ja-mecab"``,
        ``"ko-mecab"``, ``"flores200"``, ….
    settings : mapping
        Further settings of sacreBLEU's classes by metric: ``{"bleu": {"lowercase": True}}``.
    comet : Comet
        Which COMET model, and how to run it.
    resamples, seed : int
        Of the bootstrap over segments; the defaults are sacreBLEU's.
    cache : path or bool, optional
        File that keeps what has been scored; None takes the user's, False none.
    workers : int
        Processes that count n-grams. A script that asks for several needs the usual
        ``if __name__ == "__main__":``.
    executor : executor or address of a scheduler, optional
        Where n-grams are counted and COMET runs instead, see ``docs/scale.md``. A worker loads the model once; what
        it has no file of, it fetches.
    allow_empty : bool
        Whether empty lines are scored rather than refused.
    allow : sequence of str
        Checks of the table to switch off, see :data:`scalefit.table.ALLOWABLE`.
    progress : bool
        Whether to show bars.
    """

    tokenize: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    comet: Comet = field(default_factory=Comet)
    resamples: int = 1000
    seed: int = SEED
    cache: str | Path | bool | None = None
    workers: int = 1
    executor: Workers = None
    allow_empty: bool = False
    allow: Sequence[str] = ()
    progress: bool = True

    def spec(self, metric: str) -> SacreSpec:
        """Return sacreBLEU's metric with these settings."""
        chosen = dict(self.settings.get(metric, {}))
        if metric == "bleu" and self.tokenize is not None:
            chosen["tokenize"] = self.tokenize
        return SacreSpec(metric, chosen)
