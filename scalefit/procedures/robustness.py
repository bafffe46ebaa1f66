"""``sf.robustness``: which procedure is the more robust, by spread, by worst runs and by failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scalefit.errors import DesignError
from scalefit.seeds.variance import SIDES
from scalefit.table.metrics import metric as known_metric
from scalefit.types import Renames

from .compare import compare_procedures
from .comparison import Comparison
from .contrast import Contrast
from .multiplicity import holm

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
    by: Sequence[str] = SIDES,
    level: float = 0.95,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Comparison:
    """Compare how robust procedures are: spread over seeds, worst of three runs, chance of failure, in each domain.

    Parameters
    ----------
    data, metric, a, b, column, where, by, level, mapping, allow
        As in :func:`scalefit.compare_procedures`; domains are answered apart.
    failed_beyond : float, optional
        A run beyond it on the bad side failed; without it failures are not compared.

    Returns
    -------
    Comparison
        One contrast an aspect and condition, found by aspect: ``found["spread"]``; Holm's p counts all of them in.

    Raises
    ------
    DesignError
        No aspect can be compared: three pretraining seeds a side are needed, four for the worst of three.

    Examples
    --------
    >>> import scalefit as sf
    >>> runs = {"corpus": ["web"] * 5 + ["books"] * 5, "pretrain_tokens": [1e6] * 10,
    ...         "pretrain_seed": list(range(5)) * 2,
    ...         "bleu": [20.0, 20.1, 19.9, 20.2, 19.8, 20.5, 16.0, 24.0, 18.0, 22.0]}
    >>> found = sf.robustness(runs, a="web", b="books", metric="bleu")
    >>> found["spread"].better
    'web'
    """
    aspects: list[str] = [*ASPECTS]
    contrasts: list[Contrast] = []
    failures: list[str] = []
    last = None
    if failed_beyond is not None:
        aspects.append(f"failed {failed_beyond:g}")
    for aspect in aspects:
        asked = aspect
        if aspect.startswith("failed"):
            asked = _failed(metric, failed_beyond)
        try:
            last = compare_procedures(
                data,
                a=a,
                b=b,
                metric=metric,
                column=column,
                where=where,
                by=by,
                level=level,
                failed_beyond=failed_beyond,
                functional=asked,
                mapping=mapping,
                allow=allow,
            )
        except DesignError as error:
            failures.append(f"{aspect}: {error}")
            continue
        contrasts += [replace(c, group={"aspect": aspect.split(" ")[0], **c.group}) for c in last]
    if last is None:
        raise DesignError(failures[0])
    adjusted = holm([c.p for c in contrasts])
    told = tuple(replace(c, p_adjusted=float(p)) for c, p in zip(contrasts, adjusted, strict=True))
    return replace(last, contrasts=told, survivals=(), about_data=(*last.about_data, *failures))


def _failed(metric: str, beyond: float | None) -> str:
    word = "above" if known_metric(metric).direction == "-" else "below"
    return f"{word} {beyond!r}"
