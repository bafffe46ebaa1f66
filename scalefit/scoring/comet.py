"""COMET, the real one (Rei et al. 2020), with every segment's score kept, so none is made twice."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from scalefit.errors import ScoringError
from scalefit.executors import Each, packs

from .cache import Cache
from .checkpoint import (
    Comet,
    CometFile,
    comet_version,
    encoder_digest,
    is_here,
    locate,
    quiet,
    refuse_offline,
)
from .sacre import key_of

Sample: TypeAlias = dict[str, str]
"""``src``, ``mt`` and, where the model reads it, ``ref``: what COMET's ``predict`` takes."""

_AIM = 10.0  # seconds of work between two transactions: what a kill can cost
_MOST = 4096  # segments between two transactions
_TOGETHER = 16  # batches that travel to a worker together


class CometScorer:
    """A COMET model that scores segments and remembers them.

    The model is loaded when the first segment comes up that is not in the cache, so a rerun
    that finds everything needs neither torch nor the weights in memory.

    Parameters
    ----------
    comet : Comet; which model, and how to run it.
    cache : Cache; segment scores by model, revision, encoder and tokenizer, COMET version, precision, texts.
    references : whether references are at hand.

    Raises MissingDependencyError: if COMET is not installed.
    Raises ScoringError: if the model cannot be had, or needs references and there are none.
    """

    def __init__(self, comet: Comet, cache: Cache, *, references: bool) -> None:
        self.comet, self.cache = comet, cache
        self.checkpoint: CometFile = locate(comet)
        if self.checkpoint.reference == "needed" and not references:
            raise ScoringError(
                f"COMET model {comet.model} needs references, and there are none; "
                "pass references, or take a reference-free model"
            )
        self.reads_references = references and self.checkpoint.reference != "unused"
        self.metric = "comet" if self.reads_references else "comet_qe"
        if not is_here(self.checkpoint.encoder):
            _ = self._model  # loading fetches the encoder's files, which are part of the key
        model = (
            self.checkpoint.name,
            self.checkpoint.revision,
            encoder_digest(self.checkpoint.encoder),
        )
        self.identity = (*model, comet_version(), comet.precision)
        self._pace = 1.0  # segments a second, until the first are measured
        self.signature = self.checkpoint.signature(comet.precision, self.reads_references)

    def samples(
        self, sources: Sequence[str], lines: Sequence[str], references: Sequence[str] | None
    ) -> list[Sample]:
        """Return what COMET is to read, one dict a segment."""
        if not self.reads_references or references is None:
            return [{"src": src, "mt": line} for src, line in zip(sources, lines, strict=True)]
        return [
            {"src": src, "mt": line, "ref": ref}
            for src, line, ref in zip(sources, lines, references, strict=True)
        ]

    def key(self, sample: Sample) -> bytes:
        """Return the key under which a segment's score is kept."""
        return key_of("comet", *self.identity, *sample.values())

    def scores(self, samples: Sequence[Sample], bar: Any, each: Each | None = None) -> list[float]:
        """Return one score a segment; only what is new is computed.

        Parameters
        ----------
        samples : segments, as `samples` returns them.
        bar : tqdm; moved on by one for each segment.
        each : Each, optional; who computes, where that is not this process; the cache is asked and filled here.
        """
        keys = [self.key(sample) for sample in samples]
        wanted = dict(zip(keys, samples, strict=True))
        known = self._known(list(wanted))
        missing = {key: sample for key, sample in wanted.items() if key not in known}
        bar.update(len(samples) - len(missing))
        here = map(self._computed, self._portions(missing))
        for fresh in here if each is None else self._elsewhere(missing, each):
            known |= fresh
            bar.update(len(fresh))
        return [known[key] for key in keys]

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        held = self.cache.get(keys)
        known = {key: struct.unpack("<d", v)[0] for key, v in held.items() if len(v) == 8}
        known = {key: float(score) for key, score in known.items() if math.isfinite(score)}
        self.cache.damaged.update(held.keys() - known.keys())
        return known

    def _portions(self, missing: Mapping[bytes, Sample]) -> Iterator[dict[bytes, Sample]]:
        """Cut the work so that one portion takes some ten seconds, alike lengths together."""
        queue = self._by_length(missing)
        size = 2 * self.comet.batch_size
        while queue:
            now, queue = queue[:size], queue[size:]
            yield {key: missing[key] for key in now}
            size = min(4 * size, _MOST, max(self.comet.batch_size, int(self._pace * _AIM)))

    def _computed(self, portion: Mapping[bytes, Sample]) -> dict[bytes, float]:
        """Score what no other process has scored meanwhile, and store it at once."""
        known = self._known(list(portion))
        new = {key: sample for key, sample in portion.items() if key not in known}
        if new:
            known |= self._kept(new, self.predict(list(new.values())))
        return known

    def _kept(self, keys: Iterable[bytes], scores: Iterable[float]) -> dict[bytes, float]:
        """Store new scores at once, and return them."""
        fresh = dict(zip(keys, scores, strict=True))
        self.cache.put({key: struct.pack("<d", score) for key, score in fresh.items()})
        return fresh

    def _elsewhere(
        self, missing: Mapping[bytes, Sample], each: Each
    ) -> Iterator[dict[bytes, float]]:
        """Let workers compute portions that are cut by the texts alone, whatever the number or pace of workers."""
        portions = list(packs(self._by_length(missing), _TOGETHER * self.comet.batch_size))
        work = Remote(self.comet, self.reads_references, self.identity)
        answers = each(work, ([missing[key] for key in keys] for keys in portions))
        for keys, scores in zip(portions, answers, strict=True):
            yield self._kept(keys, scores)

    @staticmethod
    def _by_length(missing: Mapping[bytes, Sample]) -> list[bytes]:
        # A batch is padded to its longest text: alike lengths together leave little to pad.
        return sorted(missing, key=lambda key: sum(map(len, missing[key].values())))

    def predict(self, samples: list[Sample]) -> list[float]:
        """Return one score a segment from the model itself, whatever the cache has."""
        model = self._model
        start = time.monotonic()
        with quiet():
            predicted = model.predict(
                samples, batch_size=self.comet.batch_size, gpus=self._gpus, progress_bar=False
            )
        self._pace = len(samples) / (time.monotonic() - start)
        scores = [float(score) for score in predicted.scores]
        broken = [i for i, score in enumerate(scores) if not math.isfinite(score)]
        if broken:
            raise ScoringError(
                f"COMET model {self.comet.model} gave {scores[broken[0]]} for the segment "
                f"{samples[broken[0]]['mt']!r:.60}. Try: precision='fp32'"
            )
        return scores

    @cached_property
    def _model(self) -> Any:
        encoder = self.checkpoint.encoder
        here = is_here(encoder)
        if not here:
            refuse_offline(self.comet, f"{encoder!r}, the encoder of this COMET model,")
        with quiet():
            try:
                model = _load(self.checkpoint, local_files_only=here)
            except Exception as error:
                raise ScoringError(
                    f"{self.checkpoint.file}: COMET cannot load it ({type(error).__name__}: "
                    f"{error!s:.200}). Try: fetch it again; an error about pickles or keys means "
                    "a damaged file or another version of COMET"
                ) from error
            return model.half() if self.comet.precision == "fp16" else model

    @cached_property
    def _gpus(self) -> int:
        import torch

        return int(torch.cuda.is_available()) if self.comet.gpus is None else self.comet.gpus


@dataclass(frozen=True)
class Remote:
    """Scores segments on a worker, whose model must be the one that was asked for."""

    comet: Comet
    references: bool
    identity: tuple[str, ...]

    def __call__(self, samples: list[Sample]) -> list[float]:
        """Return one score a segment."""
        scorer = _scorer_here(self.comet, self.references)
        if scorer.identity != self.identity:
            raise ScoringError(
                f"a worker has another COMET model: {' '.join(scorer.identity)}; needed {' '.join(self.identity)}. "
                "Try: the same model, revision and version of COMET on every worker"
            )
        return scorer.predict(samples)


@lru_cache(maxsize=1)
def _scorer_here(comet: Comet, references: bool) -> CometScorer:
    """Return this worker's scorer: a model takes longer to load than a portion takes to score."""
    return CometScorer(comet, Cache(False), references=references)


def _load(checkpoint: CometFile, *, local_files_only: bool) -> Any:
    from comet import load_from_checkpoint

    return load_from_checkpoint(str(checkpoint.file), local_files_only=local_files_only)
