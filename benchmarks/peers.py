"""Try what our peers can do, after ``pip install lmfit statsmodels lifelines arviz jinja2``.

Each cell of ``docs/about/peers.md`` that says yes is done here on a small example; where it says no, the names by which
such a thing would be called are looked for in the library's results. Prints one line a cell, and fails on a surprise.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import arviz as az
import lifelines
import lmfit
import matplotlib as mpl
import numpy as np
import pandas as pd
import statsmodels.api as sm
from lifelines.datasets import load_rossi
from statsmodels.stats.meta_analysis import combine_effects

mpl.use("agg")
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
x = np.linspace(1.0, 10.0, 40)
y = 3.0 * np.exp(-x / 4) + 0.1 * rng.normal(size=40)
curve = lmfit.models.ExponentialModel().fit(y, x=x, amplitude=3, decay=4)
line = sm.OLS(y, sm.add_constant(np.column_stack([x, x**2]))).fit()
shorter = sm.OLS(y, sm.add_constant(x)).fit()
rossi = load_rossi()
cox = lifelines.CoxPHFitter().fit(rossi, "week", "arrest")
draws = az.from_dict(
    posterior={"a": rng.normal(size=(2, 200)), "b": rng.normal(size=(2, 200))},
    log_likelihood={"y": rng.normal(size=(2, 200, 30))},
    posterior_predictive={"y": rng.normal(size=(2, 200, 30))},
    observed_data={"y": rng.normal(size=30)},
)


def axes() -> Any:
    return mpl.figure.Figure().add_subplot()


def lacks(*names: str) -> Callable[[Any], bool]:
    """Whether no public name of a result holds one of these words."""
    return lambda thing: not [n for n in dir(thing) if any(w in n.lower() for w in names)]


DONE: dict[tuple[str, str], Callable[[], Any]] = {
    ("standard errors and intervals", "lmfit"): lambda: curve.conf_interval(),
    ("standard errors and intervals", "statsmodels"): lambda: line.conf_int(),
    ("standard errors and intervals", "lifelines"): lambda: cox.confidence_intervals_,
    ("standard errors and intervals", "ArviZ"): lambda: az.hdi(draws),
    ("R², AIC", "lmfit"): lambda: (curve.rsquared, curve.aic),
    ("R², AIC", "statsmodels"): lambda: (line.rsquared, line.aic),
    ("R², AIC", "lifelines"): lambda: cox.AIC_partial_,
    ("R², AIC", "ArviZ"): lambda: (az.loo(draws), az.r2_score(x[:30], rng.normal(size=(9, 30)))),
    ("correlation of parameters", "lmfit"): lambda: curve.params["decay"].correl,
    ("correlation of parameters", "statsmodels"): lambda: line.cov_params(),
    ("correlation of parameters", "lifelines"): lambda: cox.variance_matrix_,
    ("correlation of parameters", "ArviZ"): lambda: az.plot_pair(draws, var_names=["a", "b"]),
    ("residuals", "lmfit"): lambda: curve.plot_residuals(ax=axes()),
    ("residuals", "statsmodels"): lambda: line.resid,
    ("residuals", "lifelines"): lambda: cox.compute_residuals(rossi, "deviance"),
    ("influence of a point", "statsmodels"): lambda: line.get_influence().cooks_distance,
    ("influence of a point", "lifelines"): lambda: cox.compute_residuals(rossi, "delta_beta"),
    ("influence of a point", "ArviZ"): lambda: az.plot_khat(az.loo(draws, pointwise=True)),
    ("contour of two parameters", "lmfit"): lambda: lmfit.conf_interval2d(
        curve, curve, "decay", "amplitude", 5, 5
    ),
    ("contour of two parameters", "ArviZ"): lambda: az.plot_pair(
        draws, var_names=["a", "b"], kind="kde"
    ),
    ("forest over groups", "statsmodels"): lambda: combine_effects(
        np.array([1.0, 2.0]), np.array([0.1, 0.2])
    ).plot_forest(ax=axes()),
    ("forest over groups", "lifelines"): lambda: cox.plot(ax=axes()),
    ("forest over groups", "ArviZ"): lambda: az.plot_forest(draws, var_names=["a", "b"]),
    ("`ax=` in, axes out", "lmfit"): lambda: curve.plot_fit(ax=axes()).lines,
    ("`ax=` in, axes out", "statsmodels"): lambda: sm.graphics.plot_leverage_resid2(
        line, ax=axes()
    ),
    ("`ax=` in, axes out", "lifelines"): lambda: cox.plot(ax=axes()).lines,
    ("`ax=` in, axes out", "ArviZ"): lambda: az.plot_kde(y, ax=axes()).lines,
    ("frames of numbers", "statsmodels"): lambda: line.get_prediction().summary_frame().columns,
    ("frames of numbers", "lifelines"): lambda: cox.summary.columns,
    ("frames of numbers", "ArviZ"): lambda: az.summary(draws, var_names=["a", "b"]).columns,
    ("LaTeX and Markdown", "statsmodels"): lambda: line.summary().as_latex(),
    ("LaTeX and Markdown", "lifelines"): lambda: cox.print_summary(style="latex") or "printed",
    ("LaTeX and Markdown", "ArviZ"): lambda: isinstance(az.summary(draws), pd.DataFrame),
    ("models compared", "lmfit"): lambda: lmfit.confidence.f_compare(curve, curve),
    ("models compared", "statsmodels"): lambda: line.compare_f_test(shorter),
    ("models compared", "lifelines"): lambda: lifelines.utils.find_best_parametric_model(
        rossi["week"]
    ),
    ("models compared", "ArviZ"): lambda: az.compare({"one": draws, "two": draws}),
    ("held-out sizes scored", "ArviZ"): lambda: az.loo(draws),
    ("doubt about the law in a forecast", "ArviZ"): lambda: az.compare(
        {"one": draws, "two": draws}, method="stacking"
    )["weight"],
}
RESULTS = {"lmfit": (curve, lmfit), "statsmodels": (line, sm), "lifelines": (cox, lifelines)}
RESULTS["ArviZ"] = (draws, az)
ABSENT = {
    "formula with its numbers": ("equation",),
    "sliders in a notebook": ("slider", "explore", "widget"),
    "tokens that a target takes": ("inverse", "tokens"),
    "which run to do next": ("next_", "allocate"),
}


def main() -> None:
    """Try every cell."""
    wrong = []
    for (what, peer), do in DONE.items():
        try:
            there = do()
            said = "yes" if there is not None else "nothing came back"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        wrong += [] if said == "yes" else [what]
        print(f"{peer} {version(peer.lower())}: {what}: {said}")
    for what, words in ABSENT.items():
        for peer, things in RESULTS.items():
            absent = all(lacks(*words)(thing) for thing in things)
            wrong += [] if absent else [what]
            print(f"{peer}: {what}: {'no' if absent else 'a name like it is there'}")
    sys.exit(f"{len(wrong)} cells are not as said" if wrong else 0)


if __name__ == "__main__":
    main()
