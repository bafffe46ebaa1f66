"""Two power laws against each other: what finetuning gains, and what it loses again by overfitting."""

from __future__ import annotations

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

two_powers = Law(
    name="two_powers",
    formula="C + A·x^−a + G·x^g",
    coefficients=(
        Coefficient("C", 0.0, meaning="what neither part changes", role="floor"),
        Coefficient("fallen", 0.0, meaning="the falling part at the reference input", role="scale"),
        Coefficient("risen", 0.0, meaning="the rising part at the reference input"),
    ),
    shapes=(
        Shape(
            "a", (0.0, 5.0), "square", points=65, meaning="exponent of the fall", role="exponent"
        ),
        Shape("g", (0.0, 1.0), points=41, meaning="exponent of the rise"),
    ),
    basis=lambda x, a, g, x_ref: (1.0, decay(x, a, x_ref), decay(x, -g, x_ref)),
    slopes=lambda phi, x, a, g, x_ref: (
        (0.0, fall(phi[1], x, x_ref), 0.0),
        (0.0, 0.0, -fall(phi[2], x, x_ref)),
    ),
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("C", "A", "a", "G", "g"),
    report=lambda C, fallen, risen, a, g, x_ref: {
        "C": C,
        "A": fallen * x_ref**a,
        "a": a,
        "G": risen * x_ref**-g,
        "g": g,
    },
    unreport=lambda C, A, a, G, g, x_ref: (C, A * x_ref**-a, G * x_ref**g, a, g),
    special=(
        Special("power", lambda E, A, alpha: {"C": E, "A": A, "a": alpha, "G": 0.0, "g": 0.5}),
    ),
    source="Baek et al. 2026, arXiv 2603.16177 (The finetuner's fallacy), equation of the overfitting law",
)
