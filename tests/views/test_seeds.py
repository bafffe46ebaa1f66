"""The numbers drawn in pictures of seeds."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.views import plot_comparison, plot_variance


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rows = [
        {"corpus": c, "pretrain_tokens": 1e6, "pretrain_seed": p, "finetune_seed": f,
         "domain": d, "bleu": m + rng.normal(0, 1), "stderr": 0.5}
        for c, m in (("x", 20), ("y", 30))
        for p in range(3) for f in range(2) for d in ("in", "out")
    ]  # fmt: skip
    return sf.as_table(pd.DataFrame(rows))


def test_components_are_drawn_as_standard_deviations(table):
    found = sf.variance(table, metric="bleu")
    axes = plot_variance(found).axes[0]
    drawn = [float(x) for line in axes.lines for x in line.get_xdata() if line.get_marker() == "o"]
    assert drawn == pytest.approx([c.sd for part in found for c in part.components])
    assert "BLEU points" in axes.get_xlabel()


def test_differences_are_drawn_and_hollow_where_not_resolved(table):
    found = sf.compare_procedures(table, a="x", b="y", metric="bleu")
    axes = plot_comparison(found).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(d.get_xdata()[0]) for d in dots] == pytest.approx([c.difference for c in found])
    assert all(
        (d.get_markerfacecolor() == "white") != c.resolved for d, c in zip(dots, found, strict=True)
    )
    assert axes.get_xlabel().endswith("(right of 0: better)")
