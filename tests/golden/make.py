"""Freeze today's answers: ``python -m tests.golden.make`` writes ``answers.json`` and ``published.json``.

The first half asks, by the public names only; where one is renamed, it is mended there and nowhere else.
The second half says what is asked.
"""

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import scalefit as sf

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LAB = ROOT / "data" / "transfer_lab" / "results.csv"
SHARED = Path(os.environ.get("SCALEFIT_SHARED", ROOT.parent / "shared" / "data"))
GROUP = ("corpus", "task", "finetune_tokens")

# --- how it is asked ------------------------------------------------------------------------


def fit_each(table, metric, law, where):
    fits = sf.fit_each(table, metric, law, where=where, residual="linear")
    return {named(fit.group): fit for fit in fits}


def fit(data, metric, law, *, objective="squared", delta=None, residual="linear", **options):
    return sf.fit(data, metric, law, objective=objective, delta=delta, residual=residual, **options)


def named(group):
    return " ".join(str(group[column]) for column in GROUP)


def of_fit(fit):
    """A parameter that the data do not fix has no number of its own: only where its interval is open is told."""
    lost = fit.not_identified
    intervals = fit.intervals(level=0.95)
    return {
        "objective": fit.objective,
        "lack_of_fit": fit.lack_of_fit,
        "params": {k: v for k, v in fit.params.items() if k not in lost},
        "intervals": {k: [v.low, v.high] for k, v in intervals.items() if k not in lost},
        "not identified": sorted(lost),
    }


def ahead(fit):
    """Mean curve and a new run, at twice and at ten times the largest size."""
    largest = fit.points.inputs[0].max()
    bands = {
        kind: sf.predict(fit, pretrain_tokens=[2 * largest, 10 * largest], kind=kind, given="law")
        for kind in ("mean", "run")
    }
    return {
        kind: {"estimate": band.estimate, "low": band.low, "high": band.high}
        for kind, band in bands.items()
    }


def at(fit, size):
    """Curve of a law of one input."""
    return float(fit.value(np.array([size]))[0])


def log_rmsd(fit):
    y = fit.points.y
    return float(np.sqrt(np.mean((np.log(y) - np.log(y - fit.residuals)) ** 2)))


def of_tokens(fit, target):
    answer = sf.tokens_for(fit, target, level=0.95, given="law")
    return {k: getattr(answer, k) for k in ("estimate", "low", "high", "probability")}


def alignments(table, **options):
    return [of_alignment(one) for one in sf.align(table, **options)]


def of_alignment(one):
    plain = one.to_dict()
    evidence = plain["evidence"] or {}
    tests = {
        name: {k: evidence[name][k] for k in ("p", "estimate", "lower", "upper", "sd", "nu")}
        for name in ("fall", "loss_improves")
        if evidence.get(name)
    }
    said = {k: getattr(one, k) for k in ("verdict", "flag", "strength", "p", "p_misaligned")}
    return {"key": dict(one.group), "metric": one.metric, **said, **tests}


def of_variance(table, metric, where):
    components = sf.variance(table, metric=metric, where=where)
    return {
        " ".join(map(str, part.group.values())): {
            c.name: {"variance": c.variance, "low": c.low, "high": c.high} for c in part.components
        }
        for part in components
    }, components


def of_comparison(data=None, **options):
    comparison = sf.compare_procedures(data, **options)
    numbers = ("difference", "low", "high", "p", "p adjusted", "better", "detectable", "dof")
    return {
        row["b"]: {name: row[name.replace(" ", "_")] for name in numbers}
        for row in comparison.rows()
    }


def of_plan(*spread, **question):
    plan = sf.seeds_needed(*spread, **question)
    return {k: getattr(plan, k) for k in ("pretrain", "finetune", "cost", "power")}


def of_landscape(models, loss, scores):
    distances = sf.landscape.distances(models, loss)
    answer = sf.landscape.predict(distances, scores, permutations=199).to_dict()
    keep = ("mantel", "eta_squared", "predicted")
    of = {row["name"]: {k: row[k] for k in ("r", "skill", "p")} for row in answer["predictors"]}
    return {"predictors": of, **{k: answer[k] for k in keep}}


# --- what is asked --------------------------------------------------------------------------

METRICS = {"bleu": ("log", 15.0), "cross_entropy": ("power", 3.0)}
CENTRE = {"task": "en-fr", "finetune_tokens": 128_000}


def answers():
    """Everything that the packaged data tell."""
    table = sf.read(LAB)
    return {
        "fits": {domain: lab_fits(table, domain) for domain in ("in", "out")},
        "align": {
            f"{named(one.pop('key'))} {one.pop('metric')}": one
            for one in alignments(table.where(domain="in"), quality="bleu")
        },
        "seeds": lab_seeds(table),
        "landscape": landscape(),
    }


def lab_fits(table, domain):
    return {
        metric: {
            name: {
                **of_fit(one),
                "ahead": ahead(one),
                **({"tokens": of_tokens(one, target)} if domain == "in" else {}),
            }
            for name, one in fit_each(table, metric, law, {"domain": domain}).items()
        }
        for metric, (law, target) in METRICS.items()
    }


