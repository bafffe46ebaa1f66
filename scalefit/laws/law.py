"""What a scaling law is: a frozen value made of plain functions; and its formula with the numbers in it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scalefit.errors import LawError
from scalefit.laws.parts import Coefficient, Role, Shape, Span, Special
from scalefit.result import Loaders, alike
from scalefit.types import Floats, Mask
from scalefit.units import format_count, short

if TYPE_CHECKING:
    import lmfit

Basis = tuple[Any, ...]
SHARE_SLACK = 0.005  # shares printed with two digits


@dataclass(frozen=True)
class Law:
    """A scaling law: ``link⁻¹(Σ_j c_j · φ_j(inputs; shapes))``, or any function with its starts.

    A *separable* law gives ``basis(*inputs, *shapes, **constants)``, a tuple of one column
    φ_j per coefficient; all arguments broadcast. From it the solver finds the global optimum
    without a start. ``slopes(columns, *inputs, *shapes, **constants)`` is the derivative of these
    columns, a tuple over shapes of tuples over columns; without it, central differences serve. A law
    that is not separable gives ``function`` (coefficients as further arguments) and
    ``starts(inputs, values)``, an array of starting points.

    Where the solver's coordinates are not the ones people quote, ``report`` turns the former
    into the latter (a dictionary), ``unreport`` back, and ``reported`` names them in order;
    :meth:`quoting` makes all three where they differ in units alone.

    Parameters
    ----------
    name, formula, source : what it is called, what it says, and the paper and equation it comes from.
    inputs : names of its inputs, in the order that ``basis`` takes them.
    coefficients, shapes : the parameters. Together, in this order, they are the solver's coordinates ``theta``.
    link : {"identity", "log"}; with ``"log"`` the sum is the logarithm of the value.
    constants : numbers that are not fitted; ``anchor(*inputs)`` supplies those that the data choose.
    reference : the constant at which quoted parameters hold (``s`` of the log-law is quality at ``D_ref``).
    inverse : ``inverse(value, *theta, **constants)``: the input of a one-input law at which the value is reached.
    falls : true for a law that can only fall with its first input, False if it can only rise.
    domain : ``domain(*theta, **constants)``: the lowest and highest first input at which the law has a value; ends
        excluded. Without it, all above 0.
    takes : {"positive", "zero", "any", "share"}; which inputs it takes: most laws take logarithms of them; with
        ``"zero"`` rows at 0 lie on the curve; ``"share"`` says that they are shares of a whole and sum to one.
    sizes : quoted parameters in the unit of the first input: they are written as counts.
    limit : the formula where quoted parameters have gone to infinity, in derived numbers.
    special : the laws that this one contains, as quoted parameters that turn it into them: it never fits worse.

    Examples
    --------
    >>> import numpy as np
    >>> import scalefit as sf
    >>> line = sf.Law(
    ...     name="line",
    ...     formula="c + m·ln x",
    ...     coefficients=(sf.Coefficient("c"), sf.Coefficient("m", role="scale")),
    ...     basis=lambda x: (1.0, np.log(x)),
    ... )
    >>> float(line(np.e, c=1.0, m=2.0))
    3.0
    """

    name: str
    formula: str
    inputs: tuple[str, ...] = ("x",)
    coefficients: tuple[Coefficient, ...] = ()
    shapes: tuple[Shape, ...] = ()
    basis: Callable[..., Basis] | None = None
    slopes: Callable[..., tuple[Basis, ...]] | None = None
    function: Callable[..., Any] | None = None
    starts: Callable[[tuple[Floats, ...], Floats], Floats] | None = None
    link: Literal["identity", "log"] = "identity"
    constants: Mapping[str, float] = field(default_factory=dict)
    reference: str | None = None
    anchor: Callable[..., Mapping[str, float]] | None = None
    report: Callable[..., dict[str, Any]] | None = None
    unreport: Callable[..., tuple[Any, ...]] | None = None
    reported: tuple[str, ...] = ()
    derive: Callable[..., dict[str, Any]] | None = None
    inverse: Callable[..., Any] | None = None
    falls: bool | None = None
    domain: Callable[..., Span] | None = None
    takes: Literal["positive", "zero", "any", "share"] = "positive"
    special: tuple[Special, ...] = ()
    sizes: tuple[str, ...] = ()
    limit: str = ""
    source: str = ""

    def __eq__(self, other: object) -> bool:
        """Whether both are the same law at the same constants; functions that were sent count by their code."""
        return alike(self, other)

    def __post_init__(self) -> None:
        if (self.basis is None) == (self.function is None):
            raise LawError(
                f"law {self.name!r} needs exactly one of basis= (separable) and function=; "
                "give basis= where the law is a sum of coefficients times columns"
            )
        if self.function is not None and self.starts is None:
            raise LawError(
                f"law {self.name!r} is not separable, so it must bring starts=: a function of "
                "(inputs, values) that returns starting points, one a row"
            )

    @property
    def separable(self) -> bool:
        """Whether coefficients can be solved exactly once the shapes are known."""
        return self.basis is not None

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the solver's coordinates: coefficients, then shapes."""
        names = [c.name for c in self.coefficients]
        return (*names, *(s.name for s in self.shapes))

    def named(self, role: Role) -> str | None:
        """Return the name of the coordinate with this role, or None: a law is asked, never a letter."""
        parts: tuple[Coefficient | Shape, ...] = (*self.coefficients, *self.shapes)
        return next((part.name for part in parts if part.role == role), None)

    def quoting(self, **quoted: str | tuple[str, Mapping[str, str | float]]) -> Law:
        """Return the law with the parameters that people quote, each a coordinate, in order.

        ``A=("a", {"x_ref": "alpha"})`` is ``a`` in other units, a·x_ref^alpha; a power may be a number too, or a shape
        with its sign turned, ``"-g"``. The way back is made of the same, so that the two cannot part.

        Examples
        --------
        >>> import scalefit as sf
        >>> power = sf.LAWS["power"].quoting(E="E", gap=("a", {"x_ref": "alpha"}), slope="alpha")
        >>> power.parameters, round(float(power(1e9, E=1.7, gap=400.0, slope=0.3, x_ref=1e8)), 3)
        (('E', 'gap', 'slope'), 2.498)
        """
        told = {n: (q, {}) if isinstance(q, str) else q for n, q in quoted.items()}
        home = {of: name for name, (of, _) in told.items()}
        coordinates = self.coordinates

        def scaled(value: Any, by: Mapping[str, Any], units: Mapping[str, Any], sign: int) -> Any:
            for unit, power in units.items():
                turned = isinstance(power, str) and power.startswith("-")
                to = by[power.removeprefix("-")] if isinstance(power, str) else power
                value = value * by[unit] ** (-sign * to if turned else sign * to)
            return value

        def report(*theta: Any, **constants: Any) -> dict[str, Any]:
            by = dict(zip(coordinates, theta, strict=True)) | constants
            return {n: scaled(by[of], by, units, 1) for n, (of, units) in told.items()}

        def unreport(*values: Any, **constants: Any) -> tuple[Any, ...]:
            given = dict(zip(told, values, strict=True))
            by = {of: given[name] for of, name in home.items()} | constants
            return tuple(scaled(by[c], by, told[home[c]][1], -1) for c in coordinates)

        return replace(self, reported=tuple(told), report=report, unreport=unreport)

    def within(self, bottom: float, top: float) -> Law:
        """Return the law with its floor and ceiling held inside a metric's range."""
        kept = tuple(
            replace(c, lower=max(c.lower, bottom), upper=min(c.upper, top))
            if c.role in ("floor", "ceiling")
            else c
            for c in self.coefficients
        )
        return self if kept == self.coefficients else replace(self, coefficients=kept)

    def reach(self, theta: Floats) -> Span:
        """Lowest and highest first input at which the law has a value, ends excluded."""
        if self.domain is None:
            return 0.0, np.inf
        low, high = self.domain(*theta.tolist(), **self.constants)
        return float(low), float(high)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters as people quote them."""
        return self.reported or self.coordinates

    def check_shares(self, inputs: tuple[Floats, ...]) -> None:
        """Raise where the shares that a mixing law takes are below 0 or do not sum to one.

        Raises LawError: naming the first such point and its sum.
        """
        total = np.sum(inputs, axis=0)
        wrong = (np.abs(total - 1) > SHARE_SLACK) | (np.min(inputs, axis=0) < 0)
        if not wrong.any():
            return
        at = int(np.flatnonzero(wrong)[0])
        shown = ", ".join(
            f"{name} = {float(x[at]):.4g}" for name, x in zip(self.inputs, inputs, strict=True)
        )
        percent = "; per cent? divide by 100" if abs(total[at] - 100) < 1 else ""
        raise LawError(
            f"law {self.name!r} takes shares of a whole; found {shown}, which sum to {float(total[at]):.4g} "
            f"at point {at}; needed shares from 0 that sum to 1. Try: divide each row by its sum, or add "
            f"the source that is missing{percent}"
        )

    def anchored(self, inputs: tuple[Floats, ...]) -> Law:
        """Return the law with every constant set, from the data where none was given."""
        return self if self.anchor is None else self.at({**self.anchor(*inputs), **self.constants})

    def at(self, constants: Mapping[str, float]) -> Law:
        """Return the law at these constants: ``dataclasses.replace``, at a tenth of its cost."""
        moved: Law = object.__new__(type(self))
        moved.__dict__.update(self.__dict__, constants=constants)
        return moved

    def limits(self, inputs: tuple[Floats, ...]) -> list[Span]:
        """Lower and upper bound of each coordinate of theta."""
        spans = [(c.lower, c.upper) for c in self.coefficients]
        return spans + [s.bounds(inputs, self.constants) for s in self.shapes]

    def bounds(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Lower and upper bounds of theta, each of shape (p,)."""
        low, high = np.array(self.limits(inputs), dtype=float).T
        return low, high

    def columns(self, inputs: tuple[Floats, ...], shapes: tuple[Any, ...]) -> Basis:
        """Basis columns, each broadcast against inputs and shapes."""
        assert self.basis is not None
        return self.basis(*inputs, *shapes, **self.constants)

    def value(self, inputs: tuple[Floats, ...], theta: Floats) -> Floats:
        """Value at ``inputs`` (each of shape (n,) or (..., n)) for ``theta`` of shape (..., p): shape (..., n)."""
        split = _split(theta)
        if self.function is not None:
            return np.asarray(self.function(*inputs, *split, **self.constants), dtype=float)
        k = len(self.coefficients)
        return self._at_points(combine(split[:k], self.columns(inputs, split[k:])), inputs, theta)

    def _at_points(self, total: Any, inputs: tuple[Floats, ...], theta: Floats) -> Floats:
        """Value at every point, also of a law whose columns do not depend on the inputs."""
        value, shape = self.unlinked(total), (*theta.shape[:-1], inputs[0].shape[-1])
        return value if value.shape == shape else np.broadcast_to(value, shape).copy()

    def unlinked(self, total: Any) -> Floats:
        """Value of the law from the sum of its columns."""
        return np.exp(total) if self.link == "log" else np.asarray(total, dtype=float)

    def jacobian(self, inputs: tuple[Floats, ...], theta: Floats) -> tuple[Floats, Floats]:
        """Value (..., n) and its derivative by theta (..., p, n)."""
        if self.basis is None or self.slopes is None:
            return self.value(inputs, theta), _central_differences(self, inputs, theta)
        k, split = len(self.coefficients), _split(theta)
        columns = self.columns(inputs, split[k:])
        slopes = self.slopes(columns, *inputs, *split[k:], **self.constants)
        out = np.empty((*theta.shape, inputs[0].shape[-1]))
        for j, phi in enumerate(columns):
            out[..., j, :] = phi
        for m, row in enumerate(slopes, start=k):
            out[..., m, :] = combine(split[:k], row)
        value = self._at_points(combine(split[:k], columns), inputs, theta)
        if self.link == "log":
            out *= value[..., None, :]
        return value, out

    def params(self, theta: Floats) -> dict[str, Any]:
        """Parameters as people quote them, from theta of shape (..., p)."""
        split = tuple(theta[..., j] for j in range(theta.shape[-1]))
        if self.report is None:
            return dict(zip(self.coordinates, split, strict=True))
        return self.report(*split, **self.constants)

    def moved(self, theta: Floats, j: int, low: Any, high: Any) -> dict[str, Mask]:
        """Say of each quoted parameter whether it depends on coordinate ``j``, at theta (..., p), between its ends."""
        elsewhere = theta.copy()
        with np.errstate(all="ignore"):
            known = np.isfinite(high - low)
            elsewhere[..., j] = np.where(known, low + 0.3 * (high - low), theta[..., j] + 1.0)
            before, after = self.params(theta), self.params(elsewhere)
            return {n: ~np.isclose(after[n], v, rtol=1e-9, atol=1e-8) for n, v in before.items()}

    def theta(self, params: Mapping[str, Any]) -> Floats:
        """Solver's coordinates from the parameters as people quote them."""
        missing = [name for name in self.parameters if name not in params]
        if missing:
            raise LawError(
                f"law {self.name!r} needs {', '.join(self.parameters)}; missing: {', '.join(missing)}"
            )
        values = [params[name] for name in self.parameters]
        if self.unreport is not None:
            values = list(self.unreport(*values, **self.constants))
        return np.stack(np.broadcast_arrays(*values), axis=-1).astype(float)

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        """Value of the law: ``power(1e9, E=1.7, A=400.0, alpha=0.3)``; constants may be given too."""
        constants = {k: v for k, v in params.items() if k not in self.parameters}
        law = self.at({**self.constants, **constants})
        if self.reference and self.reference not in law.constants:
            raise LawError(
                f"parameters of the law {self.name!r} hold at {self.reference}; give {self.reference}=..."
            )
        arrays = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in inputs))
        flat = tuple(a.reshape(-1) for a in arrays)
        law = law.anchored(flat)
        return law.value(flat, law.theta(params)).reshape(arrays[0].shape)[()]

    def to_lmfit(self) -> lmfit.Model:
        """Return this law as an ``lmfit.Model`` with bounds and a ``guess``."""
        assert Loaders.lmfit is not None  # scalefit/__init__.py hands it
        model: lmfit.Model = Loaders.lmfit().model_of(self)
        return model

    def __repr__(self) -> str:
        return f"Law({self.name}: {self.formula})"


