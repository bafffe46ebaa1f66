"""Rules between rows: duplicates, conflicts, signatures, units, repetition, checkpoints."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scalefit.types import Floats, Ints, Mask
from scalefit.units import counted

from .checks import ENTROPIES, by_metric, rows_of
from .column import Columns
from .columns import KNOWN, MEASURED, SEEDS
from .draft import Draft, Problem, listed
from .metrics import METRICS, metric
from .runs import copies

_CURES = {
    "signature": "score all outputs with one signature",
    "tokenizer": "compare cross_entropy_per_byte instead",
    "unit": "convert to one unit",
}
"""Columns that have one value under each metric, and what to do about more."""
_SETTING = ("metric", "task", "eval_set", "domain")


def check(draft: Draft) -> Columns:
    """Check the rows against each other and return their columns; drop copies with a note.

    What tells rows apart is worked out once, for all rules and for the table that they become.
    """
    columns = _without_copies(draft, Columns(draft.frame))
    _conflicts(draft, columns)
    for name in _CURES:
        _one_per_metric(draft, columns, name)
    _mixed_scales(draft, columns)
    _precision(draft)
    _repetition(draft)
    _monotone(draft, columns)
    return columns


def _without_copies(draft: Draft, columns: Columns) -> Columns:
    again = copies(columns)
    if not again.any():
        return columns
    draft.note(
        f"{again.sum()} exact duplicate rows left out (a copy adds no information): "
        f"{draft.some(again)}"
    )
    draft.keep(~again)
    return Columns(draft.frame)


def _conflicts(draft: Draft, columns: Columns) -> None:
    known = [c for c in draft.frame.columns if c in KNOWN and c not in MEASURED and c != "unit"]
    extras = [c for c in draft.frame.columns if c not in KNOWN]
    codes = columns.labels(known)
    full = columns.labels([*known, *extras]) if extras else codes
    alike, same = np.bincount(codes)[codes] > 1, np.bincount(full)[full] > 1
    seeded = _seeded(draft.frame)
    _note_rows(draft, alike & ~same, f"differ from another only in {listed(extras)}")
    _note_rows(
        draft,
        same & ~seeded,
        "share their key and name no seed: taken as replicates of unknown seed",
    )
    if "conflicts" not in draft.allow:
        for code in np.unique(full[same & seeded]):
            _blame_group(draft, np.flatnonzero(full == code))


def _note_rows(draft: Draft, rows: Mask, text: str) -> None:
    if rows.any():
        draft.note(f"{rows.sum()} rows {text}: {draft.some(rows)}")


def _seeded(frame: pd.DataFrame) -> Mask:
    there = [np.asarray(frame[c].notna(), dtype=bool) for c in SEEDS if c in frame.columns]
    return np.logical_or.reduce(there) if there else np.zeros(len(frame), dtype=bool)


def _blame_group(draft: Draft, rows: np.ndarray) -> None:
    first, *others = (int(i) for i in rows)
    values = draft.frame["value"]
    for i in others:
        draft.problems.append(
            Problem(
                draft.label(i),
                "value",
                f"{draft.frame['metric'].iloc[i]} {values.iloc[i]:g}, but {draft.label(first)} "
                f"has {values.iloc[first]:g} under the same key and seeds",
                "one value a key",
                "add the seed or column in which they differ, or allow='conflicts'",
            )
        )


def _one_per_metric(draft: Draft, columns: Columns, column: str) -> None:
    if not draft.has(column):
        return
    telling = [c for c in (*_SETTING, column) if draft.has(c)]
    first = np.unique(columns.labels(telling), return_index=True)[1]
    kinds = draft.frame.loc[np.sort(first), telling]
    kinds = kinds[kinds[column].notna()]
    if column == "tokenizer":
        kinds = kinds[kinds["metric"].isin(("cross_entropy", "perplexity"))]
    setting = [c for c in _SETTING if draft.has(c)]
    several = kinds[kinds.duplicated(setting, keep=False)]
    for _, found in several.groupby(setting, dropna=False, sort=False):
        _blame_mix(draft, found, column)


def _blame_mix(draft: Draft, found: pd.DataFrame, column: str) -> None:
    name, hint = f"{column}s", _CURES[column]
    seen = [str(v) for v in found[column]]
    listed = " and ".join(map(repr, seen[:3])) + (" …" if len(seen) > 3 else "")
    told = f"{len(seen)} {name} under {found['metric'].iloc[0]!r}: {listed}"
    if name in draft.allow:
        draft.note(f"{told}; allowed by the user")
        return
    row = int(found.index[1])
    draft.problems.append(
        Problem(draft.label(row), column, told, "one", f"{hint}, or allow={name!r}")
    )


def _mixed_scales(draft: Draft, columns: Columns) -> None:
    """Find fractions beside percentages: within a cell of seeds, or within COMET."""
    values = draft.frame["value"].to_numpy(dtype=float)
    names = draft.frame["metric"]
    percent = names.isin([m for m in names.unique() if metric(str(m)).percent]).to_numpy()
    comet = rows_of(draft, "comet") | rows_of(draft, "comet_qe")
    small = percent & (values > 0) & (values <= 1)
    if "units" in draft.allow or not (small.any() or comet.any()):
        return
    skipped = {*MEASURED, *SEEDS, "pretrain_run", "unit"}
    codes = columns.labels([c for c in draft.frame.columns if c not in skipped])
    biggest = np.full(codes.max() + 1, -np.inf)
    np.maximum.at(biggest, codes, values)
    with np.errstate(over="ignore"):  # a value next to 0 beside a large one is no hundredth of it
        scale = np.divide(
            biggest[codes] / 100, values, out=np.zeros(len(values)), where=values != 0
        )
    beside = small & (scale > 2 / 3) & (scale < 3 / 2)
    if beside.any():
        beside &= ~_same_tool(draft, columns, codes, biggest)
    large = comet & (np.abs(values) > 5)
    if large.any() and (comet & ~large).sum() > 0:
        beside |= comet & ~large & (np.abs(values) <= 1.2)
    draft.blame(
        beside,
        "value",
        lambda i: (
            f"{draft.frame['metric'].iloc[i]} {values[i]:g} beside values up to "
            f"{max(biggest[codes[i]], values[comet].max() if comet[i] else -np.inf):g}"
        ),
        "one scale, 0 to 100 or 0 to 1",
        "multiply the fractions by 100, or allow='units'",
    )


def _same_tool(draft: Draft, columns: Columns, codes: Ints, biggest: Floats) -> Mask:
    """Return the rows whose signature the largest value of their cell has too: one tool, one unit."""
    if not draft.has("signature"):
        return np.zeros(len(draft.frame), dtype=bool)
    signed = columns.named["signature"].codes
    top = draft.frame["value"].to_numpy(dtype=float) == biggest[codes]
    largest = np.zeros(len(biggest), dtype=np.int64)
    largest[codes[top]] = signed[top]
    return np.asarray((signed > 0) & (signed == largest[codes]))


def _precision(draft: Draft) -> None:
    """Note scores that were printed with one decimal only."""
    values = draft.frame["value"].to_numpy(dtype=float)
    with np.errstate(over="ignore"):  # of values near the largest float
        coarse = (values != 0) & (np.round(values, 1) == values)
    for known, mine in by_metric(draft):
        if known.percent and (coarse & mine).sum() > 0.5 * mine.sum():
            draft.note(
                f"low precision: {(coarse & mine).sum()} of {mine.sum()} {known.name} values have one "
                "decimal or none, so each may be off by 0.05 (sacrebleu -w 4 prints more)"
            )


def _repetition(draft: Draft) -> None:
    if not (draft.has("unique_tokens") and draft.has("pretrain_tokens")):
        return
    seen, unique = (
        draft.frame[c].to_numpy(dtype=float) for c in ("pretrain_tokens", "unique_tokens")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        passes = np.where(unique > 0, seen / unique, 0.0)
    again = passes > 1
    if again.any():
        draft.note(
            f"repetition: {counted(int(again.sum()), 'row')} saw more tokens than their corpus has unique ones, up "
            f"to {passes[again].max():.3g} passes ({draft.some(again)}): such tokens may count less"
        )


def _monotone(draft: Draft, columns: Columns) -> None:
    """Note cross-entropy curves that rise from one checkpoint to the next of the same run."""
    if not (draft.has("pretrain_run") and draft.has("pretrain_tokens")):
        return
    named = draft.frame["metric"].isin(ENTROPIES) & draft.frame["pretrain_run"].notna()
    rows = draft.frame[named]
    skipped = {*MEASURED, "pretrain_tokens", "unit", "corpus", "unique_tokens", "run", "step"}
    keys = [c for c in rows.columns if c in KNOWN and c not in skipped]
    curve = columns.labels(keys, np.flatnonzero(named))
    order = np.lexsort((rows["pretrain_tokens"].to_numpy(dtype=float), curve))
    curve, values = curve[order], rows["value"].to_numpy(dtype=float)[order]
    rise = np.where(np.diff(curve, prepend=-1) == 0, np.diff(values, prepend=np.inf), -np.inf)
    if (rise > 0).any():
        rising, curves = len(np.unique(curve[rise > 0])), int((np.bincount(curve) > 1).sum())
        place = draft.label(int(rows.index[order[int(rise.argmax())]]))
        draft.note(
            f"non-monotone checkpoints: {rising} of {curves} cross-entropy curves rise somewhere, "
            f"at most by {rise.max():.3g} {METRICS['cross_entropy'].unit} ({place})"
        )
