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

import numpy as np

sys.path.insert(0, "../data/parity_landscape")
from parity import Recipe, experiment

from scalefit import landscape
from scalefit.views import plot_basins, plot_distances, plot_foresight, plot_paths, plot_plane

# %% [markdown]
# Three pretraining seeds, twenty finetuning runs of each: a fresh head and another order of the data.

# %%
runs = experiment(Recipe(pretrain_seeds=3, runs=20))
groups = np.array(runs.groups)
for seed in range(3):
    inside, outside = runs.in_domain[groups == seed], runs.out_of_domain[groups == seed]
    print(f"pretraining seed {seed}: in domain {inside.mean():.3f} ± {inside.std():.3f},", end=" ")
    print(f"out of domain {outside.mean():.2f} ± {outside.std():.2f}")

# %% [markdown]
# In domain there is nothing to see. Out of domain many runs follow one cue altogether.
#
# ## What it costs, then the paths
# Every pair of runs of one pretraining seed is joined by a straight line, and the in-domain loss is evaluated
# along it. `store="paths.sqlite"` would let a killed run go on.

# %%
print(landscape.budget(runs.groups))
found = landscape.distances(runs.weights, runs.loss(), groups=runs.groups, progress=False)
print(found)

# %% [markdown]
# One pretraining seed at a time. Yellow paths join models that behave differently: their barriers are higher.

# %%
one = found.within(1)
scores = runs.out_of_domain[groups == 1]
plot_paths(one, scores, label="score")

# %%
plot_distances(one, scores, title="barriers, models sorted by out-of-domain score")

# %% [markdown]
# ## Basins
# Their number, whether a single cloud would look the same, and how sure the number is.

# %%
for seed in range(3):
    print(f"pretraining seed {seed}: {landscape.clusters(found.within(seed))}")

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
plot_plane(plane)

# %% [markdown]
# ## Does the landscape foretell behaviour?
# Each model's out-of-domain score is predicted from the three nearest others of its pretraining seed. The
# baselines do the same by Euclidean distance, in-domain loss and in-domain score; the p-value shuffles the
# scores and repeats everything.

# %%
result = landscape.predict(found, runs.out_of_domain, in_domain=runs.in_domain)
print(result)

# %%
plot_foresight(result)

# %% [markdown]
# ## A negative control
# The same distances, the scores shuffled: now it must find nothing.

# %%
shuffled = np.random.default_rng(1).permutation(runs.out_of_domain)
print(landscape.predict(found, shuffled, in_domain=runs.in_domain).verdict)

# %% [markdown]
# For your own models: `landscape.hf_loss("runs/1", "dev.jsonl")` makes the loss,
# `landscape.distances(["runs/1", "runs/2", ...], loss, store="paths.sqlite")` does the rest. See
# `docs/landscape.md`.
