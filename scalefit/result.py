"""What every answer is: one line, notes, rows of numbers, a frame, JSON, text and HTML, a picture, a file.

``rows()``, ``to_frame()`` and ``to_dict()`` hold numbers; ``shown()``, text and HTML are for people and made of the
same pieces. JSON is strict: infinity is the string ``"inf"`` or ``"-inf"``, what is not a number is ``null``.
"""

from __future__ import annotations

import difflib
import html
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from scalefit.errors import NoPictureError, UnknownNameError
from scalefit.rows import Row, for_people, frame_of, html_table, markdown_table, text_table
from scalefit.units import parse_count, some

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


class Loaders:
    """What stands above the values that lead to it, handed down by ``scalefit/__init__.py``: each gives a module.

    ``import scalefit`` brings in none of them; the first ``.plot()``, ``.save()`` or ``.to_lmfit()`` does.
    """

    views: Callable[[], Any] | None = None
    store: Callable[[], Any] | None = None
    lmfit: Callable[[], Any] | None = None


def alike(a: Any, b: Any) -> bool:
    """Whether two values say the same: arrays bit for bit, dataclasses by their fields, functions by their code.

    Examples
    --------
    >>> alike({"low": math.nan}, {"low": math.nan}), alike(lambda x: x + 1, lambda x: x + 2)
    (True, False)
    """
    if a is b or type(a) is not type(b):
        return a is b
    if is_dataclass(a):
        return all(alike(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, Mapping):
        return [*a] == [*b] and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, FunctionType):
        parts = ("__code__", "__defaults__", "__kwdefaults__")
        cells = ([cell.cell_contents for cell in f.__closure__ or ()] for f in (a, b))
        return alike(*cells) and all(alike(getattr(a, n), getattr(b, n)) for n in parts)
    if hasattr(a, "tobytes"):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    own: Any = type(a).__eq__
    if own is object.__eq__:  # a partial, a model of another library: what a pickle holds
        return alike(a.__reduce_ex__(4)[1:], b.__reduce_ex__(4)[1:])
    return bool(a == b or (a != a and b != b))  # nan is nan here


