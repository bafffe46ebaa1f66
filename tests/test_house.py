"""No knots: the linter sees every edge between our modules, and the measure of the house can be taken."""

import re
from pathlib import Path

import house
import pytest

import scalefit

HERE = house.here()
LOADED = {"scalefit.views", "scalefit.store", "scalefit.fitting.lmfit_bridge"}


def is_lazy_by_trade(name):
    """The command line, which starts fast, and the package, which hands ``result`` its loaders."""
    return name == "scalefit" or name.startswith("scalefit.cli")


def test_our_modules_are_imported_at_the_top_of_files():
    late = {knot for knot in HERE.late_imports if not is_lazy_by_trade(knot[0])}
    assert late == set(), "import at the top, or turn the call round (a registry)"


def test_our_modules_are_not_imported_by_a_string():
    knots = {knot for knot in HERE.by_string if not is_lazy_by_trade(knot[0])}
    assert knots == set(), "the linter does not see this edge; use a registry"


def test_the_one_exception_is_that_the_package_hands_its_results_their_loaders():
    text = Path(scalefit.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'"(scalefit\.[a-z_.]+)"', text)) == LOADED
    assert text.count("import_module") == 1 + len(LOADED)


def test_both_kinds_of_knot_are_seen():
    made = house.house_of({
        "scalefit/__init__.py": "",
        "scalefit/a.py": "def f():\n    from . import b\n    from scalefit.b import g\n",
        "scalefit/b.py": "import importlib\nx = importlib.import_module('scalefit.a')\n",
        "scalefit/c.py": "def f():\n    import json\n    if TYPE_CHECKING:\n        from .a import f\n",
    })  # fmt: skip
    assert made.late_imports == [("scalefit.a", "f", "scalefit.b")]
    assert made.by_string == [("scalefit.b", "scalefit.a")]


def test_floors_clients_and_examples_are_counted():
    made = house.house_of({
        "scalefit/__init__.py": "",
        "scalefit/__init__.pyi": "from .fitting import f as f\nfrom .fitting.c import g as g\n",
        "scalefit/fitting/__init__.py": "from .a import f as f\n",
        "scalefit/fitting/a.py": "from .b import x\n\n\ndef f():\n    '''>>> f()'''\n",
        "scalefit/fitting/b.py": "from . import c\nx = 1  # why\n",
        "scalefit/fitting/c.py": "def g(): ...\n",
        "scalefit/fitting/d.py": "def g(): ...\n",
    })  # fmt: skip
    assert made.depth("fitting") == 3
    assert made.clients == {"scalefit.fitting.b": 1, "scalefit.fitting.c": 1}
    assert made.twice == {"g": ["scalefit.fitting.c", "scalefit.fitting.d"]}
    assert made.numbers()["public callables with an example"] == "1 of 2"
    assert made.numbers()["lines with a comment"].startswith("1 (")


@pytest.mark.parametrize("name", sorted(HERE.public))
def test_each_public_callable_was_looked_up(name):
    assert HERE.public[name]


def test_the_table_has_a_number_in_every_row():
    assert all(re.match(r"[\d,.]+", value) for value in HERE.numbers().values())
