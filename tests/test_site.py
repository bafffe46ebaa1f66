"""The docs site is whole: each public name, command and file of docs has its place. ``.ci/docs`` builds it."""

import re
import tomllib
from pathlib import Path

import pages
import pytest
import readme

import scalefit as sf
from scalefit.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SITE = [path.read_text(encoding="utf-8") for path in (DOCS / "site").glob("*.md")]
LISTED = {full for names in pages.names().values() for full in names}


@pytest.mark.parametrize("name", sorted(set(sf.__all__) - {"__version__"}))
def test_each_public_name_has_its_page(name):
    module = getattr(getattr(sf, name), "__name__", "") + "."
    assert f"scalefit.{name}" in LISTED or any(full.startswith(module) for full in LISTED)


def test_no_two_pages_are_one_file_where_a_disk_does_not_tell_case():
    files = [pages.apart().get(name, name).lower() for name in LISTED]
    assert len(set(files)) == len(files)


def test_a_module_s_page_lists_its_own_names():
    assert {n for n in LISTED if n.startswith("scalefit.datasets.")} == {
        "scalefit.datasets.transfer_lab"
    }
    assert "scalefit.table.metrics.TableError" not in LISTED


@pytest.fixture(scope="module")
def commands():
    return pages.commands()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_shows_its_help(name, commands):
    section = commands.split(f"## scalefit {name}\n")[1].split("\n## ")[0]
    assert f"Usage: scalefit {name}" in section
    assert max(map(len, section.splitlines())) <= 80


def entries():
    blocks = [b for page in SITE for b in re.findall(r"```{toctree}\n(.*?)```", page, re.DOTALL)]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [re.sub(r".*<(.*)>", r"\1", line) for line in lines if line and not line.startswith(":")]


def test_each_file_of_the_docs_is_in_a_table_of_contents():
    files = [p for p in DOCS.rglob("*.md") if "site" not in p.relative_to(DOCS).parts]
    at = ["/" + p.relative_to(ROOT).with_suffix("").as_posix() for p in files]
    held = [name for name in at if any(Path(name).match(entry) for entry in entries())]
    assert sorted(set(at) - set(held)) == [], "list it in docs/site/index.md"


def test_whom_to_cite_is_the_same_everywhere():
    page = (DOCS / "about" / "cite.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version = {{{project['version']}}}" in page
    assert f"\nversion: {project['version']}\n" in told
    assert sf.__version__ == project["version"]
    assert re.findall(r"arXiv [\d.]+", page) == re.findall(r"arXiv [\d.]+", told)


def test_pages_are_written_only_where_they_changed_and_old_ones_go(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "scalefit.gone.rst").write_text("old")
    (tmp_path / "api" / "scalefit.read.rst").write_text("kept")
    pages.write(tmp_path)
    assert [p.name for p in (tmp_path / "api").iterdir()] == ["scalefit.read.rst"]
    first = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*.*")}
    pages.write(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("*.*")} == first
    assert len(first) == 2


def ours():
    rows = (DOCS / "about" / "peers.md").read_text(encoding="utf-8").splitlines()
    cells = [row.split("|") for row in rows if row.startswith("| ")]
    return [(row[1].strip(), row[2].strip()) for row in cells[1:]]


@pytest.mark.parametrize(("what", "said"), ours())
def test_each_yes_beside_our_peers_names_what_is_there(what, said):
    assert said.startswith(("yes", "[yes]")), what
    for name in re.findall(r"`(.*?)`", said):
        value = sf
        for part in name.split("."):
            assert hasattr(value, part) or part in getattr(value, "__dataclass_fields__", {})
            value = getattr(value, part)


def test_the_readmes_table_is_what_its_command_writes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"<!-- table -->\n{readme.table()}\n<!-- /table -->" in text
    assert (DOCS / "forecast.png").stat().st_size < 400_000
