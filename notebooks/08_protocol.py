# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The paper's protocol: fit the four smallest, hold out the rest
#
# Isik et al. (Scaling Laws for Downstream Task Performance) fit the log-law to the four smallest pretraining sizes and
# judge it by the others. The same here, on our own runs, beside a mixture and four baselines.

# %%
import scalefit as sf

table = sf.datasets.transfer_lab().where(domain="in")
tested = sf.backtest(table, "bleu", ["log", "ceiling"], fit_smallest=4)
tested

# %%
tested.to_frame().query("distance == 'all'")[
    ["forecaster", "error", "to_best_baseline", "inside_95"]
]

# %% [markdown]
# Cross-entropy by the power law:

# %%
sf.backtest(table, "cross_entropy", ["power"], fit_smallest=4)

# %% [markdown]
# ## The only test of a forecast is the next run
# A forecast is written down, and scored when the run lands.

# %%
import pathlib
import tempfile

log = pathlib.Path(tempfile.mkdtemp()) / "forecasts.jsonl"
known = table.where(pretrain_tokens="<=1.1M")
sf.forecast(known, "bleu", at="2.56M").log(log)
sf.forecast_score(table, log)
