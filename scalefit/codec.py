"""Frozen dataclasses to plain JSON and back, by the types of their fields; no name in a file is ever imported or run.

Every number comes back bit for bit. Infinity is ``"inf"`` or ``"-inf"`` and nan is null, as in
:func:`scalefit.result.plain`; where null already means "missing", nan is ``"nan"``. What stands twice is written once:
``{"same as": "solution.problem"}``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import FormatError

Hint: TypeAlias = Any
SAME_AS = "same as"
ODD = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
DTYPES = ("float64", "float32", "int64", "int32", "bool", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Custom:
    """How one class is written and read where its fields alone do not do.

    ``write(value, plain)`` may change the fields' JSON, ``read(made, stored)`` checks or changes what was made.
    With ``whole``, the two do all the work: ``read(None, stored)`` makes the value.
    """

    write: Callable[[Any, dict[str, Any]], dict[str, Any]]
    read: Callable[[Any, Mapping[str, Any]], Any]
    whole: bool = False


@dataclass
class Codec:
    """One document's worth of encoding or decoding; remembers what it has seen, to write it once."""

    customs: Mapping[type, Custom] = field(default_factory=dict)
    seen: dict[Any, Any] = field(default_factory=dict)

    # --- to JSON ------------------------------------------------------------------------------

    def encode(self, value: Any, hint: Hint, at: str = "") -> Any:
        """Return a value of a type as JSON has it.

        Raises TypeError: the value has no place in a file: a function, a table.
        """
        kind = kind_of(hint)
        if is_dataclass(kind) or kind is np.ndarray:
            return self._once(value, hint, at)
        if kind in (Union, types.UnionType):
            return self._encode_union(value, hint, at)
        if kind in (tuple, Sequence):
            return [
                self.encode(v, h, f"{at}.{i}")
                for i, (v, h) in enumerate(zip(value, _of_tuple(hint, len(value)), strict=True))
            ]
        if kind is list:
            return [self.encode(v, get_args(hint)[0], f"{at}.{i}") for i, v in enumerate(value)]
        if _is_mapping(kind):
            return self._encode_mapping(value, hint, at)
        if _is_enum(kind):
            return value.value
        if kind is float:
            return _number(value)
        if kind in (str, int, bool, Literal):
            return value.item() if isinstance(value, np.generic) else value
        if kind in (Any, Hashable, object):
            return free(value)
        raise TypeError(f"{at}: a {hint} has no place in a file")

    def _once(self, value: Any, hint: Hint, at: str) -> Any:
        """Write what was already written as a reference to its place."""
        if id(value) in self.seen:
            return {SAME_AS: self.seen[id(value)][0]}
        self.seen[id(value)] = at, value  # kept, so that its id is not given to another
        return _array(value, hint) if isinstance(value, np.ndarray) else self._object(value, at)

    def _object(self, value: Any, at: str) -> dict[str, Any]:
        custom = self.customs.get(type(value))
        if custom is not None and custom.whole:
            return custom.write(value, {})
        stored = {
            name: self.encode(getattr(value, name), hint, f"{at}.{name}".lstrip("."))
            for name, hint in _fields(value).items()
        }
        return stored if custom is None else custom.write(value, stored)

    def _encode_union(self, value: Any, hint: Hint, at: str) -> Any:
        if value is None:
            return None
        some = _alternatives(hint)
        if len(some) > 1:
            classes = [kind for kind in some if is_dataclass(kind)]
            if type(value) in classes:
                return {"kind": type(value).__name__, "value": self._once(value, type(value), at)}
            return free(value)
        plain = self.encode(value, some[0], at)
        return "nan" if plain is None else plain

    def _encode_mapping(self, value: Mapping[Any, Any], hint: Hint, at: str) -> Any:
        key, item = get_args(hint) or (Any, Any)
        if key is str:
            return {str(k): self.encode(v, item, f"{at}.{k}") for k, v in value.items()}
        return [
            [self.encode(k, key, f"{at}.{i}"), self.encode(v, item, f"{at}.{i}")]
            for i, (k, v) in enumerate(value.items())
        ]

    # --- from JSON ----------------------------------------------------------------------------

    def decode(self, stored: Any, hint: Hint, at: str = "") -> Any:
        """Return the value of a type that JSON holds.

        Raises FormatError: it holds something else; names the place.
        """
        kind = kind_of(hint)
        if is_dataclass(kind) or kind is np.ndarray:
            return self._known(stored, hint, at)
        if kind in (Union, types.UnionType):
            return self._decode_union(stored, hint, at)
        if kind in (tuple, Sequence):
            parts = _list(stored, at)
            hints = _of_tuple(hint, len(parts))
            needs(len(hints) == len(parts), at, f"{len(hints)} entries", len(parts))
            pairs = enumerate(zip(parts, hints, strict=True))
            return tuple(self.decode(part, one, f"{at}.{i}") for i, (part, one) in pairs)
        if kind is list:
            some = get_args(hint)[0]
            return [self.decode(v, some, f"{at}.{i}") for i, v in enumerate(_list(stored, at))]
        if _is_mapping(kind):
            return self._decode_mapping(stored, hint, at)
        if _is_enum(kind):
            words = [member.value for member in kind]
            needs(stored in words, at, f"one of {', '.join(map(str, words))}", stored)
            return kind(stored)
        if kind is float:
            return float_of(stored, at)
        if kind is Literal:
            needs(stored in get_args(hint), at, f"one of {get_args(hint)}", stored)
            return stored
        if kind in (str, int, bool):
            needs(type(stored) is kind, at, f"a {kind.__name__}", stored)
            return stored
        if kind in (Any, Hashable, object):
            return freed(stored, at)
        raise TypeError(f"{at}: a {hint} has no place in a file")

    def _known(self, stored: Any, hint: Hint, at: str) -> Any:
        if isinstance(stored, Mapping) and set(stored) == {SAME_AS}:
            place = stored[SAME_AS]
            needs(isinstance(place, str) and place in self.seen, at, "a place before it", place)
            return self.seen[place]
        kind = kind_of(hint)
        made = array_of(stored, hint, at) if kind is np.ndarray else self._made(stored, kind, at)
        needs(isinstance(made, kind), at, f"a {kind.__name__}", type(made).__name__)
        self.seen[at] = made
        return made

    def _made(self, stored: Any, kind: type, at: str) -> Any:
        needs(isinstance(stored, Mapping), at, f"a {kind.__name__}", stored)
        custom = self.customs.get(kind)
        if custom is not None and custom.whole:
            return custom.read(None, stored)
        hints = stored_fields(kind)
        # What came later has a default: a file from before is read as it was meant.
        later = {
            f.name for f in fields(kind) if (f.default, f.default_factory) != (MISSING, MISSING)
        }
        missing = [name for name in hints if name not in stored and name not in later]
        needs(not missing, at, f"all fields of a {kind.__name__}", f"no {', '.join(missing)}")
        values = {
            name: self.decode(stored[name], hint, f"{at}.{name}".lstrip("."))
            for name, hint in hints.items()
            if name in stored
        }
        kept = {name: values.pop(name) for name in kept_fields(kind)}
        made = kind(**values)
        made.__dict__.update(kept)  # as the cached properties would have, had they been asked
        return made if custom is None else custom.read(made, stored)

    def _decode_union(self, stored: Any, hint: Hint, at: str) -> Any:
        if stored is None and type(None) in get_args(hint):
            return None
        some = _alternatives(hint)
        if len(some) == 1:
            return self.decode(stored, some[0], at)
        if isinstance(stored, Mapping) and set(stored) == {"kind", "value"}:
            classes: dict[str, Any] = {k.__name__: k for k in some if isinstance(k, type)}
            needs(stored["kind"] in classes, at, f"one of {', '.join(classes)}", stored["kind"])
            return self._known(stored["value"], classes[stored["kind"]], at)
        return freed(stored, at)

    def _decode_mapping(self, stored: Any, hint: Hint, at: str) -> dict[Any, Any]:
        key, item = get_args(hint) or (Any, Any)
        if key is str:
            needs(isinstance(stored, Mapping), at, "names and values", stored)
            return {k: self.decode(v, item, f"{at}.{k}") for k, v in stored.items()}
        pairs = [_list(pair, at) for pair in _list(stored, at)]
        needs(all(len(pair) == 2 for pair in pairs), at, "pairs", stored)
        return {
            self.decode(k, key, f"{at}.{i}"): self.decode(v, item, f"{at}.{i}")
            for i, (k, v) in enumerate(pairs)
        }


