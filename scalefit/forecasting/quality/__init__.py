"""Forecasts of bounded, rising metrics (BLEU, chrF, COMET, accuracy), learned from the table itself.

Real curves of quality follow no one law, and the table around a curve knows best which guesses hold
and how far they miss: every curve of it is cut short at each of its sizes and asked to forecast the
rest. What those backtests say is a frozen :class:`Learned`, shrunk to priors that ship::

    members < origins < learn < predict

Beside them stands ``joint``: one law of a grid of pretraining and finetuning sizes.

Examples
--------
>>> import numpy as np
>>> from scalefit.forecasting.quality import forecast_quality, learn_quality, reach_quality
>>> from scalefit.forecasting.series import series_of
>>> x = np.geomspace(1e6, 1e9, 7)
>>> curves = [series_of(x, 10 + s * np.log10(x / 1e6), top=100.0) for s in (2.0, 3.0, 4.0)]
>>> learned = learn_quality(curves)
>>> first, *_ = forecast_quality(curves, np.array([4e9]), learned)
>>> low, high = first.interval(0.8)
>>> bool(low[0] < 10 + 2 * np.log10(4e3) < high[0])
True
"""

from scalefit.forecasting.quality.joint import Joint, SizedCells, joint_of
from scalefit.forecasting.quality.learn import Learned, learn_quality
from scalefit.forecasting.quality.predict import forecast_quality, reach_quality

__all__ = [
    "Joint",
    "Learned",
    "SizedCells",
    "forecast_quality",
    "joint_of",
    "learn_quality",
    "reach_quality",
]
