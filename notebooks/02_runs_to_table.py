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
# # From training runs and hypotheses to a table
#
# Training leaves logs, decoding leaves text files. This notebook makes the one tidy table of them that everything
# else starts from. The runs are real: seven of the transfer lab's, as Hugging Face's trainer left them.

# %%
import tempfile
from pathlib import Path

import scalefit as sf

root = next(p for p in (Path(), Path("..")) if (p / "data/transfer_lab").is_dir())
runs = root / "tests/fixtures/hf_trainer"
sorted(p.name for p in runs.iterdir())

# %% [markdown]
# ## A folder of runs
# `sf.read` recognises what it is given and says so in the notes. What no training log knows is how many tokens its
# model was *pretrained* on. That is never guessed: the run is read, and what asks about sizes refuses:

# %%
run = runs / "fr+en-1024000-p1" / "ft-en-fr-128000-s1"
try:
    sf.forecast(run, at="10M")
except sf.errors.MissingColumnError as error:
    print(error)

# %% [markdown]
# A path pattern tells it. What stands in braces becomes a column; counts may be written `1.5B`.

# %%
pattern = "{corpus}-{pretrain_tokens}-p{pretrain_seed}/ft-{task}-{finetune_tokens}-s{finetune_seed}"
table = sf.read(runs, pattern=pattern)
table

# %%
table.where(metric="bleu").frame[["corpus", "pretrain_tokens", "eval_set", "value", "source"]]

# %% [markdown]
# `source` names file and line of every value. A manifest does the same without meaningful paths: a CSV with a column
# `path` and whatever is known. This folder has one (`runs.csv`), and it is used without being named.

# %%
(runs / "runs.csv").read_text().splitlines()[:5]

# %%
from_manifest = sf.read(runs)
assert list(from_manifest.column("value")) == list(table.column("value"))

# %% [markdown]
# ## It is the very table the lab shipped
# The lab's manifest adds what all its runs share: model, names of the evaluation sets, in or out of domain.
# Every value is the one in `results.csv`, which keeps six digits.

# %%
mine = sf.read(runs, pattern=pattern, manifest=root / "data/transfer_lab/ingest.csv")
lab = sf.datasets.transfer_lab()
keys = ["corpus", "pretrain_tokens", "task", "finetune_tokens", "pretrain_seed", "finetune_seed"]
keys += ["eval_set", "domain", "metric"]
both = mine.frame.merge(lab.frame, on=keys, suffixes=("", "_lab"))
worst = ((both["value"] - both["value_lab"]).abs() / both["value_lab"].abs()).max()
{
    "values read": len(mine),
    "in the lab's table": len(both),
    "largest relative difference": f"{worst:.1e}",
}

# %%
assert len(both) == len(mine)
assert worst < 1e-5

# %% [markdown]
# ## Hypotheses, scored on the way
# A log's BLEU has no standard error and no signature. Where the hypotheses lie beside the log, they can be
# scored in the same call; the new scores take the place of the log's own, and a note says how well both
# agree. The texts here are made
# up (the lab's references are other people's text and are not shipped).

# %%
folder = Path(tempfile.mkdtemp())
reference = [
    "the cat sees the red house",
    "a dog runs home now",
    "we read the old book",
    "they like the river",
]
systems = {
    "fr+en-1M/ft-s1": [
        "the cat sees a red house",
        "a dog runs home now",
        "we read an old book",
        "they like a river",
    ],
    "fr+en-1M/ft-s2": [
        "the cat sees the red house",
        "a dog runs home",
        "we read the old book",
        "they like the water",
    ],
    "none-0/ft-s1": [
        "the cat sees the house now",
        "a dog",
        "we read the book",
        "they like the river",
    ],
}
for name, lines in systems.items():
    (folder / "runs" / name).mkdir(parents=True)
    (folder / "runs" / name / "hyp.txt").write_text("\n".join(lines) + "\n")
    (folder / "runs" / name / "eval_results.json").write_text(
        '{"eval_loss": 2.25, "eval_samples": 4}'
    )
(folder / "ref.txt").write_text("\n".join(reference) + "\n")

outputs = sf.Outputs(
    {"eval": "hyp.txt"}, {"eval": str(folder / "ref.txt")}, options={"cache": False, "workers": 1}
)
scored = sf.read(
    folder / "runs", pattern="{corpus}-{pretrain_tokens}/ft-s{finetune_seed}", outputs=outputs
)
scored.frame[["corpus", "pretrain_tokens", "finetune_seed", "metric", "value", "stderr"]]

# %% [markdown]
# Without logs, `sf.score` makes the table of the texts alone:

# %%
sf.score(systems, reference, metrics=("bleu", "chrf"), cache=False, workers=1).frame[
    ["system", "metric", "value", "stderr"]
]

# %% [markdown]
# ## Bad input is answered, not guessed at
# Each problem comes with its place, what was found, what was needed, and what to try.

# %%
bad = folder / "results.csv"
bad.write_text(
    "corpus,pretrain_tokens,metric,value\nfr,1.5B,bleu,28.4\nfr,many,bleu,29.1\nfr,6B,bleu,305\n"
)
try:
    sf.read(bad)
except sf.errors.TableError as error:
    print(str(error).replace(str(folder), ""))

# %% [markdown]
# ## And on
# The table is written once, and fitted as in the first notebook. In a shell all of this is
# `scalefit ingest runs/ --pattern … -o table.parquet`.

# %%
mine.write(folder / "table.csv")
fit = sf.fit(
    sf.read(folder / "table.csv"),
    metric="bleu",
    law="log",
    where={"corpus": "fr+en", "domain": "in"},
)
fit
