"""Whether each corpus helps, as one part of a report."""

from __future__ import annotations

from scalefit.analysis.alignment import AlignmentTable
from scalefit.views.alignment import plot_alignment
from scalefit.views.report import Section

TITLE = "Does each corpus help the task?"
HIDDEN = ("flag (BH)", "p")


def alignment_section(table: AlignmentTable) -> Section:
    """Return the verdicts, worst first, with the picture of the worst."""
    drawn = any(result.evidence is not None for result in table)
    return Section(
        TITLE,
        text=(f"{table.summary}.",),
        svg=plot_alignment(table, most=3).to_svg() if drawn else "",
        rows=tuple({k: v for k, v in row.items() if k not in HIDDEN} for row in table.rows()),
        notes=table.notes,
    )
