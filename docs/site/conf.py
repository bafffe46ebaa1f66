"""The docs site: ``python -m sphinx -W --keep-going -c docs/site . out/site``.

The source folder is the repository's root, so that notebooks find their data where a reader's copy has them.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import pages  # noqa: E402
from sphinx import addnodes  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402
from sphinx.environment import BuildEnvironment  # noqa: E402

import scalefit  # noqa: E402


def _cache() -> Path:
    """Return where executed notebooks are kept, until the package's code changes (it sees changes of cells itself)."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    digest = hashlib.sha256()
    for path in sorted((ROOT / "scalefit").rglob("*.py*")):
        if "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    return home / "scalefit-docs" / digest.hexdigest()[:12]


pages.write(HERE)

project = "scalefit"
author = "The scalefit authors"
copyright = "The scalefit authors, Apache-2.0"
version = release = scalefit.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
root_doc = "docs/site/index"
include_patterns = ["docs/**", "notebooks/*.py"]
exclude_patterns = ["docs/site/*.py", "docs/site/templates/**", ".*", "out"]
templates_path = [str(HERE / "templates")]
source_suffix = {
    ".rst": "restructuredtext",
    ".md": "myst-nb",
    ".py": "myst-nb",
}  # autosummary writes the first

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(_cache())
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_mime_priority_overrides = [  # no server turns a widget on a page: what it says now is shown
    ("html", "application/vnd.jupyter.widget-view+json", None)
]
nb_ipywidgets_js = {}  # the pages ask for nothing from outside

autosummary_generate = True
autosummary_filename_map = pages.apart()
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # the docstrings say types in words
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"scalefit {version}"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_show_search_summary = False  # it fetches the sources, which a browser refuses from file://
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Leave the API's names out of every page's sidebar, where they cost half of the build; read parameters."""
    app.connect("env-updated", _shorten)
    app.connect("autodoc-process-docstring", _described, priority=100)  # numpydoc's own comes later


def _shorten(_: Sphinx, env: BuildEnvironment) -> None:
    for tree in list(env.tocs["docs/site/api"].findall(addnodes.toctree)):
        tree.parent.remove(tree)


def _described(_: Sphinx, *about: object) -> None:
    """Set ``name : what it is`` as numpydoc wants a description; it takes what follows the colon for a type."""
    lines = about[-1]
    section, out = "", []
    for i, line in enumerate(lines):
        after = lines[i + 1] if i + 1 < len(lines) else ""
        section = line if set(after) == {"-"} else section
        entry = re.fullmatch(r"([*\w][\w, *]*) : (.+)", line)
        typed = re.match(r" +[A-Z\d`\"'{(]", after) and not line.endswith((".", ",", ";", ":"))
        if entry and not typed and section in ("Parameters", "Attributes"):
            out += [entry[1], f"    {entry[2]}"]
        else:
            out.append(line)
    lines[:] = out


pygments_style, pygments_dark_style = "friendly", "github-dark"
