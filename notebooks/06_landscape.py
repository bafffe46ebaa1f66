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
# # The loss landscape
#
# Finetuned models with the same in-domain score can behave quite differently out of domain. Here is such a
# case, trained on the spot: small networks pretrained on digits, then finetuned on a task whose label is the
# parity of three bits, and just as much the parity of three others (`data/parity_landscape`). Nothing in the
# training data prefers either. Out of domain the two contradict each other, and the score is how often a
# model follows the first. The cues are synthetic: what follows shows the method, not a fact about language.

# %%
# requires: sklearn
import sys
from pathlib import Path

import numpy as np
import pandas as pd

data = next(p for p in (Path("data"), Path("../data")) if p.is_dir())
sys.path.insert(0, str(data / "parity_landscape"))
from parity import Recipe, experiment

from scalefit import landscape
from scalefit.views import plot_basins, plot_distances, plot_paths

# %% [markdown]
# Three pretraining seeds, twenty finetuning runs of each: a fresh head and another order of the data.

# %%
runs = experiment(Recipe(pretrain_seeds=3, runs=20))
groups = np.array(runs.groups)
scores = {"seed": groups, "in_domain": runs.in_domain, "out_of_domain": runs.out_of_domain}
pd.DataFrame(scores).groupby("seed").agg(["mean", "std"]).round(3)

# %% [markdown]
# In domain there is nothing to see. Out of domain many runs follow one cue altogether.
#
# ## What it costs, then the paths
# Every pair of runs of one pretraining seed is joined by a straight line, and the in-domain loss is evaluated
# along it. `store="paths.sqlite"` would let a killed run go on.

# %%
landscape.budget(runs.groups)

# %%
apart = landscape.distances(runs.weights, runs.loss(), groups=runs.groups, progress=False)
apart.verdict

# %% [markdown]
# One pretraining seed at a time. Yellow paths join models that behave differently: their barriers are higher.

# %%
one = apart.within(1)
scores = runs.out_of_domain[groups == 1]
plot_paths(one, scores, label="score")

# %%
plot_distances(one, scores)

# %% [markdown]
# ## Basins
# Their number, whether a single cloud would look the same, and how sure the number is.

# %%
[landscape.clusters(apart.within(seed)) for seed in range(3)]

# %%
plot_basins(landscape.clusters(one), scores)

# %% [markdown]
# The plane through the two most different models and one between them:

# %%
order = np.argsort(scores)
corners = [one.names[order[k]] for k in (0, len(order) // 2, -1)]
plane = landscape.plane(
    {name: runs.weights[name] for name in corners}, runs.loss(), size=25, progress=False
)
plane.plot()

# %% [markdown]
# ## Does the landscape foretell behaviour?
# Each model's out-of-domain score is predicted from the three nearest others of its pretraining seed. The
# baselines do the same by Euclidean distance, in-domain loss and in-domain score; the p-value shuffles the
# scores and repeats everything.

# %%
result = landscape.predict(apart, runs.out_of_domain, in_domain=runs.in_domain)
result

# %%
result.plot()

# %% [markdown]
# ## A negative control
# The same distances, the scores shuffled: now it must find nothing.

# %%
shuffled = np.random.default_rng(1).permutation(runs.out_of_domain)
landscape.predict(apart, shuffled, in_domain=runs.in_domain)

# %% [markdown]
# For your own models: `landscape.hf_loss("runs/1", "dev.jsonl")` makes the loss,
# `landscape.distances(["runs/1", "runs/2", ...], loss, store="paths.sqlite")` does the rest. See
# `docs/landscape.md`.
