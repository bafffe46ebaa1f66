"""Readers of the public seed studies."""

import csv
from types import SimpleNamespace

import numpy as np


def mccoy(shared):
    """100 finetuning seeds of one BERT (McCoy, Min & Linzen 2020), basins of Juneja et al. 2023."""
    folder = shared / "hans_100_seeds"
    with (folder / "mccoy2020_hans_100runs.csv").open(encoding="utf-8-sig") as file:
        rows = [r for r in csv.DictReader(file) if (r["Run"] or "").startswith("Run ")]
    with (folder / "juneja2023_small_clusters.csv").open() as file:
        small = {int(r["seed"]) for r in csv.DictReader(file) if r["dataset"] == "MNLI"}
    ids = [int(r["Run"].split()[1]) for r in rows]
    return SimpleNamespace(
        small=np.isin(ids, list(small)),
        lexical=np.array([float(r["Lexical (nonent)"]) for r in rows]),
        mnli=np.array([float(r["MNLI dev acc."]) for r in rows]),
        swap=np.array([float(r["ln_subject/object_swap"]) for r in rows]),
    )


def zhou(shared):
    """10 BERT seeds, correctness of each example (Zhou et al. 2020)."""
    with np.load(shared / "hans_100_seeds" / "zhou2020_correct.npz") as stored:
        mnli, hans = (
            np.unpackbits(stored[k], axis=1)[:, : int(stored[f"n_{k}"])].astype(float)
            for k in ("mnli", "hans")
        )
        subcases = stored["hans_subcase"]
    case = np.repeat(subcases, hans.shape[1] // len(subcases))

    def of(start):
        return hans[:, np.char.startswith(case, start)]

    return SimpleNamespace(mnli=mnli, hans=hans, lexical=of("ln_"), of=of, subcases=subcases)
