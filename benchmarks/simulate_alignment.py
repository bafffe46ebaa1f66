"""Error rates and power of the alignment diagnostic; prints docs/simulations/alignment.md.

    python benchmarks/simulate_alignment.py > docs/simulations/alignment.md

Everything runs through the functions that give the verdicts. Seed SDs are 0.25 BLEU for
pretraining and 0.25 for finetuning seeds, six sizes, unless a table says otherwise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.alignment.curve import Curve, _linked, curve_of
from scalefit.alignment.evidence.fall import fall_test
from scalefit.alignment.evidence.gain import gain_over_baseline
from scalefit.alignment.evidence.gather import HARM_SHARE, laws_each
from scalefit.alignment.evidence.laws import find_break, held_out, misfits
from scalefit.alignment.falls import falls, passes
from scalefit.alignment.monitor import _Rule, nominal_level, spent
from scalefit.alignment.noise import RunNoise, estimate, profile_of
from scalefit.alignment.sample_size import seeds_to_tell
from scalefit.alignment.single_run import SingleRuns, single_runs
from scalefit.alignment.smooth import degrees, residual_sd, straying

SEED, ALPHA, SD = 20261122, 0.05, 0.25
SIZES = np.geomspace(1e6, 1e9, 6)
X = np.log(SIZES)
TRUTHS = {
    "flat": np.full(6, 25.0),
    "plateau": np.array([20.0, 23, 25, 26, 26, 26]),
    "log law": 25 * (X / np.log(1e7)) ** 0.9,
    "steep": 10 + 3.0 * np.arange(6),
}
LOSS = 3 * (SIZES / 1e6) ** -0.05


def fresh_numbers(*row: object) -> np.random.Generator:
    """Seed each row by what it is, so that another row leaves it as it is."""
    return np.random.default_rng([SEED, *repr(row).encode()])


def draw(rng, means, runs, finetunings, draws, *, design="separate", grow=1.0, failed=0.0):
    """Run means (draws, K, runs): a run's own luck, then the mean of its finetunings."""
    scale = np.geomspace(1, grow, len(means))[:, None]
    scale = SD * scale / np.sqrt((scale**2).mean())
    shape = (draws, len(means), runs)
    own = rng.standard_normal(shape)
    if design == "shared":
        own = (own + rng.standard_normal((draws, 1, runs))) / np.sqrt(2)
    single = rng.standard_normal((*shape, finetunings))
    values = means[:, None, None] + scale[..., None] * (own[..., None] + single)
    if failed:
        bad = rng.random(values.shape) < failed
        values = np.where(bad, values - rng.uniform(2, 10, values.shape), values)
    return values.mean(axis=-1)


def alarms(values, design):
    """Share of tables with a confirmed fall; misaligned, where loss improves besides, are these at most."""
    return passes(falls(estimate(values, design)), ALPHA).mean()


def false_alarms(fresh, draws):
    """Let nothing fall: separate runs, and checkpoints of one run."""
    for name in ("flat", "plateau", "log law"):
        for runs, finetunings in [(p, f) for p in (3, 5, 10) for f in (1, 2, 3)]:
            row = [name, runs, finetunings]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                values = draw(rng, TRUTHS[name], runs, finetunings, draws, design=design)
                row.append(alarms(values, design))
            yield row


def rough(fresh, draws):
    """Repeat that with unequal noise and with failed runs."""
    for name in ("flat", "plateau"):
        for runs, finetunings in ((3, 1), (3, 3), (5, 3), (10, 3)):
            row = [name, runs, finetunings]
            rng = fresh(*row)
            for more in ({"grow": 4.0}, {"failed": 0.03}):
                values = draw(rng, TRUTHS[name], runs, finetunings, draws, **more)
                row.append(alarms(values, "separate"))
            yield row


UNEQUAL = {
    "equal": np.ones(6),
    "grows 4x": np.geomspace(1, 4, 6),
    "grows 10x": np.geomspace(1, 10, 6),
    "middle size 5x": np.array([1.0, 1, 1, 5, 1, 1]),
    "last size 5x": np.array([1.0, 1, 1, 1, 1, 5]),
}
GROUPS = 24


