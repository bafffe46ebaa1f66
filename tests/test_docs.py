"""The documentation is whole and true: each law and command has its page, each example runs."""

import doctest
import re
from pathlib import Path

import pytest

from scalefit import errors
from scalefit.alignment import VERDICTS
from scalefit.cli import COMMANDS
from scalefit.laws import LAWS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!https?://)([^)#]+)[^)]*\)")
WITH_EXAMPLES = sorted(p for p in DOCS.rglob("*.md") if ">>> " in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_has_its_line(verdict):
    assert f"\n| `{verdict}` | " in (DOCS / "alignment.md").read_text(encoding="utf-8")


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


def test_each_error_has_its_cause_and_cure():
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    ours = [
        n
        for n, v in vars(errors).items()
        if isinstance(v, type) and issubclass(v, Warning | Exception)
    ]
    assert [name for name in ours if f"{name} (" not in page and name != "ScalefitError"] == []


def test_links_within_the_docs_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    links = [(p, link) for p in pages for link in LINK.findall(p.read_text(encoding="utf-8"))]
    assert [(p.name, link) for p, link in links if not (p.parent / link).exists()] == []


def test_the_snippet_in_the_readme_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    snippet = (
        (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    )
    exec(compile(snippet, "README.md", "exec"), {})


def test_the_readme_names_each_command_that_ci_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- tests -->\n```sh\n")[1].split("\n```")[0]
    assert block.endswith("-m pytest")
    assert "<!-- tests -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
