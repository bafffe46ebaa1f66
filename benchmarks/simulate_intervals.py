"""Do the intervals hold? Coverage and width by simulation, at the settings that a user gets.

    python benchmarks/simulate_intervals.py            # writes docs/simulations/intervals.md, some minutes
    python benchmarks/simulate_intervals.py --simulations 100 --only "power" --out -

Noise is what Gordon's five-seed translation runs show: 0.031 nats or 1 % of cross-entropy, 0.69 points or 4 % of BLEU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from scalefit.fitting.fit import usual_residual
from scalefit.fitting.intervals.uncertainty import Uncertainty, uncertainty_of
from scalefit.fitting.lack_of_fit import LackOfFit, lack_of_fit
from scalefit.fitting.noise import cautious, untied, weigh
from scalefit.fitting.points import points_of
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.solve import Solution, solve_problem
from scalefit.laws import LAWS, Law
from scalefit.table import Observations

LEVELS = (0.95, 0.80, 0.50)
OUT = Path(__file__).parents[1] / "docs" / "simulations" / "intervals.md"
TRUTHS: dict[str, dict[str, float]] = {
    "power": {"E": 1.7, "A": 400.0, "alpha": 0.3},
    "log": {"D0": 1e4, "s": 20.0, "beta": 1.2},
    "ceiling": {"c": 0.992, "a": 5.29, "b": 0.35},
}
RANGE = {"power": (1e7, 1e10), "log": (1e6, 1e10), "ceiling": (1e6, 1e9)}
EXPONENT = {"power": "alpha", "log": "beta", "ceiling": "b"}
METRIC = {"power": "cross_entropy", "log": "bleu", "ceiling": "accuracy"}
SPREAD = {
    ("power", "additive"): 0.031,
    ("power", "multiplicative"): 0.01,
    ("log", "additive"): 0.69,
    ("log", "multiplicative"): 0.04,
}


@dataclass(frozen=True)
class Row:
    """One line of a table: a law, how its data are made, and what is minimised.

    ``checkpoints``: the runs each give all sizes, 80 % of their noise is theirs at every size; ``drift``: instead
    neighbouring checkpoints have this correlation. ``named``: whether the table names the runs, or only seeds, which
    come back at every size. ``grows``: the SD grows by this factor over the sizes. ``decimals``: values are rounded;
    ``copied``: at so many sizes all seeds have one seed's value.
    """

    law: str
    sizes: int
    seeds: int = 1
    noise: str = "additive"
    objective: Any = "squared"
    delta: float | None = None
    checkpoints: bool = False
    drift: float | None = None
    outliers: float = 0.0
    grows: float = 1.0
    louder: float = 1.0
    spread: float | None = None
    largest: float | None = None
    decimals: int | None = None
    copied: int = 0
    named: bool = True

    @property
    def name(self) -> str:
        """What the line says of itself."""
        if self.checkpoints:
            runs = "1 run" if self.seeds == 1 else f"{self.seeds} runs"
            design = f"{runs} × {self.sizes} checkpoints"
        else:
            design = f"{self.sizes} × {self.seeds} seed" + ("s" if self.seeds > 1 else "")
        said = [self.law, self.noise]
        said += [] if self.objective == "squared" else [f"{self.objective}({self.delta:g})"]
        said += [f"{self.outliers:.0%} outliers"] if self.outliers else []
        said += [f"noise grows {self.grows:g}×"] if self.grows != 1 else []
        said += [f"noise × {self.louder:g}"] if self.louder != 1 else []
        word = "{:g} examples" if self.noise == "counts" else "SD {:g}"
        said += [word.format(self.spread)] if self.spread else []
        said += [f"{self.decimals} decimal"] if self.decimals is not None else []
        said += [f"{self.copied} sizes copied"] if self.copied else []
        said += [f"sizes up to {self.largest:.0e}"] if self.largest else []
        said += [f"correlation {self.drift:g}"] if self.drift is not None else []
        said += [] if self.named else ["runs not named"]
        return f"{', '.join(said)} | {design}"


@dataclass(frozen=True)
class Result:
    """What the simulations of a row gave.

    ``beyond`` (simulations, 3, levels): −1 where the truth is below the interval, 1 where above, 0 inside, for the
    exponent (at 95 % only), the curve and a new run at 10 × the largest size; ``width`` (simulations, 3) at 95 %;
    ``wald_held`` and ``wald_width`` (simulations, 2) of exponent and curve; ``missed`` (simulations,) whether misfit
    is seen.
    """

    row: Row
    beyond: np.ndarray
    width: np.ndarray
    wald_held: np.ndarray
    wald_width: np.ndarray
    missed: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        """Share of intervals that hold the truth, (3, levels)."""
        return (self.beyond == 0).mean(axis=0)

    @property
    def ratio(self) -> np.ndarray:
        """Mean width over Wald's mean width; medians where some interval is half-infinite."""
        ours = self.width[:, :2]
        finite = np.isfinite(ours).all(axis=0) & np.isfinite(self.wald_width).all(axis=0)
        with np.errstate(invalid="ignore"):
            means = ours.mean(axis=0) / self.wald_width.mean(axis=0)
        medians = np.median(ours, axis=0) / np.median(self.wald_width, axis=0)
        return np.where(finite, means, medians)


