"""Pages that are made of the package itself: one a public name, and what each command says of itself."""

from __future__ import annotations

import inspect
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

import scalefit as sf
from scalefit.cli import COMMANDS, app

MODULES = {
    "datasets": "Data that come with the package",
    "errors": "Errors and warnings",
    "landscape": "The loss landscape",
    "metrics": "Metrics",
}
TOPICS = {
    "result": "What every answer is",
    "table": "Tables",
    "ingest": "Reading",
    "laws": "Laws",
    "fitting": "Fits",
    "forecasting": "Forecasts",
    "alignment": "Alignment",
    "seeds": "Seeds",
    "procedures": "Procedures",
    "corpora": "Corpora",
    "planning": "Plans",
    "scoring": "Scores of translations",
    "doors": "What to call first",
    "store": "Files of results",
    "views": "Pictures",
}


def names() -> dict[str, list[str]]:
    """Return topic → full names of what is public there, submodules' names included."""
    topics: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(sf.__all__) - {"__version__"}, key=str.lower):
        value = getattr(sf, name)
        if inspect.ismodule(value):
            topics[MODULES.get(name, f"sf.{name}")] += [
                f"{value.__name__}.{inner}" for inner in public(value)
            ]
        else:
            topics[_topic(value)].append(f"scalefit.{name}")
    order = ["What to call first", *TOPICS.values()]
    return dict(sorted(topics.items(), key=lambda t: order.index(t[0]) if t[0] in order else 99))


def public(module: ModuleType) -> list[str]:
    """Return public functions and classes of a module, in its own order."""
    listed = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    return [n for n in listed if _is_its_own(module, getattr(module, n))]


def _is_its_own(module: ModuleType, value: object) -> bool:
    return callable(value) and getattr(value, "__module__", "").startswith(module.__name__)


def apart() -> dict[str, str]:
    """Return file names for classes that a function is called like (``Fit``, ``fit``): not every disk tells case."""
    full = [name for names_ in names().values() for name in names_]
    lower = [name for name in full if name == name.lower()]
    return {name: f"{name}-class" for name in full if name not in lower and name.lower() in lower}


def _topic(value: object) -> str:
    home = getattr(value, "__module__", "scalefit.laws")  # LAWS is a plain mapping
    folder = home.split(".")[1] if home.startswith("scalefit.") else "laws"
    return TOPICS.get(folder, folder.capitalize())


def api() -> str:
    """Return one table a topic; autosummary makes the page of each name."""
    parts = [
        "API",
        "===",
        "",
        "Everything public, by topic. ``import scalefit as sf`` brings all of it.",
        "",
    ]
    for topic, full in names().items():
        parts += [topic, "-" * len(topic), "", ".. autosummary::", "   :toctree: api", ""]
        parts += [*(f"   {name}" for name in full), ""]
    return "\n".join(parts)


def commands() -> str:
    """Return what ``scalefit COMMAND --help`` prints."""
    parts = [
        "# What each command says of itself",
        "",
        "How to use them: [the command line](../cli.md).",
        "",
    ]
    for name in sorted(COMMANDS):
        parts += [f"## scalefit {name}", "", "```text", _help(name), "```", ""]
    return "\n".join(parts)


def _help(name: str) -> str:
    told = CliRunner().invoke(app, [name, "--help"], prog_name="scalefit", env={"COLUMNS": "80"})
    return "\n".join(line.rstrip() for line in told.output.strip().splitlines())


def write(folder: Path) -> None:
    """Write both, where their text has changed, so that an unchanged page is not built again; old pages go."""
    for name, text in (("api.rst", api()), ("commands.md", commands())):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    listed = [name for names_ in names().values() for name in names_]
    files = {f"{apart().get(name, name)}.rst" for name in listed}
    for old in [p for p in (folder / "api").glob("*.rst") if p.name not in files]:
        old.unlink()
