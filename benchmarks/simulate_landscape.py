"""Simulations behind docs/simulations/landscape.md: level and power of `landscape.predict` and `clusters`.

Run: ``OMP_NUM_THREADS=1 python benchmarks/simulate_landscape.py`` (some ten minutes on one core; ``--quick`` for a
tenth of the repetitions, ``--only null|planted|beaten|basins|robust`` for one table). Seed 20261126 throughout.
"""

import argparse

import numpy as np

from scalefit import landscape
from scalefit.landscape.outcome import Procedure, apartness
from scalefit.landscape.trial import nearest, p_swapped, share_as_large

SEED = 20261126
DESIGNS = ((1, 12), (1, 24), (4, 24), (10, 8))


def apart(points):
    """Return Euclidean distances."""
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))


def share(hits):
    return f"{np.mean(hits):.3f}"


def table(title, head, rows):
    print(f"\n## {title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def layout(groups, size):
    return np.repeat(np.arange(groups), size)


def modes(rng, count):
    return rng.choice([-1.0, 1.0], count)


SCORES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "two modes": lambda rng, n: modes(rng, n) + 0.1 * rng.standard_normal(n),
    "few values": lambda rng, n: rng.choice([0.0, 1.0], n, p=[0.8, 0.2]),
}
PLACES = {
    "one cloud": lambda rng, n: rng.standard_normal((n, 5)),
    "two basins": lambda rng, n: np.c_[3 * modes(rng, n), rng.standard_normal((n, 5))],
    "outliers": lambda rng, n: rng.standard_t(2, (n, 5)),
}


def asked(square, scores, groups, **more):
    return landscape.predict(square, scores, groups=groups, permutations=99, **more)


def null(runs):
    """Distances that know nothing: how often something seems foretold at p <= .05."""
    rng, rows, every = np.random.default_rng(SEED), [], []
    for groups, size in DESIGNS:
        codes = layout(groups, size)
        for where, place in PLACES.items():
            for kind, draw in SCORES.items():
                found = []
                for _ in range(runs):
                    scores = draw(rng, len(codes))
                    while np.ptp(scores) == 0:
                        scores = draw(rng, len(codes))
                    found.append(_four(asked(apart(place(rng, len(codes))), scores, codes)))
                rows.append((f"{groups} × {size}", where, kind, *map(share, np.transpose(found))))
                every += found
    rows.append(("all", "", "", *map(share, np.transpose(every))))
    head = ("groups × models", "places", "scores", "nearest", "basin", "Mantel", "η²")
    table("False alarms at nominal 5 %: distances that know nothing", head, rows)
    shifted(runs, rng)


def _four(result):
    numbers = (result.p, result.predictors[1].p, result.mantel.p, result.eta_squared.p)
    return [p <= 0.05 for p in numbers]


def shifted(runs, rng):
    """Let groups differ in place and in score; within them nothing is known."""
    rows, codes = [], layout(4, 24)
    for passed in (True, False):
        found = []
        for _ in range(runs):
            places = rng.standard_normal((96, 5)) + 2 * rng.standard_normal((4, 5))[codes]
            scores = rng.standard_normal(96) + 2 * rng.standard_normal(4)[codes]
            found.append(_four(asked(apart(places), scores, codes if passed else None)))
        rows.append(("yes" if passed else "no", *map(share, np.transpose(found))))
    head = ("groups passed", "nearest", "basin", "Mantel", "η²")
    table(
        "False alarms at nominal 5 %: 4 × 24 models, groups differ in place and score", head, rows
    )


def planted(runs):
    """Two basins with different scores: how often they are seen."""
    rng, rows = np.random.default_rng(SEED), []
    for groups, size in DESIGNS:
        codes = layout(groups, size)
        for gap, noise in ((4.0, 0.3), (4.0, 2.0), (2.0, 0.3), (1.0, 0.3)):
            found = []
            for _ in range(runs):
                side = modes(rng, len(codes))
                places = rng.standard_normal((len(codes), 5))
                places[:, 0] += gap * side / 2
                scores = side + noise * rng.standard_normal(len(codes))
                result = asked(apart(places), scores, codes)
                found.append((*_four(result), result.r))
            hits = np.array(found)
            power = map(share, hits[:, :4].T)
            rows.append((f"{groups} × {size}", gap, noise, *power, f"{hits[:, 4].mean():.2f}"))
    head = ("groups × models", "basins apart (SD)", "SD of scores (basins: ±1)", "nearest", "basin",
            "Mantel", "η²", "mean r")  # fmt: skip
    table("Power at 5 %: two planted basins", head, rows)


def beaten(runs):
    """Two distances that see the same places through noise: which seems better, and how often."""
    rng, rows = np.random.default_rng(SEED), []
    for groups, size in ((1, 12), (1, 24), (1, 96), (4, 24), (5, 24), (12, 24)):
        codes = layout(groups, size)
        for kind in ("modes", "normal"):
            for worse in (1.0, 2.0):
                found = [_rivals(rng, codes, kind, worse) for _ in range(runs)]
                hits = np.transpose(found) <= 0.05
                rows.append((f"{groups} × {size}", kind, worse, *map(share, hits)))
    head = ("groups × models", "scores", "rival's noise over ours", "models swapped", "as reported")
    table("How often a rival seems beaten at 5 % (noise 1: it is as good)", head, rows)


