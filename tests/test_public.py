"""The public names: all there, all documented, and none of them costs anything before it is used."""

import inspect
import json
import subprocess
import sys

import pytest

import scalefit as sf

HEAVY = {"matplotlib", "lmfit", "torch", "sacrebleu", "comet", "pandas", "scipy", "sklearn"}


def loaded_by(statement):
    script = f"import json, sys; {statement}; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import scalefit") & HEAVY == set()


def test_fitting_loads_no_pictures_no_lmfit_and_no_torch():
    assert loaded_by("import scalefit as sf; sf.fit") & (HEAVY - {"pandas", "scipy"}) == set()


def test_alignment_loads_no_part_of_scipy_that_takes_longer_than_it_does():
    slow = {"scipy.optimize", "scipy.interpolate", "scipy.stats", "matplotlib"}
    assert loaded_by("import scalefit as sf; sf.align") & slow == set()


@pytest.mark.parametrize("name", sorted(set(sf.__all__) - {"__version__"}))
def test_each_public_name_is_there_and_documented(name):
    found = getattr(sf, name)
    assert name in {"datasets", "errors", "landscape", "metrics"} or not inspect.ismodule(found)
    assert (inspect.getdoc(found) or "").strip() != ""


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="fitt"):
        _ = sf.fitt
