"""The frozen results: one ``Alignment`` a group and metric, and the table of all of them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scalefit.estimate import adjust
from scalefit.groups import group_name
from scalefit.result import Result, Results, html_notes, html_verdict
from scalefit.rows import Row

from .causes import Cause
from .evidence.gather import Evidence
from .sample_size import SampleSize
from .verdicts import VERDICTS, Decision, Flag, Strength, Verdict


@dataclass(frozen=True, eq=False, repr=False)
class Judged:
    """One quality metric of one group: what a verdict and a sequence are about."""

    group: Mapping[str, Any]
    metric: str

    @property
    def labels(self) -> dict[str, Any]:
        """The group's columns and values, and the metric: what it is found by in a table."""
        return {**self.group, "metric": self.metric}

    @property
    def name(self) -> str:
        """The group's values in one phrase."""
        return group_name(self.labels)


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Judged, Result):
    """The verdict about one quality metric of one group, with the evidence behind it.

    Attributes
    ----------
    group : the group's columns and values.
    metric : quality metric.
    decision : verdict, flag, strength and scope; each is an attribute of its own as well.
    reason, advice : in words.
    p : p value of the alarm (a fall, or harm), adjusted for all pairs of sizes.
    p_misaligned : p value of the flag.
    size : what it would take, where the verdict is inconclusive and seeds can help.
    causes : causes that can be told apart.
    failed : number of failed runs; again : the decision without them, None where none failed.
    evidence : everything measured; None where the group was too small.
    level : one less the false-alarm rate of the group and metric.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    >>> sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4, "bleu": bleu}
    >>> alignment = sf.align(table)[0]
    >>> print(alignment.verdict, alignment.strength, sep=", ")
    deteriorating, confirmed
    """

    decision: Decision
    reason: str
    advice: str
    p: float
    p_misaligned: float
    level: float
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
    def headline(self) -> str:
        """Verdict and flag in a few words, strength where it is not full."""
        word = {"misaligned": "MISALIGNED, ", "suspected": "suspected misaligned, ", "": ""}
        weak = "" if self.strength in ("confirmed", "open") else f" ({self.strength})"
        return f"{word[self.flag]}{self.verdict}{weak}"

    @property
    def heading(self) -> str:
        """The group, the verdict, and the flag."""
        return f"{self.name}: {self.headline}"

    def rows(self) -> list[Row]:
        """One row: the group, the verdict, the largest fall with its bounds, p values."""
        fall = None if self.evidence is None else self.evidence.fall
        row = {
            **self.labels,
            "verdict": str(self.verdict),
            "flag": self.flag,
            "strength": self.strength,
            "largest_fall": None if fall is None else fall.estimate,
            "low": None if fall is None else fall.lower,
            "high": None if fall is None else float(fall.upper),
            "p": self.p,
            "p_misaligned": self.p_misaligned,
        }
        return [row]

    def lines(self) -> list[str]:
        """Return reason and advice, then the evidence, one line a piece, and causes."""
        return [self.reason, f"→ {self.advice}", *(f"· {line}" for line in self.pieces())]

    def pieces(self) -> list[str]:
        """Return the evidence, one line a piece, then causes."""
        said = [] if self.evidence is None else self.evidence.lines()
        said.append(f"scope: {self.scope}")
        if self.again is not None:
            flag = f", {self.again.flag}" if self.again.flag else ""
            said.append(f"without {self.failed} failed runs: {self.again.verdict}{flag}")
        return said + self._cause_lines()

    def _cause_lines(self) -> list[str]:
        if not self.verdict.alarm:
            size = [c for c in self.causes if c.name == "large finetuning set"]
            return [f"cause: {c}" for c in size if c.status == "likely"]
        told = [f"cause: {c}" for c in self.causes if c.status != "unknown"]
        open_ = [c for c in self.causes if c.status == "unknown"]
        return told + [f"not told apart: {c.name} ({c.why}); {c.control}" for c in open_]

    def told(self) -> dict[str, Any]:
        """Return verdict, reasons, numbers and all evidence."""
        return {
            "group": self.group,
            **{n: getattr(self, n) for n in _PLAIN},
            "without_failed": self.without_failed,
            "sample_size": self.size,
            "causes": self.causes,
            "evidence": self.evidence,
        }

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{html.escape(line.removeprefix('· '))}</li>" for line in self.lines())
        return f"{html_verdict(self.heading)}<ul>{said}</ul>{html_notes(self.notes)}"


