"""Toy translations, and the tiny genuine COMET models where COMET is installed."""

import random
from types import SimpleNamespace

import pytest

WORDS = ("the", "a", "cat", "dog", "child", "house", "song", "sees", "eats", "green", "in", "on")


def noisy(line, rate, rng):
    return " ".join(word if rng.random() > rate else rng.choice(WORDS) for word in line.split())


@pytest.fixture(scope="session")
def corpus():
    """120 references, a second set of them, and three systems of falling quality."""
    rng = random.Random(7)
    lines = [" ".join(rng.choices(WORDS, k=rng.randint(3, 14))) + "." for _ in range(120)]
    return SimpleNamespace(
        references=lines,
        others=[noisy(line, 0.3, rng) for line in lines],
        systems={
            name: [noisy(line, rate, rng) for line in lines]
            for name, rate in {"good": 0.1, "fair": 0.3, "poor": 0.6}.items()
        },
    )


@pytest.fixture
def folder(tmp_path, corpus):
    """The toy corpus as files: ``ref.en`` and ``runs/NAME/hyp.en``."""
    write(tmp_path / "ref.en", corpus.references)
    for name, lines in corpus.systems.items():
        write(tmp_path / "runs" / name / "hyp.en", lines)
    return tmp_path


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def hub(tiny_hub, monkeypatch):
    """Make the tiny models the only ones there are, with no network to ask.

    The libraries read their environment when imported, which may have been long ago.
    """
    from huggingface_hub import constants
    from transformers.utils import hub as transformers_hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tiny_hub.path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers_hub, "TRANSFORMERS_CACHE", str(tiny_hub.path))
    return tiny_hub
