"""Stored fits on their way from one command to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from scalefit.cli._io import read_json
from scalefit.errors import FitError, FormatError

if TYPE_CHECKING:
    from scalefit.fitting import Fit, FitMany


def pack(many: FitMany) -> dict[str, Any]:
    """Return all fits of one command as plain data, with the groups that could not be fitted."""
    failures = [{"group": dict(f.group), "reason": f.reason} for f in many.failures]
    fits = [fit.to_dict() for fit in many.values()]
    return {"scalefit": "fits", "version": 1, "fits": fits, "failures": failures}


def refuse_same_failure(many: FitMany) -> None:
    """Raise where no group has a fit and all for the same reason: then the question was wrong."""
    reasons = {failure.reason for failure in many.failures}
    if not many and len(reasons) == 1:
        raise FitError(reasons.pop())


def read_fits(path: str) -> list[Fit]:
    """Read the fits that ``scalefit fit --json``, ``forecast --json`` or ``sf.save`` wrote.

    Raises
    ------
    FormatError
        Not JSON, not stored fits, or none among them.
    """
    from scalefit.fitting import from_dict

    name = "stdin" if path == "-" else path
    stored = read_json(path)
    found = list(_stored(stored)) if isinstance(stored, Mapping) else []
    if not found:
        reasons = [f["reason"] for f in stored["failures"]] if _has_failures(stored) else []
        why = f": {reasons[0]}" if reasons else "; needed the output of scalefit fit --json"
        raise FormatError(f"{name} holds no fit{why}")
    return [from_dict(one) for one in found]


def _stored(content: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    kind = content.get("scalefit")
    if kind == "fit":
        return [content]
    if kind == "fits":
        return list(content["fits"])
    if kind == "forecast":
        return [g["quality"] for g in content["groups"] if g["quality"] is not None]
    return []


def _has_failures(stored: Any) -> bool:
    return isinstance(stored, Mapping) and bool(stored.get("failures"))


def common_notes(notes: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Put the notes of many groups together: each note once, with the groups it is about."""
    about: dict[str, list[str]] = {}
    groups = 0
    for name, texts in notes:
        groups += 1
        for text in texts:
            about.setdefault(text, []).append(name)
    return [_attributed(text, names, groups) for text, names in about.items()]


def _attributed(text: str, names: list[str], groups: int) -> str:
    if len(names) == groups:
        return text
    who = names[0] if len(names) == 1 else f"{len(names)} of {groups} groups"
    return f"{who}: {text}" if who else text
