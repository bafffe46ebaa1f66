"""Forecasts of falling, positive metrics, many curves at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scalefit.errors import DomainError
from scalefit.forecasting.losses.batch import batch_of
from scalefit.forecasting.losses.posterior import Kind, Posterior, posterior_of, quantiles
from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.series import Series
from scalefit.types import Floats

TOGETHER = 8  # curves a batch: larger ones fall out of the cache


def forecast_losses(
    curves: Sequence[Series], at: Sequence[Floats], *, kind: Kind = "run"
) -> list[Predictive]:
    """Forecast each curve at its sizes."""
    out: list[Predictive | None] = [None] * len(curves)
    for chunk in _chunks(curves):
        batch = batch_of([curves[i] for i in chunk])
        posterior = posterior_of(batch)
        width = max(at[i].size for i in chunk)
        uq = np.zeros((len(chunk), width))
        for row, i in enumerate(chunk):
            uq[row, : at[i].size] = np.log(at[i] / curves[i].x[-1])
        values = np.exp(quantiles(posterior, uq, PROBABILITIES, kind))
        for row, i in enumerate(chunk):
            out[i] = Predictive(
                at[i], PROBABILITIES, np.minimum(values[row, :, : at[i].size], curves[i].top),
                dict(zip((law.name for law in posterior.falling), posterior.laws[row].tolist(), strict=True)),
            )
    return out


def _chunks(curves: Sequence[Series]) -> Iterator[list[int]]:
    order = sorted(range(len(curves)), key=lambda i: len(curves[i]))
    for start in range(0, len(order), TOGETHER):
        yield order[start : start + TOGETHER]
