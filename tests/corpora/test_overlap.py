"""What of a test set lies in a corpus."""

import scalefit as sf
from scalefit.corpora.measures import overlap

LONG = "one two three four five six seven eight nine ten"


def test_lines_are_found_whatever_their_case_and_punctuation():
    found = overlap(["The red house, at last!", "other words"], ["the RED house at last", "a dog"])
    assert (found.whole, found.touched, found.lines) == (1, 1, 2)


def test_runs_of_eight_words_are_found_inside_longer_lines():
    found = overlap([f"before {LONG} after"], [LONG, "short line"])
    assert (found.whole, found.touched) == (0, 1)
    assert (found.shared, found.grams) == (3, 3)
    apart = overlap(["one two three four x five six seven eight nine ten"], [LONG])
    assert (apart.shared, apart.touched) == (0, 0)


def test_a_line_that_stands_twice_counts_twice():
    assert overlap(["a cat"], ["a cat", "A cat."]).whole == 2


def test_a_file_is_searched_whole_though_scores_use_a_sample(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(
        "\n".join([f"line {i} of the corpus" for i in range(500)] + ["the very last one"]),
        encoding="utf-8",
    )
    scores = sf.similarity(
        path, ["a line"], ["une ligne"], most=20, test=["The very last one.", "not there"]
    )
    assert scores.overlap.whole == 1
    assert "1 of 2 test lines stand in the corpus" in scores.verdict
    assert scores.to_dict()["overlap"]["whole"] == 1


def test_the_verdict_says_that_there_is_none_and_nothing_without_a_test_set():
    texts = (["a small red house"], ["a red house"], ["une maison"])
    assert (
        "none of 1 test lines lies in the corpus" in sf.similarity(*texts, test=["a dog"]).verdict
    )
    assert "test lines" not in sf.similarity(*texts).verdict
