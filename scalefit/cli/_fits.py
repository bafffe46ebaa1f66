"""Stored fits on their way from one command to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scalefit.cli._io import read_text
from scalefit.errors import FitError, FormatError

if TYPE_CHECKING:
    from scalefit.fitting import Fit, Fits
    from scalefit.forecasting.mixture import Mixture


def refuse_same_failure(many: Fits) -> None:
    """Raise where no group has a fit and all for the same reason: then the question was wrong."""
    reasons = {failure.reason for failure in many.failures}
    if not len(many) and len(reasons) == 1:
        raise FitError(reasons.pop())


def read_fits(path: str) -> list[Fit | Mixture]:
    """Read the fits and mixtures that ``scalefit fit --json``, ``forecast --json`` or ``sf.save`` wrote.

    Raises
    ------
    FormatError
        Not JSON, not stored fits, or none among them.
    """
    from scalefit.fitting import Fit, Fits
    from scalefit.forecasting.forecast import Forecast
    from scalefit.forecasting.mixture import Mixture, Mixtures
    from scalefit.store import loads

    name = "stdin" if path == "-" else path
    answer = loads(read_text(path), name=name)
    if isinstance(answer, Fit | Mixture):
        return [answer]
    fits: list[Fit | Mixture] = []
    if isinstance(answer, Fits | Mixtures):
        fits = list(answer)
    elif isinstance(answer, Forecast):
        fits = [outlook.quality for outlook in answer if outlook.quality is not None]
    if not fits:
        notes = answer.notes if isinstance(answer, Fits | Mixtures | Forecast) else ()
        why = notes[0] if notes else "needed the output of scalefit fit --json"
        raise FormatError(f"{name} holds no fit: {why}")
    return fits
