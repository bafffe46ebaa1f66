"""Hugging Face: a Trainer's folder, ``trainer_state.json`` and ``*_results.json``, and what scripts print.

``eval_loss`` is nats per target token, unless the run is one of regression, classification or preferences. The same
logs repeat in every ``checkpoint-N``: the run's own are read, or those of its last checkpoint where the run was cut
short. ``eval_results.txt`` has ``name = value`` lines; a log of the console has a dictionary a line and tells no
step; LlamaFactory's ``trainer_log.jsonl`` has both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from scalefit.errors import FormatError
from scalefit.rows import Row
from scalefit.table.names import Named

from .checkpoints import BEST, FINAL
from .reader import (
    BYTE,
    TOKEN,
    Extract,
    Reader,
    evaluation,
    first_object,
    load_json,
    load_lines,
    load_object,
)
from .source import Source, number

Record = tuple[Row, dict[str, Any]]
"""What the rows of a record share, and its numbers by their logged names."""
STATE = "trainer_state.json"
_RESULTS = re.compile(r"(all|eval\w*|test\w*|predict\w*)_results\.json")
_LOSSES = {"loss": ("cross_entropy", TOKEN), "loss_per_byte": ("cross_entropy_per_byte", BYTE)}
_OTHER_GOALS = re.compile(
    r"(eval|test|predict)[_/](rewards/.*|logps/.*|mse|rmse|mae|pearsonr?|spearmanr?|r2)", re.I
)
"""Logged names of regression and of preference training (DPO and its kin)."""
_OTHER_HEADS = re.compile(
    r"For(Sequence|Token|Image)Classification|ForMultipleChoice|Reward|ForQuestion"
)
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})/?$")


def recognises_trainer(source: Source) -> bool:
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


def read_trainer(source: Source) -> Extract:
    """Return the evaluations of a run: all of its history, then what only its results files hold."""
    extract = Extract()
    state = _state(source) if source.is_dir else (source if source.basename == STATE else None)
    results = _results(source) if source.is_dir else ([] if state else [source])
    history = History.of(state) if state else History(())
    documents = [(file, load_object(file, "a trainer's results")) for file in results]
    entropy = is_entropy(source, [*history.entries, *(told for _, told in documents)], extract)
    for common, entry in history.placed():
        extract.rows += _rows(source, common, entry, entropy=entropy)
    if state and state.path.parent.name.startswith("checkpoint-") and source.is_dir:
        extract.note(f"{source.name}: the run has no {STATE} of its own; taken from {state.name}")
    for file, numbers in documents:
        _add_results(file, source.names.evaluations(numbers), extract, entropy=entropy)
    return extract


@dataclass(frozen=True)
class History:
    """A trainer's log: its entries, where each stands, and which step it calls the best."""

    entries: tuple[dict[str, Any], ...]
    places: tuple[str, ...] = ()
    best: int | None = None

    @classmethod
    def of(cls, source: Source) -> History:
        """Return the history that a ``trainer_state.json`` holds."""
        text = source.text()
        document = load_json(source)
        history = document.get("log_history") if isinstance(document, dict) else None
        if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
            raise source.wrong(
                None, "has no list 'log_history' of objects; needed a trainer's state"
            )
        lines = [
            i for i, line in enumerate(text.split("\n"), 1) if re.fullmatch(r"    \{\r?", line)
        ]
        alike = len(lines) == len(history)
        places = [source.at(line) for line in lines] if alike else [source.name] * len(history)
        best = _CHECKPOINT.search(str(document.get("best_model_checkpoint")))
        return cls(tuple(history), tuple(places), int(best[1]) if best else None)

    def placed(self) -> Iterable[Record]:
        """Yield what an entry's rows share, and the entry."""
        for entry, place in zip(self.entries, self.places, strict=True):
            seen = number(entry.get("num_input_tokens_seen"))  # 0: the trainer did not count them
            counted = {"input_tokens_seen": seen} if seen else {}
            yield {"step": entry.get("step"), BEST: self.best, "source": place, **counted}, entry


def is_entropy(source: Source, entries: Iterable[dict[str, Any]], extract: Extract) -> bool:
    """Return whether the run's loss is a cross-entropy of tokens; note it where it is not."""
    other = next((str(k) for e in entries for k in e if _OTHER_GOALS.fullmatch(str(k))), None)
    other = other or _other_head(source)
    if other:
        extract.note(
            f"{source.name}: this run has {other}, so its loss is no cross-entropy of tokens: it is "
            "kept as the metric 'loss'"
        )
    return other is None


def _other_head(source: Source) -> str | None:
    """Return what the model's configuration says, where it is no language model."""
    folder = source.path if source.is_dir else source.path.parent
    if source.held is not None or not (folder / "config.json").is_file():
        return None
    try:
        config = load_json(Source.of(folder / "config.json"))
    except FormatError:
        return None
    kind = config.get("problem_type") if isinstance(config, dict) else None
    if kind:
        return f"problem_type {kind}"
    heads = config.get("architectures") if isinstance(config, dict) else None
    named = map(str, heads if isinstance(heads, list) else ())
    return next((head for head in named if _OTHER_HEADS.search(head)), None)


