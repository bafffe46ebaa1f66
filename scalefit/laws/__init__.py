"""Scaling laws: one law or one family a file, each a frozen value. Adding one is its file and one line here."""

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from scalefit.errors import LawError
from scalefit.groups import did_you_mean
from scalefit.laws.broken import broken, broken_twice
from scalefit.laws.from_loss import ce_to_bleu, loss_to_error, loss_to_loss
from scalefit.laws.law import Law
from scalefit.laws.log_law import log_law
from scalefit.laws.m4 import m4
from scalefit.laws.mixture import mixture, mixture_of
from scalefit.laws.model_and_data import chinchilla, cross_lingual, kaplan, skaling
from scalefit.laws.parts import Coefficient, Shape, Special
from scalefit.laws.power import (
    bansal,
    ceiling,
    log_accuracy,
    power,
    pure_power,
    rectified,
    two_powers,
)
from scalefit.laws.repetition import data_constrained, repeated_mixture
from scalefit.laws.s_curves import logistic, sigmoid
from scalefit.laws.transfer import effective_data, multiplicative, transfer_gap

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
        broken_twice,
        two_powers,
        ceiling,
        logistic,
        chinchilla,
        skaling,
        kaplan,
        data_constrained,
        cross_lingual,
        multiplicative,
        transfer_gap,
        effective_data,
        mixture,
        repeated_mixture,
        ce_to_bleu,
        loss_to_error,
        sigmoid,
        loss_to_loss,
        log_accuracy,
    )
}


def get_law(law: str | Law) -> Law:
    """Return a law by its name, or the law itself.

    Raises LawError: no law has this name; the message lists those there are.
    """
    if isinstance(law, Law):
        return law
    if law.startswith("mixture") and law[7:].isdecimal():
        return mixture_of(int(law[7:]))
    if law not in LAWS:
        raise LawError(
            f"no law is called {law!r}; there are {', '.join(sorted(LAWS))}, or give a Law(...)"
            f"{did_you_mean(law, LAWS)}"
        )
    return LAWS[law]


def is_built_in(law: Law) -> bool:
    """Whether a law is one of the catalogue, at whatever constants."""
    try:
        ours = get_law(law.name)
    except LawError:
        return False
    names = (f.name for f in fields(law) if f.name != "constants")
    return all(getattr(law, name) == getattr(ours, name) for name in names)


def is_ours(law: Law) -> bool:
    """Whether the formula is the catalogue's, whose laws all look at one point at a time."""
    known = LAWS.get(law.name)
    formula = (law.basis, law.slopes, law.function)
    return known is not None and formula == (known.basis, known.slopes, known.function)


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
