"""``sf.fit_joint``: quality over pretraining and finetuning sizes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalefit.corpora.worth import Cell
from scalefit.doors.curves import asked
from scalefit.doors.value import SIZES, cells_of
from scalefit.errors import DesignError, DomainError
from scalefit.fitting.points import points_of
from scalefit.forecasting.engines import ends_of
from scalefit.forecasting.quality import Cells
from scalefit.forecasting.surface import Surface, surface_of
from scalefit.groups import group_name
from scalefit.table import Table, cut
from scalefit.table import metric as metric_of
from scalefit.types import Renames


def fit_joint(
    data: Any,
    metric: str = "bleu",
    *,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Surface:
    """Fit one rising, bounded law of pretraining and finetuning sizes to all cells of a grid.

    It answers at finetuning sizes that nobody ran, and says how it did on the largest pretraining size when that was
    held back, beside forecasts of each finetuning size by itself.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        At least six cells over two pretraining and two finetuning sizes; rows with ``pretrain_tokens`` 0, not
        pretrained, are cells like any other.
    metric : str
        A metric of which more is better, within a range: BLEU, chrF, COMET, accuracy.
    where, mapping, allow
        As in :func:`scalefit.forecast`; ``where`` names one corpus and task.
    by : sequence of str, optional
        Columns that make the groups, besides both sizes.

    Raises
    ------
    DesignError
        The rows are of several groups.
    DomainError
        Less of the metric is better.
    FitError
        Cells or sizes are too few; the message says what to measure.
    MissingColumnError
        The table has no finetuning sizes.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6], [1e4, 4e4, 16e4]))
    >>> bleu = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    >>> surface = sf.fit_joint({"pretrain_tokens": p, "finetune_tokens": f, "bleu": bleu}, "bleu")
    >>> surface.predict(16e6, 8e4).estimate.round().tolist()
    [31.0]
    """
    what = asked(
        data, metric, where=where, by=by, mapping=mapping, allow=allow, used=tuple(SIZES.values())
    )
    if metric_of(what.metric).direction == "-":
        raise DomainError(
            f"the joint law rises, and less {what.metric} is better; fit a law of both sizes by name: "
            "sf.fit(data, metric, 'chinchilla', inputs=…), or ask for a quality"
        )
    groups = list(what.rows.pretrained().groups(what.by))
    if len(groups) != 1:
        names = ", ".join(group_name(dict(key)) for key, _ in groups) or "none"
        raise DesignError(
            f"one law is for one corpus and task, found {len(groups)} groups: {names}; choose one with where=…"
        )
    group = dict(groups[0][0])
    cells = _cells(what.rows, group, groups[0][1])
    values = np.array([c.mean for c in cells])
    bottom, top = ends_of(what.metric, values)
    sizes = np.array([(c.pretrain, c.finetune) for c in cells])
    return surface_of(what.metric, Cells(sizes, values, top, bottom), group, what.notes)


def _cells(rows: Table, group: Mapping[str, Any], part: Table) -> list[Cell]:
    """Return the means of all pairs of sizes, those without pretraining among them."""
    points = points_of(cut(part, part.metrics[0], SIZES))
    cells, _ = cells_of(points.inputs[0], points.inputs[1], points.y)
    base = rows.baseline_for(group)
    if base is None:
        return cells
    f, y = base.column("finetune_tokens"), base.column("value")
    return [*cells_of(np.zeros_like(f), f, y)[0], *cells]
