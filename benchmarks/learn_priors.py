"""Learn the constants that ship from the public families of quality curves, and print them.

Run: SCALEFIT_SHARED=FOLDER python benchmarks/learn_priors.py   (forecast_data.py says what lies there)
The numbers belong into scalefit/forecasting/quality/prior.py; the product never runs this.
"""

from __future__ import annotations

import numpy as np
from quality_study import prior_of, tables


def main() -> None:
    """Print the prior that all families give, and what each left-out group changes."""
    every = tables()
    _show("all", every)
    for group in dict.fromkeys(t.group for t in every):
        _show(f"without {group}", [t for t in every if t.group != group])


def _show(name: str, learned: list) -> None:  # type: ignore[type-arg]
    prior = prior_of(learned)
    print(name)
    print("  weights ", {k: round(float(v), 2) for k, v in prior.weights.items()})
    print("  factors ", np.exp(prior.factors).round(3).tolist())
    print("  chance  ", prior.chance.round(2).tolist(), flush=True)


if __name__ == "__main__":
    main()
