"""A report as one HTML file: sentences, pictures as inline SVG, tables that sort and filter, notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scalefit.rows import Row, cell, columns
from scalefit.version import __version__
from scalefit.views.style import ON_DARK, for_both_grounds
from scalefit.views.tables import is_number, is_numeric


@dataclass(frozen=True)
class Section:
    """One part of a report; whatever is empty is left out. Its lead belongs to the page's summary.

    ``explorer`` holds what :func:`scalefit.views.explorer.explored` worked out.
    """

    title: str
    text: tuple[str, ...] = ()
    svg: str = ""
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    lead: str = ""
    explorer: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """What a report says, top to bottom; the summary comes first, signatures last."""

    title: str
    summary: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    footer: tuple[str, ...] = ()


def render(report: Report) -> str:
    """Return the report as one HTML page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scalefit.views"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cell=cell, columns=columns, numeric=is_numeric, is_number=is_number, turned=for_both_grounds
    )
    scripts = ["report.js", *(["explorer.js"] if any(s.explorer for s in report.sections) else [])]
    loader = PackageLoader("scalefit.views")
    script = "\n".join(loader.get_source(environment, name)[0] for name in scripts)
    return environment.get_template("report.html").render(
        report=report, version=__version__, script=script, dark=ON_DARK
    )
