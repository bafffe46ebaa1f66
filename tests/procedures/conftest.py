"""Public seed studies, read once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from real_seeds import mccoy, zhou


@pytest.fixture(scope="session")
def hundred(shared):
    return mccoy(shared)


@pytest.fixture(scope="session")
def ten(shared):
    return zhou(shared)
