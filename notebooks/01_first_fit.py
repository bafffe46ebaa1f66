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
# # A first fit and forecast
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
table = sf.datasets.transfer_lab()
table

# %% [markdown]
# ## The main job: every corpus forecast at once
# Each curve is forecast by a mixture of laws and plain guesses, weighed by what the table's own curves showed when
# their ends were held back. The answer to "how many tokens" begins with chances: within 2, 10, 100 times the
# largest size measured.

# %%
cell = {"task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
forecast = sf.forecast(table, target=12.0, at="10M", where=cell)
forecast

# %%
forecast.plot()

# %% [markdown]
# One corpus by itself, found by what a person would type:

# %%
forecast["fr+en"]

# %% [markdown]
# ## One curve
# Without a law, `sf.fit` gives the mixture; its heaviest member that is a law is `best`.

# %%
one = {"corpus": "fr+en", **cell}
mixture = sf.fit(table, "bleu", where=one)
mixture

# %%
sf.predict(mixture, ["5M", "10M", "100M"], kind="run")

# %%
sf.tokens_for(mixture, 12.0)

# %% [markdown]
# ## One named law
# A law's parameters have intervals of their own. No starting values: the fit finds the global optimum by itself.

# %%
fit = sf.fit(table, "bleu", "log", where=one)
fit

# %% [markdown]
# Its forecast holds doubt about the law too, unless the law is taken for the truth:

# %%
sf.predict(fit, "10M")

# %%
sf.predict(fit, "10M", given="law")

# %%
fit.plot(target=12.0)

# %% [markdown]
# Which point carries it, and do its parameters stand alone? Each question has a picture.

# %%
fit.plot(kind="influence")

# %% [markdown]
# ## Turn the knobs
# The explorer answers anew whenever curve, law, level, target or budget is turned; a pointer that rests on a run is
# told where it is from. Its controls may be set from code as well.

# %%
explorer = sf.explore(table, "bleu", **cell)
explorer.law.value, explorer.target.value, explorer.budget.value = "log", "12", "10M"
explorer

# %% [markdown]
# ## Was it worth anything? Hold out the largest size
# Every forecaster sees the smaller sizes only.

# %%
sf.backtest(table, "bleu", where={"domain": "in"}, hold_out=1)
