"""Shared fixtures: real public results and tiny COMET models, where they are to be had."""

import gc
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from scalefit.laws import Coefficient, Law

# A busy machine is no failure: how long an example takes is not what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

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
def gadre_tasks():
    """Names of the 17 tasks whose mean Gadre et al. 2024 forecast."""
    return (
        "bigbench_operators",
        "pubmed_qa_labeled",
        "hellaswag_zeroshot",
        "boolq",
        "arc_easy",
        "coqa",
        "bigbench_dyck_languages",
        "lambada_openai",
        "bigbench_novel_concepts",
        "winograd",
        "bigbench_cs_algorithms",
        "commonsense_qa",
        "bigbench_qa_wikidata",
        "hellaswag",
        "copa",
        "squad",
        "piqa",
    )


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


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What was collected stays to the end: nobody looks through it for garbage, again and again."""
    gc.disable()
    collected = yield
    gc.enable()
    gc.freeze()
    return collected


def pytest_collection_modifyitems(config, items):
    """What takes long walks the same lines again and again, and being counted makes it half as long again."""
    for item in items:
        if config.pluginmanager.hasplugin("_cov") and item.get_closest_marker("slow"):
            item.add_marker("no_cover")


def pytest_addoption(parser):
    parser.addoption(
        "--known-skips",
        choices=("core", "torch"),
        help="fail on a skip whose reason tests/skips.txt does not list for this environment",
    )


def known_skips(place):
    """Reasons that the list allows there, as regular expressions."""
    lines = (ROOT / "tests" / "skips.txt").read_text(encoding="utf-8").splitlines()
    rules = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [reason for where, reason in rules if where in (place, "both")]


def skips_by_reason(reporter):
    """Count skipped tests by reason; xfails are none."""
    texts = [
        r.longrepr[2] for r in reporter.stats.get("skipped", ()) if isinstance(r.longrepr, tuple)
    ]
    return Counter(text.removeprefix("Skipped: ") for text in texts)


def strangers(reporter, config):
    """Reasons that are not on the list, where a list was asked for."""
    place = config.getoption("--known-skips")
    allowed = known_skips(place) if place else [""]
    return [s for s in skips_by_reason(reporter) if not any(re.match(a, s) for a in allowed)]


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.exitstatus == 0 and strangers(reporter, session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    reasons, unknown = skips_by_reason(terminalreporter), strangers(terminalreporter, config)
    if config.getoption("--known-skips") and reasons:
        terminalreporter.section("skipped, by reason")
        for reason, count in reasons.most_common():
            mark = "NOT ON THE LIST " if reason in unknown else ""
            terminalreporter.line(f"{count:5d}  {mark}{reason}")
