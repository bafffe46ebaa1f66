"""Score hypotheses, given or beside the logs, against references: texts in, a table with standard errors out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from scalefit.errors import FormatError, ScoringError, TableError
from scalefit.ingest.complete import Context, Manifest, manifest_of, resolved
from scalefit.ingest.reader import Extract
from scalefit.ingest.source import Source
from scalefit.ingest.text_tables import CSV
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import ALLOWABLE, Table

from .bootstrap import redrawn
from .checkpoint import Comet
from .inputs import Hypotheses, Inputs, Lines, NamedText, read_inputs, tokenizer_note
from .measure import COMET, Measured, Scoring, checked_metrics, measure
from .statistics import SegmentStatistics

# What no hypothesis file knows about itself: corpus, pretraining size, seeds, evaluation set.


@dataclass(frozen=True)
class Labels:
    """Where the columns of the results table come from that scoring cannot know.

    Attributes
    ----------
    columns : the same for all systems: ``{"eval_set": "newstest2019", "domain": "out"}``. A cell may refer to other
        columns, as in ``"{task}/synopses"``.
    manifest : path, optional; CSV with a column ``path`` and what is known about the runs below it, as for `read`.
    pattern : str, optional; the same from the paths: ``runs/{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}``.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    manifest: str | Path | None = None
    pattern: str | None = None

    def rows(self, systems: Mapping[str, NamedText]) -> dict[str, dict[str, Any]]:
        """Return each system's columns.

        Raises MissingColumnError: if a system fits neither manifest nor pattern where one is given.
        """
        context = Context(_manifest(self.manifest), self.pattern)
        labels = {}
        for name, text in systems.items():
            known = dict(self.columns)
            if not (self.manifest or self.pattern):
                known["system"] = name
            (labels[name],) = context.complete([known], Source(Path(text.name), text.name))
        return labels


def _manifest(path: str | Path | None) -> Manifest | None:
    if path is None:
        return None
    source = Source.of(path)
    return manifest_of(source, CSV.read(source).records())


References: TypeAlias = Lines | Sequence[Path] | Sequence[Sequence[str]]
_DEFAULT = ("bleu", "chrf", "comet")
_REPLICATES = "taken as replicates"  # which rows that differ in their system are not


@dataclass(frozen=True, eq=False, repr=False)
class Scored(Result):
    """What came of scoring.

    Attributes
    ----------
    table : Table; one row per system and metric.
    statistics : per metric, for intervals and paired comparisons without the texts.
    problems : systems left out, each with its file and the reason.

    Examples
    --------
    >>> scored = score_systems({"good": ["the cat sat", "a dog ran off"]}, ["the cat sat", "a dog ran off"],
    ...                        metrics=["chrf"], cache=False)
    >>> scored.verdict
    '1 scores of 1 systems under chrf'
    """

    table: Table
    statistics: Mapping[str, SegmentStatistics]
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """How much was scored, and what was left out."""
        systems = len({name for one in self.statistics.values() for name in one.systems})
        left = f"; {len(self.problems)} left out" if self.problems else ""
        return f"{len(self.table)} scores of {systems} systems under {', '.join(self.statistics)}{left}"

    @property
    def notes(self) -> tuple[str, ...]:
        """The table's notes, problems among them."""
        return self.table.notes

    def rows(self) -> list[Row]:
        """One row a system and metric: value, standard error, signature."""
        rows: list[Row] = self.table.frame.to_dict("records")  # type: ignore[assignment]
        return rows

    def told(self) -> dict[str, Any]:
        """Return the scores and the problems."""
        return {"scores": self.rows(), "problems": self.problems}


