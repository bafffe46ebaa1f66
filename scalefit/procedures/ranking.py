"""Whether the ranking of procedures in one domain survives in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contrast import Contrast

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

    def __str__(self) -> str:
        return f"ranking of {self.b} and {self.a}, {self.first} → {self.second}: {self.verdict}"


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
    return Survival(x.a, x.b, _where(x.group), _where(y.group), verdict, gaps)


def _where(label: Mapping[str, Any]) -> str:
    found = [str(label[c]) for c in DOMAINS if label.get(c) is not None]
    return "/".join(found) or "overall"
