"""Score how near each corpus of the lab is to its task, and relate the scores to what the corpus was worth.

python data/transfer_lab/similarity.py --work DIR   scores the fetched text into `similarity.json` (numbers only)
python data/transfer_lab/similarity.py              prints the report from `similarity.json` and `results.csv`
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from text import parts

import scalefit as sf
from scalefit.corpora import Similarity

HERE = Path(__file__).resolve().parent
TASK = "en-fr"
SHARES = {
    "fr": (0.0, 1.0),
    "fr+en": (0.5, 0.5),
    "en": (1.0, 0.0),
    "de": (0.0, 0.0),
    "code": (0.0, 0.0),
    "unpaired": (0.5, 0.5),
}
MOST = 4000


def corpus_lines(folder: Path, corpus: str) -> list[str]:
    """Return an even sample of a corpus; of a mixture, as much of each part."""
    texts = [
        (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines() for part in parts(corpus)
    ]
    count = MOST // len(texts)
    return [line for text in texts for line in text[:: max(1, len(text) // count)][:count]]


def measure(folder: Path) -> dict[str, dict[str, object]]:
    """Score every corpus against the training side of the task."""
    pairs = [
        json.loads(line)
        for line in (folder / f"{TASK}.train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    source, target = ([pair[side] for pair in pairs[:MOST]] for side in (0, 1))
    return {
        corpus: sf.similarity(
            corpus_lines(folder, corpus), source, target, shares=shares, most=MOST
        ).to_dict()
        for corpus, shares in SHARES.items()
    }


def load(path: Path = HERE / "similarity.json") -> dict[str, Similarity]:
    """Read the committed scores."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        corpus: Similarity(
            s["source"], s["target"], s["language_share"], tuple(s["lines"].values())
        )
        for corpus, s in stored.items()
    }


def main() -> None:
    """Measure where text is given; print the report for each quality metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="the lab's work folder, with its text")
    asked = parser.parse_args()
    if asked.work:
        found = json.dumps(measure(asked.work / "text"), indent=1) + "\n"
        (HERE / "similarity.json").write_text(found, encoding="utf-8")
    table, scores = sf.read(HERE / "results.csv"), load()
    for quality in ("bleu", "chrf"):
        print(
            sf.similarity_report(
                table, scores, quality, task=TASK, finetune_tokens=128_000, domain="in"
            )
        )


if __name__ == "__main__":
    main()