class Result:
    """An answer. A subclass is a frozen dataclass that gives ``verdict``, ``notes`` and ``rows``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False)
    ... class Price(Result):
    ...     tokens: float
    ...     verdict: str = "cheap"
    ...     notes: tuple[str, ...] = ("a guess",)
    ...
    ...     def rows(self):
    ...         return [{"tokens": self.tokens}]
    >>> Price(3e6)
    cheap
      tokens
      3M
      note: a guess
    >>> Price(math.inf).to_dict()
    {'verdict': 'cheap', 'tokens': 'inf', 'notes': ['a guess']}
    """

    __slots__ = ()
    BARE = False  # where the verdict holds the numbers, and no table stands below it in a text

    if TYPE_CHECKING:  # may be fields of the subclasses, in whose way a property here would stand

        @property
        def verdict(self) -> str:
            """The answer in one line."""

        @property
        def notes(self) -> tuple[str, ...]:
            """What a reader of the numbers should know."""

    @property
    def heading(self) -> str:
        """What text and HTML begin with; by default the verdict."""
        return self.verdict

    def rows(self) -> list[Row]:
        """Return the numbers, a dictionary a row: estimate, low and high in columns of their own."""
        raise NotImplementedError

    def shown(self) -> list[Row]:
        """Return the rows as people read them; by default the numbers themselves."""
        return self.rows()

    def above(self) -> tuple[str, ...]:
        """Return lines that stand between the verdict and the table, in text and HTML alike."""
        return ()

    def beneath(self) -> tuple[str, ...]:
        """Return lines that stand below the table, in text and HTML alike."""
        return ()

    def lines(self) -> list[str]:
        """Return what stands between the verdict and the notes in a text."""
        if self.BARE:
            return []
        shared, rows = for_people(self.shown())
        return [*self.above(), *shared, *text_table(rows), *self.beneath()]

    def told(self) -> Mapping[str, Any]:
        """Return what :meth:`to_dict` says besides verdict and notes: the fields."""
        return fields_of(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame of numbers and labels."""
        return frame_of(self.rows())

    def to_markdown(self) -> str:
        """Return the rows, as people read them, as a table in Markdown."""
        return markdown_table(self.shown())

    def to_latex(self) -> str:
        """Return the rows, as people read them, as a LaTeX ``tabular``."""
        return str(frame_of(self.shown()).to_latex(index=False, escape=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data for strict JSON; see :func:`plain`."""
        content = {"verdict": self.verdict, **self.told(), "notes": self.notes}
        return {name: plain(value) for name, value in content.items()}

    def __str__(self) -> str:
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([self.heading, *(f"  {line}" for line in (*self.lines(), *notes))])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        above = "".join(f"<p>{html.escape(line)}</p>" for line in self.above())
        shared, rows = for_people(self.shown())
        table = above + html_table(rows, caption=" ".join(shared)) + html_lines(self.beneath())
        return html_verdict(self.heading) + table + html_notes(self.notes)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the answer, on ``ax`` where one is given; see the ``plot_…`` of this kind in :mod:`scalefit.views`.

        ``theme="dark"`` draws on a dark ground. What is given back is ``ax``, where the picture has one pair of axes,
        or the figure; of several, the part of the figure that took the place of ``ax``.

        Raises NoPictureError: there is no picture of this kind of answer.
        """
        assert Loaders.views is not None  # scalefit/__init__.py hands it
        views = Loaders.views()
        for kind in type(self).__mro__:
            if kind.__name__ in views.PICTURES:
                return getattr(views, views.PICTURES[kind.__name__])(self, ax=ax, **options)
        raise NoPictureError(
            f"no picture of a {type(self).__name__} is known; there is one of {', '.join(views.PICTURES)}. "
            "Try: to_frame()"
        )

    def save(self, path: str | Path) -> None:
        """Write the answer to a file that :func:`scalefit.load` reads."""
        assert Loaders.store is not None  # scalefit/__init__.py hands it
        Loaders.store().save(self, path)


R = TypeVar("R")


class Results(Result, Generic[R]):
    """Many answers of one kind, found by their place or by what a person would type: ``fits["fr"]``.

    A subclass names its field of members in ``MEMBERS``; with ``TOLD_EACH`` their verdicts stand above the table.
    :meth:`labels` says by what a member is found.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, [5.0, 9.1, 12.9, 17.0, 21.1]
    >>> table = {"pretrain_tokens": sizes, "task": ["en-fr"] * 5 + ["en-de"] * 5, "bleu": bleu * 2}
    >>> fits = sf.fit_each(table, "bleu", "log")
    >>> isinstance(fits, sf.Results), len(fits), fits["en-fr"] is fits[1]
    (True, 2, True)
    """

    __slots__ = ()
    MEMBERS = "results"
    TOLD_EACH = False

    @property
    def _members(self) -> tuple[R, ...]:
        members: tuple[R, ...] = getattr(self, self.MEMBERS)
        return members

    def labels(self, member: R) -> Mapping[str, Any]:
        """Return by what a member is found: its group."""
        group: Mapping[str, Any] = member.group  # type: ignore[attr-defined]
        return group

    def rows(self) -> list[Row]:
        """Return the rows of all members."""
        return [row for member in self._members for row in member.rows()]  # type: ignore[attr-defined]

    def shown(self) -> list[Row]:
        """Return the rows of all members as people read them."""
        return [row for member in self._members for row in member.shown()]  # type: ignore[attr-defined]

    def above(self) -> tuple[str, ...]:
        """Return the verdict of every member, where several are ``TOLD_EACH``."""
        several = self.TOLD_EACH and len(self) > 1
        return tuple(member.verdict for member in self) if several else ()  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[R]:
        return iter(self._members)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str | tuple):
            return bool(self._asked(key))
        return any(member is key for member in self._members)

    @overload
    def __getitem__(self, key: int) -> R: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """Return a member by its place, or the one that all given values belong to; several as a part.

        Raises UnknownNameError: no member has these values; the message says what there is.
        """
        if isinstance(key, int):
            return self._members[key]
        if isinstance(key, slice):
            return self._part(self._members[key])
        asked = self._asked(key)
        if not asked:
            raise UnknownNameError(self._unknown(key))
        return asked[0] if len(asked) == 1 else self._part(asked)

    @property
    def only(self) -> R:
        """The member, where there is one.

        Raises UnknownNameError: there are several, or none; the message says by what they are found.
        """
        if len(self) != 1:
            raise UnknownNameError(f"found {len(self)} results, needed one: {self._there()}")
        return self._members[0]

    def _asked(self, key: Any) -> tuple[R, ...]:
        """Members that have every value of the key."""
        wanted = key if isinstance(key, tuple) else (key,)
        return tuple(
            member
            for member in self._members
            if all(any(same(v, w) for v in self.labels(member).values()) for w in wanted)
        )

    def _part(self, members: Sequence[R]) -> Self:
        changed: Self = replace(self, **{self.MEMBERS: tuple(members)})  # type: ignore[type-var]
        return changed

    def _unknown(self, key: Any) -> str:
        wanted = key if isinstance(key, tuple) else (key,)
        there = self._labels()
        near = [n for w in wanted for n in difflib.get_close_matches(str(w), there, 1)]
        hint = f"; did you mean {near[0]!r}?" if near and near[0] not in map(str, wanted) else ""
        return f"nothing here belongs to {key!r}; there is {self._there()}{hint}"

    def _labels(self) -> list[str]:
        """Everything by which a member is found, each once."""
        values = (v for m in self for v in self.labels(m).values() if v is not None)
        return list(dict.fromkeys(map(str, values)))

    def _there(self) -> str:
        return some(self._labels())


def common_notes(notes: Iterable[tuple[str, Iterable[str]]]) -> tuple[str, ...]:
    """Put the notes of many groups together: each note once, with the groups it is about.

    Examples
    --------
    >>> common_notes([("fr", ["few points", "no seeds"]), ("en", ["no seeds"])])
    ('fr: few points', 'no seeds')
    """
    about: dict[str, list[str]] = {}
    groups = 0
    for name, texts in notes:
        groups += 1
        for text in texts:
            about.setdefault(text, []).append(name)
    return tuple(_attributed(text, names, groups) for text, names in about.items())


def _attributed(text: str, names: list[str], groups: int) -> str:
    if len(names) == groups:
        return text
    who = names[0] if len(names) == 1 else f"{len(names)} of {groups} groups"
    return f"{who}: {text}" if who else text


def same(value: Any, asked: Any) -> bool:
    """Whether a label is what somebody typed: ``128000.0`` is ``"128k"`` too.

    Examples
    --------
    >>> same(128000.0, "128k"), same("fr", "fr"), same("fr", "en")
    (True, True, False)
    """
    if isinstance(asked, str) and isinstance(value, int | float) and not isinstance(value, bool):
        return parse_count(asked) == value
    return bool(value == asked) or (isinstance(asked, str) and str(value) == asked)


def fields_of(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields by name, one level deep."""
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name[:1] != "_"}


