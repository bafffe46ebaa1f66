"""Public curves that forecasts are judged on: families of losses and errors, and families of quality.

The files are not part of the project. Put them in one folder, a subfolder a source, and name it in SCALEFIT_SHARED:

    gordon_mt      github.com/mitchellgordon95/mt-scaling (Gordon, Duh, Kaplan 2021)
    nmt_bansal     github.com/google-research/google-research, revisiting_neural_scaling_laws
    rectified_sft  github.com/linhaowei1/Fine-tuning-Scaling-Law
    gadre          github.com/mlfoundations/scaling
    chinchilla     github.com/Open-Athena/scaling-law-analysis
    pythia         github.com/EleutherAI/pythia, evals
    m2m            github.com/vschram/ZeroShot_for_PSL
    cg_transfer    github.com/pfnet-research/cg-transfer

Sources that are absent are left out. The lab's own table is in the repository.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.forecasting.series import Series, series_of

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SCALEFIT_SHARED", ROOT.parent / "shared" / "data"))
LEAST = 4  # sizes: three to fit and one to hold out
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One measured curve: seed means at ascending sizes.

    Attributes
    ----------
    table : curves of one table share it; what is pooled is pooled over them.
    spread, trend : variance between runs of the largest size, and its trend, as :class:`Series` has them.
    """

    table: str
    name: str
    x: Array
    y: Array
    runs: NDArray[np.int64]
    spread: float = np.nan
    trend: float = 0.0

    def series(self, top: float, bottom: float = 0.0) -> Series:
        """Return what the product sees."""
        return Series(self.x, self.y, self.runs, self.spread, bottom, top, self.trend)


@dataclass(frozen=True)
class Family:
    """Curves of one origin and one metric; ``group`` is left out together when something is learned."""

    name: str
    group: str
    metric: str
    top: float
    curves: tuple[Curve, ...]


def curves_of(
    frame: pd.DataFrame, x: str, y: str, by: Sequence[str], table: Sequence[str] = ()
) -> Iterator[Curve]:
    """Curves of a tidy frame: one a group of ``by``, rows of one size averaged."""
    kept = frame[(frame[x] > 0) & frame[y].notna()]
    for key, rows in kept.groupby([*by], observed=True):
        one = series_of(rows[x].to_numpy(dtype=float), rows[y].to_numpy(dtype=float))
        if len(one) < LEAST:
            continue
        parts = dict(zip(by, map(str, key), strict=True))
        yield Curve(
            table="/".join(parts[name] for name in table),
            name="/".join(parts.values()),
            x=one.x,
            y=one.y,
            runs=one.runs,
            spread=one.seed_var,
            trend=one.seed_trend,
        )


def read(path: str, **options: object) -> pd.DataFrame:
    """Read one of the shared files; FileNotFoundError leaves its family out."""
    return pd.read_csv(SHARED / path, **options)  # type: ignore[call-overload, no-any-return]


def gordon() -> pd.DataFrame:
    """Gordon's grid of data and model sizes, one run a cell."""
    return read("gordon_mt/gordon_bpe_bleu.csv")


def gordon_seeds() -> pd.DataFrame:
    """Gordon's simulated low-resource runs: three data seeds a size."""
    return sampled("gordon_mt/sim_low_resource.0109.summary")


def gordon_low() -> pd.DataFrame:
    """Gordon's low-resource pairs: four or five data seeds a size."""
    return sampled("gordon_mt/low_resource.0126.summary")


def sampled(path: str) -> pd.DataFrame:
    """Read runs on random samples of a corpus: a share is one size, though samples differ in bytes."""
    runs = read(path, sep="\t", comment="#", na_values="--")
    size = runs.groupby(["Lang", "DataPercent"]).data_bytes.transform("mean")
    return runs.assign(data_bytes=size)


def bansal() -> pd.DataFrame:
    """Log-perplexity of five translation architectures."""
    return read("nmt_bansal/benchmark.nmt.csv")


def wmt19() -> pd.DataFrame:
    """Test loss of 30 pretrained models over finetuning sizes; column 0, zero-shot, has no size."""
    wide = read("rectified_sft/wmt19.csv")
    sizes = [name for name in wide if name.isdigit() and name != "0"]
    long = wide.melt(["config name", "family"], sizes, "examples", "loss")
    return long.assign(examples=long.examples.astype(float))


def pythia(metric: str) -> pd.DataFrame:
    """LAMBADA over checkpoints."""
    table = read("pythia/lambada.csv")
    return table[table.metric == metric]


def gadre(prefix: str) -> pd.DataFrame:
    """Losses or errors of models of one size over tokens, one row an evaluation."""
    wide = read("gadre/gadre_104_models.csv")
    columns = [name for name in wide if name.startswith(prefix)]
    long = wide.melt(["train_dataset", "N", "D"], columns, "evaluation", "value")
    return long.assign(error=1 - long.value)


def chinchilla() -> pd.DataFrame:
    """Lowest loss of each compute budget: the frontier."""
    runs = read("chinchilla/openathena_ml_scalefit_isoflops.csv")
    return runs.groupby(["experiment", "budget"], as_index=False).loss.min()


def images() -> pd.DataFrame:
    """Transfer of synthetic pretraining to six tasks."""
    table = read("cg_transfer/cg_table.csv")
    return table.assign(error=1 - table.accuracy)


