"""A law's formula with the numbers in it, as one would copy it into a paper."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from scalefit.laws.law import Law
from scalefit.units import format_count, short

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ"}
_NAME = re.compile(r"[A-Za-zα-ω]\w*")


def in_numbers(law: Law, params: Mapping[str, float]) -> str:
    """Return the formula with every parameter's number in its place; inputs stay letters.

    Parameters
    ----------
    law : Law
        Its constants set; where a formula has two spellings (``=``), the first is taken.
    params : mapping
        Quoted parameters, and what is derived from them.

    Returns
    -------
    str
        The law's ``limit`` where a number is not finite: then the law has gone over into another one.

    Examples
    --------
    >>> from scalefit import LAWS
    >>> in_numbers(LAWS["power"], {"E": 2.036, "A": 121.65, "alpha": 0.2988})
    '2.036 + 121.7·x^−0.2988'
    >>> in_numbers(LAWS["ceiling"], {"c": 40.0, "a": -3.0, "b": 0.5})
    '40 − (−3)·x^−0.5'
    """
    numbers = {**params, **law.constants}
    whole = all(_is_left(law, name, numbers[name]) for name in law.parameters)
    formula = law.formula.split("  =  ")[0] if whole else law.limit
    by_letter = {GREEK.get(name, name): name for name in numbers}

    def number(match: re.Match[str]) -> str:
        name = by_letter.get(match[0])
        return match[0] if name is None else written(law, name, numbers[name])

    return _NAME.sub(number, formula)


def _is_left(law: Law, name: str, value: float) -> bool:
    """Whether a parameter still has a number: a size that has gone to 0 left with the infinite ones."""
    return math.isfinite(value) and not (name in law.sizes and value == 0)


def written(law: Law, name: str, value: float) -> str:
    """Return a parameter's number: sizes as counts, negative ones in brackets."""
    text = count_or_number(law, name, value)
    return f"(−{text[1:]})" if text.startswith("-") else text


def count_or_number(law: Law, name: str, value: float) -> str:
    """Return a number as people write it: what has the unit of the input as a count.

    Examples
    --------
    >>> from scalefit import LAWS
    >>> count_or_number(LAWS["log"], "D_ref", 3e5), count_or_number(LAWS["power"], "A", 121651.0)
    ('300k', '1.217e+05')
    """
    a_size = name in law.sizes or name == law.reference
    return format_count(value) if a_size and abs(value) >= 1000 else short(value)
