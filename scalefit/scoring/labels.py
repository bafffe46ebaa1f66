"""What no hypothesis file knows about itself: corpus, pretraining size, seeds, evaluation set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalefit.ingest import manifest as manifests
from scalefit.ingest.complete import Context
from scalefit.ingest.delimited import CSV
from scalefit.ingest.source import Source

from .text import Text


@dataclass(frozen=True)
class Labels:
    """Where the columns of the results table come from that scoring cannot know.

    Attributes
    ----------
    columns : mapping
        The same for all systems: ``{"eval_set": "newstest2019", "domain": "out"}``. A cell may
        refer to other columns, as in ``"{task}/synopses"``.
    manifest : path, optional
        CSV with a column ``path`` and what is known about the runs below it, as for `read`.
    pattern : str, optional
        The same from the paths: ``runs/{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}``.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    manifest: str | Path | None = None
    pattern: str | None = None

    def rows(self, systems: Mapping[str, Text]) -> dict[str, dict[str, Any]]:
        """Return each system's columns.

        Raises
        ------
        MissingColumnError
            If a system fits neither manifest nor pattern where one is given.
        """
        context = Context(_manifest(self.manifest), self.pattern)
        found = {}
        for name, text in systems.items():
            known = dict(self.columns)
            if not (self.manifest or self.pattern):
                known["system"] = name
            (found[name],) = context.complete([known], Source(Path(text.name), text.name))
        return found


def _manifest(path: str | Path | None) -> manifests.Manifest | None:
    if path is None:
        return None
    source = Source.of(path)
    return manifests.load(source, CSV.read(source).records())