def plain(value: Any) -> Any:
    """Return a value as strict JSON has it.

    Infinity is ``"inf"`` or ``"-inf"``, nan is None; arrays, tuples and sets are lists, dataclasses and mappings
    dictionaries, and a result what its ``to_dict`` gives.

    Examples
    --------
    >>> plain({"low": -math.inf, "p": math.nan, "at": (1, 2.5)})
    {'low': '-inf', 'p': None, 'at': [1, 2.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(float(value))
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | int):
        return value
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if is_dataclass(value):
        return plain(fields_of(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def to_json(content: Any) -> str:
    """Return plain data as strict JSON; characters that no file can hold are written by number."""
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=1, allow_nan=False)
    return text


def html_notes(notes: Sequence[str]) -> str:
    """Return notes as an HTML list, folded away when there are more than three."""
    if not notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    opened = " open" if len(notes) <= 3 else ""
    word = "note" if len(notes) == 1 else "notes"
    return f"<details{opened}><summary>{len(notes)} {word}</summary><ul>{items}</ul></details>"


def html_lines(lines: Sequence[str]) -> str:
    """Return what stands below a table: a line each, set like code, for most are numbers."""
    said = "<br>".join(f"<code>{html.escape(line)}</code>" for line in lines)
    return f"<p>{said}</p>" if said else ""


def html_verdict(text: str) -> str:
    """Return a one-line verdict in bold."""
    return f"<p><strong>{html.escape(text)}</strong></p>"