def tables() -> dict[str, list[Row]]:
    """Every line, by table."""
    plain = [
        Row(law, n, seeds, noise)
        for law in ("power", "log")
        for noise in ("additive", "multiplicative")
        for n, seeds in ((6, 1), (8, 1), (12, 1), (6, 3), (8, 3))
    ]
    curved = [
        Row("log", 6, 1, "multiplicative", louder=0.25),
        Row("log", 6, louder=3),
        Row("log", 6, largest=1e8),
        Row("log", 6, louder=3, largest=1e7),
        Row("log", 20, louder=5),
        Row("power", 6, louder=10),
    ]
    seeds = [
        Row("log", 6, seeds, spread=spread, grows=grows, decimals=1, copied=copied)
        for seeds in (3, 5)
        for spread in (0.03, 0.3)
        for grows, copied in ((1, 0), (4, 0), (1, 2), (4, 2))
    ]
    seeds += [
        Row("log", 6, 3, spread=spread, grows=grows, decimals=1, copied=copied, named=False)
        for spread, grows, copied in ((0.03, 1, 0), (0.3, 4, 2))
    ]
    seeds += [
        Row(law, 8, 3, noise, grows=4)
        for law, noise in (("power", "additive"), ("log", "multiplicative"))
    ]
    runs = [Row(law, 8, n, checkpoints=True) for law in ("power", "log") for n in (3, 5)]
    runs += [
        Row(law, 8, 3, checkpoints=True, drift=0.8, named=named)
        for law in ("power", "log")
        for named in (True, False)
    ]
    runs += [Row("power", 8, 3, named=False)]
    runs += [
        Row("power", n, checkpoints=True, drift=d) for n in (10, 30) for d in (0.0, 0.5, 0.8, 0.9)
    ]
    runs += [Row("log", 30, checkpoints=True, drift=d) for d in (0.0, 0.9)]
    robust = [
        Row("power", 12, 1, "multiplicative", "huber", 0.0135),
        Row("power", 12, 1, "multiplicative", "huber", 0.0135, outliers=0.05),
        Row("power", 12, 1, "multiplicative", "soft_l1", 0.0135, outliers=0.05),
        Row("power", 8, 3, "multiplicative", "huber", 0.0135),
        Row("log", 12, 1, "multiplicative", "huber", 0.054, outliers=0.05),
    ]
    many = [
        Row("power", 100),
        Row("power", 100, grows=10),
        Row("power", 100, 1, "multiplicative", "huber", 0.002, grows=10),
    ]
    counted = [
        Row("ceiling", 6, seeds, "counts", spread=of)
        for seeds, of in ((1, 1000), (3, 1000), (3, 200))
    ]
    return {
        "One seed and equal seeds": plain,
        "Curves that bend": curved,
        "Seeds that are rounded, copied or unequally noisy": seeds,
        "Checkpoints of runs": runs,
        "Robust objectives": robust,
        "Many points": many,
        "Accuracy near its ceiling": counted,
    }


