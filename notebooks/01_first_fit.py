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
# # A first fit
#
# Pretrain, finetune on a translation task, measure BLEU: what does the next, larger pretraining run buy? This
# notebook walks from a results file to a forecast. The numbers are our own, measured: tiny translation models,
# pretrained on one of several corpora for 25 thousand to 2.5 million tokens, then finetuned. See
# `data/transfer_lab`.

# %%
import scalefit as sf

# %% [markdown]
# ## A results file becomes a table
# One tidy row is one measured value. `pretrain_tokens` 0 is the baseline without pretraining. The table says
# what it holds; whatever was left out or turned on the way in is in `table.notes`.

# %%
table = sf.read("../data/transfer_lab/results.csv")
print(table)
table.notes

# %% [markdown]
# ## One corpus, one task, one finetuning size
# BLEU follows the log-law (`scalefit laws` lists them all). No starting values: the fit finds the global
# optimum by itself. The verdict comes first, then estimates with intervals, then what a reader of the numbers
# should know.

# %%
cell = {"corpus": "fr+en", "task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
fit = sf.fit(table, metric="bleu", law="log", where=cell)
fit

# %% [markdown]
# Everything is there as plain values, too.

# %%
print(fit.params)
print(fit.intervals(level=0.9))
print(fit.objective)
print(*fit.notes, sep="\n")

# %% [markdown]
# The signature tells whether two people's numbers compare: law, objective, weights, intervals, data.

# %%
print(fit.signature)

# %% [markdown]
# ## What the curve says beyond the data
# One band is for the mean curve, the other for what a new run will show.

# %%
sf.predict(fit, pretrain_tokens=[1e6, 1e7])

# %%
sf.predict(fit, pretrain_tokens=[1e6, 1e7], kind="run")

# %% [markdown]
# How many tokens does a target take? The interval may be half-infinite: then the data do not say where it ends.

# %%
sf.tokens_for(fit, 14.0)

# %% [markdown]
# Runs are points; what lies in the grey zone is extrapolated. The baseline is what finetuning reaches without
# any pretraining.

# %%
baseline = table.baseline_for(cell).where(metric="bleu").column("value").mean()
fit.plot(target=14.0, baseline=baseline)

# %% [markdown]
# ## Cross-entropy follows a power law
# Where the data show a floor, a target below it is not reachable, and the answer says so. What these data show
# of a floor, the notes tell; the further a target lies beyond the largest size, the less the answer means.

# %%
loss = sf.fit(table, metric="cross_entropy", law="power", where=cell)
loss

# %%
sf.tokens_for(loss, 0.05)

# %% [markdown]
# ## All groups at once
# One fit a group, found by what you would type (`fits["fr"]`), and the groups without a fit, with the reason.

# %%
fits = sf.fit_each(
    table,
    metric="bleu",
    law="log",
    by=["corpus", "task", "finetune_tokens"],
    where={"domain": "in"},
)
fits

# %%
sf.plot_fits(fits)

# %% [markdown]
# ## The main job in one call
# Loss and quality of every group, what a target takes, and the picture: the same as `scalefit forecast` in a
# shell.
#
# A rising curve alone does not make a corpus the right one: cross-entropy can fall while translation does not
# improve. That is what `sf.align` tells apart.

# %%
forecast = sf.forecast(table, target=14.0)
forecast

# %%
forecast.plot()

# %% [markdown]
# ## A law of your own, and a fit for later
# A law is a value; typed into a cell it fits, predicts and plots like the built-in ones. A fit is stored as
# JSON.

# %%
import numpy as np

saturating = sf.Law(
    name="saturating",
    formula="C·(1 − e^(−(x/τ)^0.3))",
    coefficients=(sf.Coefficient("C", 0.0),),
    shapes=(sf.Shape("tau", (1e3, 1e9), spacing="log"),),
    basis=lambda x, tau: (-np.expm1(-((x / tau) ** 0.3)),),
    source="this cell",
)
own = sf.fit(table, metric="bleu", law=saturating, where=cell)
own

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "fit.json"
    sf.save(fit, path)
    again = sf.load(path)
print(again.params == fit.params)