def row_of(named: Named, value: float, common: Row, *, entropy: bool) -> Row:
    """Return one number as a row; its loss is a cross-entropy where the run's losses are."""
    row = {**evaluation(named, value), **common}
    if entropy and named[1] in _LOSSES:
        row["metric"], row["unit"] = _LOSSES[named[1]]
    return row


def _rows(source: Source, common: Row, entry: dict[str, Any], *, entropy: bool) -> Iterator[Row]:
    """Yield the evaluations of a record, each with what all of them share."""
    for named, value in source.names.evaluations(entry).items():
        yield row_of(named, value, common, entropy=entropy)


def _add_results(
    source: Source, numbers: dict[Named, float], extract: Extract, *, entropy: bool
) -> None:
    """Add a results file's numbers: measured after training, of the step whose numbers they are."""
    rows = [row_of(named, value, {}, entropy=entropy) for named, value in numbers.items()]
    step, last = _step_of(rows, extract), {_key(row): row for row in extract.rows}
    for row in rows:
        known = last.get(_key(row))
        own = {"source": source.name, "step": step, FINAL: True}
        if known is None:
            extract.rows.append({**row, **own})
        elif not _same(known["value"], row["value"]):
            of = f", those of the best step, {step}" if step is not None else ""
            extract.note(
                f"{source.name}: {row['metric']} on {row['eval_set']} is {row['value']:.6g} here and "
                f"{known['value']:.6g} at the end of the log; the results file is taken as final{of}"
            )
            extract.rows.append({**known, **row, **own})


def _step_of(rows: list[Row], extract: Extract) -> Any:
    """Return the step whose evaluation the results repeat: the best where that was loaded again."""
    final = {_key(row): row["value"] for row in rows}
    known = [row for row in extract.rows if _key(row) in final and not row.get(FINAL)]
    steps = [row.get("step") for row in known if _same(row["value"], final[_key(row)])]
    best = next((row[BEST] for row in known if row.get(BEST) is not None), None)
    return best if best in steps else (steps[-1] if steps else None)


def _key(row: Row) -> tuple[Any, ...]:
    return row["eval_set"], row["metric"]


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * max(1.0, abs(b)) or (math.isnan(a) and math.isnan(b))


TRAINER = Reader(
    "hf-trainer", "a Hugging Face Trainer run", recognises_trainer, read_trainer, takes="both"
)


_LINE = re.compile(r"\s*((?:eval|test|predict)_\w{1,80}|perplexity)\s*=\s*(\S{1,60})\s*")
_TEXT_RESULTS = re.compile(r"(eval|test|predict)\w*_results(_\w+)?\.txt")
_DICT = re.compile(r"\{'(?:eval|test|predict)_[^{}]{1,20000}\}")
_PAIR = re.compile(r"'([^']{1,200})': '?([^,'}\s]{1,60})")


def recognises_results(source: Source) -> bool:
    """Whether it is named ``eval_results….txt`` and has ``eval_… = value`` lines."""
    named = _TEXT_RESULTS.fullmatch(source.basename)
    return bool(named) and any(_LINE.fullmatch(line) for line in source.first_lines)


def read_results(source: Source) -> Extract:
    """Return the numbers of the ``name = value`` lines."""
    pairs = (_LINE.fullmatch(text) for _, text in source.lines())
    numbers = {pair[1]: pair[2] for pair in pairs if pair}
    return _extract(source, [({"source": source.name}, numbers)])


def recognises_console(source: Source) -> bool:
    """Whether a line holds a dictionary that begins with an evaluation's number."""
    return any(_DICT.search(line) for line in source.first_lines) or _late(source)


def _late(source: Source) -> bool:
    """Return whether it looks like a trainer's console whose first evaluation comes later."""
    return b"{'loss': " in source.head and b"'learning_rate': " in source.head


def read_console(source: Source) -> Extract:
    """Return every evaluation that was printed; the last one of each metric comes last."""
    return _extract(source, _printed(source))


def _printed(source: Source) -> Iterator[Record]:
    for line, text in source.lines():
        for told in _DICT.findall(text):
            numbers = dict(_PAIR.findall(told))
            epoch = number(numbers.get("epoch"))
            yield {"step": None, "epoch": epoch, "source": source.at(line)}, numbers


def recognises_llamafactory(source: Source) -> bool:
    """Whether the first line's object counts ``current_steps`` of ``total_steps``."""
    return {"current_steps", "total_steps"} <= set(first_object(source))


def read_llamafactory(source: Source) -> Extract:
    """Return every evaluation of LlamaFactory's log."""
    lines = ((n, one) for n, one in load_lines(source) if isinstance(one, dict))
    placed = (({"source": source.at(n), "step": one.get("current_steps")}, one) for n, one in lines)
    return _extract(source, placed)


def _extract(source: Source, records: Iterable[Record]) -> Extract:
    extract, held = Extract(), list(records)
    entropy = is_entropy(source, [numbers for _, numbers in held], extract)
    for common, numbers in held:
        extract.rows += _rows(source, common, numbers, entropy=entropy)
    return extract


RESULTS = Reader("hf-results", "Hugging Face results (text)", recognises_results, read_results)
CONSOLE = Reader("hf-console", "a Hugging Face trainer's console", recognises_console, read_console)
LLAMAFACTORY = Reader(
    "llamafactory", "a LlamaFactory log", recognises_llamafactory, read_llamafactory
)
