"""Evidence as lines of text and as plain values for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import Evidence
from .falltest import FallTest
from .words import digits, tokens

__all__ = ["evidence_dict", "evidence_lines"]


def evidence_lines(found: Evidence) -> list[str]:
    """Return the eight pieces of evidence, one line each; what could not be had says why."""
    return [
        _falls(found),
        _losses(found),
        _lack(found),
        _bend(found),
        _relation(found),
        _value(found),
        _ahead(found),
    ]


def _falls(found: Evidence) -> str:
    fall = found.fall
    i, j = fall.pair
    upper = digits(found, fall.upper) if np.isfinite(fall.upper) else "unbounded"
    return (
        f"quality: largest fall {digits(found, fall.estimate)} ({tokens(found.quality.sizes[i])} → "
        f"{tokens(found.quality.sizes[j])}), bounds [{digits(found, fall.lower)}, {upper}], "
        f"p = {fall.p_value:.2g}; {fall.method}, SD {fall.sd:.2g} on {fall.nu:.0f} df; "
        f"any rise p = {found.rise.p_value:.2g}"
    )


def _losses(found: Evidence) -> str:
    if found.loss_fall is None:
        return "cross-entropy: not measured in this group"
    said = f"cross-entropy improves: p = {found.loss_fall.p_value:.2g}"
    if found.pair is None:
        return f"{said}; no two sizes have both metrics"
    return (
        f"{said}; improves while quality falls: p = {found.p_misaligned:.2g} "
        f"({tokens(found.pair.smaller)} → {tokens(found.pair.larger)})"
    )


def _lack(found: Evidence) -> str:
    if not found.lack:
        return "law: too few sizes for a fit"
    said = [
        f"{fit.law} law misses by {digits(found, fit.worst)} at most"
        + (f", p = {fit.p:.2g} against runs" if np.isfinite(fit.p) else "")
        for fit in found.lack
    ]
    return "; ".join(said)


def _bend(found: Evidence) -> str:
    if found.bend is None:
        return "break: too few sizes to look for one"
    bend = found.bend
    if not bend.found:
        return f"break: none beyond noise (p = {bend.p:.2g})"
    return (
        f"break: quality leaves its law at {tokens(bend.size)} tokens "
        f"[{tokens(bend.low)}, {tokens(bend.high)}], p = {bend.p:.2g}"
    )


def _relation(found: Evidence) -> str:
    relation = found.relation
    if relation is None:
        return "quality against cross-entropy: not measured at three common sizes"
    steps = int(relation.misleading.sum())
    said = f"{steps} of {len(relation.slopes)} steps mislead, rank correlation {relation.rank:.2f}"
    if relation.turn is not None:
        said += f", best quality at {tokens(relation.turn)} tokens while loss goes on improving"
    if np.isfinite(relation.residual):
        said += f", {digits(found, relation.residual)} off Gordon's curve at the end"
    return f"quality against cross-entropy: {said}"


def _value(found: Evidence) -> str:
    if found.value is None:
        return "value: no model without pretraining in the table"
    value = found.value
    worse = int((value.gains < 0).sum())
    return (
        f"value: {digits(found, value.gain)} over no pretraining at the largest size "
        f"[{digits(found, value.low)}, {digits(found, value.high)}], {value.runs} baseline runs"
        + (f"; below it at {worse} of {len(value.gains)} sizes" if worse else "")
    )


def _ahead(found: Evidence) -> str:
    ahead = found.ahead
    if ahead is None:
        return "held out: too few sizes"
    inside = f"{int(ahead.inside.sum())} of {len(ahead.sizes)} inside the interval"
    short = ", quality falls short" if ahead.short else ""
    return (
        f"held out: the {ahead.law} law of the {ahead.fitted_to} smaller sizes misses the others by "
        f"{digits(found, ahead.error)} at most; {inside}{short}"
    )


def evidence_dict(found: Evidence) -> dict[str, Any]:
    """Return the evidence as plain values; arrays as lists."""
    return {
        "pretrain_tokens": found.quality.sizes.tolist(),
        "means": found.quality.means.tolist(),
        "runs": found.quality.runs.tolist(),
        "loss": None if found.loss is None else found.loss.means.tolist(),
        "design": found.quality.design,
        "level": found.quality.level,
        "margin": found.scale.margin,
        "fall": _fall_dict(found.fall),
        "loss_improves": None if found.loss_fall is None else _fall_dict(found.loss_fall),
        "pair": None if found.pair is None else vars(found.pair),
        "lack_of_fit": [{"law": f.law, "p": f.p, "worst": f.worst, "at": f.at} for f in found.lack],
        "break": None if found.bend is None else vars(found.bend),
        "relation": None if found.relation is None else _arrays(vars(found.relation)),
        "value": None if found.value is None else _arrays(vars(found.value)),
        "held_out": None if found.ahead is None else _arrays(vars(found.ahead)),
    }


def _fall_dict(fall: FallTest) -> dict[str, Any]:
    names = ("estimate", "pair", "lower", "upper", "sd", "nu", "method")
    return {"p": fall.p_value, **{name: getattr(fall, name) for name in names}}


def _arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