def lab_seeds(table):
    numbers, components = of_variance(table, "bleu", {**CENTRE, "corpus": ["fr", "fr+en", "en"]})
    spread = sf.Spread(0.72, 0.28, pretrain_cost=100, finetune_cost=1)
    loss = fit(table, "cross_entropy", "power", where={**CENTRE, "corpus": "fr", "domain": "in"})
    return {
        "variance": numbers,
        "compare": of_comparison(
            table,
            a="fr",
            b=["fr+en", "en", "unpaired"],
            metric="bleu",
            where={**CENTRE, "domain": "in"},
        ),
        "needed": {
            "lab, difference 1": of_plan(components["in"], difference=1.0),
            "numbers, difference .8": of_plan(spread, difference=0.8),
            "numbers, half width .5": of_plan(spread, half_width=0.5),
            "lab, tokens for cross-entropy 3": of_plan(
                sf.Spread(0.01**2, 0.0), fit=loss, target=3.0
            ),
        },
    }


@sf.landscape.batched
def double_well(weights):
    """Two basins at first coordinate ±1; the other coordinates are a bowl."""
    w = weights["w"]
    return (w[:, 0] ** 2 - 1) ** 2 + 0.1 * (w[:, 1:] ** 2).sum(axis=1)


def landscape():
    rng = np.random.default_rng(7)
    side = np.where(np.arange(12) % 2 == 0, 1.0, -1.0)
    points = 0.05 * rng.standard_normal((12, 6))
    points[:, 0] += side
    scores = 0.5 + 0.4 * side + 0.02 * rng.standard_normal(12)
    return of_landscape([{"w": point} for point in points], double_well, scores)


def published(shared=SHARED):
    """Numbers of other people's papers, from their data."""
    return {
        "chinchilla": chinchilla(shared),
        "rectified": rectified(shared),
        "gordon": gordon(shared),
        "gordon, low resource": low_resource(shared),
        "bansal": bansal(shared),
        "zhou": zhou(shared),
    }


def rows_of(path):
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def numbers(rows, column):
    return np.array([float(row[column]) for row in rows])


def chinchilla(shared):
    rows = rows_of(shared / "chinchilla" / "epoch_svg_extracted_data.csv")
    rows.sort(key=lambda row: float(row["loss"]))
    flops, size = numbers(rows, "Training FLOP"), numbers(rows, "Model Size")
    data = {"N": size, "D": flops / (6 * size), "loss": numbers(rows, "loss")}
    options = {
        "inputs": {"N": "N", "D": "D"},
        "objective": "huber",
        "delta": 1e-3,
        "residual": "log",
    }

    def first(count):
        return fit({k: v[:count] for k, v in data.items()}, "loss", "chinchilla", **options)

    return {str(count): of_fit(first(count)) for count in (240, 245)}


def rectified(shared):
    rows = rows_of(shared / "rectified_sft" / "wmt19.csv")
    sizes = [c for c in rows[0] if c.isdigit() and c != "0"]
    x = np.array(sizes, dtype=float)
    curves = [np.array([float(row[c]) for c in sizes]) for row in rows]
    return {
        law: float(np.mean([
            log_rmsd(fit({"pretrain_tokens": x, "loss": y}, "loss", law, residual="log"))
            for y in curves
        ]))
        for law in ("rectified", "power")
    }  # fmt: skip


def gordon(shared):
    rows = rows_of(shared / "gordon_mt" / "gordon_detok_bleu.csv")
    fits = {}
    for pair in ("deen", "zhen", "ruen"):
        mine = [r for r in rows if r["Lang"] == pair and float(r["data_bytes"]) > 5e6]
        data = {"ce": numbers(mine, "ent_dev"), "bleu": numbers(mine, "bleu_dev")}
        fits[pair] = of_fit(fit(data, "bleu", "ce_to_bleu", inputs={"L": "ce"}))
    return fits


def low_resource(shared):
    text = (shared / "gordon_mt" / "low_resource.0126.summary").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    frame = pd.read_csv(io.StringIO(lines), sep="\t", na_values="--")
    columns = {
        "Lang": "task",
        "data_bytes": "pretrain_tokens",
        "bleu_dev": "bleu",
        "ent_dev": "cross_entropy",
        "ShuffleSeed": "pretrain_seed",
    }
    frame = frame.rename(columns=columns)[list(columns.values())]
    return {one.pop("key")["task"]: one for one in alignments(frame)}


def bansal(shared):
    rows = rows_of(shared / "nmt_bansal" / "benchmark.nmt.csv")
    out = {}
    for model in sorted({row["Model"] for row in rows}):
        mine = [r for r in rows if r["Model"] == model]
        seen = [r for r in mine if r["Training"] == "1"]
        (held,) = (r for r in mine if r["Training"] == "0")
        data = {"pretrain_tokens": numbers(seen, "Seen Examples"), "loss": numbers(seen, "Loss")}
        far = float(held["Seen Examples"])
        out[model] = {
            law: at(fit(data, "loss", law, residual="log"), far)
            for law in ("bansal", "power", "pure_power")
        }
    return out


def zhou(shared):
    with np.load(shared / "hans_100_seeds" / "zhou2020_correct.npz") as stored:
        hans = np.unpackbits(stored["hans"], axis=1)[:, : int(stored["n_hans"])].astype(float)
    return of_comparison(
        a={"first half": dict(enumerate(hans[:5]))}, b={"second half": dict(enumerate(hans[5:], 5))}
    )


# --- how it is written ----------------------------------------------------------------------


def plain(value):
    """Numbers with nine digits; what JSON has no word for is written as text."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, float, np.number)):
        return float(f"{value:.9g}") if np.isfinite(value) else str(float(value))
    return value


def write(name, content):
    (HERE / name).write_text(json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write("answers.json", answers())
    if SHARED.is_dir():
        write("published.json", published())
    else:
        sys.exit("published.json is left as it is: the published data are not here")
