"""What ``sf.compare_procedures`` returns: contrasts, what they rest on, and whether a ranking survives elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from scalefit.fitting.intervals import Interval
from scalefit.groups import group_name
from scalefit.procedures.tails import RUNS_FOR_DECILE, RunProfile
from scalefit.result import Result, Results, common_notes, html_lines, html_notes, html_verdict
from scalefit.rows import Row, html_table

PROCEDURE = "holds for new pretraining runs"
CHECKPOINTS = "these checkpoints only: one pretraining seed a side"
TWO_RUNS = "these two runs only: seeds are not replicated"


@dataclass(frozen=True)
class Superiority:
    """P(run of b > run of a) + ½ P(equal), with interval and p for ½."""

    probability: float
    low: float
    high: float
    p: float
    method: str


@dataclass(frozen=True, eq=False, repr=False)
class Contrast(Result):
    """B against A under one label.

    ``difference`` is b − a in units of the metric; ``better`` names the better side where the adjusted p is below 1 −
    level, and is None otherwise. ``detectable`` is the difference that these seeds would have shown with 80 % power.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"corpus": ["fr"] * 3 + ["en"] * 3, "pretrain_seed": [1, 2, 3] * 2,
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 20.4, 20.2, 22.1, 22.0, 22.4]}
    >>> contrast = sf.compare_procedures(table, a="fr", b="en", metric="bleu")["en"]
    >>> contrast.better, round(contrast.difference, 2)
    ('en', 1.97)
    """

    BARE = True

    metric: str
    group: Mapping[str, Any]
    a: str
    b: str
    mean_a: float
    mean_b: float
    interval: Interval
    p: float
    p_adjusted: float
    dof: float
    seeds: tuple[int, int]
    runs: tuple[int, int]
    examples: int
    paired: bool
    scope: str
    direction: str
    detectable: float
    superiority: Superiority | None
    notes: tuple[str, ...] = ()
    drawn: str = "examples"

    @property
    def difference(self) -> float:
        """Mean of b minus mean of a."""
        return self.interval.estimate

    @property
    def method(self) -> str:
        """Name of the test."""
        return self.interval.method

    @property
    def resolved(self) -> bool:
        """Whether the difference is told from 0 at the level, other contrasts counted in."""
        return self.p_adjusted < 1 - self.interval.level

    @property
    def better(self) -> str | None:
        """Name of the better procedure, where it is resolved."""
        if not self.resolved:
            return None
        up = self.difference > 0
        return self.b if up == (self.direction != "-") else self.a

    @property
    def rests_on(self) -> str:
        """The seeds, runs and examples the answer rests on."""
        unit = "pretraining" if self.scope == PROCEDURE else "finetuning"
        if self.scope == TWO_RUNS:
            return f"1 run a side, {self.examples} {self.drawn}"
        word = f"{self.seeds[0]} {'paired' if self.paired else f'+ {self.seeds[1]}'} {unit} seeds"
        return word + (f" × {self.examples} {self.drawn}" if self.examples else "")

    @property
    def verdict(self) -> str:
        """Which is better by how much, or what these seeds could have shown."""
        gap = f"{self.difference:+.3g} [{self.interval.low:.3g}, {self.interval.high:.3g}]"
        gap = f"{self.b} − {self.a} = {gap} {self.metric}"
        adjusted = f", Holm {self.p_adjusted:.2g}" if self.p_adjusted != self.p else ""
        basis = f"(p = {self.p:.2g}{adjusted}; {self.method}, {self.rests_on})"
        where = group_values(self.group)
        head, scope = (f"{where}: " if where else ""), self.scope
        scope = "" if scope == PROCEDURE else f"; {scope}"
        if self.better is None:
            tail = f"; these seeds show differences above {self.detectable:.3g} with 80 % power"
            tail = tail if self.detectable < float("inf") else ""
            return f"{head}not resolved, {gap} {basis}{tail}{scope}"
        other = self.a if self.better == self.b else self.b
        return f"{head}{self.better} beats {other}: {gap} {basis}{scope}"

    def rows(self) -> list[Row]:
        """One row: estimate, low and high of b − a, p, P(b beats a)."""
        beats = self.superiority
        row = {
            **self.group,
            "a": self.a,
            "b": self.b,
            "mean_a": self.mean_a,
            "mean_b": self.mean_b,
            "difference": self.difference,
            "low": self.interval.low,
            "high": self.interval.high,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "better": self.better,
            "b_beats_a": None if beats is None else beats.probability,
            "b_beats_a_low": None if beats is None else beats.low,
            "b_beats_a_high": None if beats is None else beats.high,
            "rests_on": self.rests_on,
            "scope": self.scope,
            "method": self.method,
            "dof": self.dof,
            "detectable": self.detectable,
        }
        return [row]


def group_values(group: Mapping[str, Any]) -> str:
    """Return a group's values as a contrast is headed by them."""
    return ", ".join(str(v) for v in group.values() if v is not None)


# Whether the ranking of procedures in one domain survives in another.