def _rivals(rng, codes, kind, worse):
    """Return p by swapping models one by one, and p as `predict` reports it."""
    n = len(codes)
    truth = modes(rng, n) if kind == "modes" else rng.standard_normal(n)
    scores, common = truth + 0.3 * rng.standard_normal(n), rng.standard_normal((n, 2))
    errors = []
    for scale in (1.0, worse):
        places = 0.7 * scale * 0.7 * (common + rng.standard_normal((n, 2)))
        places[:, 0] += truth
        errors.append((nearest(apart(places), codes, 3) @ scores - scores) ** 2)
    gains = errors[1] - errors[0]
    signs = rng.choice([-1.0, 1.0], (199, n))
    return share_as_large(float(gains.sum()), signs @ gains), p_swapped(gains, codes, 199)


def barriers(rng, labels, between, noise):
    """Return distances of 1 within and ``between`` between basins, times log-normal noise: no metric at all."""
    level = np.where(labels[:, None] == labels, 1.0, between)
    upper = np.triu(level * np.exp(noise * rng.standard_normal(level.shape)), 1)
    return upper + upper.T


CLOUDS = {
    "Gaussian, 2 axes": lambda rng, n: apart(rng.standard_normal((n, 2))),
    "Gaussian, 20 axes": lambda rng, n: apart(rng.standard_normal((n, 20))),
    "uniform, 2 axes": lambda rng, n: apart(rng.random((n, 2))),
    "heavy tails (t, 3), 5 axes": lambda rng, n: apart(rng.standard_t(3, (n, 5))),
    "skewed (exponential), 2 axes": lambda rng, n: apart(rng.exponential(size=(n, 2))),
    "squared distances, Gaussian, 3 axes": lambda rng, n: apart(rng.standard_normal((n, 3))) ** 2,
    "noise alone (log-normal, .5)": lambda rng, n: barriers(rng, np.zeros(n), 1.0, 0.5),
    "noise alone (log-normal, 1)": lambda rng, n: barriers(rng, np.zeros(n), 1.0, 1.0),
    "two basins 6 SD apart, 2 axes": lambda rng, n: apart(
        np.c_[1.5 * modes(rng, n), np.zeros(n)] + 0.5 * rng.standard_normal((n, 2))
    ),
    "two basins 6 SD apart, 5 axes": lambda rng, n: apart(
        np.c_[3 * modes(rng, n), np.zeros((n, 4))] + rng.standard_normal((n, 5))
    ),
    "two basins, barriers 1.5 ×, noise .5": lambda rng, n: barriers(rng, modes(rng, n), 1.5, 0.5),
    "two basins, barriers 2.5 ×, noise .5": lambda rng, n: barriers(rng, modes(rng, n), 2.5, 0.5),
}


def basins(runs):
    """How often `clusters` sees more than one basin, and how often two."""
    rng, rows = np.random.default_rng(SEED), []
    for name, draw in CLOUDS.items():
        for size in (12, 24):
            found = [landscape.clusters(draw(rng, size), resamples=19).number for _ in range(runs)]
            more = np.array(found) > 1
            rows.append((name, size, share(more), share(np.array(found) == 2)))
    head = ("distances", "models", "more than one basin", "two")
    table("More than one basin (nominal 5 % for a single Gaussian cloud)", head, rows)


SPREADS = {
    "normal, 1 axis": lambda rng, n: rng.standard_normal((n, 1)),
    "normal, 5 axes": lambda rng, n: rng.standard_normal((n, 5)),
    "heavy tails (t, 3), 1 axis": lambda rng, n: rng.standard_t(3, (n, 1)),
    "skewed (exponential), 1 axis": lambda rng, n: rng.exponential(1, (n, 1)),
    "two modes": lambda rng, n: modes(rng, n)[:, None] + 0.1 * rng.standard_normal((n, 1)),
    "a rare mode (20 %)": lambda rng, n: (
        (rng.random((n, 1)) < 0.2) + 0.05 * rng.standard_normal((n, 1))
    ),
}


def robust(runs):
    """How often `robustness` tells two procedures apart whose models lie equally far apart, twice, three times."""
    rng, rows = np.random.default_rng(SEED), []
    for groups, size in ((1, 8), (1, 12), (1, 24), (3, 6), (5, 6)):
        half = groups * size
        labels = np.tile(layout(groups, size), 2).tolist()
        names = ["a"] * half + ["b"] * half
        sides = [Procedure.of(name, names, labels, neighbours=3) for name in "ab"]
        for kind, draw in SPREADS.items():
            told = []
            for wider in (1.0, 2.0, 3.0):
                scale = np.repeat([1.0, wider], half)[:, None]
                squares = [apart(draw(rng, 2 * half) * scale) for _ in range(runs)]
                told.append(
                    share([apartness("", one, *sides, 0.95).wider is not None for one in squares])
                )
            rows.append((f"{groups} × {size}", kind, *told))
    head = ("groups × models a procedure", "places", "equal (nominal .05)", "2 ×", "3 ×")
    table("Procedures whose models lie equally far apart, and not", head, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("null", "planted", "beaten", "basins", "robust"))
    wanted = parser.parse_args()
    part = 10 if wanted.quick else 1
    jobs = {"null": (null, 100), "planted": (planted, 60), "beaten": (beaten, 500),
            "basins": (basins, 100), "robust": (robust, 1000)}  # fmt: skip
    for name, (job, runs) in jobs.items():
        if wanted.only in (None, name):
            job(runs // part)


if __name__ == "__main__":
    main()
