"""Path patterns: ``runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}``.

A pattern is matched against the end of a run's path, folder by folder; what stands in braces is a
column. Counts may be written 1.5B or 300M. ``*`` stands for anything within one folder's name.
"""

from __future__ import annotations

import re
from functools import lru_cache

from scalefit.errors import FormatError
from scalefit.table.columns import COUNTS, SEEDS

_FIELD = re.compile(r"\{([^{}]*)\}|(\*)")
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+]?[0-9]+)?[kKmMbBgGtT]?"
_FREE = 3
"""Free-text fields that one folder name may have: more would make matching slow."""


@lru_cache(maxsize=64)
def compiled(pattern: str) -> tuple[re.Pattern[str], ...]:
    """Return one regular expression a folder of the pattern.

    Raises
    ------
    FormatError
        For a pattern that climbs out, has no field, or has fields that touch.
    """
    parts = [part for part in pattern.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise FormatError(f"pattern {pattern!r} climbs out with '..'; needed a path below the runs")
    if not _FIELD.search(pattern) or "{" not in pattern:
        raise FormatError(
            f"pattern {pattern!r} has no field; needed one such as {{pretrain_tokens}}"
        )
    names = re.findall(r"\{([^{}]*)\}", pattern)
    if len(set(names)) != len(names):
        raise FormatError(f"pattern {pattern!r} names a field twice")
    return tuple(_part(pattern, part) for part in parts)


def _part(pattern: str, part: str) -> re.Pattern[str]:
    built, at, free, touching = "", 0, 0, False
    for field in _FIELD.finditer(part):
        if touching and field.start() == at:
            raise FormatError(
                f"pattern {pattern!r}: two fields touch; needed something between them"
            )
        number = field[1] in COUNTS + SEEDS
        free += not number
        built += re.escape(part[at : field.start()]) + _group(pattern, field[1], number=number)
        at, touching = field.end(), True
    if free > _FREE:
        raise FormatError(f"pattern {pattern!r}: more than {_FREE} text fields in one folder name")
    return re.compile(built + re.escape(part[at:]))


def _group(pattern: str, name: str | None, *, number: bool) -> str:
    if name is None:
        return "[^/]*?"
    if not re.fullmatch(r"[A-Za-z_]\w{0,60}", name):
        raise FormatError(f"pattern {pattern!r}: {{{name}}} is no column name")
    return f"(?P<{name}>{_NUMBER if number else '[^/]+?'})"


def match(pattern: str, path: str) -> dict[str, str] | None:
    """Return the columns that a path tells, or None where it does not fit.

    Examples
    --------
    >>> match("{corpus}-{pretrain_tokens}/s{finetune_seed}", "runs/fr+en-1.5M/s3/trainer_state.json")
    {'corpus': 'fr+en', 'pretrain_tokens': '1.5M', 'finetune_seed': '3'}
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part]
    shapes = compiled(pattern)
    for start in range(len(parts) - len(shapes), -1, -1):
        found: dict[str, str] = {}
        for shape, part in zip(shapes, parts[start:], strict=False):
            fits = shape.fullmatch(part) if len(part) < 256 else None
            if fits is None:
                break
            found.update(fits.groupdict())
        else:
            return found
    return None