def score(
    hypotheses: Hypotheses,
    references: References | None,
    sources: Lines | None = None,
    metrics: Sequence[str] = _DEFAULT,
    *,
    comet: Comet | str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
    manifest: str | Path | None = None,
    pattern: str | None = None,
    **scoring: Any,
) -> Table:
    """Score one or many systems' outputs, with the standard error of each score.

    Parameters
    ----------
    hypotheses : path, glob, lines, or mapping of name to lines or path; the outputs, one segment a line.
    references : path, lines, or several of them
        What to compare with; None only where a reference-free COMET model is all there is.
    sources : path or lines, optional
        What was translated; COMET reads it.
    metrics : any of ``bleu``, ``chrf``, ``chrf++``, ``ter``, ``comet``, ``comet_qe``.
    comet : Comet, str or path, optional
        COMET model: hub name, checkpoint path, or a `Comet` with batch size, precision and more.
    columns : columns to add to every row, such as ``{"eval_set": "newstest2019"}``.
    manifest : table of what no hypothesis file knows (corpus, pretraining size, seeds), as for `read`.
    pattern : the same from the paths: ``runs/{corpus}-{pretrain_tokens}/ft-s{finetune_seed}``.
    **scoring : any other field of `Scoring`: ``tokenize``, ``settings``, ``resamples``, ``seed``, ``cache``,
        ``workers``, ``executor``, ``allow_empty``, ``allow``, ``progress``.

    Returns Table: what manifest or pattern tell of a system (else its name, as ``system``), and ``metric``,
    ``value``, ``stderr``, ``signature``, ``source``; in sacreBLEU's units (0–100; COMET on its model's own scale). A
    system that could not be scored is named in the table's notes with the reason; all others are scored.

    Raises ScoringError: if references, sources or metrics do not fit together, or no system could be scored;
    MissingDependencyError: if COMET is asked for and not installed.

    Examples
    --------
    >>> table = score(["the cat sat down", "a dog ran off"], ["the cat sat", "a dog ran off"],
    ...               metrics=["chrf"], cache=False)
    >>> round(float(table.column("value")[0]), 1)
    94.3
    """
    return score_systems(
        hypotheses,
        references,
        sources,
        metrics,
        comet=comet,
        columns=columns,
        manifest=manifest,
        pattern=pattern,
        **scoring,
    ).table


def score_systems(
    hypotheses: Hypotheses,
    references: References | None,
    sources: Lines | None = None,
    metrics: Sequence[str] = _DEFAULT,
    *,
    comet: Comet | str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
    manifest: str | Path | None = None,
    pattern: str | None = None,
    **scoring: Any,
) -> Scored:
    """Score like `score`, and keep the segment statistics and the list of problems too.

    Takes what `score` takes.

    Returns Scored: Table, statistics by metric, problems.

    Examples
    --------
    >>> texts = {"a": ["the cat sat down", "a dog ran"], "b": ["the cat sat", "a dog ran off"]}
    >>> scored = score_systems(texts, ["the cat sat", "a dog ran off"], metrics=["chrf"], cache=False)
    >>> scored.table.unique("system"), scored.statistics["chrf"].values.shape[:2]
    (['a', 'b'], (2, 2))
    """
    how = _options(comet, scoring)
    wanted = checked_metrics(metrics)
    inputs = read_inputs(
        hypotheses,
        references,
        sources,
        needs={"sources" if name in COMET else "references" for name in wanted},
        allow_empty=how.allow_empty,
    )
    known = Labels(columns or {}, manifest, pattern).rows(inputs.systems)
    measured = {one.statistics.metric: one for one in measure(wanted, inputs, how)}
    rows = [row for one in measured.values() for row in _rows(one, inputs, how, known)]
    table = _checked(pd.DataFrame(rows), how.allow)
    about_rows = [note for note in table.notes if manifest or pattern or _REPLICATES not in note]
    notes = (*about_rows, *_notes(inputs, how, measured))
    statistics = {name: one.statistics for name, one in measured.items()}
    return Scored(replace(table, notes=notes), statistics, inputs.problems)


def _checked(frame: pd.DataFrame, allow: Sequence[str]) -> Table:
    """Return the scores as a table; what the checks say becomes a note, for the work is done.

    Low BLEU is truly low here: the unit is sacreBLEU's, so nothing can be a fraction.
    """
    allowed = ("fractions", "units", *allow)
    try:
        return Table.from_frame(frame, allow=allowed)
    except TableError as error:
        table = Table.from_frame(frame, allow=tuple(ALLOWABLE))
        return replace(table, notes=(*table.notes, f"kept, though {error}"))


def _options(comet: Comet | str | Path | None, scoring: Mapping[str, Any]) -> Scoring:
    """Return all options as one value; an unknown one is answered with those there are."""
    chosen = comet if isinstance(comet, Comet) else Comet(comet) if comet else Comet()
    try:
        return Scoring(comet=chosen, **scoring)
    except TypeError as error:
        known = ", ".join(name for name in Scoring.__dataclass_fields__ if name != "comet")
        raise ScoringError(f"score: {error}; further options are {known}") from error


