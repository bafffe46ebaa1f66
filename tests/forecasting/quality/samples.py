"""Tables of quality curves: made up, with noise."""

import numpy as np

from scalefit.forecasting.series import Series


def curve(x, y, *, runs=1, seed_var=float("nan"), bottom=0.0, top=100.0):
    """A series; ``runs`` behind each mean."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return Series(x, y, np.full(x.size, runs), seed_var, bottom, top)


def saturating(seed, n_curves=12, n=8, noise=0.3, top=100.0):
    """Curves c - a * x^-b that differ in height and speed."""
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e6, 1e6 * 2.0 ** (n - 1), n)
    rows = []
    for _ in range(n_curves):
        ceiling, drop, power = rng.uniform(25, 40), rng.uniform(8, 20), rng.uniform(0.2, 0.6)
        y = ceiling - drop * (x / x[0]) ** -power + noise * rng.standard_normal(n)
        rows.append(curve(x, y * top / 100, top=top))
    return rows
