"""Made-up parallel text for `--tiny`: two word-for-word languages, no network needed."""

from __future__ import annotations

import random

from pairs import Pair

NOUNS = (
    *("library", "tool", "game", "server", "client", "editor", "parser", "driver"),
    *("plugin", "module", "viewer", "manager", "font", "archive", "kernel"),
)
THINGS = (
    *("files", "images", "music", "mail", "fonts", "data", "code", "maps", "text"),
    *("video", "graphs", "packages", "logs", "sounds", "users"),
)
EXTRAS = (
    *("simple", "fast", "small", "free", "modern", "graphical", "portable", "secure"),
    *("common", "shared", "light", "old", "new", "full", "open"),
)
ENDINGS = {"fr": "eau", "de": "ung"}


def foreign(word: str, language: str) -> str:
    """Return the word's made-up translation."""
    return word[::-1][: max(3, len(word) - 2)] + ENDINGS[language]


def sentence(rng: random.Random) -> list[str]:
    """Draw one English-like synopsis as words."""
    return [
        rng.choice(EXTRAS),
        rng.choice(NOUNS),
        "for",
        rng.choice(EXTRAS),
        rng.choice(THINGS),
        "and",
        rng.choice(THINGS),
    ]


def translated(words: list[str], language: str) -> str:
    """Translate word for word; adjectives go behind their noun."""
    out = [foreign(w, language) for w in words]
    out[0], out[1] = out[1], out[0]
    return " ".join(out)


def toy_text() -> tuple[dict[str, list[str]], dict[str, dict[str, list[Pair]]]]:
    """Return corpora and tasks in the shape of the real text."""
    rng = random.Random(0)
    corpora = {"en": [" ".join(sentence(rng) + sentence(rng)) for _ in range(800)]}
    tasks = {}
    for lang in ENDINGS:
        corpora[lang] = [
            translated(sentence(rng), lang) + " " + translated(sentence(rng), lang)
            for _ in range(800)
        ]
        sizes = {"train": 400, "dev": 20, "test": 20, "out": 10}
        drawn = {split: [sentence(rng) for _ in range(n)] for split, n in sizes.items()}
        tasks[f"en-{lang}"] = {
            s: [Pair(" ".join(w), translated(w, lang)) for w in words] for s, words in drawn.items()
        }
    corpora["code"] = [
        f"def {rng.choice(NOUNS)}({rng.choice(THINGS)}): return {rng.random():.4f}"
        for _ in range(800)
    ]
    return corpora, tasks
