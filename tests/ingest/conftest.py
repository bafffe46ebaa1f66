"""Where the fixtures lie, and a reader of logs that know no pretraining size."""

from pathlib import Path

import pytest

from scalefit.ingest import read

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def fixtures():
    return FIXTURES


@pytest.fixture
def read_log():
    """Read a log as it is, without pretraining size."""

    def inner(path, **options):
        return read(path, **options)

    return inner