def sample(row: Row, rng: np.random.Generator) -> tuple[Observations, tuple[float, float], float]:
    """Make one data set; return it with the true curve and a new run at 10 × the largest size, and that size."""
    smallest, largest = RANGE[row.law]
    x = np.geomspace(smallest, row.largest or largest, row.sizes)
    law, truth = LAWS[row.law], dict(TRUTHS[row.law])
    if row.law == "log":
        truth["D_ref"] = float(law.anchored((x,)).constants["D_ref"])
    at = np.append(x, 10 * x[-1])
    curve = law(at, **truth)
    spread = (row.spread or SPREAD[row.law, row.noise]) * row.louder
    # The SD at the sizes: equal on average (of logarithms), and growing by the factor over the range.
    spread = spread * (at / np.sqrt(x[0] * x[-1])) ** (np.log(row.grows) / np.log(x[-1] / x[0]))
    runs = np.tile(np.arange(row.seeds), (row.sizes, 1))
    values = _noisy(curve, spread, _errors(row, rng), row.noise)
    new = float(values[-1, 0])
    values = np.round(values[:-1], row.decimals) if row.decimals is not None else values[:-1]
    for i in rng.permutation(row.sizes)[: row.copied]:
        values[i] = values[i, 0]
    told = row.seeds > 1 or row.checkpoints
    blocks, own = runs.reshape(-1), np.arange(values.size)
    name = law.inputs[0]
    clusters = (blocks if row.checkpoints and row.named else own) if told else None
    data = Observations(
        {name: np.repeat(x, row.seeds)},
        values.reshape(-1),
        None,
        clusters,
        METRIC[row.law],
        {name: "pretrain_tokens"},
        blocks=None if row.named or not told else blocks,
    )
    return data, (float(curve[-1]), new), float(at[-1])


def _errors(row: Row, rng: np.random.Generator) -> np.ndarray:
    """Errors of variance 1 at every size and one beyond, for every seed; the new run is not one of these."""
    e = rng.standard_normal((row.sizes + 1, row.seeds))
    if row.drift is not None:
        for i in range(1, row.sizes):
            e[i] = row.drift * e[i - 1] + np.sqrt(1 - row.drift**2) * e[i]
    elif row.checkpoints:
        e[:-1] = np.sqrt(0.64) * rng.standard_normal(row.seeds) + np.sqrt(0.36) * e[:-1]
    return e * np.where(rng.random(e.shape) < row.outliers, 5.0, 1.0)


def _noisy(curve: np.ndarray, spread: np.ndarray, errors: np.ndarray, noise: str) -> np.ndarray:
    if noise == "counts":  # right answers to so many examples
        of = np.asarray(spread)[:, None]
        return stats.binom.ppf(stats.norm.cdf(errors), of, curve[:, None]) / of
    error = np.asarray(spread)[:, None] * errors
    return curve[:, None] * np.exp(error) if noise == "multiplicative" else curve[:, None] + error


def simulate(row: Row, simulations: int, seed: int = 0) -> Result:
    """Fit ``simulations`` data sets and compare both kinds of interval with the truth."""
    rng = np.random.default_rng([seed, *row.name.encode()])
    ours, wald, missed = zip(*(_once(row, rng) for _ in range(simulations)), strict=True)
    low, high, truth = np.moveaxis(np.array(ours), -1, 0)
    held = (low <= truth) & (truth <= high)
    w_low, w_high, w_truth = np.moveaxis(np.array(wald), -1, 0)
    return Result(
        row,
        np.where(held, 0, np.where(truth < low, -1, 1)),
        (high - low)[:, :, 0],
        (w_low <= w_truth) & (w_truth <= w_high),
        w_high - w_low,
        np.array(missed),
    )


