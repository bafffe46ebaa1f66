"""``sf.compare_procedures`` and, by spread, worst runs and failures, ``sf.robustness``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from scalefit.errors import DesignError
from scalefit.estimate import holm
from scalefit.ingest import table_of
from scalefit.result import common_notes
from scalefit.seeds.design import APART
from scalefit.table import Table
from scalefit.table.metrics import metric as known_metric
from scalefit.table.metrics import untold_direction
from scalefit.types import Floats, Renames
from scalefit.units import check_level

from .comparison import Comparison, Contrast, group_values, survival
from .contrast import Testing, contrast
from .sides import (
    Group,
    Side,
    clustered,
    from_example_table,
    from_examples,
    from_table,
    is_paired,
    procedures_column,
)
from .tails import RunProfile, functional_of, profile, pseudo_side

Test = Literal["auto", "t", "crossed", "multibootstrap"]
ON_THIS_TEST_SET = "on this test set: scores per example would count new examples in"
_Pair = Callable[[Side, Side], bool]


def compare_procedures(
    data: Any = None,
    metric: str | None = None,
    *,
    a: Any,
    b: Any,
    column: str = "corpus",
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] = APART,
    example: str | None = None,
    cluster: str | Sequence[Any] | None = None,
    paired: bool | None = None,
    test: Test = "auto",
    level: float = 0.95,
    failed_beyond: float | None = None,
    functional: str | Callable[[Floats], float] | None = None,
    draws: int = 1000,
    seed: int = 0,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Comparison:
    """Compare procedures (corpora, models, recipes), not single runs.

    Parameters
    ----------
    data : path, DataFrame, Table, mapping of columns, or None
        Results with seeds. None where ``a`` and ``b`` are scores per example.
    metric : the metric; needed with a table, sets the direction without ("accuracy" if absent).
    a, b : with a table: a value of ``column``, or a mapping of conditions; ``b`` may be a list of them, each compared
        with ``a``. Without: scores per example, as a mapping seed -> (N,) or (F, N), or an array (P, N) or (P, F, N);
        or mappings name -> seed -> scores.
    column : where plain names of ``a`` and ``b`` stand.
    where, mapping, allow : as in :func:`scalefit.fit`.
    by : columns that are answered apart; conditions that differ in others are averaged.
    example : column that names the test example, where the table's rows are scores of single examples; every run needs
        the same examples, and ``where`` has to leave one condition a side.
    cluster : what examples belong together in (document, prompt): a column of the table, or one name an example for
        arrays. Examples of one document are alike; taken one by one they reject a true null too often.
    paired : whether equal pretraining seeds are the same pretraining run on both sides. None: taken from
        ``pretrain_run``; else yes where only the finetuning differs; no for arrays.
    test : "auto": the crossed seed × example ANOVA with scores per example, else Student's t over pretraining seeds.
        "multibootstrap": the published method, with a note on its level.
    level : of intervals, and 1 − the level of tests.
    failed_beyond : a run beyond it counts as failed; default 5 MAD from the median.
    functional : what of the runs is compared, with a table: their mean (None), ``"worst of 3"``, ``"above 20"`` (the
        chance of it), ``"spread"`` (ln of the standard deviation) or a function of the runs (n,).
    draws, seed : of the multi-bootstrap.

    Raises DesignError: the procedures share no condition, or the seeds cannot support the question.

    Examples
    --------
    >>> runs = {"corpus": ["web"] * 3 + ["books"] * 3, "pretrain_tokens": [1e6] * 6,
    ...         "pretrain_seed": [1, 2, 3] * 2, "bleu": [20.1, 20.4, 19.8, 23.0, 22.6, 23.3]}
    >>> comparison = compare_procedures(runs, a="web", b="books", metric="bleu")
    >>> comparison.only.better, round(comparison.only.difference, 2)
    ('books', 2.87)
    """
    check_level(level)
    if test not in ("auto", "t", "crossed", "multibootstrap"):
        raise DesignError(f"found test={test!r}; needed auto, t, crossed or multibootstrap")
    asked_for = [metric] if metric else []
    table = None
    if data is not None:
        table = table_of(
            data, mapping=mapping, where=where, allow=allow, metrics=asked_for, needs=()
        )
    name = metric or "accuracy" if table is None else _metric(table, metric)
    direction = known_metric(name).direction or "+"
    untold = [untold_direction(name)] if known_metric(name).direction is None else []
    chosen = None if functional in (None, "mean") else functional_of(functional, direction)
    if chosen is not None and (table is None or example is not None):
        raise DesignError(
            "functional= compares runs; needed a table of runs, not scores per example"
        )
    asked = Testing(test, paired, level, name, direction, draws, seed, chosen)
    if table is None:
        groups = [_examples(a, b, cluster)]
        results = _contrasts(groups[0], asked, lambda x, y: bool(paired))
        notes = _same_seeds(groups[0], paired)
    else:
        if not all(isinstance(side, Mapping) for side in _sides(a, b)):
            column = procedures_column(table, column)
        wanted = {
            side: {table.columns.called(name): value for name, value in condition.items()}
            for side, condition in _wanted(a, b, column).items()
        }
        if example is None:
            groups, notes = from_table(table, name, wanted, by), [ON_THIS_TEST_SET]
        else:
            groups, notes = [from_example_table(table, name, wanted, example, _column(cluster))], []
        notes += table.notes
        results, failures = _all(groups, asked, table, {c for w in wanted.values() for c in w})
        notes += failures
    profiles = [p for g in groups for p in _profiles(g, asked, failed_beyond)]
    of_groups = common_notes((group_values(g.label), g.notes) for g in groups)
    found_notes = tuple(dict.fromkeys([*untold, *of_groups, *notes]))
    return Comparison(name, level, tuple(results), tuple(profiles), survival(results), found_notes)


def _metric(table: Table, metric: str | None) -> str:
    if metric is not None:
        return table.spelled(metric)
    if len(table.metrics) == 1:
        return table.metrics[0]
    raise DesignError(
        f"which metric? Try: metric={table.metrics[0]!r} ({', '.join(table.metrics)})"
    )


def _sides(a: Any, b: Any) -> list[Any]:
    return [a, *(b if isinstance(b, list | tuple) else [b])]


def _wanted(a: Any, b: Any, column: str) -> dict[str, Mapping[str, Any]]:
    sides = _sides(a, b)
    named = {_name(s): s if isinstance(s, Mapping) else {column: s} for s in sides}
    if len(sides) < 2:
        raise DesignError(f"{_name(a)} is compared with nothing; name another procedure, b='other'")
    if len(named) < len(sides):
        raise DesignError(f"found {', '.join(map(_name, sides))}; needed different procedures")
    return named


def _name(side: Any) -> str:
    if isinstance(side, Mapping):
        return ", ".join(map(str, side.values()))
    return str(side)


def _column(cluster: str | Sequence[Any] | None) -> str | None:
    if cluster is None or isinstance(cluster, str):
        return cluster
    raise DesignError("found a list of clusters beside a table; needed the name of a column")


def _examples(a: Any, b: Any, cluster: str | Sequence[Any] | None) -> Group:
    named = _named(a, "a") | _named(b, "b")
    sides = [from_examples(name, scores) for name, scores in named.items()]
    sizes = {s.examples.shape[-1] for s in sides if s.examples is not None}
    if len(sizes) > 1:
        raise DesignError(
            f"the sides were scored on {' and '.join(map(str, sorted(sizes)))} examples; needed "
            "the same examples in the same order"
        )
    if cluster is not None:
        sides = [clustered(side, cluster) for side in sides]
    return Group({}, tuple(sides), 1)


def _named(side: Any, default: str) -> dict[str, Any]:
    if isinstance(side, Mapping) and all(isinstance(v, Mapping) for v in side.values()):
        return {str(name): scores for name, scores in side.items()}
    return {default: side}


def _same_seeds(group: Group, paired: bool | None) -> list[str]:
    first = group.sides[0]
    equal = any(set(first.runs) & set(s.runs) for s in group.sides[1:])
    if paired is None and equal and first.pretrain > 1:
        return ["seeds have equal names: paired=True if they are the same pretraining runs"]
    return []


def _all(
    groups: Sequence[Group], asked: Testing, table: Table, named: set[str]
) -> tuple[list[Contrast], list[str]]:
    known = table.has("pretrain_run")

    def pair(x: Side, y: Side) -> bool:
        if asked.paired is not None:
            return asked.paired
        return is_paired(x, y, named, runs_known=known)

    contrasts: list[Contrast] = []
    failures: list[str] = []
    for group in groups:
        try:
            contrasts += _contrasts(group, asked, pair)
        except DesignError as error:
            failures.append(str(error))
    if not contrasts:
        raise DesignError(failures[0])
    return contrasts, failures


def _contrasts(group: Group, asked: Testing, pair: _Pair) -> list[Contrast]:
    first, *others = group.sides
    contrasts = [_one(first, s, asked, group.label, pair(first, s)) for s in others]
    return _adjusted(contrasts)


def _adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return contrasts whose p counts in the others (Holm)."""
    adjusted = holm([c.p for c in contrasts])
    return [replace(c, p_adjusted=float(p)) for c, p in zip(contrasts, adjusted, strict=True)]


