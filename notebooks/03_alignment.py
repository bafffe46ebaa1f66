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
# # Does this corpus really help, or does only cross-entropy say so?
#
# The lab's own runs: English to French, several pretraining corpora, three pretraining and two finetuning seeds.

# %%
import json
from pathlib import Path

import scalefit as sf
from scalefit.corpora import Similarity

lab = next(p for p in (Path("data"), Path("../data")) if p.is_dir()) / "transfer_lab"
table = sf.datasets.transfer_lab().where(task="en-fr", finetune_tokens=128_000, domain="in")
table

# %% [markdown]
# Six corpora. Five hold English, French, both, German, or program code. The sixth, `unpaired`, is a bitext whose pairs
# do not belong together, as a crawl that was aligned wrongly would give: the decoder learns French and not to read.
#
# One verdict a corpus and metric, worst first. The margin is what people would notice: 1.4 BLEU, 1.0 chrF, the
# differences with which 70 % of human rankings agree. The lab's seed noise is about half a BLEU point, so three seeds
# could not rule out a smaller fall.

# %%
judged = sf.align(table, quality=("bleu", "chrf"))
judged

# %% [markdown]
# The worst of them, with everything behind it:

# %%
judged[0]

# %% [markdown]
# The picture: quality above, cross-entropy below, run means as open circles, the baseline dotted.

# %%
sf.plot_alignment(judged, most=3)

# %% [markdown]
# Five corpora help, program code included: quality rises as cross-entropy falls. `unpaired` is the trap: judged by
# cross-entropy alone it looks like a corpus to buy more of, and every further token makes the translations worse.
#
# Many of its runs do no better than with shuffled sources, which the notes above say. Without them:

# %%
reading = table.where(source_blind=False, corpus=["none", "unpaired"])
sf.align(reading, quality="bleu")[0]

# %% [markdown]
# Would we have been warned while the checkpoints arrived? With one false-alarm rate for the whole sequence:

# %%
sf.monitor(table.where(corpus=["none", "unpaired"]), quality="bleu", planned=6)

# %% [markdown]
# Before training there is only the text. Scores of nearness are context, not a verdict:
# `unpaired` is made of the same text as `fr+en`, so no such score can tell the best corpus from the worst.

# %%
corpora = {
    "fr": ["la petite maison rouge", "un outil pour lire des fichiers"],
    "en": ["the little red house", "a tool that reads files"],
}
sf.similarity(corpora["fr"], ["a red tool"], ["un outil rouge"])

# %% [markdown]
# The lab's own text is not shipped, its scores are (`data/transfer_lab/similarity.py` made them). How each relates to
# what the corpus turned out to be worth, with the little that six corpora can say:

# %%
stored = json.loads((lab / "similarity.json").read_text(encoding="utf-8"))
scores = {
    corpus: Similarity(s["source"], s["target"], s["language_share"], tuple(s["lines"].values()))
    for corpus, s in stored.items()
}

# %%
sf.similarity_report(table, scores, quality="bleu", where={"task": "en-fr"})
