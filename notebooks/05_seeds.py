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
# # Seeds: a good procedure or a lucky run?
#
# Our transfer lab pretrained tiny translation models on several corpora, finetuned each checkpoint several times,
# and scored every run in domain and out of domain. Where does the spread come from, how many seeds would an
# answer need, and is one corpus better?

# %%
import numpy as np
from scipy import stats

import scalefit as sf

table = sf.datasets.transfer_lab()
central = table.where(task="en-fr", finetune_tokens=128_000)
central

# %% [markdown]
# ## Where the spread comes from
# In domain and out of domain side by side. Corpora and sizes are pooled, each around its own mean; sizes that are
# checkpoints of one pretraining run count their degrees of freedom once. The intervals hold at three seeds, and
# are as wide as three seeds make them.

# %%
components = sf.variance(central, metric="chrf")
components

# %%
components.plot()

# %% [markdown]
# Cross-entropy and chrF need not agree on this. A negative estimate is kept: it says that there is no sign of
# that source.

# %%
sf.variance(central, metric="cross_entropy").to_frame()

# %% [markdown]
# ## How many seeds?
# The cheapest split between pretraining and finetuning seeds that tells a difference of one chrF point, when a
# pretraining run costs as much as twenty finetuning runs. The second note is the sobering one: variances from few
# seeds may be far larger.

# %%
plan = sf.seeds_needed(components["in"], difference=1.0, finetune_cost=0.05)
plan

# %% [markdown]
# ## Is one corpus better?
# Finetuning seeds are averaged within each pretraining run; pretraining runs are what is counted. The answer says
# how many seeds it rests on, what these seeds could have seen, and whether the ranking survives out of domain.
# p-values are adjusted for the number of corpora (Holm).

# %%
others = [c for c in central.where(domain="in").unique("corpus") if c not in ("none", "fr+en")]
comparison = sf.compare_procedures(central, a="fr+en", b=others, metric="chrf")
comparison

# %%
comparison.plot()

# %% [markdown]
# At the largest size only, by cross-entropy (lower is better):

# %%
largest = max(central.unique("pretrain_tokens"))
sf.compare_procedures(
    central, a="fr+en", b="code", metric="cross_entropy", where={"pretrain_tokens": largest}
)

# %% [markdown]
# ## Seeds and test examples
# With one number an example and run, the finding is asked to hold over new seeds *and* new examples. Made-up
# scores, so that we know the truth: five seeds a side, 500 examples, and **no** difference. A test that takes
# examples as the only thing that varies finds one; it does so at p < .01 in 10 of 40 such draws.

# %%
rng = np.random.default_rng(2)
difficulty = rng.normal(0, 0.15, 500)


def runs() -> dict[int, np.ndarray]:
    """Correctness of 500 examples for five seeds: seeds and examples differ, procedures do not."""
    skill = 0.6 + 0.05 * rng.normal(size=5)
    return {seed: (rng.random(500) < p + difficulty).astype(float) for seed, p in enumerate(skill)}


a, b = runs(), runs()
means = [np.mean(list(side.values()), axis=0) for side in (a, b)]
float(stats.ttest_rel(*means).pvalue)

# %% [markdown]
# Over seeds and examples:

# %%
sf.compare_procedures(a={"A": a}, b={"B": b}, paired=False)

# %% [markdown]
# The multi-bootstrap of MultiBERTs is there too, and says how far to trust it at five seeds.

# %%
sf.compare_procedures(a={"A": a}, b={"B": b}, paired=False, test="multibootstrap")

# %% [markdown]
# How much of the spread of single answers comes from the seed, the example, and both together:

# %%
sf.variance(np.stack(list(a.values())), metric="accuracy")

# %% [markdown]
# ## Two modes?
# Sixty made-up runs, a third of which found a better solution. With fewer runs, or modes that overlap, a
# histogram cannot tell; the loss surface may (`06_landscape`).

# %%
scores = np.where(np.arange(60) < 20, 0.55, 0.3) + 0.05 * rng.normal(size=60)
modes = sf.bimodality(scores)
modes

# %% [markdown]
# Runs that belong to the upper mode:

# %%
int((modes.membership > 0.5).sum())