def kind_of(hint: Hint) -> Any:
    """Return the class or form behind a type: ``tuple`` of ``tuple[float, ...]``."""
    origin: Any = get_origin(hint)
    return hint if origin is None else origin


@lru_cache(maxsize=256)
def stored_fields(kind: Any) -> dict[str, Hint]:
    """Return the types of a dataclass's fields by name; what ``repr`` leaves out is a cache and stays out of files."""
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind) if f.repr and f.init} | kept_fields(kind)


@lru_cache(maxsize=256)
def kept_fields(kind: Any) -> dict[str, Hint]:
    """Return the types of what a class computes when asked but keeps in files (``KEPT``): loading fits nothing."""
    computed = {name: getattr(kind, name).func for name in getattr(kind, "KEPT", ())}
    return {name: get_type_hints(function)["return"] for name, function in computed.items()}


def _fields(value: Any) -> dict[str, Hint]:
    kind: Any = type(value)
    return stored_fields(kind)


def needs(met: bool, at: str, needed: str, stored: Any) -> None:
    """Raise where a stored value is not what its place needs."""
    if not met:
        shown = repr(stored)
        short = shown if len(shown) < 60 else f"{shown[:57]}…"
        raise FormatError(f"at {at or 'the top'}: found {short}; needed {needed}")


