"""Scaling laws: one law a file, each a frozen value. Adding one is its file and one line here."""

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scalefit.errors import LawError
from scalefit.laws.bansal import bansal
from scalefit.laws.broken import broken
from scalefit.laws.ceiling import ceiling
from scalefit.laws.chinchilla import chinchilla, multiplicative
from scalefit.laws.law import Law
from scalefit.laws.log_law import log_law
from scalefit.laws.logistic import logistic
from scalefit.laws.m4 import m4
from scalefit.laws.parts import Coefficient, Shape, Special
from scalefit.laws.power import power, pure_power
from scalefit.laws.quality import ce_to_bleu
from scalefit.laws.rectified import rectified
from scalefit.laws.skaling import skaling

__all__ = ["LAWS", "Coefficient", "Law", "Shape", "Special", "get_law"]

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        power,
        pure_power,
        log_law,
        bansal,
        rectified,
        m4,
        broken,
        ceiling,
        logistic,
        chinchilla,
        skaling,
        multiplicative,
        ce_to_bleu,
    )
}


def get_law(law: str | Law) -> Law:
    """Return a law by its name, or the law itself.

    Raises
    ------
    LawError
        No law has this name; the message lists those there are.
    """
    if isinstance(law, Law):
        return law
    if law not in LAWS:
        raise LawError(
            f"no law is called {law!r}; there are {', '.join(sorted(LAWS))}, or give a Law(...)"
        )
    return LAWS[law]


def is_built_in(law: Law) -> bool:
    """Whether a law is one of the catalogue, at whatever constants."""
    ours = LAWS.get(law.name)
    return ours is not None and replace(law, constants=ours.constants) == ours


def at(name: str, constants: Mapping[str, float]) -> Law:
    """Return a law of the catalogue at constants.

    Examples
    --------
    >>> at("power", {"x_ref": 1e8}).constants
    {'x_ref': 100000000.0}
    """
    return replace(get_law(name), constants=constants)


def _reduced(law: Law) -> str | tuple[Callable[..., Law], tuple[Any, ...]] | tuple[Any, ...]:
    """Say how a law is pickled: one of ours by name and constants, as its functions are none that pickle finds."""
    if is_built_in(law):
        return at, (law.name, dict(law.constants))
    return object.__reduce_ex__(law, 4)


copyreg.pickle(Law, _reduced)  # not Law.__reduce__: a law does not know the catalogue that holds it
