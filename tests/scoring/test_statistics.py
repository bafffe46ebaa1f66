"""Segment statistics outlive the texts, on disk and without pickle."""

import numpy as np
import pytest

from scalefit.errors import FormatError, ScoringError
from scalefit.scoring.statistics import SegmentStatistics, compact


@pytest.fixture
def some():
    values = np.arange(24, dtype=np.uint16).reshape(2, 6, 2)
    return SegmentStatistics("ter", "nrefs:1", ("a", "ü"), values, "ter")


def test_saved_and_loaded_are_the_same(some, tmp_path):
    some.save(tmp_path / "ter.npz")
    again = SegmentStatistics.load(tmp_path / "ter.npz")
    assert (again.metric, again.signature, again.systems) == ("ter", "nrefs:1", ("a", "ü"))
    assert again.values.dtype == np.uint16
    assert np.array_equal(again.scores, some.scores)


def test_they_are_frozen(some):
    with pytest.raises(ValueError, match="read-only"):
        some.values[0] = 1


def test_segment_scores_are_each_segments_own(some):
    assert some.segment_scores.shape == (2, 6)
    assert some.segment_scores[0, 1] == pytest.approx(100 * 2 / 3)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ScoringError, match=r"1 systems and statistics of shape \(2, 3\)"):
        SegmentStatistics("bleu", "", ("a",), np.ones((2, 3)), "bleu")


def test_a_pickle_is_not_read(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, head=np.array([{"format": 1}], dtype=object), values=np.ones(3))
    with pytest.raises(FormatError, match="not segment statistics"):
        SegmentStatistics.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"bleu 3.4\n"])
def test_other_files_are_refused_by_name(content, tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"other\.npz"):
        SegmentStatistics.load(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"gone\.npz: cannot be read"):
        SegmentStatistics.load(tmp_path / "gone.npz")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "uint16"),
        ([70000], "uint32"),
        ([2**40], "uint64"),
        ([-1], "float64"),
        ([0.5], "float64"),
        ([2.0], "uint16"),
    ],
)
def test_counts_take_the_smallest_type_that_holds_them(values, kind):
    assert compact(np.array(values)).dtype == kind