def _once(row: Row, rng: np.random.Generator) -> tuple[Any, Any, bool]:
    """(low, high, truth) of exponent, curve and new run at each level, Wald's of two, whether misfit is seen."""
    data, (truth, new), far = sample(row, rng)
    objective = Objective(row.objective, row.delta, usual_residual(data))
    solution, uncertainty, lack = core(data, LAWS[row.law], objective)
    name, exponent = EXPONENT[row.law], TRUTHS[row.law][EXPONENT[row.law]]
    at = (np.array([far]),)
    ours: list[list[tuple[float, float, float]]] = [[], [], []]
    for level in LEVELS:
        intervals = uncertainty.at(level)
        (low,), (high,) = ends = intervals.curve(at)
        (run_low,), (run_high,) = uncertainty.around(at, ends, level)
        if level == LEVELS[0]:
            ours[0] += [(*intervals.parameters([name])[name], exponent)] * len(LEVELS)
        ours[1].append((low, high, truth))
        ours[2].append((run_low, run_high, new))
    return ours, _wald(solution, name, exponent, at, truth), lack.seen


def core(
    data: Observations, law: Law, objective: Objective
) -> tuple[Solution, Uncertainty, LackOfFit]:
    """Compute what ``fit_observations`` does, without its notes."""
    points = untied(cautious(points_of(data)))
    noise = weigh(points, objective, "auto")
    solution = solve_problem(make_problem(law, points.inputs, points.y, objective, noise.scale))
    lack = lack_of_fit(points, solution.problem, solution.theta)
    return solution, uncertainty_of(solution, points, noise, lambda: lack), lack


def _wald(
    solution: Solution, name: str, exponent: float, at: tuple[np.ndarray], truth: float
) -> list[tuple[float, float, float]]:
    """Wald-t from the scatter about the curve with n − p degrees of freedom, as lmfit and curve_fit do."""
    theta, problem = solution.theta, solution.problem
    jac = problem.linearised(*problem.law.jacobian(problem.inputs, theta))
    residual = problem.residual(solution.fitted)
    dof = residual.size - theta.size
    covariance = np.linalg.pinv(jac @ jac.T, rcond=1e-15) * (residual @ residual) / dof
    t = stats.t.ppf(0.5 + LEVELS[0] / 2, dof)
    value, slope = problem.law.jacobian(at, theta)
    step = 1e-6 * np.maximum(np.abs(theta), 1e-3)
    with np.errstate(all="ignore"):
        up, down = (
            np.broadcast_to(problem.law.params(theta + side * np.diag(step))[name], theta.shape)
            for side in (1, -1)
        )
        gradient = (up - down) / (2 * step)
        half = t * np.sqrt(
            [gradient @ covariance @ gradient, slope[:, 0] @ covariance @ slope[:, 0]]
        )
    center = np.array([solution.params[name], value[0]])
    half = np.where(np.isfinite(half) & np.isfinite(center), half, np.inf)
    center = np.nan_to_num(center, posinf=0.0, neginf=0.0)
    return [
        (c - h, c + h, true) for c, h, true in zip(center, half, (exponent, truth), strict=True)
    ]


def report(sections: Mapping[str, str]) -> str:
    """Markdown of the tables: what each column is, the sections in order, notes."""
    parts = [INTRODUCTION, *(f"## {title}\n\n{text}" for title, text in sections.items())]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in FOOTNOTES)]) + "\n"


def section(lines: Iterable[str], simulations: int) -> str:
    """One table, with its number of data sets."""
    error = 196 * np.sqrt(0.95 * 0.05 / simulations)
    head = "data | design | exponent | curve at 10× | new run at 10× | width/Wald exponent | width/Wald curve "
    said = f"{simulations:,} data sets a line; binomial error of a share near 95 %: ±{error:.1f}."
    return "\n".join(
        [
            said,
            "",
            f"| {head}| Wald exponent | Wald curve | misfit seen |",
            "|---" * 10 + "|",
            *lines,
        ]
    )


def sections_of(text: str) -> dict[str, str]:
    """Tables of a page that was written before, by title."""
    parts = text.split("\n\n- ")[0].split("\n\n## ")[1:]
    return dict(part.split("\n\n", 1) for part in parts)


