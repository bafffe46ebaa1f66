"""Groups of rows: which columns make them, what one is called, which rows a person asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from scalefit.errors import TableError
from scalefit.types import Floats, Ints, Mask
from scalefit.units import format_count, parse_count, whole

ALWAYS = ("corpus", "task", "finetune_tokens")
TELLING = (*ALWAYS, "model", "parameters", "domain", "eval_set")
"""Columns of which one curve has one value each."""

_PATH = ("model", "parameters")
_COUNTED = ("pretrain_tokens", "unique_tokens")
_PLAIN = ("corpus", "task", "model", "metric", "domain", "eval_set")


class HasColumns(Protocol):
    """What grouping asks of a table."""

    def has(self, name: str) -> bool:
        """Return whether a column is there and holds anything."""

    def labels(self, names: Sequence[str]) -> Ints:
        """Return one number (n,) for each combination of the columns' values, from 0 on."""


def group_columns(
    rows: HasColumns, by: Sequence[str] | None = None, *, used: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the columns that make the groups: those asked for, and those that no curve may mix.

    Parameters
    ----------
    rows : HasColumns; the measured rows, those without pretraining left out.
    by : columns asked for; by default corpus, task and finetuning size, where they are there.
    used : collection of str; columns that are inputs of the law, so that no group is made of them.

    Notes
    -----
    A column that only repeats what others say (one evaluation set for each domain) is left out. So
    is a model that follows from the law's inputs, where a curve climbs from one to the next (a ladder);
    models that take turns along it have a curve each, though no two share a size.
    """
    asked = [name for name in ALWAYS if rows.has(name)] if by is None else by
    chosen = [name for name in asked if name not in used]
    inputs = [name for name in used if rows.has(name)]
    for name in TELLING:
        if name in chosen or name in used or not rows.has(name):
            continue
        beside = [*chosen, *inputs] if name in _PATH else chosen
        if distinct(rows, [*beside, name]) > distinct(rows, beside) or (
            name in _PATH and len(inputs) == 1 and take_turns(rows, chosen, name, inputs[0])
        ):
            chosen.append(name)
    return tuple(chosen)


def take_turns(rows: HasColumns, chosen: Sequence[str], name: str, size: str) -> bool:
    """Return whether the sizes of one value reach beyond the first size of the next, within a group."""
    sizes = rows.labels([size])
    curve, labels = rows.labels(chosen), rows.labels([*chosen, name])
    ends = np.full((2, labels.max(initial=-1) + 1), -1)
    ends[0] = sizes.max(initial=0)
    np.minimum.at(ends[0], labels, sizes)
    np.maximum.at(ends[1], labels, sizes)
    of = np.zeros(ends.shape[1], dtype=np.int64)
    of[labels] = curve
    order = np.lexsort((ends[0], of))
    reached, next_begins, same = ends[1][order][:-1], ends[0][order][1:], np.diff(of[order]) == 0
    return bool((same & (reached > next_begins)).any())


def distinct(rows: HasColumns, names: Sequence[str]) -> int:
    """Return how many combinations of the columns' values there are."""
    return int(rows.labels(names).max(initial=-1)) + 1


def as_names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return one name, or several, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(given)


def group_of(where: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what rows chosen by ``where`` have in common: single values, counts as numbers, no ranges.

    Examples
    --------
    >>> group_of({"corpus": "fr", "finetune_tokens": "128k", "pretrain_tokens": "<=5e9", "task": ["a", "b"]})
    {'corpus': 'fr', 'finetune_tokens': 128000.0}
    """
    counts = (*_COUNTED, "finetune_tokens", "parameters")
    group = {
        name: parse_count(value) if name in counts and isinstance(value, str) else value
        for name, value in (where or {}).items()
        if isinstance(value, str | int | float)
    }
    return {name: value for name, value in group.items() if value is not None}


def group_name(key: Mapping[str, Any], leave_out: Sequence[str] = ()) -> str:
    """Return a group's key in words.

    Examples
    --------
    >>> group_name({"corpus": "fr", "task": "en-fr", "finetune_tokens": 128000, "model": None})
    'fr · en-fr · finetuned on 128k'
    >>> group_name({"layers": 6.0})
    'layers 6'
    """
    told = {k: v for k, v in key.items() if v is not None and k not in leave_out}
    return " · ".join(_words(name, value) for name, value in told.items())


def group_names(keys: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of several groups in words, without what is the same in all of them.

    Examples
    --------
    >>> group_names([{"corpus": "fr", "task": "en-fr"}, {"corpus": "de", "task": "en-fr"}])
    ['fr', 'de']
    """
    several = keys if len(keys) > 1 else ()
    shared = [k for k in next(iter(several), ()) if len({str(key.get(k)) for key in keys}) == 1]
    return [group_name(key, shared) for key in keys]


def _words(name: str, value: Any) -> str:
    if name == "finetune_tokens":
        return f"finetuned on {format_count(float(value))}"
    if name == "parameters":
        return f"{format_count(float(value))} parameters"
    if name == "domain":
        return {"in": "in domain", "out": "out of domain"}.get(value, str(value))
    if name in _PLAIN:
        return str(value)
    shown = format_count(float(value)) if name in _COUNTED else whole(value)
    return f"{name.replace('_', ' ')} {shown}"


def spelling(name: str) -> str:
    """Return a name without what people spell differently: case, blanks, ``-`` and ``_``."""
    return re.sub(r"[_\s-]+", "", name.casefold())


def meant(name: str, there: Iterable[str]) -> str:
    """Return the metric of those there that a person means, however it is spelled.

    Raises TableError: there is no such metric; the message says which there are, and the nearest.

    Examples
    --------
    >>> meant("Fluency", ["bleu", "fluency"])
    'fluency'
    """
    names = list(there)
    for alike in (
        [n for n in names if n == name],
        [n for n in names if spelling(n) == spelling(name)],
    ):
        if alike:
            return alike[0]
    cure = did_you_mean(name, names) or f". Try: metric={names[0]!r}" * bool(names)
    raise TableError(f"no metric {name!r}; the table has {', '.join(names) or 'none'}{cure}")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question after the nearest of the names, or nothing where none is near."""
    plain = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), plain, n=1)
    return f". Did you mean {plain[near[0]]!r}?" if near else ""


_ASKED = re.compile(r"\s*([^<>=!≤≥≠]+?)\s*(<=|>=|!=|==?|[<>≤≥≠])\s*(.*\S)\s*", re.S)
_VALUES = re.compile(r'\s*"([^"]*)"\s*(?:,|$)|([^,]+)')
_SIDE = re.compile(r"\s*(<=|>=|<|>)\s*(.*\S)\s*", re.S)
_COMPARE = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}


def condition(text: str) -> tuple[str, Any]:
    """Return column and condition of what stands in a shell after ``--where``.

    Examples
    --------
    >>> condition("task=en-fr,en-de"), condition("pretrain_tokens<=5B")
    (('task', ['en-fr', 'en-de']), ('pretrain_tokens', '<=5B'))
    >>> condition('corpus="fr, web"'), condition("pretrain_tokens≤5B")
    (('corpus', ['fr, web']), ('pretrain_tokens', '<=5B'))
    """
    asked = _ASKED.fullmatch(text)
    if asked is None:
        raise TableError(
            f"--where {text}: needed COLUMN=VALUE[,VALUE], COLUMN!=VALUE, COLUMN=LOW..HIGH or "
            "COLUMN<=NUMBER, e.g. --where task=en-fr --where 'pretrain_tokens<=5B'; a value with a "
            "comma in double quotes"
        )
    name, sign, value = asked[1], _signs(asked[2]), asked[3]
    values = [quoted or plain.strip() for quoted, plain in _VALUES.findall(value)]
    values = [part for part in values if part]
    if sign == "!=":
        return name, [f"!={part}" for part in values]
    return name, values if sign.startswith("=") else f"{sign}{value}"


def _signs(text: str) -> str:
    """Return a condition with the signs that a keyboard has."""
    return text.translate({ord("≤"): "<=", ord("≥"): ">=", ord("≠"): "!="})


def met(levels: Sequence[Any], wanted: Any, *, number: bool) -> Mask:
    """Return which of a column's distinct values meet a condition.

    Parameters
    ----------
    levels : numbers or texts, or None for "missing".
    wanted : a value; a list or set of them; ``(low, high)`` or ``"5B..50B"``, ends included and either end left open by
        None or nothing; ``"<=5e9"``, ``"!=none"``; None for what is missing. Counts may be written ``"1.5B"``. In a
        list, what begins with ``!=`` is taken away.
    number : whether the column holds numbers.

    Examples
    --------
    >>> met([1e9, 5e9, 5e10], "5B..50B", number=True)
    array([False,  True,  True])
    >>> met(["fr", "en"], "!=fr", number=False)
    array([False,  True])
    """
    if number and isinstance(wanted, tuple) and len(wanted) == 2:
        return _between(_numbers(levels), *wanted)
    several = isinstance(wanted, Collection) and not isinstance(wanted, str)
    many = list(wanted) if several else [wanted]
    away = [w for w in many if isinstance(w, str) and w.startswith(("!=", "≠")) and w not in levels]
    kept = [w for w in many if w not in away]
    chosen = np.full(len(levels), not kept)
    for value in kept:
        chosen |= _equal(levels, value, number=number)
    for value in away:
        chosen &= ~_equal(levels, value.removeprefix("!=").removeprefix("≠").strip(), number=number)
    return chosen


def _equal(levels: Sequence[Any], value: Any, *, number: bool) -> Mask:
    if value is None or value != value:
        return np.array([level is None for level in levels], dtype=bool)
    if not number:
        text = str(whole(value))
        return np.array([level == text for level in levels], dtype=bool)
    numbers = _numbers(levels)
    if isinstance(value, str):
        if side := _SIDE.fullmatch(_signs(value)):
            return np.asarray(_COMPARE[side[1]](numbers, _number(side[2])), dtype=bool)
        if ".." in value:
            low, _, high = value.partition("..")
            return _between(numbers, low.strip() or None, high.strip() or None)
    return np.asarray(numbers == _number(value), dtype=bool)


def _between(numbers: Floats, low: Any, high: Any) -> Mask:
    ends = (-np.inf if low is None else _number(low), np.inf if high is None else _number(high))
    if ends[0] > ends[1]:
        raise TableError(f"found the range {low} to {high}; needed the smaller end first")
    return np.asarray((numbers >= ends[0]) & (numbers <= ends[1]), dtype=bool)


def _numbers(levels: Sequence[Any]) -> Floats:
    return np.array([np.nan if level is None else level for level in levels], dtype=float)


def _number(value: Any) -> float:
    known = parse_count(value) if isinstance(value, str) else None
    if known is not None:
        return known
    try:
        truth = {"true": 1.0, "false": 0.0}
        return truth[value.strip().lower()] if isinstance(value, str) else float(value)
    except (KeyError, TypeError, ValueError):
        raise TableError(f"found {value!r}; needed a number such as 5e9, 5B or 5B..50B") from None
