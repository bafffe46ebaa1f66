"""Rules for single rows (ranges, signs, units) and between rows (duplicates, conflicts, signatures, checkpoints)."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import pandas as pd

from scalefit.groups import spelling
from scalefit.types import Floats, Ints, Mask
from scalefit.units import counted, some

from .columns import Columns
from .draft import BrokenRule, Draft, column
from .metrics import METRICS, Metric, canonical, metric
from .names import COUNTS, KNOWN, LOSSES, MEASURED, SEED_WORDS, SEEDS
from .runs import any_there, copies

_UNITS = {
    "nats/token": ("cross_entropy", 1.0),
    "nats/target token": ("cross_entropy", 1.0),
    "nats": ("cross_entropy", 1.0),
    "bits/token": ("cross_entropy", math.log(2)),
    "bits/target token": ("cross_entropy", math.log(2)),
    "bits": ("cross_entropy", math.log(2)),
    "nats/byte": ("cross_entropy_per_byte", 1.0),
    "bits/byte": ("cross_entropy_per_byte", math.log(2)),
}
_PER_TOKEN = ("token", "target token")
"""Units of a perplexity whose logarithm is the cross-entropy."""
ENTROPIES = ("cross_entropy", "cross_entropy_per_byte")
_TINY = 1e4
_BEGUN = 5.0
"""Points from which on a hundredth is no score of its own."""
_DUST = 1e-6
"""What rounding may add beyond a range's edge, relative to it: sacreBLEU's 100.00000000000004."""


def check_rows(draft: Draft) -> None:
    """Spell metrics canonically, bring cross-entropy to nats, and check every row by itself."""
    _spell_metrics(draft)
    if draft.has("unit"):
        _to_nats(draft)
    for name in (*COUNTS, "stderr"):
        if draft.has(name):
            _not_negative(draft, name)
    for known, mine in by_metric(draft):
        _metric_range(draft, known, mine)
        _fractions(draft, known, mine)
        _one_scale(draft, known, mine)


def by_metric(draft: Draft) -> list[tuple[Metric, Mask]]:
    """Return every metric with its rows."""
    codes, names = pd.factorize(draft.cells["metric"])
    return [(metric(str(name)), codes == k) for k, name in enumerate(names)]


def _rows_of(draft: Draft, name: str) -> Mask:
    """Return the rows of one metric."""
    return np.asarray(draft.cells["metric"] == name, dtype=bool)


def _spell_metrics(draft: Draft) -> None:
    spelled: dict[str, str] = {}
    for name in pd.unique(draft.cells["metric"]):
        plain = canonical(str(name))
        plain = next((s for s in spelled.values() if spelling(s) == spelling(plain)), plain)
        if plain != name:
            draft.note(f"metric {name!r} read as {plain!r}")
        spelled[name] = plain
    if any(name != plain for name, plain in spelled.items()):
        draft.cells["metric"] = column([spelled[name] for name in draft.cells["metric"]])


def _to_nats(draft: Draft) -> None:
    """Bring cross-entropies to nats, and perplexities whose unit is known to cross-entropies."""
    for name, unit in dict.fromkeys(
        zip(draft.cells["metric"].tolist(), draft.cells["unit"].tolist(), strict=True)
    ):
        said = str(unit).strip().lower()
        target, factor = _UNITS.get(said, ("", 1.0)) if name in (*ENTROPIES, *LOSSES) else ("", 1.0)
        rows = _rows_of(draft, name) & np.asarray(draft.cells["unit"] == unit, dtype=bool)
        if name == "perplexity" and said in _PER_TOKEN:
            target = "cross_entropy"
            _take_logarithms(draft, rows)
            draft.note(f"{rows.sum()} perplexities per token: their logarithms are cross-entropies")
        if said == "%":
            known = metric(str(name))
            # A fraction, and a percentage that would be taken for one: .5 % of errors.
            if known.upper == 1.0 or (known.either and np.max(draft.cells["value"][rows]) <= 1):
                draft.note(f"{rows.sum()} values of {name} in percent divided by 100")
                _scale(draft, rows, 0.01)
            nothing = np.full(len(rows), None)  # written and read again, it is not divided again
            draft.cells["unit"] = np.where(rows, nothing, draft.cells["unit"])
        if not target:
            continue
        if name in LOSSES:
            draft.note(f"{name} in {said} is {target}")
        elif name in ENTROPIES and target != name:
            draft.note(f"{name} in {said} is {target}, another metric")
        if factor != 1.0:
            _scale(draft, rows, factor)
            draft.note(f"cross-entropy in {said} turned into {METRICS[target].unit} (times ln 2)")
        for cells, told in (("metric", target), ("unit", METRICS[target].unit)):
            draft.cells[cells] = np.where(rows, told, draft.cells[cells]).astype(object)


def _scale(draft: Draft, rows: Mask, factor: float) -> None:
    for name in ("value", "stderr"):
        if draft.has(name):
            draft.cells[name] = np.where(rows, draft.cells[name] * factor, draft.cells[name])


def _take_logarithms(draft: Draft, rows: Mask) -> None:
    values = draft.cells["value"]
    safe = np.where(rows, np.maximum(values, 1.0 - _DUST), 1.0)
    if draft.has("stderr"):
        draft.cells["stderr"] = draft.cells["stderr"] / safe
    draft.cells["value"] = np.where(rows, np.log(safe), values)


def _not_negative(draft: Draft, name: str) -> None:
    values = draft.cells[name]
    wrong = np.isinf(values) | (values < 0)
    draft.blame(wrong, name, lambda i: f"{values[i]:g}", "a finite number, 0 or more")


def _metric_range(draft: Draft, known: Metric, mine: Mask) -> None:
    values = _clipped(draft, known, mine)
    infinite = mine & np.isinf(values)
    draft.blame(infinite, "value", lambda i: f"{known.name} {values[i]:g}", "a finite number",
        "an empty cell where nothing was measured",
    )  # fmt: skip
    if "range" in draft.allow:
        return
    outside = mine & np.isfinite(values) & ((values < known.lower) | (values > known.upper))
    most = f"to {known.upper:g}" if known.upper < math.inf else "or more"
    needed = f"{known.lower:g} {most}"
    draft.blame(
        outside, "value", lambda i: f"{known.name} {values[i]:g}", needed, _range_hint(known)
    )


def _clipped(draft: Draft, known: Metric, mine: Mask) -> Floats:
    """Return all values; those of one metric that lie beyond an edge by dust only are put on it."""
    values = draft.cells["value"]
    # What passes 1 by dust is a fraction, not a percentage.
    written = known.up_to(float(np.max(values[mine], initial=-math.inf)) / (1 + _DUST))
    for edge, side in ((written.lower, -1.0), (written.upper, 1.0)):
        beyond = side * (values - edge) if math.isfinite(edge) else np.zeros(len(values))
        dust = mine & (beyond > 0) & (beyond <= _DUST * max(1.0, abs(edge)))
        if dust.any():
            values = np.where(dust, edge, values)
            draft.cells["value"] = values
    return values


def _range_hint(known: Metric) -> str:
    if known.upper == 1.0:
        return "divide percentages by 100, or allow='range'"
    return "look at the file's columns, or allow='range'"


def _fractions(draft: Draft, known: Metric, mine: Mask) -> None:
    values = draft.cells["value"]
    if known.percent and 0 < np.max(values[mine]) <= 1 and "fractions" not in draft.allow:
        draft.blame(
            mine,
            "value",
            lambda i: f"{known.name} {values[i]:g}",
            f"0 to 100: no {known.name} here is above 1, so these look like fractions",
            f"mapping={{'{known.name}*100': '{known.name}'}}, or allow='fractions' where they are truly that low",
        )


def _one_scale(draft: Draft, known: Metric, mine: Mask) -> None:
    """Refuse accuracies of at most 1 beside others in percent; of a benchmark or an error 1 % is like any other."""
    values = draft.cells["value"]
    most = np.max(values[mine])
    if known.one_scale and most > 1:
        draft.blame(
            mine & (values > 0) & (values <= 1),
            "value",
            lambda i: f"{known.name} {values[i]:g} beside values up to {most:g}",
            "one scale, 0 to 100 or 0 to 1",
            "divide the percentages by 100",
        )


_CURES = {
    "signature": "score all outputs with one signature",
    "tokenizer": "compare cross_entropy_per_byte instead",
    "unit": "convert to one unit",
}
"""Columns that have one value under each metric, and what to do about more."""
_SETTING = ("metric", "task", "eval_set", "domain")


def check_between(draft: Draft, inputs: Collection[str] = ()) -> Columns:
    """Check the rows against each other and return their columns; drop copies with a note.

    ``inputs`` are what a law is of: rows that differ in them are no surprise.

    What tells rows apart is worked out once, for all rules and for the table that they become.
    """
    columns = _without_copies(draft, Columns(draft.cells))
    _conflicts(draft, columns, inputs)
    for name in _CURES:
        _one_per_metric(draft, columns, name)
    _mixed_scales(draft, columns)
    _either_scale(draft)
    _precision(draft)
    _tiny(draft)
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
    return Columns(draft.cells)


def _conflicts(draft: Draft, columns: Columns, inputs: Collection[str]) -> None:
    ours = {*KNOWN, *inputs}
    known = [c for c in draft.cells if c in ours and c not in MEASURED and c != "unit"]
    extras = [c for c in draft.cells if c not in ours]
    codes = columns.labels(known)
    full = columns.labels([*known, *extras]) if extras else codes
    alike, same = np.bincount(codes)[codes] > 1, np.bincount(full)[full] > 1
    seeded = any_there(columns, SEEDS)
    if (alike & ~same).any():
        # The user's own spelling of a size (in billions) tells nothing apart that the size does not.
        telling = [c for c in extras if columns.labels([*known, c]).max() > codes.max()]
        if any(
            name.lower() not in SEED_WORDS for name in telling
        ):  # of seeds it is what they are for
            _note_rows(draft, alike & ~same, f"differ from another only in {some(telling)}")
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
        draft.note(f"{len(draft.written(rows))} rows {text}: {draft.some(rows)}")


def _blame_group(draft: Draft, rows: np.ndarray) -> None:
    first, *others = (int(i) for i in rows)
    values = draft.cells["value"]
    for i in others:
        draft.problems.append(
            BrokenRule(
                draft.label(i),
                "value",
                f"{draft.cells['metric'][i]} {values[i]:g}, but {draft.label(first)} "
                f"has {values[first]:g} under the same key and seeds",
                "one value a key",
                "add the seed or column in which they differ, or allow='conflicts'",
            )
        )


def _one_per_metric(draft: Draft, columns: Columns, name: str) -> None:
    if not draft.has(name):
        return
    first = np.sort(np.unique(columns.labels([*_SETTING, name]), return_index=True)[1])
    kinds = first[columns.named[name].there[first]]
    if name == "tokenizer":
        per_token = [m in ("cross_entropy", "perplexity") for m in draft.cells["metric"][kinds]]
        kinds = kinds[np.array(per_token, dtype=bool)]
    setting = columns.labels(_SETTING)[kinds]
    for one in pd.unique(setting[np.bincount(setting)[setting] > 1]):
        _blame_mix(draft, name, kinds[setting == one])


def _blame_mix(draft: Draft, column: str, kinds: Ints) -> None:
    """Blame a metric's second signature, tokenizer or unit; ``kinds`` are the first row of each."""
    name, hint = f"{column}s", _CURES[column]
    seen = [str(draft.cells[column][i]) for i in kinds]
    listed = " and ".join(map(repr, seen[:3])) + (" …" if len(seen) > 3 else "")
    told = f"{len(seen)} {name} under {draft.cells['metric'][kinds[0]]!r}: {listed}"
    if name in draft.allow:
        draft.note(f"{told}; allowed by the user")
        return
    place = draft.label(int(kinds[1]))
    draft.problems.append(BrokenRule(place, column, told, "one", f"{hint}, or allow={name!r}"))


