"""Scores of a finetuned model: cross-entropy, BLEU, chrF, and BLEU with shuffled sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU, CHRF
from segments import Segment, collate, padded
from sentencepiece import SentencePieceProcessor
from tokenizer import PAD
from transformers import T5ForConditionalGeneration

RESAMPLES = 500
LONGEST_OUTPUT = 48
EVAL_BATCH = 100


@dataclass(frozen=True)
class Score:
    """One measured value with its standard error over test segments."""

    metric: str
    value: float
    stderr: float | None
    signature: str


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one evaluation set."""

    scores: tuple[Score, ...]
    hypotheses: tuple[str, ...]

    def as_rows(self) -> list[dict[str, object]]:
        """Return the scores as plain dictionaries."""
        return [asdict(score) for score in self.scores]


def by_length(rows: Sequence[Segment]) -> list[list[int]]:
    """Return batches of indices of segments of similar source length."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].source))
    return [order[i : i + EVAL_BATCH] for i in range(0, len(order), EVAL_BATCH)]


@torch.no_grad()  # type: ignore[untyped-decorator]
def likelihoods(model: T5ForConditionalGeneration, rows: Sequence[Segment]) -> NDArray[np.float64]:
    """Return every segment's negative log-likelihood in nats, its end mark included."""
    found = np.zeros(len(rows))
    for chosen in by_length(rows):
        inputs = collate([{"input_ids": rows[i].source, "labels": rows[i].target} for i in chosen])
        logits = model(**inputs).logits
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), inputs["labels"], reduction="none"
        )
        found[chosen] = losses.sum(dim=1).double().numpy()
    return found


@torch.no_grad()  # type: ignore[untyped-decorator]
def translate(
    model: T5ForConditionalGeneration, rows: Sequence[Segment], tokenizer: SentencePieceProcessor
) -> list[str]:
    """Translate greedily; return plain text in the order of `rows`."""
    found = [""] * len(rows)
    for chosen in by_length(rows):
        source = padded([rows[i].source for i in chosen])
        output = model.generate(
            input_ids=source,
            attention_mask=(source != PAD).long(),
            max_length=LONGEST_OUTPUT,
            do_sample=False,
        )
        for i, pieces in zip(chosen, output.tolist(), strict=True):
            found[i] = tokenizer.decode([p for p in pieces if p > 1])
    return found


def ratio(totals: NDArray[np.float64], units: NDArray[np.float64]) -> tuple[float, float]:
    """Return sum(totals)/sum(units) and its standard error over segments."""
    value = totals.sum() / units.sum()
    residual = totals - value * units
    return float(value), float(np.sqrt(len(units) * residual.var(ddof=1)) / units.sum())


def corpus_score(
    metric: BLEU | CHRF, hypotheses: Sequence[str], references: Sequence[str]
) -> tuple[float, float, Any]:
    """Return the corpus score, its bootstrap standard error and the metric's own score object."""
    score = metric.corpus_score(list(hypotheses), [list(references)])
    statistics = np.array(metric._extract_corpus_statistics(list(hypotheses), [list(references)]))
    rng = np.random.default_rng(12345)
    n = len(hypotheses)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    resampled = [
        metric._compute_score_from_stats(row.tolist()).score for row in counts @ statistics
    ]
    return score.score, float(np.std(resampled, ddof=1)), score


def entropies(model: T5ForConditionalGeneration, rows: Sequence[Segment]) -> list[Score]:
    """Return cross-entropy per target token and per byte of the target text."""
    losses = likelihoods(model, rows)
    tokens = np.array([len(r.target) for r in rows], dtype=float)
    size = np.array([len(r.pair.target.encode()) for r in rows], dtype=float)
    return [
        Score("cross_entropy", *ratio(losses, tokens), "nats/target token, end mark counted"),
        Score("cross_entropy_per_byte", *ratio(losses, size), "nats/byte of the reference"),
    ]


def text_scores(hypotheses: Sequence[str], references: Sequence[str]) -> list[Score]:
    """Return BLEU, its brevity penalty and chrF with their signatures."""
    bleu, chrf = BLEU(), CHRF()
    value, error, detail = corpus_score(bleu, hypotheses, references)
    scores = [Score("bleu", value, error, str(bleu.get_signature()))]
    scores.append(Score("brevity_penalty", float(detail.bp), None, str(bleu.get_signature())))
    value, error, _ = corpus_score(chrf, hypotheses, references)
    return [*scores, Score("chrf", value, error, str(chrf.get_signature()))]


def evaluate(
    model: T5ForConditionalGeneration, rows: Sequence[Segment], tokenizer: SentencePieceProcessor
) -> Evaluation:
    """Measure a finetuned model on one evaluation set."""
    model.eval()
    hypotheses = translate(model, rows, tokenizer)
    scores = entropies(model, rows) + text_scores(hypotheses, [r.pair.target for r in rows])
    return Evaluation(tuple(scores), tuple(hypotheses))


def evaluate_shuffled(
    model: T5ForConditionalGeneration, rows: Sequence[Segment], tokenizer: SentencePieceProcessor
) -> Evaluation:
    """Measure BLEU with every source replaced by another: what is written without reading."""
    model.eval()
    hypotheses = translate(model, [*rows[1:], rows[0]], tokenizer)
    score = text_scores(hypotheses, [r.pair.target for r in rows])[0]
    return Evaluation(
        (Score("bleu_shuffled", score.value, score.stderr, score.signature),), tuple(hypotheses)
    )


def blind(bleu: Score, shuffled: Score) -> bool:
    """Say whether BLEU fails to beat BLEU with shuffled sources by three standard errors."""
    return bleu.value - shuffled.value <= 3 * float(
        np.hypot(bleu.stderr or 0.0, shuffled.stderr or 0.0)
    )
