"""The frozen result: one ``Alignment`` a group and metric."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scalefit.result import html_verdict
from scalefit.units import format_count

from .causes import Cause
from .evidence import Evidence
from .plain import evidence_dict, evidence_lines
from .power import SampleSize

__all__ = ["ALARMS", "Alignment"]

ALARMS = ("harmful", "deteriorating", "fluctuating")


@dataclass(frozen=True, eq=False)
class Alignment:
    """The verdict about one quality metric of one group, with the evidence behind it.

    Attributes
    ----------
    key : the group's columns and values.
    metric : quality metric.
    verdict : ``aligned``, ``saturated``, ``fluctuating``, ``deteriorating``, ``harmful`` or
        ``inconclusive``.
    flag : ``misaligned`` where cross-entropy surely improves while quality falls or fluctuates,
        ``suspected`` where the same is seen without replicated pretraining, else empty.
    strength : ``confirmed``, ``these checkpoints only``, ``provisional`` or ``open``.
    scope : what the verdict is about.
    reason, advice : in words.
    p : p value of the alarm (a fall, or harm), adjusted for all pairs of sizes.
    p_misaligned : p value of the flag.
    size : what it would take, where the verdict is inconclusive.
    causes : causes that can be told apart.
    failed : number of failed runs; without_failed : verdict without them, None where none failed.
    evidence : everything measured; None where the group was too small.
    alpha : level.
    """

    key: Mapping[str, Any]
    metric: str
    verdict: str
    flag: str
    strength: str
    scope: str
    reason: str
    advice: str
    p: float
    p_misaligned: float
    size: SampleSize | None
    causes: tuple[Cause, ...]
    failed: int
    without_failed: str | None
    evidence: Evidence | None
    alpha: float
    notes: tuple[str, ...] = ()

    @property
    def misaligned(self) -> bool:
        """Whether the flag is raised with full strength."""
        return self.flag == "misaligned"

    @property
    def name(self) -> str:
        """The group's values in one phrase."""
        said = [_value(k, v) for k, v in self.key.items() if v is not None]
        return " · ".join([*said, self.metric])

    @property
    def headline(self) -> str:
        """Verdict and flag in a few words, strength where it is not full."""
        word = {"misaligned": "MISALIGNED, ", "suspected": "suspected misaligned, "}.get(
            self.flag, ""
        )
        weak = "" if self.strength in ("confirmed", "open") else f" ({self.strength})"
        return f"{word}{self.verdict}{weak}"

    def __str__(self) -> str:
        """Return the verdict, its reason and advice, and the evidence line by line."""
        lines = [f"{self.name}: {self.headline}", f"  {self.reason}", f"  → {self.advice}"]
        lines += [f"  · {line}" for line in self.lines()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Alignment({self.name}: {self.headline})"

    def lines(self) -> list[str]:
        """Return the evidence, one line a piece, then causes and notes."""
        found = [] if self.evidence is None else evidence_lines(self.evidence)
        found.append(f"scope: {self.scope}")
        if self.failed:
            found.append(f"without {self.failed} failed runs: {self.without_failed}")
        if self.flag or self.verdict in ALARMS:
            found += [f"cause: {c}" for c in self.causes if c.status != "unknown"]
            open_ = [c for c in self.causes if c.status == "unknown"]
            found += [f"not told apart: {c.name} ({c.why}); {c.control}" for c in open_]
        else:
            size = [c for c in self.causes if c.name == "large finetuning set"]
            found += [f"cause: {c}" for c in size if c.status == "likely"]
        return found + [f"note: {note}" for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            **dict(self.key),
            **{n: getattr(self, n) for n in _PLAIN},
            "sample_size": None if self.size is None else vars(self.size),
            "causes": [vars(cause) for cause in self.causes],
            "evidence": None if self.evidence is None else evidence_dict(self.evidence),
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        body = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines())
        said = f"<p>{html.escape(self.reason)}<br>→ {html.escape(self.advice)}</p>"
        return f"{html_verdict(f'{self.name}: {self.headline}')}{said}<ul>{body}</ul>"


_PLAIN = (
    "metric", "verdict", "flag", "strength", "scope", "reason", "advice", "p", "p_misaligned",
    "failed", "without_failed", "alpha",
)  # fmt: skip


def _value(name: str, value: Any) -> str:
    if name == "finetune_tokens":
        return f"{format_count(value)} finetuning tokens"
    return str(value)
