"""The documentation is whole and true: each law and command has its page, each example runs."""

import doctest
from pathlib import Path

import pytest

from scalefit.cli import COMMANDS
from scalefit.laws import LAWS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WITH_EXAMPLES = sorted(p for p in DOCS.rglob("*.md") if ">>> " in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(LAWS))
def test_each_law_has_a_page_that_is_listed(name):
    page = (DOCS / "laws" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}: ")
    assert all(word in page for word in ("**Use it for**", "**Pitfalls.**", "**Source.**"))
    assert f"({name}.md)" in (DOCS / "laws" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(LAWS))
def test_each_page_names_every_parameter(name):
    page = (DOCS / "laws" / f"{name}.md").read_text(encoding="utf-8")
    assert [p for p in LAWS[name].parameters if f"`{p}`" not in page] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_is_documented(name):
    assert f"\n## scalefit {name}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda p: str(p.relative_to(DOCS)))
def test_examples_in_the_docs_print_what_they_say(path):
    found = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert found.failed == 0
    assert found.attempted > 0
