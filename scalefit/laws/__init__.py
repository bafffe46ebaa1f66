"""Scaling laws: one law a file, each a frozen value. Adding one is its file and one line here."""

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