def _one(a: Side, b: Side, asked: Testing, label: Mapping[str, Any], pair: bool) -> Contrast:
    """Compare two sides by their means, or by what was asked for."""
    chosen = asked.functional
    if chosen is None:
        return contrast(a, b, asked, label, pair)
    told = replace(
        asked,
        metric=f"{chosen.name} of {asked.metric}",
        direction=chosen.improves or asked.direction,
    )
    answer = contrast(pseudo_side(a, chosen), pseudo_side(b, chosen), told, label, pair)
    return replace(answer, superiority=None)  # a pseudo-value is no run


def _profiles(
    group: Group, asked: Testing, failed_beyond: float | None
) -> list[tuple[str, RunProfile]]:
    where = group_values(group.label)
    options: dict[str, Any] = {
        "direction": asked.direction,
        "failed_beyond": failed_beyond,
        "level": asked.level,
    }
    return [(where, profile(s.name, s.groups, **options)) for s in group.sides]


ASPECTS = ("spread", "worst of 3")


def robustness(
    data: Any,
    metric: str,
    *,
    a: Any,
    b: Any,
    failed_beyond: float | None = None,
    column: str = "corpus",
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] = APART,
    level: float = 0.95,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Comparison:
    """Compare how robust procedures are: spread over seeds, worst of three runs, chance of failure, in each domain.

    Parameters
    ----------
    data, metric, a, b, column, where, by, level, mapping, allow
        As in :func:`scalefit.compare_procedures`; domains are answered apart.
    failed_beyond : a run beyond it on the bad side failed; without it failures are not compared.

    Returns Comparison: one contrast an aspect and condition, found by aspect: ``contrasts["spread"]``; Holm's p
    counts all of them in.

    Raises DesignError: no aspect can be compared: three pretraining seeds a side are needed, four for the worst of
    three.

    Examples
    --------
    >>> import scalefit as sf
    >>> runs = {"corpus": ["web"] * 5 + ["books"] * 5, "pretrain_tokens": [1e6] * 10,
    ...         "pretrain_seed": list(range(5)) * 2,
    ...         "bleu": [20.0, 20.1, 19.9, 20.2, 19.8, 20.5, 16.0, 24.0, 18.0, 22.0]}
    >>> contrasts = sf.robustness(runs, a="web", b="books", metric="bleu")
    >>> contrasts["spread"].better
    'web'
    """
    check_level(level)
    aspects = {name.split(" ")[0]: name for name in ASPECTS}
    if failed_beyond is not None:
        word = "above" if known_metric(metric).falls else "below"
        aspects["failed"] = f"{word} {failed_beyond!r}"
    contrasts: list[Contrast] = []
    failures: list[str] = []
    last = None
    for aspect, asked in aspects.items():
        try:
            last = compare_procedures(
                data, metric, a=a, b=b, column=column, where=where, by=by, level=level,
                failed_beyond=failed_beyond, functional=asked, mapping=mapping, allow=allow,
            )  # fmt: skip
        except DesignError as error:
            failures.append(f"{aspect}: {error}")
            continue
        contrasts += [replace(c, group={"aspect": aspect, **c.group}) for c in last]
    if last is None:
        raise DesignError(failures[0])
    told, about_data = tuple(_adjusted(contrasts)), (*last.about_data, *failures)
    return replace(last, contrasts=told, survivals=(), about_data=about_data)
