"""How much of a forecast's error do corpora of one setting share? Prints the table behind ``SHARED`` of `sf.rank`.

    python benchmarks/shared.py [FOLDER OF PUBLIC RESULTS]

Every curve is forecast at its largest size from the smaller ones; errors in units of what was said (normal scores) are
correlated over pairs of corpora of one setting. Last column: the estimate from all other tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

import scalefit as sf
from scalefit.doors.curves import inquire
from scalefit.forecasting.engines import AUTO
from scalefit.forecasting.mixture import mixtures_of
from scalefit.groups import group_name

FURTHEST = 3.0  # a score beyond it says how wrong the width was, not what is shared


def tables(folder: Path | None) -> Iterator[tuple[str, Any, str, str]]:
    """Yield name, data, metric and the column of what is ranked."""
    lab = sf.datasets.transfer_lab()
    for metric in ("bleu", "chrf", "cross_entropy"):
        yield f"lab, {metric}", lab, metric, "corpus"
    if folder is None:
        return
    cg = pd.read_csv(folder / "cg_transfer" / "cg_table.csv")
    cg["corpus"] = cg["corpus"].str.removeprefix("64k-").str.removeprefix("1280k-")
    yield "images, accuracy", cg[cg.pretrain_tokens > 0], "accuracy", "corpus"
    m2m = pd.read_csv(folder / "m2m" / "m2m.csv")
    named = {"finetune_tokens": "pretrain_tokens"}
    m2m = m2m.drop(columns=["pretrain_tokens", "corpus"]).rename(columns=named)
    yield "m2m, bleu", m2m.drop(columns="parameters"), "bleu", "model"


def scores(data: Any, metric: str, over: str) -> Iterator[np.ndarray]:
    """Yield the normal scores of every setting's corpora at their largest size."""
    what = inquire(data, metric, where=None, by=None, mapping=None, allow=())
    curves = what.curves
    last = [float(c.x[-1]) for c in curves.series()]
    held = [float(c.y[-1]) for c in curves.series()]
    short = [
        rows.only(np.flatnonzero(next(iter(rows.inputs.values())) < size))
        for rows, size in zip(curves.rows, last, strict=True)
    ]
    long = [
        i for i, rows in enumerate(short) if len(np.unique(next(iter(rows.inputs.values())))) > 2
    ]
    mixtures = mixtures_of([short[i] for i in long], [curves.groups[i] for i in long], AUTO)
    inside: dict[str, list[float]] = {}
    for i, mixture in zip(long, mixtures, strict=True):
        said = mixture.predictive(np.array([last[i]]), "run")
        place = np.interp(held[i], said.values[:, 0], said.probabilities)
        setting = group_name({k: v for k, v in mixture.group.items() if k != over})
        inside.setdefault(setting, []).append(float(ndtri(np.clip(place, 1e-9, 1 - 1e-9))))
    yield from (
        np.clip(z, -FURTHEST, FURTHEST) for z in map(np.array, inside.values()) if z.size > 1
    )


def products(settings: list[np.ndarray]) -> tuple[float, float, int]:
    """Return the mean product over pairs within a setting, the mean square, and the pairs."""
    pairs = [(z.sum() ** 2 - (z**2).sum(), z.size * (z.size - 1)) for z in settings]
    return (
        sum(p for p, _ in pairs) / sum(n for _, n in pairs),
        float(np.mean(np.concatenate(settings) ** 2)),
        sum(n for _, n in pairs) // 2,
    )


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = {}
    for name, data, metric, over in tables(folder):
        found[name] = list(scores(data, metric, over))
        print(name, len(found[name]), "settings", flush=True)
    print("| table | settings | pairs | shared | from the others |\n|---|---|---|---|---|")
    for name, settings in found.items():
        both, own, pairs = products(settings)
        others = [products(s) for other, s in found.items() if other != name]
        rest = np.mean([b / o for b, o, _ in others]) if others else np.nan
        print(f"| {name} | {len(settings)} | {pairs} | {both / own:.2f} | {rest:.2f} |")


if __name__ == "__main__":
    main()