_PLAIN = (
    "metric", "flag", "strength", "scope", "reason", "advice", "p", "p_misaligned", "failed",
    "level",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class AlignmentTable(Results[Alignment]):
    """All verdicts, worst first, with p values adjusted over groups and metrics.

    ``table["fr"]`` is the verdict about that corpus, or those about it where there are several.

    Attributes
    ----------
    results : the verdicts, worst first.
    level : one less the false-alarm rate of a group and metric.
    notes : what was left out, split or scaled.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    >>> sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4, "corpus": ["fr"] * 12,
    ...          "bleu": bleu}
    >>> print(sf.align(table)["fr"].verdict)
    deteriorating
    """

    results: tuple[Alignment, ...]
    level: float = 0.95
    notes: tuple[str, ...] = ()

    def labels(self, member: Alignment) -> Mapping[str, Any]:
        """Return by what a verdict is found: its group and metric."""
        return member.labels

    @property
    def _alpha(self) -> float:
        return round(1 - self.level, 12)

    def adjusted(self, method: str = "holm", *, flag: bool = True) -> tuple[float, ...]:
        """P values adjusted over the family of all groups and metrics.

        Parameters
        ----------
        method : ``"holm"`` (no false alarm in the whole family), ``"bh"`` (share of false alarms) or ``"none"``.
        flag : of the flag ``misaligned``; False for the alarm (fall or harm) by itself.
        """
        p = [r.p_misaligned if flag else r.p for r in self.results]
        return tuple(float(v) for v in adjust(p, method))

    def flags(self, method: str = "holm") -> tuple[Flag, ...]:
        """Return the flags that survive the adjustment, in the order of the results."""
        p = self.adjusted(method)
        return tuple(
            r.flag if v <= self._alpha else "" for r, v in zip(self.results, p, strict=True)
        )

    def verdicts(self, method: str = "holm") -> tuple[Verdict, ...]:
        """Verdicts after adjustment: an alarm that does not survive it is ``inconclusive``."""
        p = self.adjusted(method, flag=False)
        return tuple(
            Verdict.INCONCLUSIVE if r.verdict.alarm and v > self._alpha else r.verdict
            for r, v in zip(self.results, p, strict=True)
        )

    def flagged(self, method: str = "holm") -> tuple[Alignment, ...]:
        """Results whose flag ``misaligned`` survives the adjustment."""
        pairs = zip(self.results, self.flags(method), strict=True)
        return tuple(result for result, flag in pairs if flag == "misaligned")

    def rows(self) -> list[Row]:
        """One row a verdict, worst first: the largest fall with its bounds, p values and what they leave."""
        held, shared = self.flags("holm"), self.flags("bh")
        return [
            {**row, "flag_holm": h, "flag_bh": b}
            for r, h, b in zip(self.results, held, shared, strict=True)
            for row in r.rows()
        ]

    def shown(self) -> list[Row]:
        """One row a verdict for people: what all share left out, the advice added."""
        keys = dict.fromkeys(name for r in self for name in r.group)
        names = [n for n in keys if len({str(r.group.get(n)) for r in self}) > 1]
        said = ("metric", "verdict", "flag", "strength", "flag (Holm)", "flag (BH)")
        kept = (*names, *said, "largest_fall", "low", "high", "p", "advice")
        return [
            {name: row.get(name) for name in kept} for row in map(self._told, self, self.rows())
        ]

    def brief(self) -> list[Row]:
        """Return what is shown, without what would make it too wide for a terminal or a page."""
        return [
            {k: v for k, v in row.items() if k not in ("flag (BH)", "p")} for row in self.shown()
        ]

    @staticmethod
    def _told(result: Alignment, row: Row) -> Row:
        flags = {"flag": "flag", "flag (Holm)": "flag_holm", "flag (BH)": "flag_bh"}
        said = {name: row[flag] or "–" for name, flag in flags.items()}
        return {**result.group, **row, **said, "advice": result.advice}

    def told(self) -> dict[str, Any]:
        """Return all verdicts with their evidence and adjusted p values."""
        held, shared = self.flags("holm"), self.flags("bh")
        adjusted = zip(self.adjusted("holm"), self.adjusted("bh"), held, shared, strict=True)
        return {
            "level": self.level,
            "results": [
                {**r.to_dict(), "p_holm": p, "p_bh": q, "flag_holm": h, "flag_bh": b}
                for r, (p, q, h, b) in zip(self.results, adjusted, strict=True)
            ],
        }

    @property
    def verdict(self) -> str:
        """How many of which verdict, and how many flags, on one line."""
        counts = {v: sum(r.verdict == v for r in self.results) for v in VERDICTS}
        said = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
        flags = len(self.flagged("none")), len(self.flagged("holm")), len(self.flagged("bh"))
        hints = sum(r.flag == "suspected" for r in self.results)
        more = f", {hints} suspected" if hints else ""
        who = ", ".join(
            dict.fromkeys(str(r.group.get("corpus") or r.name) for r in self.flagged("none"))
        )
        named = f": {who}" if who else ""
        return f"{said}; misaligned: {flags[0]} (Holm {flags[1]}, BH {flags[2]}){more}{named}"

    def lines(self) -> list[str]:
        """Return all verdicts with their evidence, worst first."""
        return [line for result in self for line in ("", *str(result).splitlines())]
