"""Numbers as people write them: ``1.5e9``, ``1.5B``, ``3 billion`` and ``1,500,000`` are counts, 0.95 a confidence."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from numbers import Real
from typing import Any

from scalefit.errors import DomainError

_SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_COUNT = re.compile(
    rf"({_NUMBER})\s*(thousand|(?:m|b|tr)illions?|(?:mio|mrd)\.?|mm|[mb]n|[kmbgt]?)"
)
_POWER = re.compile(
    rf"(?:({_NUMBER})\s*(?:[x×*·]|\\times|\\cdot)\s*)?10\s*(?:\^|\*\*)\s*\{{?([+-]?\d{{1,3}})\}}?"
)
_RAISED = re.compile("[⁰¹²³⁴-⁹]+")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,_'’\s]\d{3})+(?:\.\d+)?")
_TOKENS = re.compile(r"[\s-]*(?:tokens?|toks?)$")


def parse_count(text: str) -> float | None:
    """Return the count a text means, or None where it means none.

    Parameters
    ----------
    text : a plain number, or one with a suffix k, M, B (or G), T, or its word, or times a power ``10^9``, ``10⁹`` or
        ``$10^{9}$``; digits may be grouped by ``,``, ``_`` or blanks in threes, and "tokens" may follow.

    Examples
    --------
    >>> parse_count("1.5B"), parse_count("300M"), parse_count("1.5e9"), parse_count("many")
    (1500000000.0, 300000000.0, 1500000000.0, None)
    """
    plain = with_powers(_TOKENS.sub("", text.strip(" $~≈\t\r\n\xa0").lower()))
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"[,_'’\s]", "", plain)
    if power := _POWER.fullmatch(plain):
        return float(power[1] or 1) * float(f"1e{power[2]}")
    match = _COUNT.fullmatch(plain)
    if match is None:
        return None
    suffix = match[2].replace("thousand", "k").replace("mrd", "b")[:1]
    value = float(match[1]) * _SUFFIXES[suffix]
    return float(round(value)) if math.isfinite(value) and abs(value) >= 1.0 and suffix else value


def with_powers(text: str) -> str:
    """Return a text with its raised digits as a power: ``10⁹`` is ``10^9``."""
    return _RAISED.sub(lambda raised: "^" + unicodedata.normalize("NFKC", raised[0]), text)


def format_count(value: float) -> str:
    """Return a count in few characters: 1500000000 is ``1.5B``, infinity ``∞``; from 1000T on as any number.

    Examples
    --------
    >>> format_count(1.5e9), format_count(128_000), format_count(math.inf)
    ('1.5B', '128k', '∞')
    """
    if abs(value) >= 1e15:
        return short(value)
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.99995 * size:  # 999,990 is 1M in four digits, not 1000k
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"


def short(value: float) -> str:
    """Return a number with four significant digits, ∞ for infinity: how numbers are shown everywhere.

    Below a million all digits before the point are written, of whole numbers up to a trillion all.

    Examples
    --------
    >>> short(0.123456), short(64_000.0), short(1e6), short(math.inf), short(-math.inf)
    ('0.1235', '64000', '1000000', '∞', '−∞')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits = 1e4 <= abs(value) < (1e12 if value % 1 == 0 else 1e6)
    return f"{value:.0f}" if digits else f"{value:.4g}"


def whole(value: Any) -> Any:
    """Return a whole number without its point, all else as it is: a column with gaps is one of floats.

    Examples
    --------
    >>> whole(4.0), whole(0.5), whole("fr"), whole(True)
    (4, 0.5, 'fr', True)
    """
    number = isinstance(value, Real) and not isinstance(value, int)
    return int(value) if number and float(value).is_integer() else value


def typed(value: Any) -> str:
    """Return a cell as a user would type it in Python: a whole number without its point.

    Examples
    --------
    >>> typed(1000.0), typed(0.5), typed("fr")
    ('1000', '0.5', "'fr'")
    """
    return repr(whole(value))


def some(names: Iterable[object], most: int = 24, between: str = ", ") -> str:
    """Name the first of many things, and count the rest.

    Examples
    --------
    >>> some(["fr", "en", "de"], 2), some(["fr", "en"], 1, "; ")
    ('fr, en, and 1 more', 'fr; and 1 more')
    """
    texts = [str(name) for name in names]
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return between.join([*texts[:most], *more])


def counted(number: int, noun: str) -> str:
    """Return a number of things as people write it.

    Examples
    --------
    >>> counted(1, "row"), counted(3, "row")
    ('1 row', '3 rows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def amount(value: float | str, name: str) -> float:
    """Return a size or a price as a number: above 0, finite, or a count such as ``"3B"``.

    Raises DomainError: it is none; ``name`` is how the message calls it.

    Examples
    --------
    >>> amount("3B", "at"), amount(1e9, "budget")
    (3000000000.0, 1000000000.0)
    """
    number: Any = parse_count(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, Real) or not 0 < float(number) < math.inf:
        raise DomainError(
            f"{name}={value!r} is no size; give a number above 0, or a count such as '3B'"
        )
    return float(number)


def check_level(level: float, name: str = "level") -> None:
    """Refuse a confidence, or another probability that a user wants, that is none.

    Raises DomainError: it does not lie between 0 and 1; ``name`` is how the message calls it.
    """
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < level < 1:
        raise DomainError(f"{name} is {level!r}; a confidence lies between 0 and 1, such as 0.95")
