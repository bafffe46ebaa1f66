"""Tables with a known truth."""

import numpy as np
import pandas as pd
import pytest

SIZES = np.geomspace(1e6, 1e9, 6)


@pytest.fixture
def make_table():
    """Build a long-enough wide frame: means by size, P x F runs, seed SDs, cross-entropy that falls."""

    def build(means, runs=3, finetunings=3, seed=0, sd=(0.25, 0.25), sizes=None, **columns):
        rng = np.random.default_rng(seed)
        sizes = SIZES[: len(means)] if sizes is None else np.asarray(sizes)
        loss = 3 * (sizes / 1e6) ** -0.05
        rows = []
        for k, size in enumerate(sizes):
            for p in range(runs):
                run, luck = sd[0] * rng.normal(), 0.01 * rng.normal()
                rows += [
                    {
                        "pretrain_tokens": size,
                        "pretrain_seed": p,
                        "finetune_seed": f,
                        "bleu": means[k] + run + sd[1] * rng.normal(),
                        "cross_entropy": loss[k] + luck + 0.006 * rng.normal(),
                        **columns,
                    }
                    for f in range(finetunings)
                ]
        return pd.DataFrame(rows)

    return build


RISING = (20.0, 23.0, 25.0, 26.5, 27.5, 28.3)
FALLING = (20.0, 23.0, 25.0, 26.0, 26.5, 25.0)
WAVES = (20.0, 24.0, 22.0, 25.0, 21.0, 24.0)
FLAT_END = (20.0, 23.0, 25.0, 26.0, 26.0, 26.0)


@pytest.fixture
def shapes():
    return {"rising": RISING, "falling": FALLING, "waves": WAVES, "flat_end": FLAT_END}