DOMAINS = ("domain", "eval_set")


@dataclass(frozen=True)
class Survival:
    """One pair of procedures in two domains."""

    a: str
    b: str
    first: str
    second: str
    verdict: str
    differences: tuple[float, float]
    group: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        where = f"{group_name(self.group)}: " if self.group else ""
        return (
            f"{where}ranking of {self.b} and {self.a}, {self.first} → {self.second}: {self.verdict}"
        )


def survival(contrasts: Sequence[Contrast]) -> tuple[Survival, ...]:
    """Compare the sign of each difference between domains, and whether each is resolved."""
    groups: dict[tuple[Any, ...], list[Contrast]] = {}
    for c in contrasts:
        rest = tuple((k, v) for k, v in c.group.items() if k not in DOMAINS)
        groups.setdefault((c.a, c.b, rest), []).append(c)
    return tuple(_pair(x, y) for group in groups.values() for x, y in combinations(group, 2))


def _pair(x: Contrast, y: Contrast) -> Survival:
    same = (x.difference > 0) == (y.difference > 0)
    resolved = [c.resolved for c in (x, y)]
    if all(resolved):
        verdict = "survives" if same else "turns round"
    elif any(resolved):
        verdict = f"resolved {_where((x if resolved[0] else y).group)} only"
    else:
        verdict = "not resolved in either"
    gaps = (x.difference, y.difference)
    rest = {k: v for k, v in x.group.items() if k not in DOMAINS and v is not None}
    return Survival(x.a, x.b, _where(x.group), _where(y.group), verdict, gaps, rest)


def _where(label: Mapping[str, Any]) -> str:
    named = [str(label[c]) for c in DOMAINS if label.get(c) is not None]
    return "/".join(named) or "overall"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Results[Contrast]):
    """Procedures against a reference, under each label.

    With one contrast, ``difference``, ``interval``, ``p``, ``p_adjusted``, ``better`` speak of
    it; with several, iterate or index by the name of b (and of the domain).

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"corpus": ["fr"] * 3 + ["en"] * 3, "pretrain_seed": [1, 2, 3] * 2,
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 20.4, 20.2, 22.1, 22.0, 22.4]}
    >>> comparison = sf.compare_procedures(table, a="fr", b="en", metric="bleu")
    >>> comparison.better, list(comparison.to_frame()["b"])
    ('en', ['en'])
    """

    MEMBERS = "contrasts"

    metric: str
    level: float
    contrasts: tuple[Contrast, ...]
    profiles: tuple[tuple[str, RunProfile], ...]
    survivals: tuple[Survival, ...] = ()
    about_data: tuple[str, ...] = ()

    def labels(self, member: Contrast) -> Mapping[str, Any]:
        """Return by what a contrast is found: the name of b, and its group."""
        return {"b": member.b, **member.group}

    @property
    def notes(self) -> tuple[str, ...]:
        """About the contrasts, then about the data."""
        told = common_notes((group_name(c.group), c.notes) for c in self)
        return tuple(dict.fromkeys((*told, *self.about_data)))

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
        """What came of every contrast, and of every ranking in two domains."""
        return "; ".join([*(c.verdict for c in self), *map(str, self.survivals)])

    def profile_rows(self) -> list[Row]:
        """One row a procedure and label: its spread and its tail."""
        return [_profile_row(label, p) for label, p in self.profiles]

    def lines(self) -> list[str]:
        """Return one line a contrast and ranking, where there are several."""
        lines = [*(c.verdict for c in self), *map(str, self.survivals)]
        return lines if len(lines) > 1 else []

    @property
    def heading(self) -> str:
        """The only contrast, or how many are resolved."""
        if len(self.contrasts) == 1 and not self.survivals:
            return self.verdict
        sure = sum(c.resolved for c in self)
        return f"{sure} of {len(self)} contrasts in {self.metric} are resolved"

    def told(self) -> dict[str, Any]:
        """Return contrasts, procedures and rankings."""
        return {
            "metric": self.metric,
            "level": self.level,
            "contrasts": self.rows(),
            "procedures": self.profile_rows(),
            "rankings": self.survivals,
        }

    def _repr_html_(self) -> str:
        tables = html_table(self.rows()) + html_table(self.profile_rows(), caption="Runs")
        said = () if self.heading == self.verdict else map(str, self.survivals)
        return html_verdict(self.heading) + tables + html_lines([*said]) + html_notes(self.notes)


def _profile_row(label: str, p: RunProfile) -> Row:
    return {
        "where": label, "procedure": p.name, "runs": p.runs, "seeds": p.seeds, "mean": p.mean,
        "sd": p.sd, "worst": p.worst, "best": p.best,
        "bad_decile": p.low_tail.estimate if p.runs >= RUNS_FOR_DECILE else None,
        "failed": None if p.failed is None else p.failed.estimate,
        "failed_high": None if p.failed is None else p.failed.high,
        "mean_given_success": None if p.given_success is None else p.given_success.estimate,
    }  # fmt: skip
