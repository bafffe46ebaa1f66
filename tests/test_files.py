"""Everything that is written appears whole or not at all, where the link leads, with the mode it had."""

import os
import stat
from pathlib import Path

import pytest

from scalefit.files import write_text, writing


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def stop_half_way():
        with writing(path) as half:
            half.write_text("new, and then")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        stop_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_is_said_of_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left") as told, writing(path) as half:
        raise OSError(28, "No space left on device", str(half))
    assert told.value.filename == str(path)
    assert path.read_text() == "old"


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path):
    path, link = tmp_path / "real.csv", tmp_path / "link.csv"
    path.write_text("old")
    link.symlink_to(path)
    write_text(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"


@pytest.mark.parametrize("private", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(tmp_path, private):
    path = tmp_path / "fit.json"
    path.write_text("old")
    path.chmod(private)
    write_text(path, "new")
    assert mode(path) == private
    assert path.read_text() == "new"


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "new.txt", "x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "new.txt") == 0o640


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as told:
        write_text(tmp_path / "nowhere" / "fit.json", "x")
    assert told.value.filename == str(tmp_path / "nowhere" / "fit.json")


def test_what_is_no_regular_file_is_written_in_place(tmp_path):
    write_text("/dev/null", "x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
