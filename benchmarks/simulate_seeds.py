"""Simulations behind docs/simulations/seeds.md: coverage, levels and power of the seed tools.

Run: ``OMP_NUM_THREADS=1 python benchmarks/simulate_seeds.py`` (about five minutes on one core;
``--quick`` for a tenth of the repetitions). Seed 20261122 throughout.
"""

import argparse
from dataclasses import replace
from functools import cache, partial
from itertools import product

import numpy as np
from scipy import stats

from scalefit.distributions import chi2_quantile, f_quantile
from scalefit.errors import DesignError
from scalefit.estimate import one_sample, welch
from scalefit.procedures import crossed
from scalefit.procedures.aggregate import interquartile_mean, jackknife_t
from scalefit.procedures.contrast import (
    Testing,
    _few_against_many,
    _over_seeds,
    behrens_fisher,
    contrast,
    superiority,
)
from scalefit.procedures.modes import bimodality
from scalefit.procedures.sides import Side, _group, is_paired
from scalefit.procedures.tails import functional_of, pseudo_side
from scalefit.seeds import anova, needed
from scalefit.seeds.anova import FINETUNE, PRETRAIN, factorial, nested_squares
from scalefit.seeds.design import Cell, nested_cells
from scalefit.seeds.needed import seeds_needed
from scalefit.seeds.power import Spread, welch_power
from scalefit.seeds.scatter import scatter_notes, with_tails

SEED = 20261122
DESIGNS = ((3, 2), (3, 5), (5, 5), (10, 5), (25, 5))


def share(hits):
    return f"{np.mean(hits):.3f}"


def covered(limits, truth):
    return (limits[0] <= truth) & (truth <= limits[1])


