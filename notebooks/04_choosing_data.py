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
# # Choosing data: which corpus, what is it worth, which run next
#
# Four questions of somebody who has to choose, on our own measured runs (`data/transfer_lab`).

# %%
import scalefit as sf

table = sf.datasets.transfer_lab()
cell = {"task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}

# %% [markdown]
# ## Which corpus, at a size nobody has run?
# P(best) and the expected loss of choosing each; curves that cross; the alignment verdict on the same line. What is
# said of the best one is right for one that was picked: forecasts are drawn towards each other as far as chance
# explains their spread. The corpus that was built to mislead comes last and is never the choice.

# %%
ranking = sf.rank(table, "bleu", at="10M", where=cell)
ranking

# %% [markdown]
# By the tokens that a target takes, or by what they cost:

# %%
sf.rank(table, "bleu", target=12.0, where=cell)

# %% [markdown]
# ## What is it worth?
# Gain over no pretraining at every pair of sizes, and whether that is help, nothing, or harm beyond the noise of one
# run. *Effective data*: how many finetuning tokens more a model without pretraining would need.

# %%
worth = sf.value(table, "bleu", where={"task": "en-fr", "domain": "in"})
worth["fr+en"]

# %%
worth["unpaired"]

# %% [markdown]
# ## Which run next?
# Every candidate's result is tried at several quantiles of its forecast; what counts is what it is expected to add to
# P(right choice) per token spent.

# %%
sf.plan(table, "bleu", at="10M", where=cell)

# %% [markdown]
# ## How to split a budget?
# With a fitted law of two inputs: here pretraining and finetuning tokens of one corpus.

# %%
both = {"corpus": "fr+en", "task": "en-fr", "domain": "in"}
law = sf.fit(
    table,
    "cross_entropy",
    "multiplicative",
    where=both,
    inputs={"X": "pretrain_tokens", "F": "finetune_tokens"},
)
sf.allocate(law, [1e6, 1e7], price={"X": 1.0, "F": 20.0}, resamples=50)

# %% [markdown]
# Quality asks the joint law of both sizes, here for the cheapest way to 12 BLEU where a finetuning token costs a
# hundred times a pretraining token.

# %%
surface = sf.fit_joint(table, "bleu", where=both)
dear = {"pretrain_tokens": 1.0, "finetune_tokens": 100.0}
sf.allocate(surface, target=12, price=dear, resamples=50)
