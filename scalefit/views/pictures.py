"""Which picture belongs to which answer: filled here, asked by ``Result.plot``."""

from __future__ import annotations

from scalefit.alignment import Alignment, AlignmentTable
from scalefit.corpora.ranking import Ranking, Rankings
from scalefit.corpora.value import Value, Values
from scalefit.fitting import Contour, Fit, Fits, Influence
from scalefit.forecasting.backtest import Backtest
from scalefit.forecasting.forecast import Forecast
from scalefit.forecasting.mixture import Mixture, Mixtures
from scalefit.forecasting.surface import Surface
from scalefit.landscape import Clusters, Distances, Plane, Prediction
from scalefit.procedures.comparison import Comparison
from scalefit.result import PICTURES
from scalefit.seeds.result import Variance
from scalefit.views.alignment import plot_alignment
from scalefit.views.choices import (
    plot_backtest,
    plot_ranking,
    plot_rankings,
    plot_value,
    plot_values,
)
from scalefit.views.diagnostics import plot_contour, plot_each, plot_influence, plot_one
from scalefit.views.forecast import plot_forecast
from scalefit.views.landscape import plot_basins, plot_foresight, plot_paths, plot_plane
from scalefit.views.plots import plot_fit, plot_fits
from scalefit.views.seeds import plot_comparison, plot_variance
from scalefit.views.surface import plot_sizes

PICTURES.update({
    Ranking: plot_ranking,
    Rankings: plot_rankings,
    Value: plot_value,
    Values: plot_values,
    Backtest: plot_backtest,
    Fit: plot_one,
    Fits: plot_each,
    Influence: plot_influence,
    Contour: plot_contour,
    Mixture: plot_fit,
    Mixtures: plot_fits,
    Surface: plot_sizes,
    Forecast: plot_forecast,
    Alignment: plot_alignment,
    AlignmentTable: plot_alignment,
    Variance: plot_variance,
    Comparison: plot_comparison,
    Distances: plot_paths,
    Clusters: plot_basins,
    Plane: plot_plane,
    Prediction: plot_foresight,
})  # fmt: skip
