"""Whether each corpus helps, as one part of a report."""

from __future__ import annotations

from scalefit.alignment import AlignmentTable
from scalefit.views.alignment import plot_alignment
from scalefit.views.report import Section
from scalefit.views.tables import without_shared

TITLE = "Does each corpus help the task?"
HIDDEN = ("flag (BH)", "p")


def alignment_section(table: AlignmentTable | None) -> Section:
    """Return the verdicts, worst first, with the picture of the worst; that nothing can be told, where there are none."""
    if table is None:
        said = "Nothing tells: alignment needs a quality metric and pretraining sizes above 0."
        return Section(TITLE, text=(said,))
    drawn = any(result.evidence is not None for result in table)
    shown = [{k: v for k, v in row.items() if k not in HIDDEN} for row in table.shown()]
    shared, rows = without_shared(shown)
    return Section(
        TITLE,
        lead=_lead(table),
        text=(f"{' · '.join(filter(None, (table.verdict, shared)))}.",),
        svg=plot_alignment(table, most=3).to_svg() if drawn else "",
        rows=tuple(rows),
        notes=table.notes,
    )


def _lead(table: AlignmentTable) -> str:
    """Name what is misaligned with no false alarm in the whole family; empty where nothing is."""
    flagged = table.flagged("holm")
    return f"misaligned: {'; '.join(result.name for result in flagged)}" if flagged else ""