def _rows(
    measured: Measured, inputs: Inputs, how: Scoring, known: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    statistics = measured.statistics
    errors: Sequence[float] = [float("nan")] * len(measured.values)
    if statistics.segments > 1:
        errors = redrawn(statistics, how.resamples, how.seed).stderr.tolist()
    return [
        {
            **known[system],
            "metric": statistics.metric,
            "value": value,
            "stderr": stderr,
            "signature": statistics.signature,
            "source": inputs.systems[system].name,
        }
        for system, value, stderr in zip(statistics.systems, measured.values, errors, strict=True)
    ]


def _notes(inputs: Inputs, how: Scoring, metrics: Collection[str]) -> list[str]:
    comet, bleu = "comet" in metrics, "bleu" in metrics
    segments = len(next(iter(inputs.systems.values())))
    notes = [f"left out: {problem}" for problem in inputs.problems]
    if segments > 1:
        drawn = f"{how.resamples:,} resamples, seed {how.seed}"
        notes.append(f"stderr: bootstrap over {segments:,} segments, {drawn}")
    else:
        notes.append("no stderr: one segment has nothing to resample")
    if comet and len(inputs.references) > 1:
        notes.append(f"comet reads one reference: {inputs.references[0].name}")
    if bleu and (told := tokenizer_note(inputs.references, how.tokenize)):
        notes.append(told)
    return notes + list(inputs.notes)


_ROUNDED = 0.0501
"""Difference up to which a log's own score is the same, printed with one decimal."""
_Texts = tuple[str, str | None]


@dataclass(frozen=True)
class Outputs:
    """What to score beside the logs.

    Attributes
    ----------
    hypotheses : evaluation set, as the log calls it -> file name in each run's folder: ``{"eval":
        "generated_predictions.txt"}``.
    references, sources : evaluation set -> path; it may refer to columns, as in ``references/{task}.target.txt``. COMET
        needs sources.
    metrics : what to score: ``bleu``, ``chrf``, ``chrf++``, ``ter``, ``comet``.
    options : further options of :func:`scalefit.score`.

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

    def score(self, extract: Extract, units: Sequence[Source], context: Context) -> None:
        """Score all hypotheses of all runs; put the scores in the place of the logs' own."""
        known = {(r["@unit"], r["@set"], r.get("metric")): r for r in extract.rows}
        differences: list[tuple[float, str]] = []
        for (reference, source), systems in self._grouped(extract, units, context).items():
            for row in self._scores(extract, reference, source, list(systems)):
                unit, name = systems[str(row.pop("system"))]
                own = known.get((unit.name, name, row["metric"]))
                if own is None:
                    extract.rows += context.complete([{**row, "eval_set": name}], unit)
                    continue
                differences.append((abs(float(own["value"]) - row["value"]), str(row["source"])))
                own.update(row)
        self._compare(extract, differences)

    def _grouped(
        self, extract: Extract, units: Sequence[Source], context: Context
    ) -> dict[_Texts, dict[str, tuple[Source, str]]]:
        """Return, for each reference (and source), its hypotheses files with run and set."""
        groups: dict[_Texts, dict[str, tuple[Source, str]]] = defaultdict(dict)
        for unit in units:
            for name, file in self.hypotheses.items():
                path = unit.path / file if unit.is_dir else unit.path.parent / file
                if not path.is_file():
                    extract.note(f"{path}: no such hypotheses; the log's own scores are kept")
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
        self, extract: Extract, reference: str, source: str | None, files: list[str]
    ) -> list[Row]:
        if not Path(reference).is_file():
            raise FormatError(f"{reference}: there is no such reference")
        options = {"allow_empty": True, **self.options}
        systems = {name: Path(name) for name in files}
        scored = score_systems(
            systems, Path(reference), source and Path(source), self.metrics, **options
        )
        for note in scored.table.notes:
            extract.note(f"{reference}: {note}")
        return scored.rows()

    def _compare(self, extract: Extract, differences: list[tuple[float, str]]) -> None:
        if not differences:
            return
        most, place = max(differences)
        told = f"{len(differences)} scores of the logs scored anew from their hypotheses"
        if most <= _ROUNDED:
            extract.note(f"{told}; they agree to {most:.2g}")
        else:
            extract.note(
                f"{told}; they differ by up to {most:.3g} ({place}): the new ones are kept"
            )
