"""The one place that knows sacreBLEU, its private segment statistics included.

Those are private but unchanged since 2.0. `check_agreement` holds them, and our own formulas,
against sacreBLEU's public score before the first use in a process, so that a release that
changes them is an error with a cure and never a wrong number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import ScoringError

from .statistics import corpus_scores

METRICS: dict[str, tuple[str, dict[str, Any]]] = {
    "bleu": ("BLEU", {"force": True}),
    "chrf": ("CHRF", {}),
    "chrf++": ("CHRF", {"word_order": 2}),
    "ter": ("TER", {}),
}
"""Metric names to sacreBLEU's class and the settings that make it that metric.

``force`` only silences BLEU's warning about tokenized text: `score` notes that by itself.
"""

_FORMULA_OPTIONS = {
    "BLEU": ("smooth_method", "smooth_value", "effective_order", "max_ngram_order"),
    "CHRF": ("beta", "eps_smoothing"),
    "TER": (),
}
_PROBE = (
    ["the cat sat on the mat .", "a dog", "it rained all day in the town"],
    ["the cat sat on a mat .", "one dog ran", "it rained all day in town"],
)


@dataclass(frozen=True)
class SacreSpec:
    """A sacreBLEU metric and its settings: small, comparable, and fit to be sent to a worker.

    Attributes
    ----------
    metric : one of ``METRICS``.
    settings : keyword arguments of sacreBLEU's class, such as ``tokenize`` or ``lowercase``.
    """

    metric: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def build(self, references: Sequence[Sequence[str]] | None = None) -> Any:
        """Return sacreBLEU's metric, the references' n-grams counted once and kept.

        Raises ScoringError: if the metric or one of its settings is unknown, or its tokenizer is not installed.
        """
        from sacrebleu import metrics

        if self.metric not in METRICS:
            raise ScoringError(f"unknown metric {self.metric!r}; known: {', '.join(METRICS)}")
        name, fixed = METRICS[self.metric]
        try:
            return getattr(metrics, name)(**fixed, **self.settings, references=references)
        except (TypeError, AssertionError, KeyError) as error:
            known = getattr(getattr(metrics, name), "TOKENIZERS", ())
            told = f"; tokenizers are {', '.join(known)}" if "tokenize" in self.settings else ""
            raise ScoringError(
                f"{self.metric}: sacreBLEU's {name} does not take {dict(self.settings)} ({error}){told}"
            ) from error
        except (OSError, SystemExit) as error:
            raise ScoringError(
                f"{self.metric}: the tokenizer {self.settings.get('tokenize')!r} needs a model that is "
                f"fetched from the network once, and that failed ({error}). Try: run it once where "
                "there is a network, and copy ~/.sacrebleu/models; or tokenize='13a'"
            ) from error
        except (RuntimeError, ImportError) as error:
            raise ScoringError(
                f"{self.metric}: {' '.join(str(error).split())} (Japanese and Korean need "
                "pip install 'sacrebleu[ja]' or 'sacrebleu[ko]')"
            ) from error


class Scorer:
    """A sacreBLEU metric on fixed references: statistics of many systems, one after the other.

    Parameters
    ----------
    spec : SacreSpec; the metric and its settings.
    references : reference texts, each of all segments.
    """

    def __init__(self, spec: SacreSpec, references: Sequence[Sequence[str]]) -> None:
        check_agreement()
        self.spec = spec
        self._metric = spec.build(references)
        names = _FORMULA_OPTIONS[type(self._metric).__name__]
        self.kind = type(self._metric).__name__.lower()
        self.options = {name: getattr(self._metric, name) for name in names}
        self.signature = str(self._metric.get_signature())

    @cached_property
    def width(self) -> int:
        """Number of statistics that a segment has."""
        return len(self._metric._extract_corpus_statistics([""], None)[0])

    def statistics(self, lines: Sequence[str]) -> NDArray[Any]:
        """Return the sufficient statistics of each segment, shape ``(segments, k)``."""
        return np.array(self._metric._extract_corpus_statistics(lines, None))

    def score(self, statistics: NDArray[Any]) -> float:
        """Return sacreBLEU's corpus score from the statistics, to the last digit."""
        return float(self._metric._compute_score_from_stats(_totals(statistics)).score)

    @property
    def identity(self) -> str:
        """What the statistics depend on besides the two texts, for cache keys."""
        return json.dumps([self.spec.metric, self.signature, self.options], sort_keys=True)


def _totals(statistics: NDArray[Any]) -> list[int | float]:
    """Sum over segments as sacreBLEU does: exactly for counts, in order for TER's floats."""
    if statistics.dtype.kind == "f":
        totals: list[int | float] = np.cumsum(statistics, axis=0)[-1].tolist()
        return totals
    return [int(total) for total in statistics.sum(axis=0, dtype=np.int64)]


@cache
def check_agreement() -> str:
    """Check once that statistics, sacreBLEU's score and our formulas agree; return its version.

    Raises ScoringError: if this release of sacreBLEU keeps other statistics than the ones known here.
    """
    import sacrebleu

    try:
        wrong = [name for name in METRICS if not _agrees(SacreSpec(name))]
    except (AttributeError, TypeError, IndexError, ValueError) as error:
        wrong = [f"all metrics ({error})"]
    if wrong:
        raise ScoringError(
            f"sacreBLEU {sacrebleu.__version__} keeps other segment statistics than 2.0 to 2.6, "
            f"which scalefit knows ({', '.join(wrong)}). Try: pip install 'sacrebleu>=2.4,<2.7'"
        )
    return str(sacrebleu.__version__)


def _agrees(spec: SacreSpec) -> bool:
    ours, references = _PROBE
    metric = spec.build([references])
    expected = metric.corpus_score(ours, [references]).score
    statistics = np.array(metric._extract_corpus_statistics(ours, None))
    again = metric._compute_score_from_stats(_totals(statistics)).score
    kind = type(metric).__name__
    options = {name: getattr(metric, name) for name in _FORMULA_OPTIONS[kind]}
    formula = corpus_scores(kind.lower(), options, statistics.sum(axis=0, dtype=np.float64))
    return bool(expected == again and abs(float(formula) - expected) < 1e-9)


def key_of(*parts: str) -> bytes:
    """Return a key of 32 bytes from texts; their lengths count, so none runs into the next."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big") + data)
    return state.digest()
