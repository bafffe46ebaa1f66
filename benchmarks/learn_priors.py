"""Learn the constants that ship from the public families of quality curves, and print them.

Run: SCALEFIT_SHARED=FOLDER python benchmarks/learn_priors.py [--left-out]
forecast_data.py says what lies in that folder. The numbers belong into forecasting/quality/learn.py; the
product never runs this. forecasts_quality.py judges the product on the same held-out ends, with constants learned here
from the other families.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from forecast_data import ACCURACY, QUALITY, Source, families, images
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from scalefit.forecasting.quality.learn import (
    FEATURES,
    STRIDES,
    Learned,
    Prior,
    SplitT,
    centre_and_parts,
    features,
    fit_chance,
    learn_factors,
    learned_from,
    simplex_weights,
)
from scalefit.forecasting.quality.members import NAMES, TOP, percent_of
from scalefit.forecasting.quality.origins import Origins, Rows, origins_of
from scalefit.forecasting.quality.predict import rows_at
from scalefit.forecasting.series import Series

Floats = NDArray[np.float64]
Keep = Callable[[int], int]
START = np.array(
    [0.4, 0.1, 0.5, 0.0, 0.0, 1.0, 0.0]
)  # of FEATURES; curves say little of the room above

NEAR: dict[str, Keep] = {
    "all but 1": lambda n: n - 1,
    "all but 2": lambda n: n - 2,
    "all but 3": lambda n: n - 3,
    "4/5": lambda n: int(0.8 * n),
}
HALF: dict[str, Keep] = {"half": lambda n: n // 2}
FOUR: dict[str, Keep] = {"the 4 smallest": lambda n: 4}
TOKENS: dict[str, Keep] = {
    f"{share:.0%}": lambda n, s=share: max(int(s * n + 1e-9), 4) for share in (0.8, 0.6, 0.4)
}
LEARNED_FROM = {k: NEAR[k] for k in ("all but 1", "all but 2", "4/5")} | HALF
FEWEST = 3  # sizes to fit
# What a user would pass at once is one table: one kind of evaluation set, one model.
ONE_TABLE = {"the lab, BLEU": ("domain",), "the lab, chrF": ("domain",), "M2M100": ("model",)}
FINETUNING = Source(
    "images, finetuning", "images", ACCURACY, images,
    ("task", "model", "corpus", "pretrain_tokens"), "finetune_tokens", "accuracy",
)  # fmt: skip
HORIZONS = np.geomspace(np.log(1.2), np.log(3000.0), 14)  # of the rows that the chance learns from


@dataclass(frozen=True, eq=False)
class Held:
    """Curves of one table, their ends held back.

    Attributes
    ----------
    full, short : curves, and their smallest sizes.
    h, actual : (C, Q) ln(size / last fitted size) and value, in per cent, of the points held back.
    held : (C, Q) where there are such.
    """

    full: Sequence[Series]
    short: Sequence[Series]
    h: Floats
    actual: Floats
    held: NDArray[np.bool_]

    @cached_property
    def tested(self) -> Origins:
        """Backtests of what is fitted."""
        return origins_of(self.short)


def hold(curves: Sequence[Series], keep: Keep) -> Held | None:
    """Hold back the ends of those curves that have enough sizes; None where there is none."""
    pairs = [(c, keep(len(c))) for c in curves if FEWEST <= keep(len(c)) < len(c)]
    if not pairs:
        return None
    width = max(len(c) - k for c, k in pairs)
    h, actual = np.ones((len(pairs), width)), np.zeros((len(pairs), width))
    for row, (c, k) in enumerate(pairs):
        h[row, : len(c) - k] = np.log(c.x[k:] / c.x[k - 1])
        actual[row, : len(c) - k] = percent_of(c).to(c.y[k:])
    held = np.arange(width) < np.array([len(c) - k for c, k in pairs])[:, None]
    return Held([c for c, _ in pairs], [c.head(k) for c, k in pairs], h, actual, held)


@dataclass(frozen=True, eq=False)
class Table:
    """Curves of one table; ``group`` is left out of all learning together."""

    name: str
    group: str
    curves: Sequence[Series]

    @property
    def rate(self) -> bool:
        """Whether these are accuracies."""
        return self.curves[0].top == 1.0

    @cached_property
    def tested(self) -> Origins:
        """Backtests of all of it."""
        return origins_of(self.curves)

    @cached_property
    def splits(self) -> dict[str, Held]:
        """Every split that leaves enough to fit."""
        cuts = {name: hold(self.curves, keep) for name, keep in (NEAR | HALF | FOUR).items()}
        return {name: cut for name, cut in cuts.items() if cut}

    @cached_property
    def token_splits(self) -> dict[str, Held]:
        """The splits on which the chance of reaching targets is learned and judged."""
        cuts = {name: hold(self.curves, keep) for name, keep in TOKENS.items()}
        return {name: cut for name, cut in cuts.items() if cut}


def tables() -> list[Table]:
    """Read the families of quality that are here."""
    sources = [
        replace(s, by=s.by + (("domain",) if s.group == "lab" else ()), table=ONE_TABLE.get(s.name, ()))
        for s in QUALITY
    ]  # fmt: skip
    kept, here = [], families([*sources, FINETUNING])
    absent = {s.name for s in (*sources, FINETUNING)} - {family.name for family in here}
    if absent:
        sys.exit(
            f"constants need all families of quality; not found: {'; '.join(sorted(absent))}. benchmarks/"
            "forecast_data.py says where they are published; name their folder in SCALEFIT_SHARED"
        )
    for family in here:
        of_table: dict[str, list[Series]] = {}
        for c in family.curves:
            of_table.setdefault(c.table, []).append(c.series(family.top))
        kept += [Table(f"{family.name} {t}".strip(), family.group, c) for t, c in of_table.items()]
    return kept


def band(short: Sequence[Series], h: Floats, learned: Learned) -> tuple[Rows, SplitT]:
    """Return the rows and bands of ``short`` at ``h``."""
    rows = rows_at(short, h, learned)
    return rows, learned.band(rows)


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets above the last fitted value, and when the curve reached them: (C, T) each.

    Attributes
    ----------
    value : in per cent; nan where there is none.
    h : ln(size that reaches it / last fitted size); of the last size where none does.
    seen : whether it was reached in the data.
    known : whether the target was chosen because it was reached.
    end : (C,) ln(last size / last fitted size).
    """

    value: Floats
    h: Floats
    seen: NDArray[np.bool_]
    known: NDArray[np.bool_]
    end: Floats


