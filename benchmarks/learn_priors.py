"""Learn the constants that ship from the public families of quality curves, and print them.

Run: SCALEFIT_SHARED=FOLDER python benchmarks/learn_priors.py [--left-out]
forecast_data.py says what lies in that folder. The numbers belong into forecasting/quality/learn.py; the
product never runs this.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from quality_study import Table, prior_of, tables


def main() -> None:
    """Print the prior that all families give, and, where asked, what each left-out group changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left-out", action="store_true")
    every = tables()
    show("all", every)
    if parser.parse_args().left_out:
        for group in dict.fromkeys(t.group for t in every):
            show(f"without {group}", [t for t in every if t.group != group])


def show(name: str, learned: Sequence[Table]) -> None:
    """Print what these tables give."""
    prior = prior_of(learned)
    print(name)
    print("  weights ", {k: round(float(v), 2) for k, v in prior.weights.items()})
    print("  factors ", np.exp(prior.factors).round(3).tolist())
    print("  chance  ", prior.chance.round(2).tolist(), flush=True)


if __name__ == "__main__":
    main()