def _mixed_scales(draft: Draft, columns: Columns) -> None:
    """Find fractions beside percentages: within a cell of seeds, or within COMET."""
    values = draft.cells["value"]
    percent = np.zeros(len(values), dtype=bool)
    for known, mine in by_metric(draft):
        # Accuracies that reach 1 at most are fractions, however small some of them are.
        percent |= mine & (known.up_to(float(np.max(values[mine]))).upper == 100.0)
    comet = _rows_of(draft, "comet") | _rows_of(draft, "comet_qe")
    small = percent & (values > 0) & (values <= 1)
    if "units" in draft.allow or not (small.any() or comet.any()):
        return
    skipped = {*MEASURED, *SEEDS, "pretrain_run", "unit"}
    codes = columns.labels([c for c in draft.cells if c not in skipped])
    biggest = np.full(codes.max() + 1, -np.inf)
    np.maximum.at(biggest, codes, values)
    with np.errstate(over="ignore"):  # a value next to 0 beside a large one is no hundredth of it
        scale = np.divide(
            biggest[codes] / 100, values, out=np.zeros(len(values)), where=values != 0
        )
    # A seed that has begun to translate beside one that has not (2.1 and .02) proves nothing.
    beside = small & (scale > 2 / 3) & (scale < 3 / 2) & (biggest[codes] >= _BEGUN)
    if beside.any():
        beside &= ~_same_tool(draft, columns, codes, biggest)
    large = comet & (np.abs(values) > 5)
    if large.any() and (comet & ~large).sum() > 0:
        beside |= comet & ~large & (np.abs(values) <= 1.2)
    draft.blame(
        beside,
        "value",
        lambda i: (
            f"{draft.cells['metric'][i]} {values[i]:g} beside values up to "
            f"{max(biggest[codes[i]], values[comet].max() if comet[i] else -np.inf):g}"
        ),
        "one scale, 0 to 100 or 0 to 1",
        "multiply the fractions by 100, or allow='units'",
    )


