"""Do forecasts of losses hold where the truth is known? Coverage of bands of a new run, by simulation.

    python benchmarks/simulate_forecasts.py            # writes docs/simulations/forecasts.md, about five minutes
    python benchmarks/simulate_forecasts.py --curves 40 --out -

Curves have 4 to 20 sizes over one to three decades and 1 to 5 runs a size. Half of the truths are laws of the mixture,
half are not: two breaks, a sigmoid that is about to flatten, a second descent, and a turn upwards beyond the data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from choices import written

from scalefit.forecasting.losses import settle_losses
from scalefit.forecasting.losses.posterior import posterior_of
from scalefit.forecasting.series import Series, series_of

OUT = Path(__file__).parents[1] / "docs" / "simulations" / "forecasts.md"
AHEAD = np.array([2.0, 10.0, 100.0])
SEED = 20261126
Truth = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Design:
    """How curves of one row are made; ``None`` is drawn anew for every curve."""

    truth: str
    noise: float = 0.01
    sizes: int | None = None
    runs: int | None = None
    correlation: float = 0.0
    decimals: int | None = None


def power(rng: np.random.Generator) -> Truth:
    floor, a = rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.6)
    return lambda u: floor + (1 - floor) * np.exp(-a * u)


def bansal(rng: np.random.Generator) -> Truth:
    p, bend = rng.uniform(0.1, 0.6), np.exp(rng.uniform(-3, 1))
    return lambda u: ((np.exp(-u) + bend) / (1 + bend)) ** p


def rectified(rng: np.random.Generator) -> Truth:
    floor, b, flat = rng.uniform(0.1, 0.7), rng.uniform(0.4, 1.0), np.exp(rng.uniform(-4, -1))
    return lambda u: floor + (1 - floor) * (1 + flat) / (flat + np.exp(b * u))


def m4(rng: np.random.Generator) -> Truth:
    """Through a table of the share of the plateau, which is the law's inverse read backwards."""
    floor, c, bend = rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.7), rng.uniform(0.5, 2.0)
    q = rng.uniform(-3.0, 0.0)
    z = np.linspace(-60, 60, 20001)
    left = -np.logaddexp(0, -z) + bend * np.logaddexp(0, z)

    def value(u: np.ndarray) -> np.ndarray:
        share = 1 / (1 + np.exp(-np.interp(q - c * u, left, z)))
        return floor + (1 - floor) * share

    return lambda u: value(u) / value(np.zeros(1))


def breaks(rng: np.random.Generator) -> Truth:
    """Two smooth breaks of a line in log-log, one in range and one soon after."""
    slopes = rng.uniform(0.05, 0.4, 3)
    at = rng.uniform(-4, -1), rng.uniform(0.5, 2.5)

    def log(u: np.ndarray) -> np.ndarray:
        steps = [0.5 * np.logaddexp(0, (u - w) / 0.5) for w in at]
        return -slopes[0] * u - sum(
            (b - a) * s for a, b, s in zip(slopes, slopes[1:], steps, strict=False)
        )

    return lambda u: np.exp(log(u) - log(np.zeros(1)))


def sigmoid(rng: np.random.Generator) -> Truth:
    low, rate, middle = rng.uniform(0.2, 0.8), rng.uniform(0.4, 1.2), rng.uniform(-3.0, 0.5)
    value = lambda u: low + (1 - low) / (1 + np.exp(rate * (u - middle)))  # noqa: E731
    return lambda u: value(u) / value(np.zeros(1))


def descent(rng: np.random.Generator) -> Truth:
    """Return a power law with a bump in range."""
    law, height, at = power(rng), rng.uniform(0.02, 0.1), rng.uniform(-3.0, -0.5)
    value = lambda u: law(u) * np.exp(height * np.exp(-2 * (u - at) ** 2))  # noqa: E731
    return lambda u: value(u) / value(np.zeros(1))


def turn(rng: np.random.Generator) -> Truth:
    """Return a power law that turns up a little beyond the largest size."""
    law, up, at = power(rng), rng.uniform(0.01, 0.05), rng.uniform(0.0, 2.0)
    return lambda u: law(u) * np.exp(up * np.maximum(u - at, 0))