def m2m() -> pd.DataFrame:
    """BLEU over finetuning examples."""
    return read("m2m/m2m.csv")


def lab(metric: str) -> pd.DataFrame:
    """Read the repository's own table, the pretrained rows; finetunings of one checkpoint are one run."""
    table = pd.read_csv(ROOT / "data" / "transfer_lab" / "results.csv")
    kept = table[(table.metric == metric) & (table.corpus != "none")]
    run = ["pretrain_run", "domain", *LAB_BY, "pretrain_tokens"]
    return kept.groupby(run, as_index=False).value.mean()


GORDON_BY = ("Lang", "Layers", "ModelSize", "FeedForward")
LAB_BY = ("task", "finetune_tokens", "eval_set", "corpus")
CG_BY = ("task", "model", "corpus", "finetune_tokens")
GADRE_BY = ("evaluation", "train_dataset", "N")
LOSS, ERROR, BLEU, ACCURACY = "cross_entropy", "error", "bleu", "accuracy"
TOPS = {LOSS: np.inf, ERROR: 1.0, BLEU: 100.0, "chrf": 100.0, ACCURACY: 1.0}


@dataclass(frozen=True)
class Source:
    """Where a family comes from: its columns of size and metric, and what makes a curve and a table."""

    name: str
    group: str
    metric: str
    read: Callable[[], pd.DataFrame]
    by: tuple[str, ...]
    x: str
    y: str
    table: tuple[str, ...] = ()

    def family(self) -> Family:
        """Read it."""
        curves = tuple(curves_of(self.read(), self.x, self.y, self.by, self.table))
        return Family(self.name, self.group, self.metric, TOPS[self.metric], curves)


GORDON_LOSS = (GORDON_BY, "data_bytes", "ent_dev", ("Lang",))
GORDON_BLEU = (GORDON_BY, "data_bytes", "bleu_dev", ("Lang",))
TOKENS = ("pretrain_tokens", "value")

LOSSES = (
    Source("Gordon, CE", "gordon", LOSS, gordon, *GORDON_LOSS),
    Source(
        "Gordon, CE, 3 seeds", "gordon", LOSS, gordon_seeds, ("Lang", "Layers"), *GORDON_LOSS[1:3]
    ),
    Source("Gordon, CE, 5 seeds", "gordon", LOSS, gordon_low, ("Lang",), *GORDON_LOSS[1:3]),
    Source("Bansal NMT", "bansal", LOSS, bansal, ("Task", "Model"), "Seen Examples", "Loss"),
    Source("SFT on WMT19", "sft", LOSS, wmt19, ("family", "config name"), "examples", "loss"),
    Source("Pythia, LAMBADA", "pythia", LOSS, lambda: pythia(LOSS), ("corpus", "model"), *TOKENS),
    Source(
        "Gadre, losses", "gadre", LOSS, lambda: gadre("loss_"), GADRE_BY, "D", "value", GADRE_BY[:1]
    ),
    Source(
        "Chinchilla frontier", "chinchilla", LOSS, chinchilla, ("experiment",), "budget", "loss"
    ),
    Source("the lab, CE", "lab", LOSS, lambda: lab(LOSS), LAB_BY, *TOKENS, LAB_BY[:3]),
    Source(
        "Gadre, errors", "gadre", ERROR, lambda: gadre("acc_"), GADRE_BY, "D", "error", GADRE_BY[:1]
    ),
    Source("images, errors", "images", ERROR, images, CG_BY, "pretrain_tokens", "error", CG_BY[:1]),
)
QUALITY = (
    Source("Gordon, BLEU", "gordon", BLEU, gordon, *GORDON_BLEU),
    Source(
        "Gordon, BLEU, 3 seeds", "gordon", BLEU, gordon_seeds, ("Lang", "Layers"), *GORDON_BLEU[1:3]
    ),
    Source("Gordon, BLEU, 5 seeds", "gordon", BLEU, gordon_low, ("Lang",), *GORDON_BLEU[1:3]),
    Source("M2M100", "m2m", BLEU, m2m, ("model", "task"), "finetune_tokens", "bleu", ("model",)),
    Source("images", "images", ACCURACY, images, CG_BY, "pretrain_tokens", "accuracy", CG_BY[:1]),
    Source(
        "Pythia, LAMBADA",
        "pythia",
        ACCURACY,
        lambda: pythia(ACCURACY),
        ("corpus", "model"),
        *TOKENS,
    ),
    Source(
        "Gadre, accuracies",
        "gadre",
        ACCURACY,
        lambda: gadre("acc_"),
        GADRE_BY,
        "D",
        "value",
        GADRE_BY[:1],
    ),
    Source("the lab, BLEU", "lab", BLEU, lambda: lab(BLEU), LAB_BY, *TOKENS, LAB_BY[:3]),
    Source("the lab, chrF", "lab", "chrf", lambda: lab("chrf"), LAB_BY, *TOKENS, LAB_BY[:3]),
)


def families(sources: Sequence[Source]) -> list[Family]:
    """Every family whose file is here."""
    out = []
    for source in sources:
        try:
            family = source.family()
        except FileNotFoundError:
            print(f"absent: {source.name}")
            continue
        out.append(family)
    return [family for family in out if family.curves]
