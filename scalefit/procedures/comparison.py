"""What ``sf.compare_procedures`` returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scalefit.errors import DesignError
from scalefit.fitting.interval import Interval
from scalefit.result import frame_of, html_notes, html_table, html_verdict

from .contrast import PROCEDURE, Contrast
from .ranking import Survival
from .tails import RUNS_FOR_DECILE, Profile


@dataclass(frozen=True, eq=False)
class Comparison:
    """Procedures against a reference, under each label.

    With one contrast, ``difference``, ``interval``, ``p``, ``p_adjusted``, ``better`` speak of
    it; with several, iterate or index by the name of b (and of the domain).
    """

    metric: str
    level: float
    contrasts: tuple[Contrast, ...]
    profiles: tuple[tuple[str, Profile], ...]
    survivals: tuple[Survival, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Contrast]:
        """Contrasts in order."""
        return iter(self.contrasts)

    def __len__(self) -> int:
        """Return the number of contrasts."""
        return len(self.contrasts)

    def __getitem__(self, names: Any) -> Contrast:
        """Contrast by the name of b, or by (name of b, value of a label)."""
        wanted = names if isinstance(names, tuple) else (names,)
        found = [c for c in self.contrasts if all(_named(c, n) for n in wanted)]
        if len(found) != 1:
            there = "; ".join(_title(c) for c in self.contrasts)
            raise KeyError(f"{names!r} names {len(found)} contrasts; there is {there}")
        return found[0]

    @property
    def only(self) -> Contrast:
        """The contrast, where there is one."""
        if len(self.contrasts) != 1:
            there = "; ".join(_title(c) for c in self.contrasts)
            raise DesignError(
                f"{len(self.contrasts)} contrasts: {there}. Try: comparison[name].difference"
            )
        return self.contrasts[0]

    @property
    def difference(self) -> float:
        """B − a."""
        return self.only.difference

    @property
    def interval(self) -> Interval:
        """Interval of b − a."""
        return self.only.interval

    @property
    def p(self) -> float:
        """Two-sided p."""
        return self.only.p

    @property
    def p_adjusted(self) -> float:
        """p, adjusted for the number of procedures (Holm)."""
        return self.only.p_adjusted

    @property
    def better(self) -> str | None:
        """Name of the better side, or None where it is not resolved."""
        return self.only.better

    @property
    def verdict(self) -> str:
        """One line for each contrast, and for each ranking in two domains."""
        lines = [_sentence(self.metric, c) for c in self.contrasts]
        return "\n".join(lines + [_survives(s) for s in self.survivals])

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each contrast."""
        return [_row(c) for c in self.contrasts]

    def profile_rows(self) -> list[dict[str, Any]]:
        """One plain row for each procedure and label: its spread and its tail."""
        return [_profile_row(label, p) for label, p in self.profiles]

    def to_frame(self) -> Any:
        """Return the rows as a DataFrame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "metric": self.metric,
            "level": self.level,
            "verdict": self.verdict,
            "contrasts": self.rows(),
            "procedures": self.profile_rows(),
            "rankings": [vars(s) for s in self.survivals],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Verdict, then notes."""
        notes = dict.fromkeys([*(n for c in self.contrasts for n in c.notes), *self.notes])
        return "\n".join([self.verdict, *(f"note: {n}" for n in notes)])

    def _repr_html_(self) -> str:
        notes = list(dict.fromkeys([*(n for c in self.contrasts for n in c.notes), *self.notes]))
        tables = html_table(self.rows()) + html_table(self.profile_rows(), caption="Runs")
        return html_verdict(self.verdict) + tables + html_notes(notes)


def _named(c: Contrast, name: Any) -> bool:
    return name == c.b or name in c.label.values()


def _title(c: Contrast) -> str:
    where = ", ".join(str(v) for v in c.label.values() if v is not None)
    return f"{c.b} against {c.a}" + (f" ({where})" if where else "")


def _sentence(metric: str, c: Contrast) -> str:
    gap = f"{c.difference:+.3g} [{c.interval.low:.3g}, {c.interval.high:.3g}] {metric}"
    adjusted = f", Holm {c.p_adjusted:.2g}" if c.p_adjusted != c.p else ""
    basis = f"(p = {c.p:.2g}{adjusted}; {c.method}, {c.rests_on})"
    where = ", ".join(str(v) for v in c.label.values() if v is not None)
    head = f"{where}: " if where else ""
    if c.better is None:
        told = f"not resolved, {c.b} − {c.a} = {gap}"
        tail = f"these seeds show differences above {c.detectable:.3g} with 80 % power"
        return f"{head}{told} {basis}; {tail}" + _scope(c)
    other = c.a if c.better == c.b else c.b
    return f"{head}{c.better} beats {other}: {c.b} − {c.a} = {gap} {basis}{_scope(c)}"


def _scope(c: Contrast) -> str:
    return "" if c.scope == PROCEDURE else f"; {c.scope}"


def _survives(s: Survival) -> str:
    return f"ranking of {s.b} and {s.a}, {s.first} → {s.second}: {s.verdict}"


def _row(c: Contrast) -> dict[str, Any]:
    beats = c.superiority
    return {
        **c.label, "a": c.a, "b": c.b, "mean a": c.mean_a, "mean b": c.mean_b,
        "difference": c.difference, "low": c.interval.low, "high": c.interval.high,
        "p": c.p, "p adjusted": c.p_adjusted, "better": c.better,
        "P(b beats a)": None if beats is None else beats.probability,
        "P low": None if beats is None else beats.low,
        "P high": None if beats is None else beats.high,
        "rests on": c.rests_on, "scope": c.scope, "method": c.method, "dof": c.dof,
        "detectable": c.detectable,
    }  # fmt: skip


def _profile_row(label: str, p: Profile) -> dict[str, Any]:
    return {
        "where": label, "procedure": p.name, "runs": p.runs, "seeds": p.seeds, "mean": p.mean,
        "sd": p.sd, "worst": p.worst, "best": p.best,
        "bad decile": p.low_tail.estimate if p.runs >= RUNS_FOR_DECILE else None,
        "P(failed)": None if p.failed is None else p.failed.estimate,
        "P(failed) high": None if p.failed is None else p.failed.high,
        "mean given success": None if p.given_success is None else p.given_success.estimate,
    }  # fmt: skip
