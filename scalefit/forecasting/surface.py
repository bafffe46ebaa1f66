"""Quality over pretraining and finetuning sizes at once: a law of all cells, asked at any pair of sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.errors import DomainError, FitError
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.predict import Asked, Band, as_numbers
from scalefit.forecasting.predictive import FARTHEST
from scalefit.forecasting.quality import (
    Joint,
    SizedCells,
    forecast_quality,
    joint_of,
    learn_quality,
)
from scalefit.forecasting.series import Series
from scalefit.forecasting.tokens import TokensFor
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats
from scalefit.units import check_level, format_count

_LEAST = 3  # pretraining sizes above 0 that a row must keep to be forecast by itself
GIVEN = "joint"


@dataclass(frozen=True)
class HeldBack:
    """A cell of the largest pretraining size, forecast without that size.

    Attributes
    ----------
    pretrain, finetune, value : the cell.
    jointly : what the law of the other cells said.
    separately : what the finetuning size's own curve said, learning from the other rows.
    """

    pretrain: float
    finetune: float
    value: float
    jointly: float
    separately: float


@dataclass(frozen=True, eq=False, repr=False)
class Surface(Result):
    """One law of quality in both sizes, for all cells of a grid.

    Attributes
    ----------
    joint : the law, and the cells behind it.
    group : what the cells have in common.
    held : the largest pretraining size held back once, jointly and a row at a time; empty where rows are too short.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6, 64e6], [1e4, 4e4, 16e4]))
    >>> bleu = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    >>> surface = sf.fit_joint({"pretrain_tokens": p, "finetune_tokens": f, "bleu": bleu}, "bleu")
    >>> surface.predict(64e6, 8e4).estimate.round().tolist()
    [32.0]
    >>> surface.tokens_for(31.0, finetune="80k").reachable
    True
    """

    metric: str
    joint: Joint
    group: Mapping[str, Any] = field(default_factory=dict)
    held: tuple[HeldBack, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> tuple[float, float]:
        """The largest pretraining and finetuning size."""
        pretrain, finetune = self.joint.cells.sizes.max(axis=0)
        return float(pretrain), float(finetune)

    def predict(self, pretrain: Asked, finetune: Asked, *, level: float = 0.8) -> Band:
        """Return what a new run shows at pairs of sizes, numbers or counts such as "3B", which broadcast.

        Raises DomainError: a size is negative, or more than 1000 times beyond the largest measured one.
        """
        check_level(level)
        p, f = np.broadcast_arrays(
            np.atleast_1d(self._sizes(0, pretrain)), np.atleast_1d(self._sizes(1, finetune))
        )
        said = self.joint.predict(p, f)
        low, high = said.interval(level)
        inputs = {"pretrain_tokens": p, "finetune_tokens": f}
        return Band(
            self.metric, inputs, said.median, low, high, level, "run", "held-out cells", GIVEN
        )

    def tokens_for(self, target: float, finetune: float | str, *, level: float = 0.8) -> TokensFor:
        """Return how much pretraining a target takes at a finetuning size, measured or not.

        Raises DomainError: the target lies outside the metric's range.
        """
        check_level(level)
        check_target(target, self.metric, self.joint.cells.quality)
        size = float(self._sizes(1, finetune))
        reach = self.joint.reach(target, size)
        smallest = float(self.joint.smallest[0])
        return TokensFor(
            self.metric, float(target), "pretrain_tokens", reach, level, GIVEN, smallest,
            (f"at {format_count(size)} finetuning tokens",),
        )  # fmt: skip

    def _sizes(self, which: int, given: Asked) -> Floats:
        """Return pretraining (0) or finetuning (1) sizes as numbers, where the law answers for them."""
        name, most = ("pretraining", "finetuning")[which], self.largest[which]
        sizes = as_numbers(f"{name} size", given)
        outside = ~((sizes >= 0) & (sizes <= FARTHEST * most))
        if outside.any():
            raise DomainError(
                f"{name} size {sizes[outside][0]:g}: the law answers from 0 to {FARTHEST:g}× the largest measured "
                f"({format_count(most)})"
            )
        return sizes

    def errors(self) -> tuple[float, float]:
        """Root mean squared error of the cells held back, jointly and separately; nan where there are none."""
        if not self.held:
            return float("nan"), float("nan")
        joint, apart = (
            np.sqrt(np.mean([(said - h.value) ** 2 for h, said in pairs]))
            for pairs in (
                [(h, h.jointly) for h in self.held],
                [(h, h.separately) for h in self.held],
            )
        )
        return float(joint), float(apart)

    @property
    def verdict(self) -> str:
        """What the law is, what it says at ten times the pretraining, and how far it missed what was held back."""
        p, f = self.largest
        corner = self.predict(10 * p, f)
        low, high = float(corner.low[0]), float(corner.high[0])
        name = " · ".join(str(v) for v in self.group.values() if v is not None)
        line = (
            f"{f'{name}: ' if name else ''}{self.metric} by one joint law of both sizes (what is missing to the top "
            f"falls as a power of each), fitted to {self.joint.cells.quality.size} cells; a new run with "
            f"{format_count(10 * p)} pretraining and {format_count(f)} finetuning tokens gives "
            f"{float(corner.estimate[0]):.4g} [{low:.4g}, {high:.4g}] (80 %)"
        )
        jointly, separately = self.errors()
        if np.isnan(jointly):
            return line
        return (
            f"{line}; with the largest pretraining size held back it missed that by {jointly:.3g} {self.metric} (root "
            f"mean square), curves of one finetuning size each by {separately:.3g}"
        )

    def rows(self) -> list[Row]:
        """Return one row a cell: measured, and what the law says there."""
        sizes, values = self.joint.cells.sizes, self.joint.cells.quality
        said = self.joint.predict(sizes[:, 0], sizes[:, 1])
        return [
            {
                "pretrain_tokens": float(p),
                "finetune_tokens": float(f),
                self.metric: float(y),
                "law_says": float(middle),
            }
            for (p, f), y, middle in zip(sizes, values, said.median, strict=True)
        ]


def surface_of(
    metric: str, cells: SizedCells, group: Mapping[str, Any], notes: tuple[str, ...]
) -> Surface:
    """Fit the joint law to cells, and hold its largest pretraining size back to see what it is worth.

    Raises FitError: cells or sizes are too few.
    """
    return Surface(metric, joint_of(cells), group, _held_back(cells), notes)


def _held_back(cells: SizedCells) -> tuple[HeldBack, ...]:
    last = float(cells.sizes[:, 0].max())
    inner = cells.sizes[:, 0] < last
    part = SizedCells(cells.sizes[inner], cells.quality[inner], cells.top, cells.bottom)
    out = [(f, y) for (p, f), y in zip(cells.sizes, cells.quality, strict=True) if p == last]
    rows = {f: row for f, _ in out if len(row := _row(part, f)) >= _LEAST}
    try:
        joint = joint_of(part)
    except FitError:
        return ()
    if not rows:
        return ()
    learned = learn_quality(list(rows.values()))
    apart = forecast_quality(list(rows.values()), np.array([last]), learned)
    separately = {f: float(p.median[0]) for f, p in zip(rows, apart, strict=True)}
    return tuple(
        HeldBack(
            last,
            float(f),
            float(y),
            float(joint.predict(np.array(last), f).median[0]),
            separately[f],
        )
        for f, y in out
        if f in rows
    )


def _row(cells: SizedCells, finetune: float) -> Series:
    """Return the curve over pretraining at one finetuning size; a size of 0 has no logarithm."""
    at = (cells.sizes[:, 1] == finetune) & (cells.sizes[:, 0] > 0)
    order = np.argsort(cells.sizes[at, 0])
    x, y = cells.sizes[at, 0][order], cells.quality[at][order]
    return Series(x, y, np.ones(x.size, dtype=np.int64), float("nan"), cells.bottom, cells.top)
