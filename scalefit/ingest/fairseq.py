"""fairseq: training logs in their dialects (pipes with and without logger name, Hydra, JSON), and generations.

``nll_loss`` is bits per target token and becomes nats; ``loss`` is label-smoothed and is not taken
unless the perplexity shows that it is the plain cross-entropy.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scalefit.rows import Row

from .reader import LN2, Extract, Reader, cross_entropy
from .source import Source, number

_SUBSET = re.compile(r"valid on '([^']{1,200})' subset")
_PAIR = re.compile(r"\|\s*([A-Za-z][\w-]*) ([^\s|]+)")
_JSON_KEY = re.compile(r'"(\w{1,80}?)_(?:nll_)?loss"')


def recognises_training(source: Source) -> bool:
    """Whether the first 64 KB look like a fairseq log (a validation, or its loggers' names)."""
    text = source.beginning
    if _SUBSET.search(text) or ("num_updates" in text and "nll_loss" in text):
        return True
    return "fairseq_cli.train" in text or "| fairseq.trainer |" in text


def read_training(source: Source) -> Extract:
    """Return every validation of the log."""
    extract = Extract()
    for line, text in source.lines():
        for subset, numbers in _validation(text):
            rows = list(_rows(subset, numbers, extract))
            extract.rows += [{**row, "source": source.at(line)} for row in rows]
    if not extract.rows:
        raise source.nothing("a fairseq log without a validation line; needed one that finished")
    return extract


def _validation(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    subset = _SUBSET.search(text)
    if subset:
        told = _PAIR.findall(text[subset.end() :])
        pairs = {name.removeprefix("valid_"): number(value) for name, value in told}
        yield subset[1], {n: v for n, v in pairs.items() if v is not None}
    elif "_loss" in text and (start := text.find("{")) >= 0:
        yield from _json_dialect(text[start:])


def _json_dialect(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    named = [m for m in _JSON_KEY.findall(text) if not m.startswith("train")]
    for subset in dict.fromkeys(named):
        cut = len(subset) + 1
        pairs = {k[cut:]: number(v) for k, v in document.items() if k.startswith(f"{subset}_")}
        yield subset, {n: v for n, v in pairs.items() if v is not None}


def _rows(subset: str, numbers: dict[str, float], extract: Extract) -> Iterator[Row]:
    common: Row = {"eval_set": subset, "step": numbers.get("num_updates")}
    entropy = _entropy(numbers, extract)
    if entropy is not None:
        yield {**cross_entropy(entropy), **common}
    for name in ("bleu", "sacrebleu"):
        if name in numbers:
            yield {"metric": "bleu", "value": numbers[name], **common}


def _entropy(numbers: dict[str, float], extract: Extract) -> float | None:
    if "nll_loss" in numbers:
        extract.note("fairseq's nll_loss is in bits per target token: times ln 2 for nats")
        return numbers["nll_loss"] * LN2
    loss, ppl = numbers.get("loss"), numbers.get("ppl")
    if loss is None or ppl is None:
        return None
    if not (1 < ppl < math.inf and math.isfinite(loss)):
        return math.nan
    if abs(loss - math.log2(ppl)) > 0.02 * max(loss, 1.0):
        extract.note("fairseq's loss is label-smoothed and the log has no nll_loss: not taken")
        return None
    extract.note(
        "fairseq's loss is the plain cross-entropy here (2^loss is ppl): times ln 2 for nats"
    )
    return loss * LN2


TRAINING = Reader("fairseq", "a fairseq training log", recognises_training, read_training)


_SUMMARY = re.compile(
    r"Generate (?P<set>\S+) with beam=(?P<beam>\d+): (?P<name>BLEU4?) = (?P<bleu>[\d.]+)"
    r"(?:.*?\(BP ?= ?(?P<bp>[\d.]+))?"
)
_LINE = re.compile(r"([STHDP])-(\d{1,12})\t(.*)", re.S)


@dataclass(frozen=True)
class Generated:
    """The texts of a generation, ordered by segment number.

    Attributes
    ----------
    ids : segment numbers, rising.
    sources, references, hypotheses : texts; empty strings where the file has none. Hypotheses are the detokenised
        ``D-`` lines where there are any, else the ``H-`` lines.
    """

    ids: tuple[int, ...]
    sources: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]


def recognises_generation(source: Source) -> bool:
    """Whether the first lines are S-, T-, H-, D- or P- lines, or a generation summary."""
    lines = [line for line in source.first_lines if line.strip()]
    marked = sum(bool(_LINE.match(line)) for line in lines)
    return marked >= 2 or any(_SUMMARY.search(line) for line in lines)


def read_generation(source: Source) -> Extract:
    """Return BLEU and brevity penalty of the summary line."""
    extract, texts = Extract(), 0
    for place, line in source.lines():
        texts += line.startswith("H-")
        summary = _SUMMARY.search(line)
        if summary:
            signature = f"fairseq:{summary['name']}|beam:{summary['beam']}|tok:none"
            common = {
                "eval_set": summary["set"],
                "signature": signature,
                "source": source.at(place),
            }
            pairs = (("bleu", summary["bleu"]), ("brevity_penalty", summary["bp"]))
            extract.rows += [{"metric": m, "value": v, **common} for m, v in pairs if v]
    if not extract.rows:
        raise source.nothing(
            f"has {texts} hypotheses and no summary line 'Generate … BLEU4 = …': was it cut short? "
            "Try: score its texts, scalefit.ingest.fairseq.outputs(path) orders them"
        )
    extract.note(
        f"{source.name}: fairseq's BLEU is over its own tokens and does not compare with sacreBLEU's"
    )
    return extract


def outputs(path: str) -> Generated:
    """Return the texts of a generation file in the order of the test set.

    The file is sorted by length; scoring it as it stands against an ordered reference is wrong.

    Parameters
    ----------
    path : a ``generate-*.txt``, plain or gzip.
    """
    source = Source.of(path)
    texts: dict[str, dict[int, str]] = {kind: {} for kind in "STHDP"}
    for place, line in source.lines():
        match = _LINE.fullmatch(line)
        if match:
            text = match[3].split("\t", 1)[1] if match[1] in "HD" and "\t" in match[3] else match[3]
            if int(match[2]) in texts[match[1]]:
                raise source.wrong(
                    place, f"{match[1]}-{match[2]} stands twice; needed one beam output"
                )
            texts[match[1]][int(match[2])] = text
    hypotheses = texts["D"] or texts["H"]
    if not hypotheses:
        raise source.wrong(None, "has no H- or D- lines; needed a fairseq generation")
    ids = tuple(sorted(hypotheses))
    columns = (tuple(kind.get(i, "") for i in ids) for kind in (texts["S"], texts["T"], hypotheses))
    return Generated(ids, *columns)


GENERATION = Reader(
    "fairseq-generate", "a fairseq generation", recognises_generation, read_generation
)