def table(title, head, rows):
    print(f"\n## {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def williams_tukey(ms, dof, level=0.95):
    """Williams–Tukey interval for ``E[ms₁] − E[ms₂]``: slightly wide.

    Source: Williams (1962), Biometrika 49, 278–281.
    """
    tail = (1 - level) / 2
    ratio = ms[0] / ms[1]
    ends = []
    for q in (1 - tail, tail):
        scale = ms[0] * dof[0] / chi2_quantile(q, dof[0])
        ends.append(scale * (1 - f_quantile(q, *dof) / ratio))
    return ends[0], ends[1]


def components(runs):
    """Coverage of 95 % intervals; total variance 1, so the ICC is the pretraining variance."""
    rng = np.random.default_rng(SEED)
    rows = []
    for p, f in DESIGNS:
        for icc in (0.0, 0.05, 0.3, 0.72, 0.9):
            dof = p - 1, p * (f - 1)
            chi = rng.chisquare(dof, (runs, 2)) / dof
            s = nested_squares((f * icc + 1 - icc) * chi[:, 0], (1 - icc) * chi[:, 1], *dof, f)
            low, high, _ = anova.component(s, PRETRAIN)
            cut = np.maximum(low, 0), np.maximum(high, 0)
            ratio = anova.icc(s)
            wide = williams_tukey((s.values[:, 0] / f, s.values[:, 1] / f), dof)
            parts = np.array_split(s.values[: runs // 10], max(runs // 1000, 1))
            general = np.concatenate([
                covered(anova.generalised(nested_squares(*part.T, *dof, f), PRETRAIN), icc)
                for part in parts
            ])  # fmt: skip
            rows.append(
                (f"{p} × {f}", icc, share(covered((low, high), icc)), share(covered(cut, icc)),
                 share(covered(wide, icc)), share(general), share(covered(ratio[1:], icc)),
                 share(s.estimate(PRETRAIN) < 0), f"{np.median(high - low):.2f}")
            )  # fmt: skip
    head = ("P × F", "ICC", "σ²_P, MLS (default)", "same, cut at 0", "Williams–Tukey",
            "generalised", "ICC, exact F", "estimate < 0", "median width")  # fmt: skip
    table("Coverage of 95 % intervals for variance components", head, rows)
    crossed_components(rng, runs // 5)
    unbalanced(rng, runs // 10)
    gapped_components(rng, runs // 10)


def crossed_components(rng, runs):
    """Coverage in completely crossed designs: two factors (MLS), three factors (generalised)."""
    rows = []
    for sizes in ((3, 5), (5, 5), (10, 5), (25, 5), (3, 3, 3), (5, 5, 5), (10, 5, 5)):
        for first in (0.0, 0.5):
            names = ("a", "b", "c")[: len(sizes)]
            y = rng.normal(0, 0.3**0.5, (runs, *sizes))
            for axis, variance in enumerate((first, 0.2, 0.1)[: len(sizes)]):
                shape = [n if i == axis else 1 for i, n in enumerate(sizes)]
                y = y + rng.normal(0, variance**0.5, (runs, *shape))
            held = [[] for _ in names]
            for part in np.array_split(y, max(runs // 100, 1)):
                s = factorial(part, names)
                for kept, name, truth in zip(held, names, (first, 0.2, 0.1), strict=False):
                    kept.append(covered(anova.component(s, name)[:2], truth))
            shares = [share(np.concatenate(k)) for k in held]
            how = anova.component(s, "a")[2]
            rows.append(
                (" × ".join(map(str, sizes)), first, how, *shares, *[""] * (3 - len(sizes)))
            )
    head = ("crossed factors", "σ²_a", "method", "covers σ²_a", "σ²_b = 0.2", "σ²_c = 0.1")
    table("Coverage in crossed designs", head, rows)


def gapped_components(rng, runs):
    """Coverage in crossed designs of two factors some of whose combinations were not run (Henderson's method 3)."""
    rows = []
    for sizes, gone in (((4, 4), 1), ((4, 4), 4), ((5, 5), 5), ((3, 5), 3), ((10, 5), 10)):
        for first in (0.0, 0.5):
            held, below = [], []
            while len(held) < runs:
                y = rng.normal(0, first**0.5, (sizes[0], 1)) + rng.normal(0, 0.2**0.5, sizes[1])
                y = y + rng.normal(0, 0.3**0.5, sizes)
                y.ravel()[rng.choice(y.size, gone, replace=False)] = np.nan
                try:
                    s = anova.crossed([y], ("a", "b"))
                except DesignError:
                    continue  # what was left hangs together no more
                ends = [anova.component(s, name)[:2] for name in ("a", "b", "rest")]
                held.append([covered(e, v) for e, v in zip(ends, (first, 0.2, 0.3), strict=True)])
                below.append(s.estimate("a"))
            shares = map(share, np.array(held).T)
            rows.append(
                (" × ".join(map(str, sizes)), gone, first, f"{np.mean(below):.3f}", *shares)
            )
    head = (
        "crossed factors",
        "not run",
        "σ²_a",
        "mean estimate",
        "covers σ²_a",
        "σ²_b = 0.2",
        "rest",
    )
    table("Coverage in crossed designs with gaps", head, rows)


def unbalanced(rng, runs):
    """Coverage where pretraining seeds have 1 to 5 finetuning seeds (unweighted means)."""
    rows = []
    for p in (3, 5, 10, 25):
        counts = [1 + (3 * i) % 5 for i in range(p)]
        for icc in (0.0, 0.3, 0.72):
            hits, ratios = [], []
            for _ in range(runs):
                y = rng.normal(0, icc**0.5, (p, 1)) + rng.normal(0, (1 - icc) ** 0.5, (p, 5))
                cell = {i: dict(enumerate(y[i, :n])) for i, n in enumerate(counts)}
                s = nested_cells([Cell({}, cell, {i: str(i) for i in range(p)})])
                hits.append(covered(anova.component(s, PRETRAIN)[:2], icc))
                ratios.append(covered(anova.icc(s)[1:], icc))
            rows.append((p, ", ".join(map(str, counts[:5])) + ("" if p <= 5 else ", …"), icc,
                         share(hits), share(ratios)))  # fmt: skip
    head = ("P", "finetuning seeds", "ICC", "σ²_P, MLS", "ICC, F")
    table("Coverage where numbers of finetuning seeds differ", head, rows)


def sharing(runs):
    """Coverage where sizes are checkpoints of one run, or separate runs whose seeds merely come back."""
    rng, rows, k = np.random.default_rng(SEED), [], 6
    for p, alike in product((3, 5, 10), (0.0, 0.5, 0.9, 1.0)):
        held, widths, dofs = [], [], []
        for _ in range(runs):
            y = alike**0.5 * rng.normal(size=p) + (1 - alike) ** 0.5 * rng.normal(size=(k, p))
            cells = [
                Cell(
                    {"size": i},
                    {j: {0: v} for j, v in enumerate(of)},
                    {j: f"{j}" for j in range(p)},
                )
                for i, of in enumerate(y)
            ]
            s = nested_cells(cells)
            both = [anova.chi_square(s.values[0], dof) for dof in (p - 1, s.dof[0], k * (p - 1))]
            held.append([covered(ends, 1) for ends in both])
            widths.append([high - low for low, high in both])
            dofs.append(s.dof[0])
        shares, width = map(share, np.array(held).T), np.median(widths, axis=0)
        rows.append((p, alike, f"{np.median(dofs):.1f}", *shares, *(f"{w:.2f}" for w in width)))
    names = ("counted once", "as the tool does", "all counted")
    head = (
        "seeds",
        "correlation of sizes",
        "degrees of freedom",
        *names,
        *(f"width, {n}" for n in names),
    )
    table("Coverage over six sizes that share seeds", head, rows)


KINDS = ("normal", "t, 3 df", "lognormal", "5 % failed", "10 % failed")


def effects(rng, kind, shape):
    """Effects of mean 0 and variance 1; a failed run lies ten of its own standard deviations below."""
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "t, 3 df":
        return rng.standard_t(3, shape) / 3**0.5
    if kind == "lognormal":
        return (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt(np.exp(2) - np.exp(1))
    failing = float(kind.split()[0]) / 100
    y = rng.normal(size=shape) - 10 * (rng.random(shape) < failing) + 10 * failing
    return y / np.sqrt(1 + 100 * failing * (1 - failing))


def tails(runs):
    """Coverage of the variance components where runs are not normal, before and with their tails; and what is told."""
    rng = np.random.default_rng(SEED)
    rows = []
    for shape in product((1, 4), ((2, 3), (3, 2), (5, 3), (10, 3))):
        for kind in KINDS:
            size = shape[0], *shape[1]
            seeds = "normal" if "failed" in kind else kind
            told = np.array([
                _told(effects(rng, seeds, (*size[:2], 1)) + effects(rng, kind, size))
                for _ in range(runs)
            ])  # fmt: skip
            before, after, width, noted = told[:, :2], told[:, 2:4], told[:, 4:6], told[:, 6:]
            silent = (after[:, 1] == 0) & (noted.sum(1) == 0)
            shown = noted[:, 1] > 0
            rows.append(
                (f"{size[1]} × {size[2]}", size[0], kind,
                 *(share(c) for c in (*before.T, *after.T)),
                 *(f"{w:.2f}" for w in np.median(width, axis=0)),
                 share(noted[:, 0]), share(shown), share(after[shown, 1]) if shown.sum() > 9 else "",
                 share(silent))
            )  # fmt: skip
    head = ("P × F", "cells", "runs", "σ²_P, as normal", "σ²_F, as normal", "σ²_P", "σ²_F",
            "width of σ²_P", "of σ²_F", "a run named", "tails told", "σ²_F where told",
            "σ²_F missed, no note")  # fmt: skip
    table("Variance components of runs that are not normal", head, rows)
    uneven_sides(rng, runs)


def _told(y):
    """Cover, width and notes of one table (cells, P, F) whose variances are 1 and 1."""
    cells = [
        Cell({"cell": i}, {p: dict(enumerate(row)) for p, row in enumerate(cell)},
             {p: f"{i}-{p}" for p in range(len(cell))})
        for i, cell in enumerate(y)
    ]  # fmt: skip
    plain = nested_cells(cells)
    ends = [
        [anova.component(s, name)[:2] for name in (PRETRAIN, FINETUNE)]
        for s in (plain, with_tails(plain, cells))
    ]
    width = [(b[1] - b[0]) / (a[1] - a[0]) for a, b in zip(*ends, strict=True)]
    said = scatter_notes(cells, lambda some: nested_cells(some).estimates())
    notes = [
        [word in n for n in said] for word in (" apart from", "excess kurtosis", "cannot show")
    ]
    return *(covered(e, 1) for pair in ends for e in pair), *width, *map(any, notes)


def uneven_sides(rng, runs):
    """Print false positives of sf.compare_procedures on one number a seed, where seeds are not normal."""
    rows = []
    for a, b in ((3, 3), (5, 5), (3, 8), (4, 12)):
        for first in KINDS:
            row = [f"{a} v {b}", first]
            for second in {first: 0, "normal": 0}:
                ps = [
                    _over_seeds(
                        _unscaled(rng, second, a), _unscaled(rng, first, b), 0.95, pair=False
                    )[1]
                    for _ in range(4 * runs)
                ]
                row.append(share(np.array(ps) < 0.05))
            rows.append((*row, *[""] * (4 - len(row))))
    head = ("seeds", "seeds of b", "a alike", "a normal, of the same mean")
    table("False positives at nominal 5 % where seeds are not normal", head, rows)


def one_sided(runs):
    """Print what other tests than Welch's would do where one side fails, both do, or none."""
    rows, shuffled = [], {"method": stats.PermutationMethod(n_resamples=500, rng=SEED)}
    tests = {"Welch": {}, "permutation": shuffled, "Yuen, a fifth trimmed": {"trim": 0.2}}
    for name, (first, second, apart) in {
        "b fails in 10 %, of the same mean": ("normal", "10 % failed", 0),
        "both fail in 10 %": ("10 % failed", "10 % failed", 0),
        "normal": ("normal", "normal", 0),
        "both fail in 10 %, 2 apart": ("10 % failed", "10 % failed", 2),
        "normal, 2 apart": ("normal", "normal", 2),
    }.items():
        for n in (5, 10):
            rng = np.random.default_rng([SEED, n, *name.encode()])
            sides = (_unscaled(rng, kind, (runs, n)) for kind in (first, second))
            a, b = next(sides), next(sides) + apart
            found = (
                stats.ttest_ind(a, b, axis=1, equal_var=t == "permutation", **how).pvalue < 0.05
                for t, how in tests.items()
            )
            rows.append((name, f"{n} v {n}", *map(share, found)))
    table(
        "Rejected at nominal 5 %: tests that might be used instead", ("runs", "seeds", *tests), rows
    )


def _unscaled(rng, kind, n):
    """Failed runs leave the spread of the others as it was."""
    failing = float(kind.split()[0]) / 100 if "failed" in kind else 0.0
    return effects(rng, kind, n) * np.sqrt(1 + 100 * failing * (1 - failing))


def null_scores(rng, reps, seeds, n, spread, extra):
    """Two sides without a difference: seed effects, shared examples, examples × side, noise."""
    shared = rng.normal(size=(reps, 1, n))
    sides = [
        spread * rng.normal(size=(reps, seeds, 1))
        + shared
        + extra * rng.normal(size=(reps, 1, n))
        + rng.normal(size=(reps, seeds, n))
        for _ in range(2)
    ]
    return sides[0], sides[1]


def multi(rng, a, b, paired, draws=400):
    """Two-sided rejections of the multi-bootstrap, all repetitions at once."""
    reps, s, n = a.shape
    weights = rng.multinomial(n, np.full(n, 1 / n), draws) / n
    means = [np.einsum("rsn,bn->rbs", x, weights, optimize=True) for x in (a, b)]
    seeds = [rng.multinomial(s, np.full(s, 1 / s), (reps, draws)) / s for _ in range(2)]
    gap = (means[1] * seeds[0 if paired else 1]).sum(-1) - (means[0] * seeds[0]).sum(-1)
    above, below = (gap >= 0).mean(1), (gap <= 0).mean(1)
    return np.minimum(above, below) < 0.025


def levels(runs):
    """Count false positives of the tests at nominal 5 %."""
    rng = np.random.default_rng(SEED)
    for paired in (False, True):
        rows = []
        for seeds in (3, 5, 10, 25):
            for spread, extra, what in (
                (0.0, 0.0, "noise only"),
                (0.0, 0.5, "examples"),
                (0.1, 0.5, "seeds = examples"),
                (0.5, 0.0, "seeds"),
            ):
                found = [
                    _rejections(rng, *null_scores(rng, 250, seeds, 100, spread, extra), paired)
                    for _ in range(max(runs // 250, 1))
                ]
                rows.append((seeds, what, *map(share, np.concatenate(found, axis=1))))
        word = "paired" if paired else "unpaired"
        head = ("seeds" if paired else "seeds a side", "what varies", "crossed ANOVA (default)",
                "multi-bootstrap", "t over seeds", "examples only")  # fmt: skip
        table(f"False positives at nominal 5 %, {word}, 100 examples", head, rows)


def _rejections(rng, a, b, paired):
    """Return who rejects, (tests, repetitions)."""
    over_seeds = one_sample((b - a).mean(-1)) if paired else welch(a.mean(-1), b.mean(-1))
    anova = crossed.paired(a, b) if paired else crossed.unpaired(a, b)
    alone = one_sample(b.mean(1) - a.mean(1))
    found = [anova.p < 0.05, multi(rng, a, b, paired), over_seeds.p < 0.05, alone.p < 0.05]
    return np.array(found)


def unequal(runs):
    """Count false positives of few seeds against many, where the few are as noisy or noisier, and power at 3 errors."""
    rng, rows = np.random.default_rng(SEED), []
    for few, many in ((2, 3), (2, 4), (2, 10), (3, 4), (3, 6), (3, 8), (4, 12)):
        for times in (1.0, 2.0, 5.0):
            a, b = times * rng.normal(size=(runs, few)), rng.normal(size=(runs, many))
            gap = 3 * np.sqrt(times**2 / few + 1 / many)
            used = _few_against_many(few, many)
            rows.append(
                (
                    f"{few} v {many}",
                    times,
                    share(welch(a, b).p < 0.05),
                    share(_own_errors(a, b)),
                    share(welch(a, b + gap).p < 0.05),
                    share(_own_errors(a, b + gap)),
                    "Behrens–Fisher" if used else "Welch",
                )
            )
    tests = ("Welch", "Behrens–Fisher")
    head = ("seeds", "SD of the few", *tests, *(f"power: {name}" for name in tests), "used")
    table(
        "Few seeds against many: false positives at nominal 5 %, and power at three standard errors",
        head,
        rows,
    )


def gaps(runs):
    """Count false positives where conditions share seeds and some runs or seeds are missing, on one side or both."""
    rng, rows = np.random.default_rng(SEED), []
    for seeds, finetunings, sizes, what in product(
        (4, 8), (1, 3), (1, 3), ("runs", "seeds", "seeds of b")
    ):
        found = [_gapped(rng, (2, sizes, seeds, finetunings), what) for _ in range(2 * runs)]
        tested = [c for c in found if c is not None]
        rows.append((seeds, finetunings, sizes, what, share([c.p < 0.05 for c in tested]),
                     share([c.paired for c in tested]), share([c is None for c in found])))  # fmt: skip
    head = (
        "pretraining seeds",
        "finetunings",
        "conditions",
        "a fifth missing of",
        "rejected",
        "in pairs",
        "refused",
    )
    table("Shared checkpoints with missing runs: false positives at nominal 5 %", head, rows)


def _gapped(rng, shape, what):
    """Compare two ways to finetune the same checkpoints, alike in truth; None where too little is left."""
    luck = rng.normal(size=(1, 1, shape[2], 1)) + 0.5 * rng.normal(size=(1, *shape[1:3], 1))
    y = luck + 0.3 * rng.normal(size=(*shape[:3], 1)) + 0.5 * rng.normal(size=shape)
    gone = rng.random(shape if what == "runs" else (*shape[:3], 1)) < 0.2
    y = np.where(gone & (np.arange(2)[:, None, None, None] >= (what == "seeds of b")), np.nan, y)
    by_side = {}
    for side, of_side in zip("ab", y, strict=True):
        told = [
            {p: {f: v for f, v in enumerate(r) if np.isfinite(v)} for p, r in enumerate(c)}
            for c in of_side
        ]
        cells = {
            (("condition", k),): Cell({}, runs, {p: f"{p}" for p in runs})
            for k, c in enumerate(told)
            if (runs := {p: r for p, r in c.items() if r})
        }
        by_side[side] = cells
    common = sorted(set(by_side["a"]) & set(by_side["b"]))
    if not common:
        return None
    try:
        a, b = _group({}, common, by_side).sides
        return contrast(a, b, Testing(), {}, is_paired(a, b, set(), runs_known=False))
    except DesignError:
        return None


def _own_errors(a, b):
    sides = [one_sample(a), one_sample(b)]
    dofs = [float(side.dof) for side in sides]
    parts = np.stack([side.variance for side in sides], -1)
    gaps = sides[1].value - sides[0].value
    return np.array(
        [behrens_fisher(g, v, dofs)[1] < 0.05 for g, v in zip(gaps, parts, strict=True)]
    )


def power(runs):
    """Power that a plan promises against the power it delivers, Welch's t on seed means."""
    rng = np.random.default_rng(SEED)
    rows = []
    for spread in (Spread(0.72, 0.28), Spread(0.1, 0.9), Spread(0.5, 0.5, finetune_cost=0.1)):
        for difference in (0.5, 1.0, 2.0, 4.0):
            plan = seeds_needed(spread, difference=difference)
            sd = spread.effective(plan.finetune) ** 0.5
            a, b = rng.normal(0, sd, (2, runs, plan.pretrain))
            got = np.mean(welch(a, b + difference).p < 0.05)
            rows.append(
                (f"{spread.pretrain:g} / {spread.finetune:g}", spread.finetune_cost, difference,
                 f"{plan.pretrain} × {plan.finetune}", f"{plan.power:.3f}", f"{got:.3f}")
            )  # fmt: skip
    head = ("σ²_P / σ²_F", "c_F / c_P", "difference", "plan", "promised", "delivered")
    table("Power of the plans of sf.seeds_needed (wanted: .80)", head, rows)
    other_plans(rng, runs)


SHAPES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails (t, 5)": lambda rng, n: rng.standard_t(5, n) / np.sqrt(5 / 3),
    "skewed (gamma, 4)": lambda rng, n: (rng.gamma(4, 1, n) - 4) / 2,
    "two modes": lambda rng, n: rng.choice([-1.0, 1.0], n) + 0.2 * rng.standard_normal(n),
}


def robust(runs):
    """Tell how often `sf.robustness` tells procedures apart that are alike, and that spread twice as much."""
    rng, rows = np.random.default_rng(SEED), []
    asked = {"spread": "spread", "worst of 3": "worst of 3", "failures": "below -1.5"}
    for seeds in (5, 10, 20):
        for shape, draw in SHAPES.items():
            row = []
            for wider in (1.0, 2.0):
                for what in asked.values():
                    functional = functional_of(what, "+")
                    told = []
                    for _ in range(runs):
                        a, b = (_alone(draw(rng, seeds) * scale) for scale in (1.0, wider))
                        test = welch(*(pseudo_side(side, functional).means for side in (a, b)))
                        told.append(float(test.p) < 0.05)
                    row.append(share(told))
            rows.append((seeds, shape, *row))
    head = (
        "seeds a side",
        "scores",
        *(f"{w}: {name}" for w in ("alike", "spread 2 ×") for name in asked),
    )
    table("Robustness: level at nominal .05, and power", head, rows)


def _alone(values):
    """Return the runs of one procedure, one a pretraining seed."""
    return Side(
        "",
        {i: {0: float(v)} for i, v in enumerate(values)},
        {i: str(i) for i in range(len(values))},
    )


def pilots(runs):
    """Power of what pilots ask for, averaged over them: planned on their variances, and on what these may be."""
    rng, rows, truth = np.random.default_rng(SEED), [], Spread(0.72, 0.28)
    # Thousands of plans ask for the same powers: effects in steps of a quarter of a percent.
    needed.welch_power = lambda effect, *of: _known_power(round(400 * np.log(effect)), *of)
    asked = needed._question(1.0, None, None, None, 2.0)
    for kind, (p, f) in product(KINDS, ((2, 3), (3, 2), (5, 3), (10, 3))):
        got = []
        for _ in range(runs):
            y = _runs(rng, kind, (p, f), truth)
            one = [
                Cell(
                    {},
                    {i: dict(enumerate(r)) for i, r in enumerate(y)},
                    {i: str(i) for i in range(p)},
                )
            ]
            squares = with_tails(nested_cells(one), one)
            seeds, noise = (float(squares.estimate(name)) for name in (PRETRAIN, FINETUNE))
            pilot = needed.Pilot(f, *squares.dof, seeds + noise / f, noise)
            spread = Spread(max(seeds, 0.0), noise)
            plans = [_or_most(spread, replace(asked, pilot=q)) for q in (None, pilot)]
            got.append([_delivered(rng, kind, plan, truth) for plan in plans])
        rows.append((kind, f"{p} × {f}", *(f"{v:.3f}" for v in np.mean(got, axis=0))))
    head = ("runs", "pilot, P × F", "planned on its estimate", "planned as sf.seeds_needed does")
    table("Power delivered on average over pilots (promised: .80)", head, rows)


@cache
def _known_power(step, seeds, level):
    return welch_power(np.exp(step / 400), seeds, level)


def _delivered(rng, kind, plan, truth, comparisons=50):
    """Return the share of comparisons, planned so, that find a difference of 1."""
    shape = comparisons, *plan
    a, b = (_runs(rng, kind, shape, truth).mean(-1) for _ in "ab")
    return np.mean(welch(a, b + 1.0).p < 0.05)


def _runs(rng, kind, shape, spread):
    """Return runs (..., P, F) of one procedure of mean 0; failures are those of single runs."""
    seeds = "normal" if "failed" in kind else kind
    return (
        spread.pretrain**0.5 * effects(rng, seeds, (*shape[:-1], 1))
        + spread.finetune**0.5 * effects(rng, kind, shape)
    )  # fmt: skip


def _or_most(spread, asked, most=500):
    """Return the seeds of a plan; the most there may be where it asks for more."""
    try:
        return needed._plan(spread, asked, 0.8, 0.95, most)[0][:2]
    except DesignError:
        return most, 1


def other_plans(rng, runs):
    """Plans for pairs on shared checkpoints, and for the width of an interval."""
    rows = []
    for spread in (Spread(0.72, 0.28), Spread(0.1, 0.9), Spread(0.5, 0.5, finetune_cost=0.1)):
        told = f"{spread.pretrain:g} / {spread.finetune:g}"
        for rho, difference in ((0.5, 1.0), (0.9, 1.0), (0.9, 0.5)):
            shared = replace(spread, correlation=rho)
            plan = seeds_needed(shared, difference=difference)
            gaps = rng.normal(
                difference, shared.paired(plan.finetune) ** 0.5, (runs, plan.pretrain)
            )
            got = np.mean(one_sample(gaps).p < 0.05)
            rows.append((f"difference of {difference}, pairs correlated {rho}", told,
                         f"{plan.pretrain} × {plan.finetune}", f"{plan.power:.3f}", share(got)))  # fmt: skip
        for half in (0.5, 1.0):
            plan = seeds_needed(spread, half_width=half)
            sd = spread.effective(plan.finetune) ** 0.5
            low, high = one_sample(rng.normal(0, sd, (runs, plan.pretrain))).interval()
            rows.append((f"mean within ± {half}", told, f"{plan.pretrain} × {plan.finetune}",
                         f"{plan.power:.3f}", share((high - low) / 2 <= half)))  # fmt: skip
    head = ("question", "σ²_P / σ²_F", "plan", "promised", "delivered")
    table("Other plans (wanted: .80)", head, rows)


def one_or_two(runs):
    """Tell how often sf.bimodality sees two modes in runs of one mode, and in runs of two."""
    rng, rows = np.random.default_rng(SEED), []
    shapes = {
        **{name: partial(effects, rng, name) for name in KINDS[:3]},
        "uniform": rng.random,
        "two modes, 6 SD apart": lambda n: rng.normal(size=n) + 6 * (rng.random(n) < 0.5),
        "a fifth failed": lambda n: rng.normal(size=n) - 10 * (rng.random(n) < 0.2),
    }
    for name, draw in shapes.items():
        found = [[bimodality(draw(n)).modes == 2 for _ in range(runs)] for n in (6, 10, 20, 50)]
        rows.append((name, *map(share, found)))
    head = ("runs", "6 of them", "10", "20", "50")
    table("Shares in which sf.bimodality sees two modes", head, rows)


def others(runs):
    """Superiority and aggregates."""
    rng = np.random.default_rng(SEED)
    rows = []
    for n in (3, 5, 10, 25):
        a, b = rng.normal(size=(2, runs, n))
        found = [superiority(list(x), list(y)) for x, y in zip(a, b, strict=True)]
        rejected = share([f.p < 0.05 for f in found])
        plain = share([stats.brunnermunzel(x, y).pvalue < 0.05 for x, y in zip(a, b, strict=True)])
        held = share([f.low <= 0.5 <= f.high for f in found])
        scores = rng.normal(size=(runs, n, 1)) + rng.normal(size=(runs, n, 8)) + np.arange(8)
        truth = interquartile_mean(rng.normal(0, 2**0.5, (200_000, 8)) + np.arange(8))
        kept = share([_holds(jackknife_t(x, interquartile_mean), truth) for x in scores])
        boot = share([_holds(_bootstrap(rng, x), truth) for x in scores[: runs // 4]])
        rows.append((n, rejected, plain, held, kept, boot))
    head = ("seeds", "Brunner–Munzel, false positives", "with Student's t", "its interval covers ½",
            "IQM over 8 tasks, jackknife t", "same, percentile bootstrap")  # fmt: skip
    table("P(B beats A) and aggregates over tasks, nominal 5 % / 95 %", head, rows)


def forecasts(runs):
    """Count how often token forecasts come out as narrow as planned."""
    import scalefit as sf

    rng, rows = np.random.default_rng(SEED), []
    sizes, truth = np.geomspace(1e6, 1e9, 6), 4e9

    def table_of(seeds, sd):
        y = 3 + 8 * (sizes / 1e6) ** -0.25 + rng.normal(0, sd, (seeds, 6))
        seed, tokens = np.repeat(np.arange(seeds), 6), np.tile(sizes, seeds)
        run = [f"{s}-{d:.0f}" for s, d in zip(seed, tokens, strict=True)]
        return {"pretrain_tokens": tokens, "cross_entropy": y.ravel(), "pretrain_seed": seed,
                "pretrain_run": run}  # fmt: skip

    pilot = sf.fit(table_of(40, 0.01), metric="cross_entropy", law="power")
    target = 3 + 8 * (truth / 1e6) ** -0.25
    for sd, factor in ((0.03, 1.5), (0.05, 1.5), (0.05, 1.25)):
        plan = sf.seeds_needed(Spread(sd**2, 0.0), fit=pilot, target=target, factor=factor)
        fits = [
            sf.fit(table_of(plan.pretrain, sd), metric="cross_entropy", law="power")
            for _ in range(runs)
        ]
        found = [sf.tokens_for(f, target, level=0.95, given="law") for f in fits]
        narrow = [t.low > 0 and t.high <= t.low * factor**2 for t in found]
        held = [t.low <= truth <= t.high for t in found]
        rows.append((sd, factor, plan.pretrain, f"{plan.power:.3f}", share(narrow), share(held)))
    head = ("SD", "factor", "seeds a size", "promised", "delivered", "interval covers")
    table("Token forecasts: power law, 6 sizes, 4 × beyond the largest", head, rows)


def _holds(limits, truth):
    return limits.low <= truth <= limits.high


def _bootstrap(rng, scores):
    from scalefit.fitting.intervals import Interval

    n = len(scores)
    draws = [interquartile_mean(scores[rng.integers(0, n, n)]) for _ in range(200)]
    return Interval(0.0, *np.quantile(draws, [0.025, 0.975]), 0.95, "percentile")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--only",
        choices=(
            "components",
            "levels",
            "tails",
            "sharing",
            "unequal",
            "gaps",
            "power",
            "robust",
            "pilots",
            "others",
            "modes",
            "instead",
            "forecasts",
        ),
    )
    asked = parser.parse_args()
    part = 10 if asked.quick else 1
    jobs = {"components": (components, 20_000), "tails": (tails, 300), "sharing": (sharing, 2_000),
            "levels": (levels, 2_000), "unequal": (unequal, 2_000), "gaps": (gaps, 500),
            "power": (power, 20_000), "robust": (robust, 1_000),
            "pilots": (pilots, 200), "others": (others, 1_000), "modes": (one_or_two, 100),
            "instead": (one_sided, 1_000),
            "forecasts": (forecasts, 200)}  # fmt: skip
    for name, (job, runs) in jobs.items():
        if asked.only in (None, name):
            job(runs // part)


if __name__ == "__main__":
    main()
