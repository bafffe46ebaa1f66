"""Every notebook runs from top to bottom, as a user would run it."""

import re
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
NEEDS = re.compile(r"^# requires: (.+)$", re.MULTILINE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(zmq|jupyter_client|ipykernel|tornado).*")
@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path):
    text = path.read_text(encoding="utf-8")
    for module in (name for line in NEEDS.findall(text) for name in line.split()):
        pytest.importorskip(module, exc_type=ImportError)
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "python3"}
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    ).execute()


def test_notebooks_are_stored_as_sources_without_output():
    assert NOTEBOOKS != []
    assert list(FOLDER.glob("*.ipynb")) == []
