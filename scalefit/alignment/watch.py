"""Where sequences stand: the frozen results of ``monitor``."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from scalefit.result import frame_of, html_table, html_verdict

__all__ = ["DECIDE", "GO_ON", "STOP", "Watch", "WatchTable"]

STOP, GO_ON, DECIDE = "stop", "go on", "decide"


@dataclass(frozen=True, eq=False)
class Watch:
    """Where one sequence stands.

    Attributes
    ----------
    key, metric : the group and its quality metric.
    decision : ``stop`` (quality falls beyond doubt), ``go on``, or ``decide`` (a fall beyond the
        margin is seen, but is not beyond doubt).
    misaligned : whether cross-entropy surely improved over the fall that stopped it.
    look : look at which it stopped, else the latest look.
    levels, p : (L,) level and p value of every look; pairs, with loss: p of the flag.
    reason, advice : in words.
    """

    key: Mapping[str, Any]
    metric: str
    decision: str
    misaligned: bool
    look: int
    levels: tuple[float, ...]
    p: tuple[float, ...]
    pairs: tuple[float, ...]
    reason: str
    advice: str

    @property
    def name(self) -> str:
        """The group's values in one phrase."""
        return " · ".join([*(str(v) for v in self.key.values() if v is not None), self.metric])

    def __str__(self) -> str:
        """Return decision, reason and advice."""
        flag = "MISALIGNED, " if self.misaligned else ""
        return f"{self.name}: {flag}{self.decision}. {self.reason} → {self.advice}"

    def row(self) -> dict[str, Any]:
        """Return the watch as one plain row."""
        at = min(self.look, len(self.p)) - 1
        return {
            **dict(self.key),
            "metric": self.metric,
            "decision": self.decision,
            "misaligned": self.misaligned,
            "look": self.look,
            "p": self.p[at] if self.p else None,
            "level": self.levels[at] if self.levels else None,
            "advice": self.advice,
        }


@dataclass(frozen=True, eq=False)
class WatchTable(Sequence[Watch]):
    """All sequences, those that stopped first."""

    results: tuple[Watch, ...]
    alpha: float

    @overload
    def __getitem__(self, index: int) -> Watch: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Watch, ...]: ...
    def __getitem__(self, index: int | slice) -> Watch | tuple[Watch, ...]:
        """Return a sequence by its place."""
        return self.results[index]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.results)

    def __iter__(self) -> Iterator[Watch]:
        """Iterate over the sequences."""
        return iter(self.results)

    @property
    def stopped(self) -> tuple[Watch, ...]:
        """Sequences that should stop."""
        return tuple(w for w in self.results if w.decision == STOP)

    def rows(self) -> list[dict[str, Any]]:
        """Return one plain row a sequence."""
        return [w.row() for w in self.results]

    def to_frame(self) -> Any:
        """Return the rows as a data frame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"alpha": self.alpha, "results": [{**vars(w), "key": dict(w.key)} for w in self]}

    def __str__(self) -> str:
        """Return one line a sequence."""
        return "\n".join(map(str, self.results))

    def __repr__(self) -> str:
        return f"WatchTable({len(self.stopped)} of {len(self)} stopped)"

    def _repr_html_(self) -> str:
        return html_verdict(html.escape(repr(self))) + html_table(self.rows())
