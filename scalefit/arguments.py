"""Arguments of public functions: one that nobody gave, and words for one of another kind than is needed."""

import inspect
import re
import sys
from collections.abc import Mapping
from functools import wraps
from numbers import Integral, Real
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

from scalefit.errors import ArgumentError, ScalefitError

_LOOKED_AT = 20
"""Members of a list that are held against its type."""


class Unasked(str):
    """The metric of somebody who names none: where a table has it not, its only quality is meant, or its only loss."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return it as it is, so that a command line hands it on."""
        return self


BLEU, LOSS = Unasked("bleu"), Unasked("cross_entropy")


def explained(public: Any) -> Any:
    """Return a public function that blames the argument it failed at; all else as it is.

    Nothing is looked at before it fails, so that a right call costs nothing.

    Examples
    --------
    >>> def near(x: "float") -> "float": return x + 1.0
    >>> explained(near)("4B")
    Traceback (most recent call last):
        ...
    scalefit.errors.ArgumentError: near(x='4B'): needed x: float
    """
    if not isinstance(public, FunctionType):
        return public

    @wraps(public)
    def door(*args: Any, **named: Any) -> Any:
        try:
            return public(*args, **named)
        except (ScalefitError, OSError, ImportError, RuntimeError):
            raise
        except Exception as error:
            if (told := _misfit(public, args, named)) is None:
                raise
            raise ArgumentError(told) from error

    door.__module__ = "scalefit"  # where it is found again in another process
    return door


def _misfit(public: FunctionType, args: tuple[Any, ...], named: dict[str, Any]) -> str | None:
    """Name the first argument that is of no type of its annotation, with the line of the docstring on it."""
    signature = inspect.signature(public)
    try:
        given = signature.bind(*args, **named).arguments
    except TypeError:
        return None  # Python's own words name it
    for name, value in given.items():
        written = signature.parameters[name].annotation
        if not _fits(value, _meant(written, sys.modules[public.__module__])):
            line = re.search(rf"^ *(?:\w+, )*{name}(?:, \w+)* : (.+)$", public.__doc__ or "", re.M)
            # The first sentence, as it reads without the marks of a page.
            plain = re.sub(r":\w+:`~?\.?([^`]*)`|``([^`]*)``", r"\1\2", line[1]) if line else ""
            about = f" ({re.split(r'[.;] ', plain)[0].strip(' ;.')})" if line else ""
            shown = repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"
            return f"{public.__name__}({name}={shown}): needed {name}: {written}{about}"
    return None


def _meant(annotation: Any, module: Any) -> Any:
    """Return the types that an annotation names; Any where only a type checker knows them."""
    try:
        return (
            eval(annotation, vars(module)) if isinstance(annotation, str) else annotation
        )  # our own text
    except NameError:
        return Any


def _fits(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type, its members' types included."""
    outer, inner = get_origin(kind), get_args(kind)
    if kind is Any or kind is inspect.Parameter.empty:
        return True
    if outer in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if outer is Literal:
        return isinstance(value, str | NoneType) and value in inner
    if kind in (float, int):
        return isinstance(value, Real if kind is float else Integral) and not isinstance(
            value, bool
        )
    if not isinstance(outer or kind, type | NoneType):
        return True
    return _is_of(value, NoneType if kind is None else outer or kind, inner)


def _is_of(value: Any, kind: type, members: tuple[Any, ...]) -> bool:
    """Return whether a value is of a class, and what it holds of the classes of its members; arrays are sequences."""
    array = hasattr(value, "dtype") and hasattr(value, "__len__")
    if kind.__name__ == "ndarray":
        return array or isinstance(value, list | tuple)
    if not isinstance(value, kind):
        return array and kind.__name__ in ("Sequence", "Iterable", "Collection")
    if not members or not hasattr(value, "__len__"):
        return True
    if isinstance(value, Mapping):
        return all(_fits(k, members[0]) and _fits(v, members[1]) for k, v in value.items())
    return all(_fits(one, members[0]) for one in list(cast("Any", value))[:_LOOKED_AT])
