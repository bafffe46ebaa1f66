"""How far real curves leave the single law that fits them: prints the constant of scalefit/forecasting/forecasters.py.

    python benchmarks/learn_doubt.py [--curves 30]

Each public family's curves are cut at several origins, one law is fitted to what is left, and its band of a new run
is widened by TAU times the end slope times the distance in ln x. The table gives what 80 and 95 % bands hold, the
mean over families, with TAU chosen on the other families.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from forecast_data import LOSSES, QUALITY, Family, families

from scalefit.errors import ScalefitError
from scalefit.fitting.problem import Objective
from scalefit.forecasting.forecasters import TAU, drift, fit_curves, widened
from scalefit.laws import LAWS

TAUS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
RISING, FALLING = ("log", "ceiling"), ("power",)


@dataclass(frozen=True)
class Miss:
    """One held-out size: distance, and whether the bands hold it, a column a TAU."""

    distance: float
    inside: dict[float, np.ndarray]


def misses(family: Family, law: str, most: int) -> list[Miss]:
    """Fit the law to each shortened curve and look at what comes."""
    out = []
    bottom = 0.0
    for curve in family.curves[:: max(1, len(family.curves) // most)]:
        n = curve.x.size
        for k in sorted({n - 1, n - 2, n - 3, int(0.8 * n)}):
            if k < 4:
                continue
            series = curve.series(family.top, bottom).head(k)
            (fit,) = fit_curves([series], LAWS[law], family.metric, Objective())
            if isinstance(fit, ScalefitError):
                continue
            if fit.uncertainty.dof <= 0:
                continue
            x, y = curve.x[k:], curve.y[k:]
            distance = np.log(x / series.x[-1])
            with np.errstate(all="ignore"):
                estimate = fit.value(x)
                inside: dict[float, list[np.ndarray]] = {0.8: [], 0.95: []}
                for level, rows in inside.items():
                    ends = fit.band((x,), level, "run")
                    for tau in TAUS:
                        low, high = widened(fit, estimate, ends, drift(fit, (x,), tau), level)
                        rows.append((low <= y) & (y <= high))
            for j in range(x.size):
                out.append(
                    Miss(
                        float(np.exp(distance[j])),
                        {q: np.array([r[j] for r in rows]) for q, rows in inside.items()},
                    )
                )
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=30)
    most = parser.parse_args().curves
    for law in (*FALLING, *RISING):
        falls = law in FALLING
        per = {}
        for family in families(LOSSES if falls else QUALITY):
            missed = misses(family, law, most)
            if len(missed) >= 20:
                per[family.name] = missed
        print(f"\n## {law}: TAU {TAU[falls]} ships; {len(per)} families")
        print(
            "| TAU | "
            + " | ".join(f"{b}, {q:.0%}" for b in ("≤ 2×", "2–10×", "> 10×") for q in (0.8, 0.95))
            + " |"
        )
        for j, tau in enumerate(TAUS):
            cells = []
            for low, high in ((1, 2), (2, 10), (10, np.inf)):
                for q in (0.8, 0.95):
                    rates = [
                        np.mean([m.inside[q][j] for m in rows if low < m.distance <= high])
                        for rows in per.values()
                        if sum(low < m.distance <= high for m in rows) >= 10
                    ]
                    cells.append(f"{np.mean(rates):.2f}" if rates else "–")
            print(f"| {tau} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
