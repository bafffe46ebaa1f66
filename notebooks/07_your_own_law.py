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
# # Your own law, lmfit, and what laws are worth
#
# A law is a frozen value made of plain functions. Behind a link it is a sum of coefficients times columns; from that
# the solver finds the optimum without a start.

# %%
import numpy as np

import scalefit as sf

line = sf.Law(
    name="line",
    formula="c + m·ln x",
    coefficients=(sf.Coefficient("c"), sf.Coefficient("m", role="scale")),
    basis=lambda x: (1.0, np.log(x)),
    inverse=lambda y, c, m: np.exp((y - c) / m),
    falls=False,
)
table = sf.datasets.transfer_lab()
one = {"corpus": "fr", "task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
fit = sf.fit(table, "bleu", line, where=one)
fit

# %%
sf.tokens_for(fit, 12.0)

# %% [markdown]
# A bare function serves as well; its arguments are the parameters.


# %%
def saturating(x, top, missing, b):
    return top - missing * (x / 1e6) ** -b


sf.fit(table, "bleu", saturating, where=one).params

# %% [markdown]
# ## In lmfit, for what lmfit does best

# %%
fit.to_lmfit()

# %% [markdown]
# ## Which law? In the data, and beyond them
# The best law in the data is often not the best one beyond: averages forecast better.

# %%
sf.compare_laws(table, "bleu", ["log", "ceiling", line], where=one)

# %%
sf.backtest(table, "bleu", ["log", "ceiling", "logistic", line], where={"domain": "in"}, hold_out=1)
