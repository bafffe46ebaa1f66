"""Simulations behind docs/simulations/seeds.md: coverage, levels and power of the seed tools.

Run: ``OMP_NUM_THREADS=1 python benchmarks/simulate_seeds.py`` (about two minutes on one core;
``--quick`` for a tenth of the repetitions). Seed 20261122 throughout.
"""

import argparse

import numpy as np

from scalefit.analysis.procedures import crossed
from scalefit.analysis.procedures.aggregate import interquartile_mean, jackknife_t
from scalefit.analysis.procedures.estimate import one_sample, welch
from scalefit.analysis.procedures.stochastic import superiority
from scalefit.analysis.seeds import intervals
from scalefit.analysis.seeds.anova import PRETRAIN, nested_squares
from scalefit.analysis.seeds.power import Spread

SEED = 20261122
DESIGNS = ((3, 2), (3, 5), (5, 5), (10, 5), (25, 5))


def share(hits):
    return f"{np.mean(hits):.3f}"


def covered(limits, truth):
    return (limits[0] <= truth) & (truth <= limits[1])


def table(title, head, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def components(runs):
    """Coverage of 95 % intervals; total variance 1, so the ICC is the pretraining variance."""
    rng = np.random.default_rng(SEED)
    rows = []
    for p, f in DESIGNS:
        for icc in (0.0, 0.05, 0.3, 0.72, 0.9):
            dof = p - 1, p * (f - 1)
            chi = rng.chisquare(dof, (runs, 2)) / dof
            s = nested_squares((f * icc + 1 - icc) * chi[:, 0], (1 - icc) * chi[:, 1], *dof, f)
            low, high, _ = intervals.component(s, PRETRAIN)
            cut = np.maximum(low, 0), np.maximum(high, 0)
            ratio = intervals.icc(s)
            wide = intervals.williams_tukey((s.values[:, 0] / f, s.values[:, 1] / f), dof)
            few = [nested_squares(*s.values[i], *dof, f) for i in range(runs // 50)]
            general = [covered(intervals.generalised(one, PRETRAIN), icc) for one in few]
            rows.append(
                (f"{p} × {f}", icc, share(covered((low, high), icc)), share(covered(cut, icc)),
                 share(covered(wide, icc)), share(general), share(covered(ratio[1:], icc)),
                 share(s.estimate(PRETRAIN) < 0), f"{np.median(high - low):.2f}")
            )  # fmt: skip
    head = ("P × F", "ICC", "σ²_P, MLS (default)", "same, cut at 0", "Williams–Tukey",
            "generalised", "ICC, exact F", "estimate < 0", "median width")  # fmt: skip
    table("Coverage of 95 % intervals for variance components", head, rows)


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


def multi(rng, a, b, draws=400):
    """Two-sided rejections of the multi-bootstrap, all repetitions at once in chunks of draws."""
    reps, s, n = a.shape
    weights = rng.multinomial(n, np.full(n, 1 / n), draws) / n
    below = np.zeros(reps)
    means = [np.einsum("rsn,bn->rbs", x, weights, optimize=True) for x in (a, b)]
    seeds = [rng.multinomial(s, np.full(s, 1 / s), (reps, draws)) / s for _ in range(2)]
    gap = (means[1] * seeds[1]).sum(-1) - (means[0] * seeds[0]).sum(-1)
    below = (gap <= 0).mean(1)
    return np.minimum(below, 1 - below) < 0.025


def levels(runs):
    """Count false positives of the tests at nominal 5 %."""
    rng = np.random.default_rng(SEED)
    rows = []
    for seeds in (3, 5, 10, 25):
        for spread, extra, what in (
            (0.0, 0.0, "noise only"),
            (0.0, 0.5, "examples"),
            (0.1, 0.5, "seeds = examples"),
            (0.5, 0.0, "seeds"),
        ):
            found = {"crossed": [], "multi": [], "t": [], "pooled": []}
            for _ in range(max(runs // 250, 1)):
                a, b = null_scores(rng, 250, seeds, 100, spread, extra)
                found["crossed"].append(crossed.unpaired(a, b).p < 0.05)
                found["multi"].append(multi(rng, a, b))
                found["t"].append(welch(a.mean(-1), b.mean(-1)).p < 0.05)
                gap = b.mean(1) - a.mean(1)
                found["pooled"].append(one_sample(gap).p < 0.05)
            rows.append((seeds, what, *(share(np.concatenate(v)) for v in found.values())))
    head = ("seeds a side", "what varies", "crossed ANOVA (default)", "multi-bootstrap",
            "t over seeds", "examples only")  # fmt: skip
    table("False positives at nominal 5 %, unpaired, 100 examples", head, rows)


def power(runs):
    """Power that a plan promises against the power it delivers, Welch's t on seed means."""
    from scalefit.analysis.seeds.needed import seeds_needed

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


def others(runs):
    """Superiority and aggregates."""
    rng = np.random.default_rng(SEED)
    rows = []
    for n in (3, 5, 10, 25):
        a, b = rng.normal(size=(2, runs, n))
        found = [superiority(list(x), list(y)) for x, y in zip(a, b, strict=True)]
        rejected = share([f.p < 0.05 for f in found])
        held = share([f.low <= 0.5 <= f.high for f in found])
        scores = rng.normal(size=(runs, n, 1)) + rng.normal(size=(runs, n, 8)) + np.arange(8)
        truth = interquartile_mean(rng.normal(0, 2**0.5, (200_000, 8)) + np.arange(8))
        kept = share([_holds(jackknife_t(x, interquartile_mean), truth) for x in scores])
        boot = share([_holds(_bootstrap(rng, x), truth) for x in scores[: runs // 4]])
        rows.append((n, rejected, held, kept, boot))
    head = ("seeds", "Brunner–Munzel, false positives", "its interval covers ½",
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
        found = [sf.tokens_for(f, target) for f in fits]
        narrow = [t.low > 0 and t.high <= t.low * factor**2 for t in found]
        held = [t.low <= truth <= t.high for t in found]
        rows.append((sd, factor, plan.pretrain, f"{plan.power:.3f}", share(narrow), share(held)))
    head = ("SD", "factor", "seeds a size", "promised", "delivered", "interval covers")
    table("Token forecasts: power law, 6 sizes, 4 × beyond the largest", head, rows)


def _holds(limits, truth):
    return limits.low <= truth <= limits.high


def _bootstrap(rng, scores):
    from scalefit.fitting.interval import Interval

    n = len(scores)
    draws = [interquartile_mean(scores[rng.integers(0, n, n)]) for _ in range(200)]
    return Interval(0.0, *np.quantile(draws, [0.025, 0.975]), 0.95, "percentile")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("components", "levels", "power", "others", "forecasts"))
    asked = parser.parse_args()
    part = 10 if asked.quick else 1
    jobs = {"components": (components, 20_000), "levels": (levels, 2_000),
            "power": (power, 20_000), "others": (others, 1_000), "forecasts": (forecasts, 60)}  # fmt: skip
    for name, (job, runs) in jobs.items():
        if asked.only in (None, name):
            job(runs // part)


if __name__ == "__main__":
    main()
