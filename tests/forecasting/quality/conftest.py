"""A table of quality curves."""

import pytest

from .samples import saturating


@pytest.fixture(scope="package")
def table():
    """Twelve saturating curves of eight sizes."""
    return saturating(0)