def _same_tool(draft: Draft, columns: Columns, codes: Ints, biggest: Floats) -> Mask:
    """Return the rows whose signature the largest value of their cell has too: one tool, one unit."""
    if not draft.has("signature"):
        return np.zeros(len(draft), dtype=bool)
    signed = columns.named["signature"].codes
    top = draft.cells["value"] == biggest[codes]
    largest = np.zeros(len(biggest), dtype=np.int64)
    largest[codes[top]] = signed[top]
    return np.asarray((signed > 0) & (signed == largest[codes]))


def _either_scale(draft: Draft) -> None:
    """Note benchmarks that look like fractions where others are surely in percent: their values alone do not tell."""
    either = [(m, mine) for m, mine in by_metric(draft) if m.either]
    largest = {m.name: float(draft.cells["value"][mine].max()) for m, mine in either}
    small = [name for name, most in largest.items() if most <= 1]
    if large := sorted({*largest} - {*small}) if small else []:
        said = small[0] if metric(small[0]).falls else "accuracy"
        cure = f"mapping={{'{small[0]}/100': '{said}'}} says so"
        draft.note(
            f"{some(small)} {'are' if small[1:] else 'is'} at most 1 beside {some(large, 4)} in percent, and taken "
            f"for fractions; where these are percent too, {cure}"
        )