def free(value: Any) -> Any:
    """Return a value of any type as JSON that tells its type: labels, numbers, tuples and mappings of them."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": "nan" if math.isnan(value) else str(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {"mapping": [[free(k), free(v)] for k, v in value.items()]}
    for kind, name in ((tuple, "tuple"), (list, "list"), (frozenset, "set")):
        if isinstance(value, kind):
            return {name: [free(item) for item in value]}
    raise TypeError(f"a {type(value).__name__} has no place in a file")


def freed(stored: Any, at: str) -> Any:
    """Return what :func:`free` wrote."""
    if stored is None or isinstance(stored, str | int | float):
        return stored
    needs(isinstance(stored, Mapping) and len(stored) == 1, at, "a label or number", stored)
    ((name, content),) = stored.items()
    if name == "number":
        needs(content in ODD, at, "inf, -inf or nan", content)
        return ODD[content]
    if name == "mapping":
        pairs = [_list(pair, at) for pair in _list(content, at)]
        needs(all(len(pair) == 2 for pair in pairs), at, "pairs", content)
        return {freed(k, at): freed(v, at) for k, v in pairs}
    kinds: dict[str, Callable[[Iterable[Any]], Any]] = {
        "tuple": tuple,
        "list": list,
        "set": frozenset,
    }
    needs(name in kinds, at, "a label or number", name)
    return kinds[name]([freed(item, at) for item in _list(content, at)])


def _number(value: Any) -> Any:
    """Return a float as JSON; a whole number stays whole."""
    if isinstance(value, bool | int):
        return value
    value = float(value)
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


def float_of(stored: Any, at: str) -> float:
    """Return what :func:`_number` wrote."""
    if stored is None:
        return math.nan
    if isinstance(stored, str):
        needs(stored in ODD, at, "a number", stored)
        return ODD[stored]
    needs(type(stored) in (int, float), at, "a number", stored)
    number: float = stored
    return number


def _array(value: NDArray[Any], hint: Hint) -> Any:
    """Write a vector of the expected type as a list, any other array with its type and shape."""
    name = value.dtype.name
    if name not in DTYPES:
        raise TypeError(f"an array of {name} has no place in a file")
    flat = value.reshape(-1).tolist()
    values = [_number(x) for x in flat] if value.dtype.kind == "f" else flat
    if value.ndim == 1 and name == _dtype(hint):
        return values
    return {"dtype": name, "shape": list(value.shape), "values": values}


def array_of(stored: Any, hint: Hint, at: str) -> NDArray[Any]:
    """Return what :func:`_array` wrote, read-only."""
    plain = isinstance(stored, list)
    if not plain:
        needs(isinstance(stored, Mapping), at, "an array", stored)
        needs(set(stored) == {"dtype", "shape", "values"}, at, "dtype, shape, values", set(stored))
    name = _dtype(hint) if plain else stored["dtype"]
    values = stored if plain else _list(stored["values"], at)
    shape = [len(values)] if plain else _list(stored["shape"], at)
    needs(name in DTYPES, at, f"one of {', '.join(DTYPES)}", name)
    needs(all(type(n) is int and n >= 0 for n in shape), at, "a shape", shape)
    needs(math.prod(shape) == len(values), at, f"{math.prod(shape)} values", len(values))
    kind = np.dtype(name).kind
    if kind == "f":
        values = [float_of(v, at) for v in values]
    else:
        wanted = bool if kind == "b" else int
        odd = next((v for v in values if type(v) is not wanted), None)
        needs(odd is None, at, f"{name} values", odd)
    made = np.array(values, dtype=name).reshape(shape)
    made.flags.writeable = False
    return made


def _dtype(hint: Hint) -> str:
    """Name of the element type of ``NDArray[…]``; float64 where it is open."""
    inner = get_args(get_args(hint)[-1]) if get_args(hint) else ()
    kind = inner[0] if inner else np.float64
    return np.dtype(kind).name if isinstance(kind, type) else "float64"


def _alternatives(hint: Hint) -> list[Any]:
    return [kind for kind in get_args(hint) if kind is not type(None)]


def _of_tuple(hint: Hint, count: int) -> list[Hint]:
    """Types of the entries of a tuple, or of any sequence, of this length."""
    some = get_args(hint)
    if not some:
        return [Any] * count
    if kind_of(hint) is Sequence:
        return [some[0]] * count
    return [some[0]] * count if some[-1] is Ellipsis else list(some)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _is_mapping(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _list(stored: Any, at: str) -> list[Any]:
    needs(isinstance(stored, list), at, "a list", stored)
    items: list[Any] = stored
    return items
