"""Scores of nearness on texts whose order is plain."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.corpora.measures import language_share
from scalefit.errors import DesignError

FRENCH = [
    "la petite maison rouge est au bord de la mer",
    "un outil pour lire les fichiers du disque",
]
ENGLISH = [
    "the little red house is at the edge of the sea",
    "a tool that reads the files of a disk",
]
CODE = ["def read(path):", "    return open(path).read()"]
TASK = (["a house at the sea"], ["une maison au bord de la mer"])


@pytest.mark.parametrize("name", ["jensen_shannon", "out_of_vocabulary", "perplexity"])
def test_the_language_of_a_side_is_nearer_to_it(name):
    french, english, code = (sf.similarity(c, *TASK) for c in (FRENCH, ENGLISH, CODE))
    assert french.target[name] < english.target[name]
    assert english.source[name] < french.source[name]
    assert code.target[name] >= french.target[name]


def test_compression_uses_what_the_corpus_holds():
    text = [f"sentence number {i} about house {i * 7}" for i in range(200)]
    other = [f"{i**3:x}" for i in range(400)]
    near, far = sf.similarity(text, text, text), sf.similarity(other, text, text)
    assert near.source["compression"] < 0.5 * far.source["compression"]


def test_language_share_of_isik_2024_is_not_clamped():
    assert language_share(0.5, 0.5) == pytest.approx(1.0)
    assert language_share(0.45, 0.55) == pytest.approx(1.0025)
    assert sf.similarity(FRENCH, *TASK, shares=(0, 1)).language_share == pytest.approx(0.8)


def test_equal_texts_have_no_distance():
    assert sf.similarity(FRENCH, FRENCH, FRENCH).source["jensen_shannon"] == pytest.approx(0)


def test_a_score_of_ones_own():
    found = sf.similarity(FRENCH, *TASK, scores={"lines": lambda corpus, task: len(corpus)})
    assert found.source["lines"] == 2


def test_empty_text_teaches():
    with pytest.raises(DesignError, match="corpus has no lines with text"):
        sf.similarity(["  "], *TASK)


def table(corpora):
    gains = {"fr": 6.0, "en": 3.0, "code": 1.0}
    rows = [{"corpus": "none", "pretrain_tokens": 0, "bleu": 5.0}]
    rows += [{"corpus": c, "pretrain_tokens": 1e6, "bleu": 5 + gains[c]} for c in corpora]
    return pd.DataFrame(rows)


def test_report_ranks_and_says_how_small_it_is():
    far = {FRENCH[0]: 0.0, ENGLISH[0]: 1.0, CODE[0]: 2.0}
    own = {"far": lambda corpus, task: far[corpus[0]]}
    texts = {"fr": FRENCH, "en": ENGLISH, "code": CODE}
    scores = {name: sf.similarity(text, *TASK, scores=own) for name, text in texts.items()}
    found = sf.similarity_report(table(scores), scores)
    assert found.gains == pytest.approx({"fr": 6.0, "en": 3.0, "code": 1.0})
    assert found.correlations["far (target)"][0] == pytest.approx(1.0)
    assert found.correlations["far (target)"][1] == pytest.approx(1 / 3)
    assert "3 corpora" in str(found)
    assert np.isfinite([p for _, p in found.correlations.values()]).all()


def test_report_needs_three_corpora():
    scores = {"fr": sf.similarity(FRENCH, *TASK)}
    with pytest.raises(DesignError, match="needed at least 3"):
        sf.similarity_report(table(["fr", "en"]), scores)
