"""Every notebook runs from top to bottom: here from the repository's root; the docs run it from its own folder."""

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
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": FOLDER.parent}},
    ).execute()


def test_notebooks_are_stored_as_sources_without_output():
    assert NOTEBOOKS != []
    assert list(FOLDER.glob("*.ipynb")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_has_a_picture_of_itself_is_not_printed(path):
    """Only a caught error is: it would stop the notebook otherwise."""
    calls = re.findall(r"print\((.*)\)", path.read_text(encoding="utf-8"))
    assert [call for call in calls if not re.search(r"\berror\b", call)] == []