def unequal(fresh, draws):
    """Let noise differ between sizes or runs fan out; nothing falls. Tables of 24 groups: Holm's first step."""
    for runs in (3, 5):
        for name in (
            *UNEQUAL,
            "runs fan out",
            "one group, one size 5x",
            "each group its own size 5x",
        ):
            row = [name, runs]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                tables = unequally(rng, name, (max(draws // GROUPS, 1), GROUPS, 6, runs))
                single = passes(falls(estimate(tables, design)), ALPHA).mean()
                together = estimate(tables, design, profile_of(tables, design))
                row += [single, passes(falls(together), ALPHA / GROUPS).any(axis=1).mean()]
            yield row


def short(fresh, draws):
    """Let one size in the middle be 5 x noisier, of few sizes or of many, with two and three runs each."""
    for runs, sizes in product((2, 3), (3, 4, 6, 10, 20)):
        row = [runs, sizes]
        noise = np.where(np.arange(sizes) == sizes // 2, 5.0, 1.0)[:, None]
        for design in ("separate", "shared"):
            rng = fresh(*row, design)
            values = noise * rng.standard_normal((draws, sizes, runs))
            values += (design == "shared") * rng.standard_normal((draws, 1, runs))
            row.append(alarms(values, design))
        yield row


def unequally(rng, name, shape):
    """Noise (tables, groups, sizes, runs) of one of the unequal kinds."""
    values = UNEQUAL.get(name, np.ones(6))[:, None] * rng.standard_normal(shape)
    if name == "runs fan out":
        fan = 2.5 * rng.standard_normal((*shape[:2], 1, shape[3]))
        values += fan * np.linspace(0, 1, 6)[:, None]
    if name == "one group, one size 5x":
        values[:, 0, 3] *= 5
    if name == "each group its own size 5x":
        noisy = np.arange(6) == rng.integers(0, 6, shape[:2])[..., None]
        values *= np.where(noisy, 5, 1)[..., None]
    return values


def gaps(fresh, draws):
    """Leave out a fifth of the cells by chance, two runs a size at least; nothing falls."""
    for name in ("flat", "plateau"):
        for runs in (3, 5):
            row = [name, runs]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                values = draw(rng, TRUTHS[name], runs, 3, draws, design=design)
                gone = rng.random(values.shape) < 0.2
                gone[..., :2] = False
                tables = np.where(gone, np.nan, values)
                row.append(np.mean([passes(falls(estimate(v, design)), ALPHA) for v in tables]))
            yield row


UNEVEN = {
    "3 sizes of 2 runs, 3 of 5": ((2, 2, 2, 5, 5, 5), (0, 1, 2), (3, 4, 5)),
    "5, 3, 2, 2, 3 and 1 runs": ((5, 3, 2, 2, 3, 1), (2,), (0,)),
    "5 sizes of 5 runs, the last of 2": ((5, 5, 5, 5, 5, 2), (5,), (0,)),
    "4 sizes of 1 run, 2 of 4": ((1, 1, 1, 1, 4, 4), (3,), (5,)),
    "5 sizes of 1 run, the last of 7": ((1, 1, 1, 1, 1, 7), (0, 1, 2, 3, 4), (5,)),
}


def uneven(fresh, draws):
    """Give sizes unlike numbers of separate runs; those with few (or many) are 3 x noisier; nothing falls."""
    for name, (runs, *noisy) in UNEVEN.items():
        row = [name]
        rng = fresh(*row)
        for louder in ((), *noisy):
            values = rng.standard_normal((draws, 6, max(runs)))
            values[:, list(louder)] *= 3
            values[:, np.arange(max(runs)) >= np.array(runs)[:, None]] = np.nan
            row.append(np.mean([passes(falls(estimate(v, "separate")), ALPHA) for v in values]))
        yield row


def gapped_families(fresh, draws):
    """Repeat that in families of 24 under unequal noise, each group for itself and together. Holm's first step."""
    for name in ("equal", "middle size 5x", "grows 10x", "each group its own size 5x"):
        for runs in (3, 5):
            rng = fresh(name, runs)
            tables = unequally(rng, name, (max(draws // GROUPS, 10), GROUPS, 6, runs))
            gone = rng.random(tables.shape) < 0.2
            gone[..., :2] = False
            tables[gone] = np.nan
            shares = []
            for together in (False, True):
                alarms = []
                for values in tables:
                    profile = profile_of(values, "separate").of(SIZES, SIZES) if together else None
                    each = (estimate(v, "separate", profile) for v in values)
                    alarms.append(any(passes(falls(e), ALPHA / GROUPS) for e in each))
                shares.append(np.mean(alarms))
            yield [name, runs, *shares]


def power(fresh, draws):
    """Let the last size fall."""
    for name, means in TRUTHS.items():
        for runs in (3, 5):
            row = [name, runs, 3]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                for fall in (0.5, 1.0):
                    fallen = means.copy()
                    fallen[-1] = means[:-1].max() - fall
                    values = draw(rng, fallen, runs, 3, draws, design=design)
                    row.append(passes(falls(estimate(values, design)), ALPHA).mean())
            yield row


def three_states(fresh, draws):
    """Ask what the bounds say: a fall confirmed, none beyond the margin confirmed, or open."""
    for name, fall in (("flat", 0.0), ("plateau", 0.0), ("log law", 0.0), ("plateau", 0.5)):
        for runs in (3, 5, 10, 20):
            means = TRUTHS[name].copy()
            means[-1] -= fall
            rng = fresh(name, fall, runs)
            each = falls(estimate(draw(rng, means, runs, 3, draws), "separate"))
            seen, none = passes(each, ALPHA), each.upper(ALPHA) < 0.5
            yield [name, fall, runs, seen.mean(), (none & ~seen).mean(), (~none & ~seen).mean()]


def family(fresh, draws):
    """24 groups, Holm: errors among true nulls, and power, with 0 or 6 groups that fall by 1."""
    for fallen in (0, 6):
        rng = fresh(fallen)
        truths = [TRUTHS["plateau"] - (g < fallen) * np.eye(6)[-1] for g in range(24)]
        values = np.stack([draw(rng, t, 3, 3, draws) for t in truths], axis=1)
        seen = falls(estimate(values, "separate", profile_of(values, "separate")))
        hit = np.zeros((draws, 24), dtype=bool)
        for left in range(24, 11, -1):
            open_ = 24 - hit.sum(axis=1, keepdims=True) <= left
            hit |= passes(seen, ALPHA / left) & open_
        right = hit[:, :fallen].mean() if fallen else np.nan
        yield [fallen, hit[:, fallen:].any(axis=1).mean(), right]


def promise(fresh, draws):
    """Seeds named by `inconclusive`, the powers promised, and those delivered."""
    for name in ("flat", "plateau", "log law", "steep"):
        for sd in (0.25, 0.4, 0.6):
            size = seeds_to_tell(TRUTHS[name], sd, "separate", 0.5, ALPHA)
            fallen = TRUTHS[name].copy()
            fallen[-1] = fallen[:-1].max() - 0.5
            noise = sd * fresh(name, sd).standard_normal((draws, 6, size.seeds))
            seen = passes(falls(estimate(fallen[:, None] + noise, "separate")), ALPHA).mean()
            calm = falls(estimate(TRUTHS[name][:, None] + noise, "separate")).upper(ALPHA) < 0.5
            yield [name, sd, size.seeds, size.confirm_fall, seen, size.confirm_none, calm.mean()]


def sequence(fresh, draws):
    """Any false alarm over looks after every size, planned and open; looks at full level; a last fall of .5 and 1."""
    for name in ("flat", "plateau"):
        for runs in (3, 5):
            values = draw(fresh(name, runs), TRUTHS[name], runs, 3, draws)
            row = watched(values, "separate")
            row.append(_any(values, "separate", lambda k: ALPHA))
            for fall in (0.5, 1.0):
                row += watched(values - fall * np.eye(6)[-1][:, None], "separate")
            yield [name, runs, *row]


def single_sequence(fresh, draws):
    """Look at single runs from the third of six sizes on, open-ended and planned: any alarm where the last may fall."""
    curve = _curve(np.zeros((6, 1)))
    for noise in UNEQUAL:
        for sd in (0.4, 1.0, 5.0):
            row = [noise, sd]
            rng = fresh(*row)
            scale = sd * UNEQUAL[noise] / np.sqrt((UNEQUAL[noise] ** 2).mean())
            for fall in (0.0, 2.0, 3.5):
                means = TRUTHS["flat"] - fall * np.eye(6)[-1]
                ys = means + scale * rng.standard_normal((draws, 6))
                each = [_alarmed(replace(curve, values=y[:, None])) for y in ys]
                row += list(np.mean(each, axis=0))
            yield row


def hanging(fresh, draws):
    """Correlate neighbours among flat checkpoints (SD .4): a fall at the end, at any look; of one run, named or not."""
    for sizes, correlation in product((6, 12), (0.0, 0.5, 0.8, 0.9)):
        values = fresh(sizes, correlation).standard_normal((draws, sizes, 4)) * 0.4
        for k in range(1, sizes):
            own = np.sqrt(1 - correlation**2) * values[:, k]
            values[:, k] = correlation * values[:, k - 1] + own
        of_three, places = values[..., 1:], np.geomspace(1e6, 1e9, sizes)
        row = [sizes, correlation]
        for design in ("separate", "shared"):
            curve = replace(_curve(np.zeros((sizes, 1)), places), design=design)
            alone = [replace(curve, values=v[:, :1]) for v in values[: draws // 4]]
            row.append(np.mean([fall_test(c, 1.0, 0.69, ALPHA).sure for c in alone]))
            row.append(np.mean([_alarmed(c)[0] for c in alone]))
        row.append(passes(falls(estimate(of_three, "shared")), ALPHA).mean())
        yield [*row, *watched(of_three, "shared")]


def _alarmed(curve: Curve) -> tuple[bool, bool]:
    """Whether any look at single runs sees a fall, as `monitor` does: open-ended, and as many planned."""
    last = len(curve.sizes)
    tests = [(k, fall_test(curve.first(k), 1.0, 0.69, ALPHA).p_value) for k in range(3, last + 1)]
    rules = _Rule(ALPHA, None, 0), _Rule(ALPHA, last, 0)
    open_ended, planned = (any(p <= rule.level(k - 2, curve) for k, p in tests) for rule in rules)
    return open_ended, planned


def watched(values, design):
    """Shares of sequences (draws, sizes, runs) with any alarm: its sizes planned, and open-ended."""
    fixed = nominal_level(values.shape[-2], values.shape[-1], design, ALPHA)
    return [
        _any(values, design, level) for level in (lambda k: fixed, lambda k: spent(k - 1, ALPHA))
    ]


def _any(values, design, level):
    hit = np.zeros(len(values), dtype=bool)
    for k in range(2, values.shape[-2] + 1):
        hit |= passes(falls(estimate(values[:, :k], design)), level(k))
    return hit.mean()


def unequal_sequence(fresh, draws):
    """Repeat that where the noise differs between sizes or runs fan out: every group for itself."""
    for runs in (3, 5):
        for name in (*UNEQUAL, "runs fan out"):
            row = [name, runs]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                row += watched(unequally(rng, name, (draws, 1, 6, runs))[:, 0], design)
            yield row


def gapped_sequence(fresh, draws):
    """Leave out a fifth of the runs by chance, one a size at least, and look as `monitor` does, group by group."""
    base = _curve(np.zeros((6, 2)))
    for runs in (3, 5):
        for name in ("equal", "grows 10x", "middle size 5x", "last size 5x", "runs fan out"):
            row = [name, runs]
            rng = fresh(*row)
            for design in ("separate", "shared"):
                values = unequally(rng, name, (draws, 1, 6, runs))[:, 0]
                gone = rng.random(values.shape) < 0.2
                gone[..., 0] = False
                each = [_looks(base, v, design) for v in np.where(gone, np.nan, values)]
                row += list(np.mean(each, axis=0))
            yield row


def _looks(base, values, design):
    """Whether any look at run means (sizes, runs) sees a fall: six sizes planned, and open-ended."""
    linked = design == "shared" and _linked(values)
    curve = replace(base, values=values, design="shared" if linked else "separate")
    rules, hits = (_Rule(ALPHA, 6, 0), _Rule(ALPHA, None, 0)), []
    for k in range(2, 7):
        part = curve.first(k)
        if part.testable:
            seen = falls(estimate(part.values, part.design))
            hits.append([passes(seen, rule.level(k - 1, curve)) for rule in rules])
    return np.any(hits, axis=0)


def near_ceiling(fresh, draws):
    """Let accuracy stand still near its ceiling: right answers to so many examples, runs .1 apart in logits."""
    for level, tests, runs in product((0.95, 0.99), (200, 1000), (3, 5)):
        row = [level, tests, runs]
        rng = fresh(*row)
        for design in ("separate", "shared"):
            logits = np.log(level / (1 - level)) + 0.1 * rng.standard_normal((draws, 6, runs))
            values = 100 * rng.binomial(tests, 1 / (1 + np.exp(-logits))) / tests
            row += [alarms(values, design), *watched(values, design)]
        yield row


def single(fresh, draws):
    """One run a size: how often a fall is suspected, and with the noise given (`seed_sd=`)."""
    later = np.triu(np.ones((6, 6)), 1) > 0
    for name in ("flat", "plateau", "log law"):
        for sd in (0.25, 0.7, 1.0, 1.5, 5.0):
            row = [name, sd]
            rng = fresh(*row)
            for fall in (0.0, 1.0, 3.0, 3.5):
                means = TRUTHS[name].copy()
                means[-1] = means[-1] if fall == 0 else means[:-1].max() - fall
                hits = []
                for y in means + sd * rng.standard_normal((draws, 6)):
                    size = np.where(later, y[:, None] - y, np.nan)
                    ways = single_runs(X, straying(X, y), 0.69), SingleRuns(X, sd)
                    hits.append([way.p_values(size).min() <= ALPHA for way in ways])
                row += list(np.mean(hits, axis=0))
            yield row


def single_unequal(fresh, draws):
    """One run a size of unlike noise (root mean square as named), nothing falls: how often a fall is suspected."""
    later = np.triu(np.ones((6, 6)), 1) > 0
    shrinks = {f"shrinks{n[5:]}": UNEQUAL[n][::-1] for n in ("grows 4x", "grows 10x")}
    for name, noise in {
        **UNEQUAL,
        **shrinks,
        "first size 5x": UNEQUAL["last size 5x"][::-1],
    }.items():
        row = [name]
        for sd in (0.25, 0.7, 1.5, 5.0):
            rng, scale = fresh(name, sd), sd * noise / np.sqrt((noise**2).mean())
            seen = [
                single_runs(X, straying(X, y), 0.69).p_values(
                    np.where(later, y[:, None] - y, np.nan)
                )
                for y in scale * rng.standard_normal((draws, 6))
            ]
            row.append(np.mean([p.min() <= ALPHA for p in seen]))
        yield row


def harmful(fresh, draws):
    """As good as no pretraining, 24 corpora a table: `harmful`, any alarm and `improving`, runs named or seeds only."""
    for runs, baselines, named in product((3, 5), (1, 3), (False, True)):
        verdicts, rng = [], fresh(runs, baselines, named)
        for _ in range(max(draws // GROUPS, 1)):
            frames = [_as_good(rng, f"c{g}", runs, baselines, named) for g in range(GROUPS)]
            verdicts += [one.verdict for one in sf.align(pd.concat(frames))]
        shares = [np.mean([v in which for v in verdicts]) for which in _KINDS]
        told = "pretrain_run" if named else "pretrain_seed"
        yield [runs, baselines, told, *map(float, shares)]


def _as_good(rng, corpus, runs, baselines, named):
    """One corpus as good as no pretraining, its runs told by `pretrain_run` or by seeds that come back."""
    values = TRUTHS["flat"][:, None] + 0.4 * rng.standard_normal((6, runs))
    k, p = (i.ravel() for i in np.indices(values.shape))
    columns = {
        "pretrain_tokens": [*SIZES[k], *[0.0] * baselines],
        "pretrain_seed": [*p, *range(baselines)],
        "bleu": [*values.ravel(), *(25 + 0.4 * rng.standard_normal(baselines))],
    }
    if named:
        columns["pretrain_run"] = [f"{corpus}-{i}" for i in range(values.size + baselines)]
    return pd.DataFrame({"corpus": corpus, **columns})


def corpora(fresh, draws):
    """Tables of 12 corpora x 3 tasks (SD .4, 3 runs a size, 3 of a baseline as good) through `sf.align`, after Holm.

    Any p value below .05 where nothing falls, whatever the margin; verdicts and flags where 9 fall by 3 at the end.
    """
    for noise in ("equal", "grows 10x", "middle size 5x", "each group its own size 5x"):
        for fallen in (0, 9):
            rng = fresh(noise, fallen)
            told = np.stack([_holm(rng, noise, fallen) for _ in range(draws)])
            falling, sure, alarm, flag = np.moveaxis(told, -1, 0)
            found = [np.mean(hit[falling]) if fallen else np.nan for hit in (alarm, flag)]
            yield [noise, fallen, (sure & ~falling).any(axis=1).mean(), *found]


def _holm(rng, noise, fallen):
    """Which groups of one table (36, 4) fall, have a small p, an alarm, and a flag."""
    values = unequally(rng, noise, (12, 3, 6, 3))
    loud = UNEQUAL.get(noise, UNEQUAL["middle size 5x"])
    values = 25 + 0.4 * values / np.sqrt((loud**2).mean())
    values[:fallen, 0, -1] -= 3
    corpus, task, size, run = (i.ravel() for i in np.indices(values.shape))
    loss = LOSS[size] + 0.012 * rng.standard_normal(values.size)
    columns = {"corpus": corpus, "task": task, "pretrain_tokens": SIZES[size], "run": run}
    table = pd.DataFrame({**columns, "bleu": values.ravel(), "cross_entropy": loss})
    alone = pd.DataFrame({"task": [0, 1, 2] * 3, "pretrain_tokens": 0.0, "run": range(9)})
    alone["bleu"] = 25 + 0.4 * rng.standard_normal(9)
    alone["cross_entropy"] = LOSS[0] + 0.1 + 0.012 * rng.standard_normal(9)
    table = pd.concat([table, alone])
    table["pretrain_run"] = [f"r{i}" for i in range(len(table))]
    judged = sf.align(table.drop(columns="run"))
    falling = [int(r.group["task"]) == 0 and int(r.group["corpus"]) < fallen for r in judged]
    sure = np.array(judged.adjusted(flag=False)) <= ALPHA
    flagged = np.array(judged.flags()) == "misaligned"
    return np.stack([falling, sure, [v.alarm for v in judged.verdicts()], flagged], axis=-1)


def harm_levels(fresh, draws):
    """Compare the largest size with a baseline as good, at the .005 that `harmful` has: one group by itself."""
    for runs, baselines, design in product((1, 3, 5), (1, 2, 3), ("separate", "shared")):
        if runs > 1 or design == "separate":
            row = [runs, baselines, design]
            rng = fresh(*row)
            for name in ("equal", "grows 10x", "last size 5x"):
                row.append(harm_level(rng, draws, UNEQUAL[name], runs, baselines, design))
            yield row


def harm_level(rng, draws, noise, runs, baselines, design):
    """Share of flat curves that are below a baseline as good, whose noise is that of the smallest size."""
    curve = _curve(np.zeros((6, runs)))
    noise = noise / np.sqrt((noise**2).mean())
    ran = noise[:, None] * rng.standard_normal((draws, 6, runs))
    ran += (design == "shared") * rng.standard_normal((draws, 1, runs))
    own = np.hypot(noise[0], design == "shared")
    alone = own * rng.standard_normal((draws, baselines))
    hits = 0
    for values, baseline in zip(ran, alone, strict=True):
        one = replace(curve, values=values, baseline=baseline, design=design)
        scatter = RunNoise(float(residual_sd(X, one.means)), degrees(6)) if runs == 1 else None
        told = scatter or RunNoise(float(estimate(values, design).sd), 1.0)
        gain = gain_over_baseline(one, 1.0, told, ALPHA * HARM_SHARE)
        hits += gain.p_harm <= ALPHA * HARM_SHARE
    return hits / draws


def law_evidence(fresh, draws):
    """Lack of fit, break and held-out prediction at a true law, and when it breaks."""
    cases = {"log law": (TRUTHS["log law"], 0.0), "log law, waves of 0.5": (TRUTHS["log law"], 0.5)}
    bent = TRUTHS["log law"].copy()
    bent[4:] = bent[3] + np.array([-0.3, -0.8])
    cases["log law to size 4, then down"] = (bent, 0.0)
    for name, (means, wave) in cases.items():
        truth = means + wave * (-1.0) ** np.arange(6)
        rows = []
        for values in draw(fresh(name), truth, 3, 3, draws):
            curve = _curve(values)
            noise = fall_test(curve, 1.0, 0.69, ALPHA).noise
            (fitted,) = laws_each([curve], 1.0)
            tried = misfits(curve, 1.0, noise, fitted)
            bend = find_break(curve, 1.0, noise, tried[0].fit, ALPHA)
            ahead = held_out(curve, 1.0, noise, fitted, 1 - ALPHA)
            rows.append([tried[0].p <= ALPHA, bend.p <= ALPHA, ahead.inside.mean(), ahead.short])
        yield [name, *np.mean(rows, axis=0)]


def _curve(values, places=SIZES) -> Curve:
    sizes = np.repeat(places, values.shape[1])
    run = [f"{i}" for i in range(values.size)]
    table = sf.as_table(
        pd.DataFrame({"pretrain_tokens": sizes, "pretrain_run": run, "bleu": values.ravel()})
    )
    curve = curve_of(table, "bleu", None)
    assert curve is not None
    return curve


def whole(fresh, draws):
    """Verdicts of `sf.align` itself, from tables of 3 x 3 runs with cross-entropy."""
    fallen = TRUTHS["plateau"] - np.eye(6)[-1]
    shapes = {n: (TRUTHS[n], {}) for n in ("flat", "plateau", "log law")}
    shapes["plateau, last falls by 1"] = fallen, {}
    shapes["the same, margin 0.5"] = fallen, {"margin": 0.5}
    shapes["waves of 1"] = TRUTHS["flat"] + (-1.0) ** np.arange(6), {}
    for name, (means, options) in shapes.items():
        counts, rng = {}, fresh(name)
        for _ in range(draws):
            result = sf.align(_frame(rng, means), **options)[0]
            counts[result.headline] = counts.get(result.headline, 0) + 1
        said = sorted(counts.items(), key=lambda item: -item[1])
        yield [name, "; ".join(f"{k} {v / draws:.2f}" for k, v in said)]


def _frame(rng, means) -> pd.DataFrame:
    values = draw(rng, means, 3, 3, 1)[0]
    k, p = (i.ravel() for i in np.indices(values.shape))
    loss = (LOSS[:, None] + 0.012 * rng.standard_normal(values.shape)).ravel()
    return pd.DataFrame(
        {
            "pretrain_tokens": SIZES[k],
            "pretrain_seed": p,
            "bleu": values.ravel(),
            "cross_entropy": loss,
        }
    )


def beside_baseline(fresh, draws):
    """Verdicts of `sf.align` with three not-pretrained runs in the table: any alarm, and `harmful`."""
    for name, means in (
        ("flat, as good as no pretraining", TRUTHS["flat"]),
        ("flat, 2 BLEU below no pretraining", TRUTHS["flat"] - 2),
    ):
        alarm, harmful, rng = 0, 0, fresh(name)
        for _ in range(draws):
            table = pd.concat([_frame(rng, means), _baseline(rng)])
            result = sf.align(table)[0]
            alarm += result.verdict in ("harmful", "deteriorating", "fluctuating")
            harmful += result.verdict == "harmful"
        yield [name, alarm / draws, harmful / draws]


def _baseline(rng) -> pd.DataFrame:
    """Three runs without pretraining, three finetunings each, around the flat truth's height."""
    values = draw(rng, TRUTHS["flat"][:1], 3, 3, 1)[0]
    loss = LOSS[0] + 0.1 + 0.012 * rng.standard_normal(values.size)
    seeds = np.indices(values.shape)[1].ravel()
    columns = {"pretrain_seed": seeds, "bleu": values.ravel(), "cross_entropy": loss}
    return pd.DataFrame({"pretrain_tokens": 0.0, **columns})


_KINDS = (("harmful",), ("harmful", "deteriorating", "fluctuating"), ("improving",))
SINGLE = "|".join(f"{f}: found|with seed_sd" for f in ("no fall", "falls by 1", "by 3", "by 3.5"))
RATES = "separate|checkpoints"
FAMILIES = "separate: one group|24 groups|checkpoints: one group|24 groups"
ROUGH = "SD grows 4x|3 % failed runs"
STATES = "truth|fall|P|fall confirmed|none beyond margin confirmed|open"
PROMISE = "truth|SD of a run|seeds|fall: promised|delivered|none: promised|delivered"
LOOKS = "truth|P|planned|open-ended|level 0.05 at every look|falls by 0.5: planned|open-ended|by 1: planned|open-ended"
UNLIKE = "noise|P|separate: planned|open-ended|checkpoints: planned|open-ended"
CEILING = "P|separate: fall|planned|open-ended|checkpoints: fall|planned|open-ended"
WATCHED = (
    "noise|SD|flat: open-ended|planned|falls by 2: open-ended|planned|by 3.5: open-ended|planned"
)
HANGING = "sizes|correlation|one run: fall|open-ended|named: fall|open-ended|three runs: fall|planned|open-ended"
LAW = "truth|lack of fit found|break found|held-out means inside 95 %|falls short"
TABLES: dict[str, tuple[Callable[..., Iterable[list[object]]], str, float]] = {
    "False alarms: nothing falls": (false_alarms, f"truth|P|F|{RATES}", 1),
    "False alarms under rough conditions": (rough, f"truth|P|F|{ROUGH}", 1),
    "Unequal noise: nothing falls": (unequal, f"noise|P|{FAMILIES}", 1),
    "Few sizes, few runs": (short, f"P|sizes|{RATES}", 2),
    "Power: the last size falls": (power, "truth|P|F|separate: 0.5|1.0|checkpoints: 0.5|1.0", 0.4),
    "Three states, margin 0.5, F = 3": (three_states, STATES, 0.4),
    "Families: 24 groups, Holm, 3 x 3": (family, "groups that fall by 1|any false alarm|power", 0.1),
    "Sample size named by `inconclusive`": (promise, PROMISE, 0.2),
    "Sequences: any false alarm over five looks": (sequence, LOOKS, 0.4),
    "Sequences under unequal noise": (unequal_sequence, UNLIKE, 1),
    "Sequences of single runs": (single_sequence, WATCHED, 0.12),
    "One run a size: share suspected": (single, f"truth|seed SD|{SINGLE}", 0.1),
    "One run a size of unlike noise": (
        single_unequal, "noise|SD 0.25|0.7|1.5|5", 0.4),
    "Law evidence, 3 x 3": (law_evidence, LAW, 0.02),
    "Missing cells: nothing falls": (gaps, "truth|P|separate: fall|checkpoints: fall", 0.2),
    "Uneven numbers of runs": (uneven, "sizes|equal noise|few 3 x noisier|many 3 x noisier", 0.5),
    "Families with missing cells": (gapped_families, "noise|P|each alone|together", 0.2),
    "Verdicts of `sf.align`": (whole, "truth|verdicts", 0.1),
    "Beside a baseline as good": (
        harmful, "P|baseline runs|told by|harmful|any alarm|improving", 0.4),
    "Many corpora and tasks": (
        corpora, "noise|groups that fall by 3|any false alarm|found|flagged", 0.016),
    "Beside a baseline, 3 x 3": (beside_baseline, "truth|any alarm|harmful", 0.06),
    "Sequences with missing runs": (gapped_sequence, UNLIKE, 0.4),
    "Accuracy near its ceiling": (near_ceiling, f"accuracy|examples|{CEILING}", 1),
    "Below a baseline as good": (
        harm_levels, "P|baseline runs|runs|equal|grows 10x|last size 5x", 1.6),
    "Checkpoints that hang together": (hanging, HANGING, 0.8),
}  # fmt: skip


def cell(value: object) -> str:
    """Write a share with three decimals."""
    return f"{value:.3f}" if isinstance(value, float | np.floating) else str(value)


def main() -> None:
    """Print all tables as Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--draws", type=int, default=10_000)
    options.add_argument("--only", default="", help="part of a table's title")
    given = options.parse_args()
    print("# Simulations of the alignment diagnostic\n")
    print(f"`python benchmarks/simulate_alignment.py --draws {given.draws}`, seed {SEED}.", end=" ")
    print(
        "Level 0.05; seed SDs 0.25 and 0.25 BLEU; six sizes. A share s from n draws has a standard"
    )
    print("error of sqrt(s (1 - s) / n): 0.0022 at 0.05 and 10,000 draws.")
    for title, (build, header, part) in TABLES.items():
        if given.only not in title:
            continue
        draws, start = max(int(given.draws * part), 30), time.time()
        print(f"\n## {title}\n\n{build.__doc__} {draws} draws a row.\n")
        print(f"| {header.replace('|', ' | ')} |\n|{'---|' * (header.count('|') + 1)}")
        for row in build(partial(fresh_numbers, title), draws):
            print(f"| {' | '.join(map(cell, row))} |", flush=True)
        print(f"{title}: {time.time() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
