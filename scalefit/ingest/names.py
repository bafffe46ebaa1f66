"""The names of logged numbers as one user means them: the common ones, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scalefit.table.columns import KNOWN
from scalefit.table.names import Named, split

from .jsons import number


@dataclass(frozen=True)
class Names:
    """What logged names mean, the user's mapping first.

    Attributes
    ----------
    mapping : mapping
        Own name -> canonical name. A name that means a metric is an evaluation, whatever it looks
        like; it keeps its own name here, and the table's mapping turns it.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)

    def split(self, name: str) -> Named | None:
        """Return (evaluation set, metric) of a logged name, None where it is no evaluation.

        Examples
        --------
        >>> Names({"my score": "bleu"}).split("my score"), Names().split("my score")
        ((None, 'my score'), None)
        """
        known = split(name)
        if self.mapping.get(name, "step") in KNOWN:
            return known
        return known[0] if known else None, name

    def evaluations(self, record: Mapping[str, object]) -> dict[Named, float]:
        """Return the evaluation numbers of a flat record of logged names."""
        found: dict[Named, float] = {}
        for name, value in record.items():
            named, known = self.split(str(name)), number(value)
            if named is not None and known is not None:
                found[named] = known
        return found


def loss_note(metrics: set[str]) -> list[str]:
    """Return a note where a loss came without its unit."""
    if not metrics & {"loss", "nll_loss"}:
        return []
    return [
        "a logged 'loss' has no unit and is kept as the metric 'loss'; where it is nats per target "
        "token, mapping={'loss': 'cross_entropy'} says so"
    ]
