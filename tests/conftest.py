"""Shared fixtures: real public results, where they are to be had."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared():
    """Folder of real public results; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SCALEFIT_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real public results are not here: {folder.name}")
    return folder
