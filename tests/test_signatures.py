"""One meaning for one place: results first, then the metric, everything else by keyword."""

import inspect

import pytest

import scalefit as sf

DOORS = [
    name
    for name in sf.__all__
    if inspect.isfunction(getattr(sf, name))
    and next(iter(inspect.signature(getattr(sf, name)).parameters), "") == "data"
]
# What a door cannot be asked without may stand third: the law, the inputs, the scores, the file.
THIRD = {"law", "laws", "inputs", "output"}
OTHERS = {"as_table": (), "chain": ("steps",), "forecast_score": ("log",)}
OTHERS |= {"similarity_report": ("scores", "quality")}


@pytest.mark.parametrize("name", DOORS)
def test_results_then_metric_then_keywords(name):
    _, *rest = [
        p.name
        for p in inspect.signature(getattr(sf, name)).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if name in OTHERS:
        assert tuple(rest) == OTHERS[name]
        return
    assert rest[0] in ("metric", "quality")
    assert set(rest[1:]) <= THIRD
