"""One SentencePiece vocabulary over all languages and program text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import sentencepiece as spm
from numpy.typing import NDArray
from text import read_corpus, read_pairs

PAD, EOS, UNK, MASK = 0, 1, 2, 3
CHARACTERS_EACH = 1_500_000


def train_tokenizer(work: Path, vocabulary: int) -> spm.SentencePieceProcessor:
    """Train the vocabulary once, on equal amounts of training text; return it loaded."""
    model = work / "tokenizer.model"
    if not model.exists():
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(training_lines(work / "text")),
            model_prefix=str(model.with_suffix("")),
            vocab_size=vocabulary,
            model_type="unigram",
            character_coverage=0.9995,
            pad_id=PAD, eos_id=EOS, unk_id=UNK, bos_id=-1,
            control_symbols=["<mask>"],
            hard_vocab_limit=False,
            num_threads=2,
            minloglevel=2,
        )  # fmt: skip
    return spm.SentencePieceProcessor(model_file=str(model))


def training_lines(text: Path) -> list[str]:
    """Return the lines that the vocabulary is trained on."""
    lines = []
    for name in ("en", "fr", "de", "code"):
        size = 0
        for line in read_corpus(text, name):
            lines.append(line)
            size += len(line)
            if size > CHARACTERS_EACH:
                break
    for task in ("en-fr", "en-de"):
        lines += [
            side for pair in read_pairs(text, task, "train") for side in (pair.source, pair.target)
        ]
    return lines


def encoded_corpus(
    work: Path, name: str, tokenizer: spm.SentencePieceProcessor
) -> list[NDArray[np.uint16]]:
    """Return the corpus as one array of pieces a paragraph; cached on disk."""
    cache = work / "encoded" / f"{name}.npz"
    if not cache.exists():
        pieces = tokenizer.encode(read_corpus(work / "text", name))
        cache.parent.mkdir(parents=True, exist_ok=True)
        flat = np.concatenate([np.asarray(p, dtype=np.uint16) for p in pieces])
        part = cache.with_suffix(".part.npz")
        np.savez(part, flat=flat, ends=np.cumsum([len(p) for p in pieces]))
        part.rename(cache)
    with np.load(cache) as stored:
        return np.split(stored["flat"], stored["ends"][:-1])


def corpus_sizes(work: Path, tokenizer: spm.SentencePieceProcessor) -> dict[str, int]:
    """Return the number of pieces of every corpus, kept in a small file."""
    path = work / "corpus_sizes.json"
    if not path.exists():
        sizes = {
            n: sum(map(len, encoded_corpus(work, n, tokenizer))) for n in ("en", "fr", "de", "code")
        }
        path.write_text(json.dumps(sizes))
    found: dict[str, int] = json.loads(path.read_text())
    return found