def constants_of(laws: Sequence[Law]) -> dict[str, Any]:
    """Constants of laws that differ in nothing else, (B, 1) each."""
    return {name: np.array([[law.constants[name]] for law in laws]) for name in laws[0].constants}


def one_law(laws: Sequence[Law]) -> Law:
    """Return laws that differ in their constants only as one, these (B, 1) each; a law alone as it is."""
    # One of somebody's own may want its constants as numbers.
    return laws[0] if len(laws) == 1 else laws[0].at(constants_of(laws))


def _split(theta: Floats) -> tuple[Any, ...]:
    """One number a parameter, or one view (..., 1) with an axis for the points."""
    if theta.ndim == 1:
        return tuple(theta.tolist())
    return tuple(theta[..., j, None] for j in range(theta.shape[-1]))


def combine(coefficients: Iterable[Any], columns: Basis) -> Any:
    """Σ_j c_j · φ_j; a column that is the number 1 or 0 costs nothing."""
    total: Any = None
    for c, phi in zip(coefficients, columns, strict=True):
        if type(phi) is float and phi in (0.0, 1.0):
            if phi == 0.0:
                continue
            term = c
        else:
            term = c * phi
        total = term if total is None else total + term
    return 0.0 if total is None else total


def _central_differences(law: Law, inputs: tuple[Floats, ...], theta: Floats) -> Floats:
    """Return the derivative of a law that brings none, by central differences."""
    rows = []
    for j in range(theta.shape[-1]):
        # The cube root of rounding: shorter steps lose digits to it, longer ones to the curve's third derivative.
        step = 6e-6 * np.maximum(np.abs(theta[..., j]), 1e-3)
        up, down = theta.copy(), theta.copy()
        up[..., j] += step
        down[..., j] -= step
        rows.append((law.value(inputs, up) - law.value(inputs, down)) / (2 * step[..., None]))
    return np.stack(rows, axis=-2)


GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ"}
_NAME = re.compile(r"[A-Za-zα-ω]\w*")


def in_numbers(law: Law, params: Mapping[str, float]) -> str:
    """Return the formula with every parameter's number in its place; inputs stay letters.

    Parameters
    ----------
    law : its constants set; where a formula has two spellings (``=``), the first is taken.
    params : quoted parameters, and what is derived from them.

    Returns str: the law's ``limit`` where a number is not finite: then the law has gone over into another one.

    Examples
    --------
    >>> from scalefit import LAWS
    >>> in_numbers(LAWS["power"], {"E": 2.036, "A": 121.65, "alpha": 0.2988})
    '2.036 + 121.7·x^−0.2988'
    >>> in_numbers(LAWS["ceiling"], {"c": 40.0, "a": -3.0, "b": 0.5})
    '40 − (−3)·x^−0.5'
    """
    numbers = {**params, **law.constants}
    whole = all(_is_left(law, name, numbers[name]) for name in law.parameters)
    formula = law.formula.split("  =  ")[0] if whole else law.limit
    by_letter = {GREEK.get(name, name): name for name in numbers}

    def number(match: re.Match[str]) -> str:
        name = by_letter.get(match[0])
        return match[0] if name is None else written(law, name, numbers[name])

    return _NAME.sub(number, formula)


def _is_left(law: Law, name: str, value: float) -> bool:
    """Whether a parameter still has a number: a size that has gone to 0 left with the infinite ones."""
    return math.isfinite(value) and not (name in law.sizes and value == 0)


def written(law: Law, name: str, value: float) -> str:
    """Return a parameter's number: sizes as counts, negative ones in brackets."""
    text = count_or_number(law, name, value)
    return f"(−{text[1:]})" if text.startswith("-") else text


def count_or_number(law: Law, name: str, value: float) -> str:
    """Return a number as people write it: what has the unit of the input as a count.

    Examples
    --------
    >>> from scalefit import LAWS
    >>> count_or_number(LAWS["log"], "D_ref", 3e5), count_or_number(LAWS["power"], "A", 121651.0)
    ('300k', '121651')
    """
    a_size = name in law.sizes or name == law.reference
    return format_count(value) if a_size and abs(value) >= 1000 else short(value)
