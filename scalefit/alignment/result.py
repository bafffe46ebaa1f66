"""The frozen results: one ``Alignment`` a group and metric, and the table of all of them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from scalefit.groups import group_name
from scalefit.procedures.multiplicity import adjust
from scalefit.result import frame_of, html_notes, html_table, html_verdict

from .causes import Cause
from .evidence.gather import Evidence
from .sample_size import SampleSize
from .verdicts import VERDICTS, Decision, Flag, Strength, Verdict

__all__ = ["Alignment", "AlignmentTable"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The verdict about one quality metric of one group, with the evidence behind it.

    Attributes
    ----------
    key : the group's columns and values.
    metric : quality metric.
    decision : verdict, flag, strength and scope; each is an attribute of its own as well.
    reason, advice : in words.
    p : p value of the alarm (a fall, or harm), adjusted for all pairs of sizes.
    p_misaligned : p value of the flag.
    size : what it would take, where the verdict is inconclusive and seeds can help.
    causes : causes that can be told apart.
    failed : number of failed runs; again : the decision without them, None where none failed.
    evidence : everything measured; None where the group was too small.
    alpha : level.
    """

    key: Mapping[str, Any]
    metric: str
    decision: Decision
    reason: str
    advice: str
    p: float
    p_misaligned: float
    alpha: float
    size: SampleSize | None = None
    causes: tuple[Cause, ...] = ()
    failed: int = 0
    again: Decision | None = None
    evidence: Evidence | None = None
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What is said about the curve."""
        return self.decision.verdict

    @property
    def flag(self) -> Flag:
        """Whether cross-entropy improves meanwhile: misaligned, suspected or nothing."""
        return self.decision.flag

    @property
    def strength(self) -> Strength:
        """How strong verdict and flag are."""
        return self.decision.strength

    @property
    def scope(self) -> str:
        """What the verdict is about."""
        return self.decision.scope

    @property
    def without_failed(self) -> Verdict | None:
        """The verdict without the failed runs; None where none failed."""
        return None if self.again is None else self.again.verdict

    @property
    def misaligned(self) -> bool:
        """Whether the flag is raised with full strength."""
        return self.flag == "misaligned"

    @property
    def name(self) -> str:
        """The group's values in one phrase."""
        return group_name({**self.key, "metric": self.metric})

    @property
    def headline(self) -> str:
        """Verdict and flag in a few words, strength where it is not full."""
        word = {"misaligned": "MISALIGNED, ", "suspected": "suspected misaligned, ", "": ""}
        weak = "" if self.strength in ("confirmed", "open") else f" ({self.strength})"
        return f"{word[self.flag]}{self.verdict}{weak}"

    def __str__(self) -> str:
        """Return the verdict, its reason and advice, and the evidence line by line."""
        lines = [f"{self.name}: {self.headline}", f"  {self.reason}", f"  → {self.advice}"]
        lines += [f"  · {line}" for line in self.lines()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Alignment({self.name}: {self.headline})"

    def lines(self) -> list[str]:
        """Return the evidence, one line a piece, then causes and notes."""
        said = [] if self.evidence is None else self.evidence.lines()
        said.append(f"scope: {self.scope}")
        if self.again is not None:
            flag = f", {self.again.flag}" if self.again.flag else ""
            said.append(f"without {self.failed} failed runs: {self.again.verdict}{flag}")
        return said + self._cause_lines() + [f"note: {note}" for note in self.notes]

    def _cause_lines(self) -> list[str]:
        if not self.verdict.alarm:
            size = [c for c in self.causes if c.name == "large finetuning set"]
            return [f"cause: {c}" for c in size if c.status == "likely"]
        told = [f"cause: {c}" for c in self.causes if c.status != "unknown"]
        open_ = [c for c in self.causes if c.status == "unknown"]
        return told + [f"not told apart: {c.name} ({c.why}); {c.control}" for c in open_]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            **dict(self.key),
            **{n: getattr(self, n) for n in _PLAIN},
            "verdict": str(self.verdict),
            "without_failed": None if self.again is None else str(self.again.verdict),
            "sample_size": None if self.size is None else vars(self.size),
            "causes": [vars(cause) for cause in self.causes],
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        body = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines())
        said = f"<p>{html.escape(self.reason)}<br>→ {html.escape(self.advice)}</p>"
        return f"{html_verdict(f'{self.name}: {self.headline}')}{said}<ul>{body}</ul>"