INSIDE = {"power": power, "bansal": bansal, "rectified": rectified, "M4": m4}
OUTSIDE = {"two breaks": breaks, "sigmoid": sigmoid, "second descent": descent, "turn": turn}


@dataclass(frozen=True)
class Drawn:
    """A curve as it is shown, and what lies ahead: the truth, one new run, and chance targets."""

    shown: Series
    truth: np.ndarray
    fresh: np.ndarray
    target: float
    met: np.ndarray


def drawn(design: Design, rng: np.random.Generator) -> Drawn:
    truth = {**INSIDE, **OUTSIDE}[design.truth](rng)
    n = design.sizes or int(rng.choice([4, 6, 10, 20]))
    runs = design.runs or int(rng.choice([1, 3, 5]))
    u = np.linspace(-rng.uniform(2.3, 6.9), 0, n)
    steps = np.repeat(u, runs)
    shocks = correlated(rng.normal(size=(runs, n)), design.correlation).T.ravel()
    scale = rng.uniform(1.5, 6.0)
    y = scale * np.repeat(truth(u), runs) * np.exp(design.noise * shocks)
    ahead = scale * truth(np.log(AHEAD))
    fresh = ahead * np.exp(design.noise * rng.normal(size=AHEAD.size))
    if design.decimals is not None:
        y, fresh = np.round(y, design.decimals), np.round(fresh, design.decimals)
    target = float(scale * truth(np.log([rng.uniform(1.2, 40.0)]))[0])
    return Drawn(series_of(np.exp(steps), y), ahead, fresh, target, ahead <= target)


def correlated(shocks: np.ndarray, rho: float) -> np.ndarray:
    """AR(1) along the sizes, of variance 1."""
    out = shocks.copy()
    for j in range(1, shocks.shape[1]):
        out[:, j] = rho * out[:, j - 1] + np.sqrt(1 - rho**2) * shocks[:, j]
    return out


