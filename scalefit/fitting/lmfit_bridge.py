"""lmfit does what it does best: models, expressions, ``conf_interval``, ``emcee``.

The library is loaded on first use only: it takes longer to import than many a fit takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scalefit.errors import DomainError, LawError
from scalefit.fitting.solve import solve
from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient
from scalefit.types import Floats

if TYPE_CHECKING:
    import lmfit

    from scalefit.fitting.result import Fit

RANDOM_STARTS = 64


def model_of(law: Law) -> lmfit.Model:
    """Return an ``lmfit.Model`` in the law's quoted parameters, with bounds and ``guess``.

    Where these hold at a reference that is not set yet, the reference is a parameter that does not vary.
    """
    import lmfit

    names = (*law.parameters, *_open_reference(law))
    signature = ", ".join((*law.inputs, *names))
    # lmfit reads a function's argument names, so the function is made with the law's own.
    namespace: dict[str, Any] = {"evaluate": partial(_evaluate, law, names)}
    source = f"lambda {signature}: evaluate(({', '.join(law.inputs)},), ({', '.join(names)},))"
    model = lmfit.Model(eval(source, namespace), independent_vars=list(law.inputs), name=law.name)
    for name in law.parameters:
        model.set_param_hint(name, **_hint(law, name))
    for name in _open_reference(law):
        model.set_param_hint(name, vary=False)
    model.guess = partial(_guess, law, model)
    return model


def _open_reference(law: Law) -> tuple[str, ...]:
    """Name the constant at which quoted parameters hold, where it is still to be chosen."""
    return () if law.reference is None or law.reference in law.constants else (law.reference,)


def _evaluate(
    law: Law, names: tuple[str, ...], inputs: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    with np.errstate(all="ignore"):
        return law(*inputs, **dict(zip(names, params, strict=True)))


def _hint(law: Law, name: str) -> dict[str, float]:
    for part in law.coefficients:
        if part.name == name:
            return {k: v for k, v in (("min", part.lower), ("max", part.upper)) if np.isfinite(v)}
    for shape in law.shapes:
        if shape.name == name and not callable(shape.span):
            return {"min": shape.span[0]}
    return {"min": 0.0} if law.coefficients and law.coefficients[-1].lower == 0 else {}


def _guess(law: Law, model: lmfit.Model, data: Any, **inputs: Any) -> lmfit.Parameters:
    """Parameters at our optimum for this data: the best guess there is."""
    solution = solve(
        law, tuple(np.asarray(inputs[name], dtype=float) for name in law.inputs), np.asarray(data)
    )
    _refuse_infinite(law, solution.params)
    constants = solution.problem.law.constants
    reference = {name: constants[name] for name in _open_reference(law)}
    return model.make_params(**solution.params, **reference)


def _refuse_infinite(law: Law, params: dict[str, float]) -> None:
    """Say what lmfit cannot hold."""
    lost = [name for name, value in params.items() if not np.isfinite(value)]
    if lost:
        raise DomainError(
            f"{' and '.join(lost)} of law {law.name!r} is not finite at the optimum, and lmfit holds "
            "finite numbers only: the data do not fix it; take a law with fewer parameters"
        )


def result_of(fit: Fit) -> lmfit.model.ModelResult:
    """Return a ``ModelResult`` that starts, and under squared loss stays, at the fit's optimum.

    Raises DomainError: a parameter is infinite there, as β of the log-law where D0 → 0.
    """
    _refuse_infinite(fit.law, fit.params)
    model = model_of(fit.law)
    inputs = dict(zip(fit.law.inputs, fit.points.inputs, strict=True))
    scale = fit.solution.problem.scale
    weights = np.ones_like(fit.points.y) if scale is None else 1 / scale
    if fit.solution.problem.objective.residual == "log":
        weights = weights / fit.solution.fitted
    params = model.make_params(**fit.params)
    return model.fit(fit.points.y, params, weights=weights, **inputs)


def law_of_function(function: Callable[..., Any], inputs: Sequence[str] | None = None) -> Law:
    """Make a law of a bare function ``f(x, a, b)``: started by lmfit from many points.

    ``inputs`` names the arguments that are inputs, where there are more than the first.

    Raises LawError: the function's arguments do not tell an input and parameters apart.
    """
    import lmfit

    try:
        model = lmfit.Model(function, independent_vars=list(inputs) if inputs else None)
    except (ValueError, TypeError) as error:
        raise LawError(f"{function!r} cannot serve as a law: {error}; write f(x, a, b)") from None
    taken, names = tuple(model.independent_vars), tuple(model.param_names)
    if not names:
        raise LawError(f"{function!r} has no parameters after its input; write f(x, a, b)")
    hints = inspect.signature(function).parameters
    defaults = [
        hints[n].default if hints[n].default is not inspect.Parameter.empty else np.nan
        for n in names
    ]
    return Law(
        name=getattr(function, "__name__", "function").strip("<>"),
        formula=f"{getattr(function, '__name__', 'f')}({', '.join((*taken, *names))})",
        inputs=taken,
        coefficients=tuple(Coefficient(name) for name in names),
        function=function,
        starts=partial(_multistart, model, np.array(defaults, dtype=float)),
        source="a function of the user's, started by lmfit from many points",
    )


def _multistart(
    model: lmfit.Model, defaults: Floats, inputs: tuple[Floats, ...], y: Floats
) -> Floats:
    """Best ends of lmfit fits from log-uniform starts of both signs."""
    rng = np.random.default_rng(0)
    size = 10 ** rng.uniform(-3, 3, (RANDOM_STARTS, defaults.size)) * rng.choice(
        [-1.0, 1.0], (RANDOM_STARTS, defaults.size), p=[0.25, 0.75]
    )
    size[0] = np.where(np.isfinite(defaults), defaults, 1.0)
    named = dict(zip(model.independent_vars, inputs, strict=True))
    ends = []
    for start in size:
        params = model.make_params(**dict(zip(model.param_names, start, strict=True)))
        with np.errstate(all="ignore"):
            try:
                done = model.fit(y, params, method="least_squares", nan_policy="raise", **named)
            except ValueError:
                continue
        ends.append((done.chisqr, [done.params[n].value for n in model.param_names]))
    if not ends:
        raise LawError(
            "the function gave no finite values from any of the starts; check its domain"
        )
    ends.sort(key=lambda e: e[0])
    return np.array([values for _, values in ends[:4]])
