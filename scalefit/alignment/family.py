"""All verdicts of a table, worst first, with p values adjusted over groups and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from scalefit.result import frame_of, html_notes, html_table, html_verdict

from .multiplicity import benjamini_hochberg, holm
from .result import ALARMS, Alignment
from .verdict import VERDICTS

__all__ = ["AlignmentTable"]


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
        if not p or method == "none":
            return tuple(p)
        rule = {"holm": holm, "bh": benjamini_hochberg}
        if method not in rule:
            raise ValueError(f"method is {method!r}; needed 'holm', 'bh' or 'none'")
        return tuple(float(v) for v in rule[method](p))

    def flags(self, method: str = "holm") -> tuple[str, ...]:
        """Return the flags that survive the adjustment, in the order of the results."""
        p = self.adjusted(method)
        return tuple(
            r.flag if v <= self.alpha else "" for r, v in zip(self.results, p, strict=True)
        )

    def verdicts(self, method: str = "holm") -> tuple[str, ...]:
        """Verdicts after adjustment: an alarm that does not survive it is ``inconclusive``."""
        p = self.adjusted(method, flag=False)
        return tuple(
            "inconclusive" if r.verdict in ALARMS and v > self.alpha else r.verdict
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
                "verdict": r.verdict,
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
    found = result.evidence
    if found is None:
        return {"largest fall": None, "lower": None, "upper": None}
    upper = found.fall.upper
    return {
        "largest fall": found.fall.estimate,
        "lower": found.fall.lower,
        "upper": float(upper) if np.isfinite(upper) else None,
    }