def _precision(draft: Draft) -> None:
    """Note scores that were printed with one decimal only."""
    values = draft.cells["value"]
    with np.errstate(over="ignore"):  # of values near the largest float
        coarse = (values != 0) & (np.round(values, 1) == values)
    for known, mine in by_metric(draft):
        if known.percent and (coarse & mine).sum() > 0.5 * mine.sum():
            draft.note(
                f"low precision: {(coarse & mine).sum()} of {mine.sum()} {known.name} values have one "
                "decimal or none, so each may be off by 0.05 (sacrebleu -w 4 prints more)"
            )


def _tiny(draft: Draft) -> None:
    """Note sizes that nobody pretrains on: numbers in a unit that the table does not name."""
    if draft.has("pretrain_tokens"):
        largest = np.nanmax(draft.cells["pretrain_tokens"], initial=0.0)
        if 0 < largest < _TINY:
            draft.note(
                f"the largest pretrain_tokens is {largest:g}; where these are billions: "
                "mapping={'pretrain_tokens*1e9': 'pretrain_tokens'}"
            )


def _repetition(draft: Draft) -> None:
    if not (draft.has("unique_tokens") and draft.has("pretrain_tokens")):
        return
    seen, unique = draft.cells["pretrain_tokens"], draft.cells["unique_tokens"]
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
    entropies = [_rows_of(draft, name) for name in ENTROPIES]
    rows = np.flatnonzero(np.any(entropies, axis=0) & columns.named["pretrain_run"].there)
    skipped = {*MEASURED, "pretrain_tokens", "unit", "corpus", "unique_tokens", "run", "step"}
    curve = columns.labels([c for c in draft.cells if c in KNOWN and c not in skipped], rows)
    order = np.lexsort((draft.cells["pretrain_tokens"][rows], curve))
    curve, rows = curve[order], rows[order]
    steps = np.diff(draft.cells["value"][rows], prepend=np.inf)
    rise = np.where(np.diff(curve, prepend=-1) == 0, steps, -np.inf)
    if (rise > 0).any():
        rising, curves = len(np.unique(curve[rise > 0])), int((np.bincount(curve) > 1).sum())
        place = draft.label(int(rows[rise.argmax()]))
        draft.note(
            f"non-monotone checkpoints: {rising} of {curves} cross-entropy curves rise somewhere, "
            f"at most by {rise.max():.3g} {METRICS['cross_entropy'].unit} ({place})"
        )
