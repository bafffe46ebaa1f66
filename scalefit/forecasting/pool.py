"""Which curves of a table learn from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalefit.errors import TableError

Pool = str | Sequence[str]
AUTO, NONE = "auto", "none"


def pools_of(groups: Sequence[Mapping[str, Any]], pool: Pool = AUTO) -> list[list[int]]:
    """Return the indices of the curves of each pool.

    Parameters
    ----------
    groups : sequence of mappings
        What the rows of each curve have in common.
    pool : {"auto", "none"} or columns
        All curves of the table; each alone; or those that agree in these columns.

    Raises
    ------
    TableError
        A column that does not make the groups.

    Examples
    --------
    >>> groups = [{"corpus": c, "task": t} for t in ("en-de", "en-fr") for c in ("fr", "code")]
    >>> pools_of(groups), pools_of(groups, ["task"])
    ([[0, 1, 2, 3]], [[0, 1], [2, 3]])
    """
    if pool == AUTO:
        return [list(range(len(groups)))]
    if pool == NONE:
        return [[i] for i in range(len(groups))]
    columns = [pool] if isinstance(pool, str) else list(pool)
    known = list(dict.fromkeys(key for group in groups for key in group))
    for column in columns:
        if column not in known:
            raise TableError(
                f"pool={column!r}: curves learn from each other within columns that make the groups, found "
                f"{', '.join(known) or 'none'}; or pool='auto' (all curves), 'none' (each alone)"
            )
    by: dict[tuple[Any, ...], list[int]] = {}
    for i, group in enumerate(groups):
        by.setdefault(tuple(group.get(column) for column in columns), []).append(i)
    return list(by.values())
