"""The examples in docstrings run and print what they say; what users call has one."""

import doctest
import importlib

import house
import pytest

from scalefit.table import metrics

HERE = house.here()
SHOWN = sorted(name for name, module in HERE.modules.items() if ">>> " in module.text)


@pytest.fixture
def metrics_as_shipped():
    """An example registers a metric; no other test may see it."""
    known = [(names, names.copy()) for names in (metrics.METRICS, metrics._PLAIN)]
    yield
    for names, shipped in known:
        names.clear()
        names.update(shipped)


@pytest.mark.usefixtures("metrics_as_shipped")
@pytest.mark.parametrize("name", SHOWN)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(importlib.import_module(name))
    assert done.failed == 0
    assert done.attempted > 0


@pytest.mark.parametrize("name", sorted(HERE.public))
def test_what_users_call_has_an_example(name):
    assert ">>> " in (HERE.public[name] or ""), f"write an example into the docstring of {name}"
