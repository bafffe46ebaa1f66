"""What a curve more costs where many are asked at once: calls of functions, which no load of the machine moves.

A call of numpy costs more than the arithmetic of one curve, so whoever falls back to one curve at a time shows here.
The bounds are half as much again as what was counted when they were written: lower one where you make it cheaper.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import scalefit as sf

FEW, MANY = 32, 64  # forecasts go by 32
SIZES = np.geomspace(1e6, 1e9, 8)
Columns = Mapping[str, Any]


def curves(count: int, **metrics: Callable[[Any, Any], Any]) -> Columns:
    """Return so many corpora, each with a curve of every metric: a function of scale (C, 1) and noise (C, 8)."""
    rng = np.random.default_rng(0)
    scale, noise = rng.uniform(0.8, 1.2, (MANY, 1)), rng.normal(0, 1, (MANY, SIZES.size))
    columns = {name: of(scale, noise)[:count].ravel() for name, of in metrics.items()}
    names = np.repeat(np.arange(count), SIZES.size).astype(str)
    return {"corpus": names, "pretrain_tokens": np.tile(SIZES, count), **columns}


def bleu(scale: Any, noise: Any) -> Any:
    return 30 - 200 * scale * SIZES**-0.25 + 0.3 * noise


def loss(scale: Any, noise: Any) -> Any:
    return 2 + 60 * scale * SIZES**-0.3 + 0.01 * noise


def accuracy(scale: Any, noise: Any) -> Any:
    return np.clip(bleu(scale, noise) / 40, 0.01, 0.99)


def counted(ask: Callable[[], object]) -> Counter[str]:
    """Return how often each function was called, those of C by one name."""
    calls: Counter[str] = Counter()

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls["(in C)"] += 1

    sys.setprofile(count)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return calls


def more(ask: Callable[[Columns], object], **metrics: Callable[[Any, Any], Any]) -> Counter[str]:
    """Return the calls that MANY curves need beyond those of FEW."""
    few, many = curves(FEW, **metrics), curves(MANY, **metrics)
    ask(many)  # what is found once for all tables
    calls = counted(lambda: ask(many))
    calls.subtract(counted(lambda: ask(few)))
    return calls


BY = ["corpus"]
ASKED: dict[str, tuple[float, Callable[[Columns], object], dict[str, Any]]] = {
    "log fits": (280, lambda t: sf.fit_each(t, "bleu", "log", by=BY), {"bleu": bleu}),
    "intervals": (1050, lambda t: sf.fit_each(t, "bleu", "log", by=BY).rows(), {"bleu": bleu}),
    "power": (800, lambda t: sf.fit_each(t, "loss", "power", by=BY).rows(), {"loss": loss}),
    "BLEU": (1650, lambda t: sf.forecast(t, at=1e10, by=BY), {"bleu": bleu}),
    "loss": (2400, lambda t: sf.forecast(t, "loss", at=1e10, by=BY), {"loss": loss}),
    "accuracy": (3700, lambda t: sf.forecast(t, "acc", at=1e10, by=BY), {"acc": accuracy}),
    "alignment": (4600, lambda t: sf.align(t, by=BY), {"bleu": bleu, "cross_entropy": loss}),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_curve_more_costs_few_calls(name: str) -> None:
    most, ask, metrics = ASKED[name]
    a_curve = more(ask, **metrics).total() / (MANY - FEW)
    assert 0 < a_curve < most


def test_what_curves_of_the_same_sizes_share_is_found_once() -> None:
    """Quantiles of ten thousand simulated curves, decompositions of thousands of small matrices."""
    _, ask, metrics = ASKED["alignment"]
    calls = more(ask, **metrics)
    assert not {name: calls[name] for name in ("quantile", "svd", "qr", "_drawn") if calls[name]}
