"""Files of segments: every complaint names the file, and the line where there is one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit.errors import ScoringError
from scalefit.scoring.inputs import find_systems, read_inputs, read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ("a", "b")),
        (b"a\nb", ("a", "b")),
        (b"a\r\nb\r\n", ("a", "b")),
        (b"\xef\xbb\xbfa\n", ("a",)),
        ("x\u2028y\nb\x0cc\n".encode(), ("x\u2028y", "b\x0cc")),
        (b"a\n\n", ("a", "")),
    ],
)
def test_lines_end_at_line_feeds_only(content, lines, tmp_path):
    path = tmp_path / "hyp.de"
    path.write_bytes(content)
    assert read_lines(path).lines == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "hyp.de: the file is empty"),
        ("gut\nschön\n".encode("latin-1"), r"hyp.de, line 2: byte 0xf6 .*iconv -f LATIN1"),
        ("gut\n".encode("utf-16"), "hyp.de: this is UTF-16, .*iconv -f UTF-16"),
        (b"a\nb\0c\n", "hyp.de, line 2: holds a NUL byte"),
    ],
)
def test_files_that_are_no_text_are_refused(content, message, tmp_path):
    path = tmp_path / "hyp.de"
    path.write_bytes(content)
    with pytest.raises(ScoringError, match=message):
        read_lines(path)


@pytest.mark.parametrize("name", ["gone.de", "."])
def test_files_that_cannot_be_read_are_named(name, tmp_path):
    with pytest.raises(ScoringError, match="cannot be read"):
        read_lines(tmp_path / name)


@given(st.binary(max_size=300))
def test_whatever_the_bytes_the_answer_is_lines_or_our_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any"
    path.write_bytes(content)
    with contextlib.suppress(ScoringError):
        assert len(read_lines(path)) == content.count(b"\n") + (not content.endswith(b"\n"))


def test_globs_find_files_in_order(folder):
    found = [name for name, _ in find_systems(str(folder / "runs/*/hyp.en"))]
    assert [name.split("/")[-2] for name in found] == ["fair", "good", "poor"]
    assert list(find_systems(str(folder / "**/hyp.en")))
    assert len(list(find_systems([folder / "ref.en", folder / "runs/*/hyp.en"]))) == 4


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path):
    path = tmp_path / "run[1].de"
    path.write_text("a\n")
    assert [name for name, _ in find_systems(path)] == [str(path)]


def test_a_glob_without_matches_is_an_error():
    with pytest.raises(ScoringError, match=r"no file matches 'nowhere/\*.de' from /"):
        list(find_systems("nowhere/*.de"))


@pytest.mark.parametrize("line", ['{"hyp": "%s"}', "%s\tthe reference", "%s\t0.5\t12"])
def test_lines_that_hold_more_than_a_translation_are_refused(line):
    plain = ["the cat sat", "a dog ran", "good news"]
    with pytest.raises(ScoringError, match="more than a translation"):
        read_inputs([line % t for t in plain], plain, None, needs={"references"}, allow_empty=False)
    both = [line % t for t in plain]  # where the references hold it too it is their text
    assert read_inputs(both, both, None, needs={"references"}, allow_empty=False).systems