_PLAIN = (
    "metric", "flag", "strength", "scope", "reason", "advice", "p", "p_misaligned", "failed",
    "alpha",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class AlignmentTable(Sequence[Alignment]):
    """All verdicts, worst first, with p values adjusted over groups and metrics.

    Attributes
    ----------
    results : the verdicts, worst first.
    alpha : level.
    notes : what was left out, split or scaled.
    """

    results: tuple[Alignment, ...]
    alpha: float = 0.05
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Alignment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Alignment, ...]: ...
    def __getitem__(self, index: int | slice) -> Alignment | tuple[Alignment, ...]:
        """Return a verdict by its place, worst first."""
        return self.results[index]

    def __len__(self) -> int:
        """Return the number of verdicts."""
        return len(self.results)

    def __iter__(self) -> Iterator[Alignment]:
        """Iterate over the verdicts, worst first."""
        return iter(self.results)

    def adjusted(self, method: str = "holm", *, flag: bool = True) -> tuple[float, ...]:
        """P values adjusted over the family of all groups and metrics.

        Parameters
        ----------
        method
            ``"holm"`` (no false alarm in the whole family), ``"bh"`` (share of false alarms) or
            ``"none"``.
        flag
            Of the flag ``misaligned``; False for the alarm (fall or harm) by itself.
        """
        p = [r.p_misaligned if flag else r.p for r in self.results]
        return tuple(float(v) for v in adjust(p, method))

    def flags(self, method: str = "holm") -> tuple[Flag, ...]:
        """Return the flags that survive the adjustment, in the order of the results."""
        p = self.adjusted(method)
        return tuple(
            r.flag if v <= self.alpha else "" for r, v in zip(self.results, p, strict=True)
        )

    def verdicts(self, method: str = "holm") -> tuple[Verdict, ...]:
        """Verdicts after adjustment: an alarm that does not survive it is ``inconclusive``."""
        p = self.adjusted(method, flag=False)
        return tuple(
            Verdict.INCONCLUSIVE if r.verdict.alarm and v > self.alpha else r.verdict
            for r, v in zip(self.results, p, strict=True)
        )

    def flagged(self, method: str = "holm", *, suspected: bool = False) -> tuple[Alignment, ...]:
        """Results whose flag survives the adjustment; with `suspected`, the weaker flag counts."""
        wanted = ("misaligned", "suspected") if suspected else ("misaligned",)
        pairs = zip(self.results, self.flags(method), strict=True)
        return tuple(result for result, flag in pairs if flag in wanted)

    def rows(self) -> list[dict[str, Any]]:
        """Return one plain row a verdict, worst first."""
        held, shared = self.flags("holm"), self.flags("bh")
        names = [n for n in self._keys() if len({str(r.key.get(n)) for r in self.results}) > 1]
        return [
            {
                **{n: r.key.get(n) for n in names},
                "metric": r.metric,
                "verdict": str(r.verdict),
                "flag": r.flag or "–",
                "strength": r.strength,
                "flag (Holm)": h or "–",
                "flag (BH)": b or "–",
                **_numbers(r),
                "p": r.p,
                "advice": r.advice,
            }
            for r, h, b in zip(self.results, held, shared, strict=True)
        ]

    def _keys(self) -> list[str]:
        return list(dict.fromkeys(name for r in self.results for name in r.key))

    def to_frame(self) -> Any:
        """Return the rows as a data frame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        held, shared = self.flags("holm"), self.flags("bh")
        adjusted = zip(self.adjusted("holm"), self.adjusted("bh"), held, shared, strict=True)
        return {
            "alpha": self.alpha,
            "notes": list(self.notes),
            "results": [
                {**r.to_dict(), "p_holm": p, "p_bh": q, "flag_holm": h, "flag_bh": b}
                for r, (p, q, h, b) in zip(self.results, adjusted, strict=True)
            ],
        }

    @property
    def summary(self) -> str:
        """How many of which verdict, and how many flags, on one line."""
        counts = {v: sum(r.verdict == v for r in self.results) for v in VERDICTS}
        said = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
        flags = len(self.flagged("none")), len(self.flagged("holm")), len(self.flagged("bh"))
        hints = sum(r.flag == "suspected" for r in self.results)
        more = f", {hints} suspected" if hints else ""
        return f"{said}; misaligned: {flags[0]} (Holm {flags[1]}, BH {flags[2]}){more}"

    def __str__(self) -> str:
        """Return all verdicts with their evidence, worst first."""
        parts = [self.summary, *map(str, self.results), *(f"note: {n}" for n in self.notes)]
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return f"AlignmentTable({self.summary})"

    def _repr_html_(self) -> str:
        return html_verdict(self.summary) + html_table(self.rows()) + html_notes(self.notes)


def _numbers(result: Alignment) -> dict[str, Any]:
    if result.evidence is None:
        return {"largest fall": None, "lower": None, "upper": None}
    fall = result.evidence.fall
    upper = fall.upper if np.isfinite(fall.upper) else None
    return {"largest fall": fall.estimate, "lower": fall.lower, "upper": upper}
