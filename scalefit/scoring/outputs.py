"""Hypotheses that lie beside the logs: scored anew, with standard errors and signatures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalefit.errors import FormatError
from scalefit.ingest.complete import Context, resolved
from scalefit.ingest.reader import Extract, Row
from scalefit.ingest.source import Source

from .score import score_systems

_ROUNDED = 0.0501
"""Difference up to which a log's own score is the same, printed with one decimal."""
_Texts = tuple[str, str | None]


@dataclass(frozen=True)
class Outputs:
    """What to score beside the logs.

    Attributes
    ----------
    hypotheses : mapping
        Evaluation set, as the log calls it -> file name in each run's folder:
        ``{"eval": "generated_predictions.txt"}``.
    references, sources : mapping
        Evaluation set -> path; it may refer to columns, as in ``references/{task}.target.txt``.
        COMET needs sources.
    metrics : sequence of str
        What to score: ``bleu``, ``chrf``, ``chrf++``, ``ter``, ``comet``.
    options : mapping
        Further options of :func:`scalefit.score`.

    Examples
    --------
    >>> Outputs({"eval": "hyp.txt"}, {"eval": "references/{task}.target.txt"}).metrics
    ('bleu', 'chrf')
    """

    hypotheses: Mapping[str, str]
    references: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[str] = ("bleu", "chrf")
    options: Mapping[str, Any] = field(default_factory=dict)

    def score(self, found: Extract, units: Sequence[Source], context: Context) -> None:
        """Score all hypotheses of all runs; put the scores in the place of the logs' own."""
        known = {(r["@unit"], r["@set"], r.get("metric")): r for r in found.rows}
        differences: list[tuple[float, str]] = []
        for (reference, source), systems in self._grouped(found, units, context).items():
            for row in self._scores(found, reference, source, list(systems)):
                unit, name = systems[str(row.pop("system"))]
                own = known.get((unit.name, name, row["metric"]))
                if own is None:
                    found.rows += context.complete([{**row, "eval_set": name}], unit)
                    continue
                differences.append((abs(float(own["value"]) - row["value"]), str(row["source"])))
                own.update(row)
        self._compare(found, differences)

    def _grouped(
        self, found: Extract, units: Sequence[Source], context: Context
    ) -> dict[_Texts, dict[str, tuple[Source, str]]]:
        """Return, for each reference (and source), its hypotheses files with run and set."""
        groups: dict[_Texts, dict[str, tuple[Source, str]]] = defaultdict(dict)
        for unit in units:
            for name, file in self.hypotheses.items():
                path = unit.path / file if unit.is_dir else unit.path.parent / file
                if not path.is_file():
                    found.note(f"{path}: no such hypotheses; the log's own scores are kept")
                    continue
                (row,) = context.complete([{"eval_set": name}], unit)
                groups[self._texts(name, row, unit)][str(path)] = (unit, name)
        return groups

    def _texts(self, name: str, row: Row, unit: Source) -> _Texts:
        if name not in self.references:
            raise FormatError(f"no reference for evaluation set {name!r}; needed {name}=PATH")
        told = {"reference": self.references[name], "source": self.sources.get(name)}
        filled = resolved({**row, **told}, unit.name)
        return str(filled["reference"]), filled["source"]

    def _scores(
        self, found: Extract, reference: str, source: str | None, files: list[str]
    ) -> list[Row]:
        if not Path(reference).is_file():
            raise FormatError(f"{reference}: there is no such reference")
        options = {"allow_empty": True, **self.options}
        systems = {name: Path(name) for name in files}
        scored = score_systems(
            systems, Path(reference), source and Path(source), self.metrics, **options
        )
        for note in scored.table.notes:
            found.note(f"{reference}: {note}")
        return [dict(row) for row in scored.table.frame.to_dict("records")]  # type: ignore[arg-type]

    def _compare(self, found: Extract, differences: list[tuple[float, str]]) -> None:
        if not differences:
            return
        most, place = max(differences)
        told = f"{len(differences)} scores of the logs scored anew from their hypotheses"
        if most <= _ROUNDED:
            found.note(f"{told}; they agree to {most:.2g}")
        else:
            found.note(f"{told}; they differ by up to {most:.3g} ({place}): the new ones are kept")