def targets(cut: Held, stride: Floats) -> Targets:
    """Return fixed targets (multiples of the usual rise) and known ones (between here and the end)."""
    rows = [_targets(c, len(s), d) for c, s, d in zip(cut.full, cut.short, stride, strict=True)]
    value, h, seen = (np.array([r[i] for r in rows]) for i in range(3))
    known = np.broadcast_to(np.arange(value.shape[1]) >= STRIDES.size, value.shape)
    end = np.array([np.log(c.x[-1] / s.x[-1]) for c, s in zip(cut.full, cut.short, strict=True)])
    return Targets(value, h, seen, known, end)


def _targets(c: Series, k: int, stride: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    y, u = percent_of(c).to(c.y), np.log(c.x / c.x[k - 1])
    level = isotonic_regression(y).x
    ahead = level[-1] - level[k - 1]
    between = level[k - 1] + np.array([0.25, 0.5, 0.75, 1.0]) * ahead
    clear = (between > y[k - 1] + 1e-6) & (ahead > 0.05 * max(float(np.std(y)), 0.1))
    value = np.concatenate([y[k - 1] + STRIDES * stride, np.where(clear, between, np.nan)])
    value[value > TOP - 1] = np.nan
    seen = level[-1] >= value - 1e-9
    # The first size of the rising course that has the target; linear in ln x between two sizes.
    h = np.array(
        [_crossing(u, level, t, k) if s else u[-1] for t, s in zip(value, seen, strict=True)]
    )
    return value, h, seen


def _crossing(u: Floats, level: Floats, target: float, k: int) -> float:
    at = int((level >= target - 1e-9).argmax())
    if at < k:
        return 0.05
    share = (target - level[at - 1]) / max(level[at] - level[at - 1], 1e-12)
    return max(float(u[at - 1] + share * (u[at] - u[at - 1])), 0.05)


def prior_of(learned: Sequence[Table]) -> Prior:
    """Learn the constants that ship from whole tables, groups alike."""
    tables_in = Counter(t.group for t in learned)
    weights = dict(zip(NAMES, _prior_weights(learned, tables_in), strict=True))
    start = Prior(weights, np.log([0.5, 0.3, 0.03, 0.1, 0.1, 0.1]), START)
    factors = _prior_factors(learned, start)
    return _with_chance(learned, replace(start, factors=factors))


def _prior_weights(learned: Iterable[Table], tables_in: Counter[str]) -> Floats:
    errors, shares = [], []
    for t in learned:
        error = t.tested.rows.forecasts[:, : len(NAMES)] - t.tested.actual[:, None]
        share = t.tested.recency(3.0)
        unit = np.sqrt(np.average(np.median(error**2, axis=1), weights=share) + 1e-4)
        errors.append(error / unit)
        shares.append(share / share.sum() / tables_in[t.group])
    even = np.full(len(NAMES), 1 / len(NAMES))
    return simplex_weights(np.vstack(errors), np.concatenate(shares), even, 0.05)


def _prior_factors(learned: Iterable[Table], start: Prior) -> Floats:
    errors, parts, shares = [], [], []
    for cut in (c for t in learned for name, c in t.splits.items() if name in LEARNED_FROM):
        known = learned_from(cut.tested, start)
        centre, of_cut = centre_and_parts(
            rows_at(cut.short, cut.h, known), known.weights, known.scatter
        )
        here = cut.held.ravel()
        errors.append((cut.actual.ravel() - centre)[here])
        parts.append(of_cut[:, here])
        shares.append(np.full(here.sum(), 20 / here.sum()))
    return learn_factors(
        np.concatenate(errors), np.hstack(parts), np.concatenate(shares), start.factors, 0.5
    )


def _with_chance(learned: Sequence[Table], start: Prior) -> Prior:
    rows = [(t.group, _chance_rows(c, start)) for t in learned for c in t.token_splits.values()]
    count = Counter[str]()
    for group, (_, reached) in rows:
        count[group] += reached.size
    x, reached = np.vstack([r[0] for _, r in rows]), np.concatenate([r[1] for _, r in rows])
    share = np.concatenate([np.full(r[1].size, 1 / count[g]) for g, r in rows])
    return replace(start, chance=fit_chance(x, reached, share / share.sum(), start.chance, 0.02))


def _chance_rows(cut: Held, prior: Prior) -> tuple[Floats, Floats]:
    """Return features and outcomes at horizons within the data, fixed targets only."""
    known = learned_from(cut.tested, prior)
    h = np.broadcast_to(HORIZONS, (len(cut.short), HORIZONS.size))
    rows, bands = band(cut.short, h, known)
    aim = targets(cut, rows.stride.reshape(h.shape)[:, 0])
    use = ~aim.known & np.isfinite(aim.value)
    value = np.where(use, aim.value, TOP)
    x = features(rows, bands, np.repeat(value, h.shape[1], axis=0)).reshape(
        *h.shape, -1, len(FEATURES)
    )
    inside = (h <= aim.end[:, None] + 1e-9)[..., None] & use[:, None, :]
    reached = aim.seen[:, None, :] & (aim.h[:, None, :] <= h[..., None])
    return x[inside], reached[inside].astype(np.float64)


def main() -> None:
    """Print the prior that all families give, and, where asked, what each left-out group changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left-out", action="store_true")
    every = tables()
    show("all", every)
    if parser.parse_args().left_out:
        for group in dict.fromkeys(t.group for t in every):
            show(f"without {group}", [t for t in every if t.group != group])


def show(name: str, learned: Sequence[Table]) -> None:
    """Print what these tables give."""
    prior = prior_of(learned)
    print(name)
    print("  weights ", {k: round(float(v), 2) for k, v in prior.weights.items()})
    print("  factors ", np.exp(prior.factors).round(3).tolist())
    print("  chance  ", prior.chance.round(2).tolist(), flush=True)


if __name__ == "__main__":
    main()
