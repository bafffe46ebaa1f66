"""What the log does not know is added from the manifest and the pattern, and asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.table.cells import is_missing, missing
from scalefit.units import parse_count

from .manifest import Manifest, resolved
from .pattern import match
from .reader import Extract, Row
from .source import Source

SHOWN = 5


@dataclass(frozen=True)
class Context:
    """Where the columns come from that no log knows.

    Attributes
    ----------
    manifest : Manifest or None
        A table of runs.
    pattern : str or None
        Columns in the runs' paths.
    tokens_per_step : float or None
        Tokens of one step's batch, where the steps are those of pretraining:
        ``pretrain_tokens`` is then step × tokens.
    """

    manifest: Manifest | None = None
    pattern: str | None = None
    tokens_per_step: float | None = None

    @property
    def knows(self) -> bool:
        """Whether there is anything to add."""
        return (self.manifest, self.pattern, self.tokens_per_step) != (None, None, None)

    def complete(self, rows: list[Row], source: Source) -> list[Row]:
        """Return the rows of one source with what pattern and manifest say about it."""
        if self.manifest is not None or self.pattern is not None:
            rows = [self._row(row, source) for row in rows]
        if self.tokens_per_step is not None:
            rows = [self._counted(row) for row in rows]
        return rows

    def _counted(self, row: Row) -> Row:
        step = parse_count(str(row.get("step")))
        if step is None or not is_missing(row.get("pretrain_tokens")):
            return row
        return {**row, "pretrain_tokens": step * (self.tokens_per_step or 0.0)}

    def _row(self, row: Row, source: Source) -> Row:
        run = str(row.get("run") or row.get("system") or "")
        path = f"{source.path.as_posix()}/{run}" if run else source.path.as_posix()
        told = self._from_pattern(path) | self._from_manifest(row, source)
        replaced = {"model", "eval_set"} if self.manifest is not None else {"model"}
        found = {**row}
        for name, value in told.items():
            own = row.get(name)
            if name not in replaced and not is_missing(own) and not _same(own, value):
                raise TableError(
                    f"{source.name}, column {name!r}: the file says {own!r}, the manifest or "
                    f"pattern {value!r}; needed one. Try: take {name} out of one of them"
                )
            found[name] = value
        return resolved(found, source.name)

    def _from_pattern(self, path: str) -> Row:
        if self.pattern is None:
            return {}
        found = match(self.pattern, path)
        if found is None and self.manifest is None:
            raise MissingColumnError(
                f"{path} does not fit the pattern {self.pattern!r}, so what the pattern would tell "
                "is missing. Try: a narrower path, or a manifest (runs.csv) beside the pattern"
            )
        return dict(found or {})

    def _from_manifest(self, row: Row, source: Source) -> Row:
        if self.manifest is None:
            return {}
        found = self.manifest.columns(source.path, row)
        if found is None and self.pattern is None:
            raise MissingColumnError(
                f"{source.name}: no line of the manifest fits it, so its corpus, pretraining size "
                "and seeds are missing. Try: add a line with its path"
            )
        return found or {}


def _same(own: object, told: object) -> bool:
    counts = [parse_count(str(v)) for v in (own, told)]
    return str(own) == str(told) or (counts[0] is not None and counts[0] == counts[1])


def ask_for_pretraining(frame: pd.DataFrame) -> None:
    """Raise where rows lack the pretraining size, and say how to give it."""
    there = frame.get("pretrain_tokens")
    lacking = frame["source"] if there is None else frame["source"][missing(there)]
    if not len(lacking):
        return
    shown = ", ".join(dict.fromkeys(lacking[: SHOWN * 20]))
    raise MissingColumnError(
        f"pretrain_tokens is missing for {len(lacking)} of {len(frame)} values ({shown[:200]}): no "
        "training log knows how many tokens its model was pretrained on, and it is never guessed. "
        "Try: a manifest (columns path, corpus, pretrain_tokens, …) or a path pattern such as "
        "'runs/{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}'; 0 means not pretrained"
    )


class Rescorer(Protocol):
    """What scores the hypotheses beside the logs: :class:`scalefit.Outputs`, which stands above the readers."""

    def score(self, found: Extract, units: Sequence[Source], context: Context) -> None:
        """Put new scores in the place of the logs' own."""
