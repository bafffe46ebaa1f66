"""Fits as versioned JSON: no pickle, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.errors import FormatError
from scalefit.fitting.fit import fit_observations
from scalefit.fitting.noise import Weighting, cautious, untied, weigh
from scalefit.fitting.objective import Objective
from scalefit.fitting.points import points_of
from scalefit.fitting.result import Fit
from scalefit.laws import LAWS
from scalefit.laws.law import Law
from scalefit.table import Observations

VERSION = 1


def to_dict(fit: Fit) -> dict[str, Any]:
    """Return plain data that holds the fit: what was fitted, how, and what came out."""
    data, objective = fit.observations, fit.solution.problem.objective
    return {
        "scalefit": "fit",
        "version": VERSION,
        "verdict": fit.verdict,
        "law": fit.law.name,
        "constants": dict(fit.law.constants),
        "metric": data.metric,
        "group": dict(fit.group),
        "params": {k: _finite(v) for k, v in fit.params.items()},
        "intervals": {k: [_finite(i.low), _finite(i.high)] for k, i in fit.intervals().items()},
        "objective": fit.objective,
        "loss": {
            "function": objective.function,
            "delta": objective.delta,
            "residual": objective.residual,
        },
        "weights": fit.uncertainty.noise.label,
        "notes": list(fit.notes),
        "signature": fit.signature,
        "observations": {
            "columns": dict(data.columns),
            "inputs": {k: v.tolist() for k, v in data.inputs.items()},
            "values": data.values.tolist(),
            "stderr": None if data.stderr is None else data.stderr.tolist(),
            "clusters": None if data.clusters is None else data.clusters.tolist(),
            "blocks": None if data.blocks is None else data.blocks.tolist(),
            "notes": list(data.notes),
            "digest": data.digest,
        },
    }


def _finite(value: float) -> float | None:
    """Return the number, or None for what JSON cannot hold: infinity and nan."""
    return float(value) if np.isfinite(value) else None


def from_dict(stored: Mapping[str, Any], *, law: Law | None = None) -> Fit:
    """Rebuild a fit from :func:`to_dict`'s data, by fitting the stored observations again.

    Parameters
    ----------
    stored : mapping
    law : Law, optional
        Needed for a law of the user's own.

    Raises
    ------
    FormatError
        Not a stored fit, or of a version or law unknown here.
    """
    if stored.get("scalefit") != "fit" or stored.get("version") != VERSION:
        raise FormatError(
            f"this is no fit stored by scalefit (version {stored.get('version')!r}, needed {VERSION}); "
            "make one with sf.save or `scalefit fit --json`"
        )
    chosen = law or LAWS.get(str(stored["law"]))
    if chosen is None:
        raise FormatError(
            f"the fit is of the law {stored['law']!r}, which is not built in: give law="
        )
    held = stored["observations"]
    data = Observations(
        inputs={k: np.array(v, dtype=float) for k, v in held["inputs"].items()},
        values=np.array(held["values"], dtype=float),
        stderr=None if held["stderr"] is None else np.array(held["stderr"], dtype=float),
        clusters=None if held["clusters"] is None else np.array(held["clusters"], dtype=np.int64),
        blocks=None if held["blocks"] is None else np.array(held["blocks"], dtype=np.int64),
        metric=stored["metric"],
        columns=held["columns"],
        notes=tuple(held["notes"]),
        digest=held["digest"],
    )
    law_there = replace(chosen, constants=stored["constants"])
    objective = Objective(**stored["loss"])
    # The label says what the weights came to; "auto" finds the same, and its notes, unless others were asked for.
    auto = weigh(untied(cautious(points_of(data))), objective, "auto").label == stored["weights"]
    weights: Weighting = "auto" if auto else stored["weights"]
    return fit_observations(data, law_there, objective, weights=weights, group=stored["group"])


def save(fit: Fit, path: str | Path) -> None:
    """Write a fit as JSON."""
    Path(path).write_text(json.dumps(to_dict(fit), indent=1, ensure_ascii=False), encoding="utf-8")


def load(path: str | Path, *, law: Law | None = None) -> Fit:
    """Read a fit that :func:`save` wrote.

    Raises
    ------
    FormatError
        The file is not JSON, or not a stored fit.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not JSON ({error})") from None
    if not isinstance(stored, dict):
        raise FormatError(f"{path}: a stored fit is a JSON object, found {type(stored).__name__}")
    return from_dict(stored, law=law)