INTRODUCTION = """# Do the intervals hold?

Share of simulated data sets, in percent, whose intervals hold the truth: at 95 % for the exponent, at 95, 80 and 50 %
for the curve and for the value of a new run at 10 × the largest size; and the width of the 95 % interval over that of
the Wald-t interval (scatter about the curve, n − p degrees of freedom; what `lmfit` and `curve_fit` give). Settings are
the defaults: logarithms of a quality are compared, values of cross-entropy.

Made by `python benchmarks/simulate_intervals.py`; with `--only "TITLE"` one table is made again. Noise as Gordon's
five-seed translation runs show: 0.031 nats or 1 % of cross-entropy, 0.69 points or 4 % of BLEU. Truth: E 1.7, A 400,
α 0.3 over 10⁷–10¹⁰ tokens; D0 10⁴, s 20, β 1.2 over 10⁶–10¹⁰; accuracy .95 to .988 below .992, α .35, over 10⁶–10⁹."""
FOOTNOTES = (
    "Intervals allow for noise that grows or shrinks over the sizes, by a standard deviation of 2 in the logarithm of "
    "its variance, from noise alike in values and, as likely, from noise alike in logarithms: where it is alike "
    "in the unit compared the exponents' are a fifth longer than Wald's, the curves' about a tenth.",
    "\\* the ratio of medians, where some intervals are half-infinite (the exponent β of the log-law when D0 → 0).",
    "Checkpoints: 80 % of the noise is shared by all checkpoints of a run, or neighbours have the correlation that is "
    "named; each run is one unit. Wald's interval takes them for independent points.",
    "Seeds of one decimal: where all seeds of a size agree they count once. `copied`: all seeds of that many sizes are "
    "copies of one.",
    "β's interval is longer than Wald's. β = b/κ with κ = 1 / ln(D_ref / D0), which can be 0 (the power law): of such "
    "a ratio no interval that keeps its level at every truth has a finite mean length (Gleser and Hwang 1987, Annals "
    "of Statistics 15(4)). Wald's is short because it does not keep it: at three times the noise it holds nine times "
    "in ten. A fit whose β has one end only says so in its verdict.",
    "From 60 points on, blocks are left out in turn, so that scatter may change with size; Wald's curve then covers "
    "81 %. With a Huber δ far under the scatter (last line) this too falls short, and the fit carries a note.",
    "Outliers: five times the noise. `misfit seen`: how often the fit says that the law does not follow the data, "
    "though it does; 5 % is what its p-value promises.",
)


def line(result: Result) -> str:
    """One line of a table."""
    infinite = ~(np.isfinite(result.width[:, :2]) & np.isfinite(result.wald_width)).all(axis=0)
    ratios = [
        "–" if np.isnan(r) else f"{r:.2f}{'*' if i else ''}"
        for r, i in zip(result.ratio, infinite, strict=True)
    ]
    held = [[f"{100 * share:.1f}" for share in shares] for shares in result.coverage]
    ours = [held[0][0], " · ".join(held[1]), " · ".join(held[2])]
    wald = [f"{100 * share:.1f}" for share in result.wald_held.mean(axis=0)]
    cells = [result.row.name, *ours, *ratios, *wald, f"{100 * result.missed.mean():.1f}"]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument(
        "--small", action="store_true", help="40 data sets a line: a look, not a result"
    )
    parser.add_argument("--only", default="", help="lines whose name holds this")
    parser.add_argument("--out", default=str(OUT), help="file, or - for the terminal")
    options = parser.parse_args(arguments)
    count = 40 if options.small else options.simulations
    out = None if options.out == "-" else Path(options.out)
    before = sections_of(out.read_text(encoding="utf-8")) if out and out.exists() else {}
    sections = {}
    for title, rows in tables().items():
        chosen = [row for row in rows if options.only in f"{title} {row.name}"]
        done = list(_printed(simulate(row, count) for row in chosen))
        if done:
            sections[title] = section((line(result) for result in done), count)
        elif title in before:
            sections[title] = before[title]
    if out:
        out.write_text(report(sections), encoding="utf-8")


def _printed(results: Iterable[Result]) -> Iterable[Result]:
    for result in results:
        print(line(result), flush=True)
        yield result


if __name__ == "__main__":
    main()
