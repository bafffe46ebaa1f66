"""Killed at twenty moments, two at once, a full disk, a read-only cache: the table is the same, byte for byte."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("interrupted.py")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no fork")
def test_whatever_disturbs_scoring_the_table_is_the_same():
    home, opened = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())  # pytest's are the user's own
    home.chmod(0o755)
    opened.chmod(0o777)
    try:
        run = subprocess.run(
            [sys.executable, SCRIPT, home],
            env={**os.environ, "OPEN": str(opened)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    finally:
        shutil.rmtree(home)
        shutil.rmtree(opened)
    told = dict(line.split() for line in run.stdout.splitlines())
    assert run.returncode == 0, run.stderr
    assert len(told) == 24, run.stderr
    assert [name for name, end in told.items() if end != "same"] == [], run.stderr
