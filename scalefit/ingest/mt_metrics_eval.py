"""mt-metrics-eval folders: ``metric-scores/SRC-TGT/METRIC-REF.sys.score``, v1 without ``-REF``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scalefit.table.names import metric_name

from .jsons import number
from .limits import LIMITS
from .reader import Extract, Reader, Row
from .source import Source

_FILE = re.compile(r"(?P<metric>.+?)(?:-(?P<ref>[^-]+))?\.sys\.score")


def recognises(source: Source) -> bool:
    """Whether it is a test set's folder: system-outputs/ with metric-scores/ or human-scores/."""
    return source.is_dir and source.child("system-outputs").is_dir


def read(source: Source) -> Extract:
    """Return all automatic scores of whole systems."""
    found = Extract()
    scores = source.child("metric-scores")
    for pair in (
        sorted(p.name for p in scores.path.iterdir() if p.is_dir()) if scores.is_dir else ()
    ):
        for name in sorted(p.name for p in scores.child(pair).path.iterdir()):
            named = _FILE.fullmatch(name)
            if named:
                file = scores.child(pair, name)
                told = {"signature": f"ref:{named['ref']}"} if named["ref"] else {}
                own = {**told, "lang_pair": pair}
                place = {"eval_set": f"{source.path.name}/{pair}", **own}
                rows = _systems(file, found)
                found.rows += [{"metric": metric_name(named["metric"]), **r, **place} for r in rows]
    if not found.rows:
        raise source.nothing(
            "has no metric-scores/SRC-TGT/METRIC-REF.sys.score. "
            "Try: score its system-outputs/ against its references/ with scalefit score",
        )
    return found


def _systems(file: Source, found: Extract) -> Iterator[Row]:
    without: list[str] = []
    for line, text in file.lines():
        cells = text.split("\t") if "\t" in text else text.split()
        if len(cells) != 2:
            raise file.wrong(line, f"found {len(cells)} fields; needed a system and its score")
        value = number(cells[1])
        if value is None:
            without.append(f"{file.at(line)}: {cells[0]} has no score ({cells[1]}): left out")
        else:
            yield {"system": cells[0], "value": value, "source": file.at(line)}
    for note in without[: LIMITS.notes]:
        found.note(note)


READER = Reader("mt-metrics-eval", "an mt-metrics-eval test set", recognises, read, takes="folder")
