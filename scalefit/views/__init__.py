"""Pictures, tables and reports: they draw, they compute nothing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

PICTURES = {
    "Alignment": "plot_alignment",
    "AlignmentTable": "plot_alignment",
    "Backtest": "plot_backtest",
    "Clusters": "plot_basins",
    "Comparison": "plot_comparison",
    "Contour": "plot_contour",
    "Distances": "plot_paths",
    "Fit": "plot_one",
    "Fits": "plot_each",
    "Forecast": "plot_forecast",
    "Influence": "plot_influence",
    "Mixture": "plot_fit",
    "Mixtures": "plot_fits",
    "Plane": "plot_plane",
    "Prediction": "plot_foresight",
    "Ranking": "plot_ranking",
    "Rankings": "plot_rankings",
    "Surface": "plot_sizes",
    "Value": "plot_value",
    "Values": "plot_values",
    "Variance": "plot_variance",
}
"""Kind of result -> what draws it, by name: a picture loads its own module, and not those of all others."""
