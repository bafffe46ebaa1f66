"""Each format has its page, and the pages' examples say what the command says."""

import importlib
import re
import shlex
from pathlib import Path
from pkgutil import iter_modules

import pytest

from scalefit import ingest
from scalefit.cli import main
from scalefit.ingest.reader import Reader
from scalefit.ingest.registry import FORMATS, READERS

DOCS = Path(__file__).parents[2] / "docs" / "ingest"
EXAMPLE = re.compile(r"```console\n\$ scalefit (ingest [^\n]+)\n(Table.*?)```", re.DOTALL)
EXAMPLES = [
    pytest.param(*found, id=found[0][:60])
    for page in sorted(DOCS.glob("*.md"))
    for found in EXAMPLE.findall(page.read_text(encoding="utf-8"))
]


def test_each_reader_of_a_file_is_listed():
    files = [
        importlib.import_module(f"scalefit.ingest.{m.name}") for m in iter_modules(ingest.__path__)
    ]
    made = [v for file in files for v in vars(file).values() if isinstance(v, Reader)]
    assert [reader.name for reader in made if reader not in READERS] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_each_format_has_a_page(name):
    pages = [p for p in DOCS.glob("*.md") if p.name != "index.md"]
    assert any(f"`{name}`" in p.read_text() or f"--format {name}`" in p.read_text() for p in pages)


def test_each_page_is_listed():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [
        p.name for p in DOCS.glob("*.md") if f"({p.name})" not in index and p.name != "index.md"
    ] == []


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_examples_give_the_notes_they_show(command, shown, fixtures, monkeypatch, capsys):
    monkeypatch.chdir(fixtures)
    with pytest.raises(SystemExit) as stopped:
        main(shlex.split(command))
    assert not stopped.value.code
    streams = capsys.readouterr()
    notes = [line for line in shown.splitlines() if line.startswith("note: ")]
    assert notes == streams.err.splitlines()
    assert shown.splitlines()[0].split(" · ")[0] in streams.out.replace("\n", " ")
