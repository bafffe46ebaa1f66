"""Shared fixtures: real public results and tiny COMET models, where they are to be had."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scalefit.laws import Coefficient, Law

ROOT = Path(__file__).resolve().parents[1]
REVISION = "0" * 40


@pytest.fixture(scope="session")
def shared():
    """Folder of real public results; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SCALEFIT_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real public results are not here: {folder.name}")
    return folder


@pytest.fixture(scope="session")
def product():
    """A user's law that is a straight line behind a logarithm: ln y = c + m·ln x."""
    return Law(
        name="product",
        formula="exp(c + m·ln x)",
        coefficients=(Coefficient("c"), Coefficient("m")),
        basis=lambda x: (1.0, np.log(x)),
        link="log",
    )


@pytest.fixture(scope="session")
def tiny_hub(tmp_path_factory):
    """Folder of the tiny models, trained once a session in a process of their own."""
    if importlib.util.find_spec("comet") is None:
        pytest.skip("COMET is not installed: pip install 'transfer-scalefit[comet]'")
    hub = tmp_path_factory.mktemp("hub")
    command = [sys.executable, str(ROOT / "tests" / "build_tiny_comet.py"), str(hub)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return SimpleNamespace(
        path=hub,
        taus=json.loads(done.stdout.splitlines()[-1]),
        checkpoint=hub / "models--scalefit-test--tiny-comet" / "snapshots" / REVISION,
        environment={**os.environ, "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"},
    )
