"""Hugging Face Trainer: a run's folder, or its ``trainer_state.json`` or ``*_results.json``.

``eval_loss`` is nats per target token. The same logs repeat in every ``checkpoint-N``: the run's
own are read, or those of its last checkpoint where the run was cut short.
"""

from __future__ import annotations

import re
from typing import Any

from .jsons import load
from .names import Named, evaluations
from .reader import Extract, Reader, Row
from .source import Source

STATE = "trainer_state.json"
_RESULTS = re.compile(r"(all|eval\w*|test\w*|predict\w*)_results\.json")
_LOSSES = {"loss": "cross_entropy", "loss_per_byte": "cross_entropy_per_byte"}
_UNITS = {"cross_entropy": "nats/target token", "cross_entropy_per_byte": "nats/byte"}


def recognises(source: Source) -> bool:
    """Whether it is a trainer's folder or one of its files."""
    if source.is_dir:
        return bool(_state(source) or _results(source))
    if source.basename == STATE:
        return source.is_file and b'"log_history"' in source.data()
    return bool(_RESULTS.fullmatch(source.basename)) and b'_loss"' in source.head


def _state(source: Source) -> Source | None:
    """Return the folder's trainer state, or its last checkpoint's."""
    if source.child(STATE).is_file:
        return source.child(STATE)
    numbers = [p.name[11:] for p in source.path.glob("checkpoint-*") if (p / STATE).is_file()]
    last = max((int(n) for n in numbers if n.isdigit() and len(n) < 16), default=None)
    return None if last is None else source.child(f"checkpoint-{last}", STATE)


def _results(source: Source) -> list[Source]:
    names = sorted(p.name for p in source.path.iterdir() if _RESULTS.fullmatch(p.name))
    return [source.child(n) for n in sorted(names, key=lambda n: n != "all_results.json")]


def read(source: Source) -> Extract:
    """Return the evaluations of a run: all of its history, then what only its results files hold."""
    found = Extract()
    state = _state(source) if source.is_dir else (source if source.basename == STATE else None)
    results = _results(source) if source.is_dir else ([] if state else [source])
    if state:
        _history(state, found)
        if state.path.parent.name.startswith("checkpoint-") and source.is_dir:
            found.note(f"{source.name}: the run has no {STATE} of its own; taken from {state.name}")
    for file in results:
        _add_results(file, found)
    if not found.rows:
        raise source.nothing("holds no evaluation (no eval_, test_ or predict_ number)")
    return found


def _history(source: Source, found: Extract) -> None:
    text = source.text()
    document = load(source)
    history = document.get("log_history") if isinstance(document, dict) else None
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise source.wrong(None, "has no list 'log_history'; needed a trainer's state")
    lines = [i for i, line in enumerate(text.split("\n"), 1) if re.fullmatch(r"    \{\r?", line)]
    for i, entry in enumerate(history):
        place = source.at(lines[i]) if len(lines) == len(history) else source.name
        common = {"step": entry.get("step"), "source": place, **_seen(entry)}
        found.rows += [_row(name, v, common) for name, v in evaluations(entry).items()]


def _seen(entry: dict[str, Any]) -> Row:
    """Return the tokens seen; 0 means that the trainer did not count them."""
    seen = entry.get("num_input_tokens_seen")
    return {"input_tokens_seen": seen} if isinstance(seen, int | float) and seen > 0 else {}


def _row(named: Named, value: float, common: Row) -> Row:
    name = _LOSSES.get(named[1], named[1])
    unit = {"unit": _UNITS[name]} if name in _UNITS else {}
    return {"eval_set": named[0], "metric": name, "value": value, **unit, **common}


def _add_results(source: Source, found: Extract) -> None:
    """Add a results file's numbers; where the history has another one, the file's is final."""
    document = load(source)
    if not isinstance(document, dict):
        raise source.wrong(None, "is no JSON object; needed a trainer's results")
    last = {(r["eval_set"], r["metric"]): r for r in found.rows}
    for named, value in evaluations(document).items():
        row = _row(named, value, {"source": source.name})
        known = last.get((row["eval_set"], row["metric"]))
        if known is None:
            found.rows.append(row)
        elif abs(known["value"] - value) > 1e-9 * max(1.0, abs(value)):
            found.note(
                f"{source.name}: {row['metric']} on {row['eval_set']} is {value:.6g} here and "
                f"{known['value']:.6g} at the end of the log; the results file is taken as final"
            )
            known.update(row)


READER = Reader("hf-trainer", "a Hugging Face Trainer run", recognises, read, takes="both")
