"""Which columns tell the groups of a table apart."""

from __future__ import annotations

from collections.abc import Collection

from scalefit.table import Table

ALWAYS = ("corpus", "task", "finetune_tokens")
SOMETIMES = ("model", "domain", "eval_set")


def group_columns(table: Table, *, used: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns to group by: the main three that are there, others where they vary.

    Parameters
    ----------
    table : Table
    used : collection of str
        Columns that are inputs of the law, so that no group is made of them.

    Notes
    -----
    A column that only repeats what another one says, such as one evaluation set for each domain,
    is left out.
    """
    chosen = [name for name in ALWAYS if table.has(name) and name not in used]
    for name in SOMETIMES:
        there = table.has(name) and name not in used
        if there and len(table.groups([*chosen, name])) > len(table.groups(chosen)):
            chosen.append(name)
    return tuple(chosen)
