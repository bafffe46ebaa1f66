"""A fit without each point is the fit one would make without it."""

import numpy as np
import pytest

import scalefit as sf


@pytest.mark.parametrize("law", ["power", "log", "ceiling"])
def test_every_row_is_the_fit_without_that_point(law, curve, sizes):
    bleu = np.array([5.0, 8.7, 12.9, 16.0, 20.4, 22.7, 26.1, 27.9])
    metric = "cross_entropy" if law == "power" else "bleu"
    values = 30 - bleu if law == "power" else bleu
    influence = sf.fit(curve(values, metric=metric), metric, law).influence()
    for i in range(sizes.size):
        keep = np.arange(sizes.size) != i
        other = sf.fit(curve(values[keep], sizes[keep], metric), metric, law)
        assert influence.without[i] == pytest.approx(float(other.value(sizes[i])[0]), rel=2e-3)


def test_for_a_straight_line_the_distance_is_cooks_own_formula(curve, sizes):
    x, y = np.log(sizes), np.array([5.0, 8.7, 12.9, 16.0, 20.4, 22.7, 26.1, 35.0])
    line = sf.Law(
        name="line",
        formula="c + m·ln x",
        coefficients=(sf.Coefficient("c"), sf.Coefficient("m", role="scale")),
        basis=lambda x: (1.0, np.log(x)),
    )
    influence = sf.fit(curve(y, metric="bleu"), "bleu", line, residual="linear").influence()
    design = np.column_stack([np.ones_like(x), x])
    hat = design @ np.linalg.solve(design.T @ design, design.T)
    left, leverage = y - hat @ y, np.diag(hat)
    cook = left**2 / (2 * (left @ left) / 6) * leverage / (1 - leverage) ** 2
    np.testing.assert_allclose(influence.distance, cook, rtol=1e-6)
    assert influence.heaviest == 7
    assert "1B" in influence.verdict


def test_checkpoints_of_one_run_are_left_out_together():
    sizes = [1e6, 4e6, 16e6, 64e6, 256e6] * 3
    runs = [name for name in "abc" for _ in range(5)]
    bleu = np.tile([5.0, 9.1, 12.9, 17.0, 21.1], 3) + np.repeat([0.0, 0.1, 2.0], 5)
    table = {"pretrain_tokens": sizes, "pretrain_run": runs, "bleu": bleu}
    influence = sf.fit(table, "bleu", "log").influence()
    assert len(set(influence.left_out.tolist())) == 3
    heavy = influence.left_out == influence.left_out[influence.heaviest]
    assert set(influence.distance[heavy]) == {influence.distance.max()}
    assert influence.value[heavy].mean() == pytest.approx(bleu[10:].mean())