def simulated(designs: Iterable[Design], curves: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a design; and every chance that was given, with what came true."""
    rows, chances = [], []
    for i, design in enumerate(designs):
        rng = np.random.default_rng([SEED, i])
        batch = [drawn(design, rng) for _ in range(curves)]
        settled = settle_losses([d.shown for d in batch])
        said = [atoms.forecast(atoms.curve.x[-1] * AHEAD) for atoms in settled]
        reach = [atoms.reach(d.target) for atoms, d in zip(settled, batch, strict=True)]
        fresh, truth = np.array([d.fresh for d in batch]), np.array([d.truth for d in batch])
        row: dict[str, object] = {"design": design}
        for level in (0.95, 0.8):
            ends = np.array([p.interval(level) for p in said])
            row[f"in{100 * level:.0f}"] = ((ends[:, 0] <= fresh) & (fresh <= ends[:, 1])).mean(0)
            row[f"width{100 * level:.0f}"] = np.median(np.log(ends[:, 1] / ends[:, 0]), axis=0)
        row["error"] = np.median(np.abs(np.log(np.array([p.median for p in said]) / truth)), axis=0)
        rows.append(row)
        for d, r in zip(batch, reach, strict=True):
            chances += [(r.within(t), bool(m)) for t, m in zip(AHEAD, d.met, strict=True)]
    return pd.DataFrame(rows), pd.DataFrame(chances, columns=["said", "met"])


def alone(design: Design, curves: int) -> tuple[np.ndarray, np.ndarray]:
    """Median error and width of the law that is true, alone and trusted: the oracle."""
    from scalefit.forecasting.losses import batch as doubt
    from scalefit.forecasting.losses import engine, shapes

    law = next(law for law in shapes.FALLING if law.name == design.truth.lower())
    kept = doubt.TRUST, doubt.PLATEAU_TRUST, engine.posterior_of
    doubt.TRUST = doubt.PLATEAU_TRUST = 1 - 1e-11
    engine.posterior_of = lambda batch, shares=None: posterior_of(batch, (law,), shares)
    table, _ = simulated([design], curves)
    doubt.TRUST, doubt.PLATEAU_TRUST, engine.posterior_of = kept
    return table.error[0], table.width95[0]


def triple(values: np.ndarray, form: str = ".2f") -> str:
    return " / ".join(format(float(v), form) for v in values)


HEAD = "| truth | noise | sizes × runs | 95 % holds | 80 % holds | median width | median error |"


def table_of(rows: pd.DataFrame) -> str:
    lines = [HEAD, "|---" * 7 + "|"]
    for row in rows.itertuples():
        d = row.design
        special = f", AR(1) {d.correlation:g}" if d.correlation else ""
        special += ", one decimal" if d.decimals is not None else ""
        size = f"{d.sizes or '4–20'} × {d.runs or '1–5'}"
        lines.append(
            f"| {d.truth}{special} | {100 * d.noise:g} % | {size} | {triple(row.in95)} | {triple(row.in80)} "
            f"| {triple(row.width95, '.3f')} | {triple(row.error, '.4f')} |"
        )
    held = [np.mean([v.mean() for v in rows[c]]) for c in ("in95", "in80")]
    lines.append(f"| **all** | | | **{held[0]:.3f}** | **{held[1]:.3f}** | | |")
    return "\n".join(lines)


def oracle_table(curves: int) -> str:
    lines = ["| truth | noise | error ÷ oracle's | width ÷ oracle's |", "|---" * 4 + "|"]
    for name in INSIDE:
        for noise in (0.001, 0.01):
            design = Design(name, noise, sizes=10, runs=1)
            table, _ = simulated([design], curves)
            error, width = alone(design, curves)
            ratio = triple(table.error[0] / error), triple(table.width95[0] / width)
            lines.append(f"| {name} | {100 * noise:g} % | {ratio[0]} | {ratio[1]} |")
    return "\n".join(lines)


def reliability(chances: pd.DataFrame) -> str:
    edges = [0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0]
    by = chances.groupby(pd.cut(chances.said, edges, include_lowest=True), observed=True)
    lines = ["| said | came true | times |", "|---|---|---|"]
    lines += [f"| {g.said.mean():.2f} | {g.met.mean():.2f} | {len(g)} |" for _, g in by]
    brier = ((chances.said - chances.met) ** 2).mean()
    lines += ["", f"Brier score {brier:.3f}, of the share met {chances.met.var():.3f}."]
    return "\n".join(lines)


def designs() -> list[Design]:
    plain = [Design(truth, noise) for truth in [*INSIDE, *OUTSIDE] for noise in (0.001, 0.01, 0.04)]
    base = Design("power")
    special = [replace(base, sizes=n, runs=r) for n in (4, 8, 20) for r in (1, 5)]
    special += [replace(base, truth=t, correlation=0.7, sizes=20, runs=1) for t in ("power", "M4")]
    special += [replace(base, truth=t, decimals=1, noise=0.003) for t in ("power", "M4")]
    return plain + special


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=int, default=160, help="curves a row")
    parser.add_argument("--out", default=str(OUT), help="file to write, or - for standard output")
    options = parser.parse_args()
    rows, chances = simulated(designs(), options.curves)
    text = "\n\n".join(
        [
            "# Simulations of forecasts: losses",
            f"`python benchmarks/simulate_forecasts.py --curves {options.curves}` prints this page. Triples are "
            "for 2×, 10× and 100× the largest size; widths and errors are of ln y. Noise is of one run.",
            "## Do bands of a new run hold?",
            table_of(rows),
            "## What doubt costs where a law is exactly right",
            "The oracle is the law that is true, alone, integrated in the same way without a discrepancy: 10 sizes, "
            "one run.",
            oracle_table(options.curves),
            "## Is the chance of reaching a target what it says?",
            "Over all rows of the first table; targets are values of the truth between 1.2× and 40×.",
            reliability(chances),
        ]
    )
    written(text + "\n", options.out)


if __name__ == "__main__":
    main()
