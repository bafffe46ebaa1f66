"""``scalefit laws`` and what the root command says."""

import json
import subprocess
import sys

from scalefit import __version__
from scalefit.laws import LAWS


def test_laws_are_listed_with_their_formula(scalefit):
    ran = scalefit("laws")
    assert ran.code == 0
    starts = (
        law.formula[:16].rstrip() for law in LAWS.values()
    )  # long ones go on in the next line
    assert all(law.name in ran.out for law in LAWS.values())
    assert all(start in ran.out for start in starts)


def test_laws_as_json(scalefit):
    rows = json.loads(scalefit("laws", "--json").out)
    assert [row["law"] for row in rows] == list(LAWS)
    assert [row["formula"] for row in rows] == [law.formula for law in LAWS.values()]
    assert set(rows[0]) == {"law", "formula", "inputs", "parameters", "source"}


def test_version(scalefit):
    assert scalefit("--version").out == f"scalefit {__version__}\n"


def test_an_unknown_command_exits_with_2(scalefit):
    ran = scalefit("fitt")
    assert (ran.code, ran.out) == (2, "")
    assert "No such command" in ran.err


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from scalefit.cli import app; "
        "heavy = {'numpy', 'pandas', 'scipy', 'matplotlib', 'lmfit', 'torch'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


def test_a_command_leaves_what_it_does_not_need_of_numpy_until_it_is_asked_for():
    script = (
        "import sys; from scalefit.cli import app; app(['laws', 'log'], standalone_mode=False)\n"
        "import numpy, scipy.special\n"
        "print([m for m in ('numpy.f2py.f2py2e', 'unittest') if m in sys.modules])\n"
        "print(numpy.testing.assert_allclose(1, 1), numpy.f2py.run_main.__name__)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-2:] == ["[]", "None run_main"]
