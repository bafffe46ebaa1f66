"""Scores of translations as scorers leave them: sacreBLEU, COMET, mt-metrics-eval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from scalefit.rows import Row
from scalefit.table.names import metric_name

from .reader import Extract, Reader, load_jsons, load_object, mean_with_error
from .source import LIMITS, Source, number

_NAMES = re.compile(rb'"(BLEU|chrF2?(\+\+)?|chrF3|TER)"')
_TEXT = re.compile(
    r"\s*(?P<name>BLEU|chrF\d?(?:\+\+)?|TER)[|+](?P<signature>\S+) = (?P<score>[\d.]+)"
    r"(?: \(μ = [\d.]+ ± (?P<width>[\d.]+)\))?(?:.*?BP = (?P<bp>[\d.]+))?"
)
"""Version 2's lines (``BLEU|nrefs:1|…``) and version 1's (``BLEU+case.mixed+…``)."""
_MULTI_BLEU = re.compile(
    r"\s*(?P<name>BLEU) = (?P<score>[\d.]+), [\d.]+/[\d.]+.*?\(BP=(?P<bp>[\d.]+)"
)
_RESAMPLING = ("bs", "ar", "seed")
_FRACTION = re.compile(r"(^|\+)version\.1\.")
_BP = re.compile(r"BP = ([\d.]+)")


def recognises_sacrebleu(source: Source) -> bool:
    """Whether it is JSON of sacreBLEU's shapes, or its text lines."""
    head = source.head.lstrip()
    if head[:1] in (b"{", b"["):
        shaped = b'"verbose_score"' in head or b'"system"' in head or b'"signature"' in head
        return bool(_NAMES.search(head)) and shaped
    return any(_TEXT.match(t) or _MULTI_BLEU.match(t) for t in source.first_lines[:5])


def read_sacrebleu(source: Source) -> Extract:
    """Return all scores."""
    extract = Extract()
    if source.head.lstrip()[:1] in (b"{", b"["):
        for item in _items(source):
            if not isinstance(item, dict):
                raise source.wrong(
                    None, "holds something that is no score; needed sacreBLEU's output"
                )
            extract.rows += [{**r, "source": source.name} for r in _scores(item, extract)]
    else:
        for line, text in source.lines():
            extract.rows += [{**r, "source": source.at(line)} for r in _text(text)]
    if any("signature" not in r for r in extract.rows):
        extract.note(
            f"{source.name}: sacreBLEU prints no signature with several systems: none is kept"
        )
    return extract


def _items(source: Source) -> Iterator[Any]:
    """Yield the scores of one document, or of several that were written one after another."""
    for document in load_jsons(source):
        yield from document if isinstance(document, list) else [document]


def _scores(item: dict[str, Any], extract: Extract) -> Iterator[Row]:
    if "system" not in item:
        yield from _score(str(item.get("name", "")), item, {})
        return
    system = str(item["system"]).removeprefix("Baseline: ")
    for name, value in item.items():
        if name == "system":
            continue
        detail = value if isinstance(value, dict) else {"score": value}
        yield from _score(name, detail, {"system": system})


def _score(name: str, detail: dict[str, Any], common: Row) -> Iterator[Row]:
    value = number(detail.get("score"))
    if value is None or not name:
        return
    signed = _signed(detail["signature"]) if isinstance(detail.get("signature"), str) else {}
    width = number(detail.get("confidence_var", detail.get("ci")))
    error = {} if width is None else {"stderr": width / 1.96}
    yield {"metric": metric_name(name), "value": value, **error, **signed, **common}
    penalty = _BP.search(str(detail.get("verbose_score", "")))
    if penalty:
        yield {"metric": "brevity_penalty", "value": number(penalty[1]), **signed, **common}


def _signed(signature: str) -> Row:
    """Return a signature without what is about the confidence interval, not the score."""
    parts = [p for p in signature.split("|") if p.split(":")[0] not in _RESAMPLING]
    return {"signature": "|".join(parts)}


def _text(line: str) -> Iterator[Row]:
    match = _TEXT.match(line) or _MULTI_BLEU.match(line)
    value = number(match["score"]) if match else None
    if match is None or value is None:
        return
    told = match.groupdict()
    signed = _signed(told.get("signature") or "multi-bleu.perl|tok:none")
    width, penalty = number(told.get("width")), number(told["bp"])
    error = {"stderr": width / 1.96} if width is not None else {}
    name = metric_name(match["name"])
    # Version 1 printed chrF as a fraction.
    factor = 100.0 if name.startswith("chrf") and _FRACTION.search(signed["signature"]) else 1.0
    yield {"metric": name, "value": value * factor, **error, **signed}
    if penalty is not None:
        yield {"metric": "brevity_penalty", "value": penalty, **signed}


SACREBLEU = Reader("sacrebleu", "sacreBLEU scores", recognises_sacrebleu, read_sacrebleu)


_SYSTEM = re.compile(r"(?P<system>.+?)\tscore: (?P<score>-?[\d.]+)")
_SEGMENT = re.compile(r"(?P<system>.+?)\tSegment (?P<segment>\d+)\tscore: (?P<score>-?[\d.]+)")


def recognises_comet_json(source: Source) -> bool:
    """Whether it is JSON with segments that have a COMET score, or comet-compare's."""
    head = source.head
    return head.lstrip()[:1] == b"{" and (b'"COMET"' in head or b'"statistical_results"' in head)


def read_comet_json(source: Source) -> Extract:
    """Return each system's mean segment score with its standard error."""
    document, extract = load_object(source, "COMET's output"), Extract()
    compared = document.get("translations")
    if isinstance(compared, list):
        model = document.get("model")
        signed = {"signature": f"model:{model}"} if isinstance(model, str) else {}
        pairs = [(t.get("name"), t.get("scores"), signed) for t in compared if isinstance(t, dict)]
    else:
        pairs = [(name, _column(segments), {}) for name, segments in document.items()]
    for name, scores, signed in pairs:
        extract.rows.append({**_row(source, str(name), scores), **signed, "source": source.name})
    _no_model(source, extract)
    return extract


def _column(segments: Any) -> Any:
    if not isinstance(segments, list):
        return None
    return [s.get("COMET") if isinstance(s, dict) else None for s in segments]


def _row(source: Source, name: str, scores: Any) -> Row:
    values = [number(s) for s in scores] if isinstance(scores, list) else []
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known or len(known) != len(values):
        raise source.wrong(None, f"system {name!r}: needed a COMET score for every segment")
    return {"metric": "comet", "system": name, **mean_with_error(known)}


def _no_model(source: Source, extract: Extract) -> None:
    if any("signature" not in row for row in extract.rows):
        extract.note(
            f"{source.name}: COMET's output does not name its model; scores of two models do not compare"
        )


def recognises_comet_text(source: Source) -> bool:
    """Whether the first lines end in ``score: x``."""
    lines = [line for line in source.first_lines[:5] if line.strip()]
    return bool(lines) and all(
        _SYSTEM.fullmatch(line) or _SEGMENT.fullmatch(line) for line in lines
    )


def read_comet_text(source: Source) -> Extract:
    """Return each system's score; its standard error comes from the segment lines."""
    extract, segments = Extract(), dict[str, list[float]]()
    for line, text in source.lines():
        segment, system = _SEGMENT.fullmatch(text), _SYSTEM.fullmatch(text)
        if segment:
            value = number(segment["score"])
            segments.setdefault(segment["system"], []).extend([] if value is None else [value])
        elif system:
            many = segments.get(system["system"], [])
            error = mean_with_error(many)["stderr"] if len(many) > 1 else None
            row = {"metric": "comet", "value": number(system["score"]), "stderr": error}
            extract.rows.append({**row, "system": system["system"], "source": source.at(line)})
    if segments and not extract.rows:
        raise source.wrong(None, "has segment scores but no system line: was it cut short?")
    _no_model(source, extract)
    return extract


COMET_JSON = Reader("comet-json", "COMET scores (JSON)", recognises_comet_json, read_comet_json)
COMET_TEXT = Reader("comet-text", "COMET scores (text)", recognises_comet_text, read_comet_text)


_FILE = re.compile(r"(?P<metric>.+?)(?:-(?P<ref>[^-]+))?\.sys\.score")


def recognises_mt_metrics_eval(source: Source) -> bool:
    """Whether it is a test set's folder: system-outputs/ with metric-scores/ or human-scores/."""
    return source.is_dir and source.child("system-outputs").is_dir


def read_mt_metrics_eval(source: Source) -> Extract:
    """Return all automatic scores of whole systems."""
    extract = Extract()
    scores = source.child("metric-scores")
    pairs = [p.name for p in scores.path.iterdir() if p.is_dir()] if scores.is_dir else []
    for pair in sorted(pairs):
        for name in sorted(p.name for p in scores.child(pair).path.iterdir()):
            named = _FILE.fullmatch(name)
            if named:
                file = scores.child(pair, name)
                told = {"signature": f"ref:{named['ref']}"} if named["ref"] else {}
                own = {**told, "lang_pair": pair}
                place = {"eval_set": f"{source.path.name}/{pair}", **own}
                rows = _systems(file, extract)
                extract.rows += [
                    {"metric": metric_name(named["metric"]), **r, **place} for r in rows
                ]
    if not extract.rows:
        raise source.nothing(
            "has no metric-scores/SRC-TGT/METRIC-REF.sys.score. "
            "Try: score its system-outputs/ against its references/ with scalefit score"
        )
    return extract


def _systems(file: Source, extract: Extract) -> Iterator[Row]:
    without: list[str] = []
    for line, text in file.lines():
        cells = text.split("\t") if "\t" in text else text.split()
        if len(cells) != 2:
            raise file.wrong(line, f"found {len(cells)} fields; needed a system and its score")
        value = number(cells[1])
        if value is None:
            without.append(f"{file.at(line)}: {cells[0]} has no score ({cells[1]}): left out")
        else:
            yield {"system": cells[0], "value": value, "source": file.at(line)}
    for note in without[: LIMITS.notes]:
        extract.note(note)


MT_METRICS_EVAL = Reader(
    "mt-metrics-eval",
    "an mt-metrics-eval test set",
    recognises_mt_metrics_eval,
    read_mt_metrics_eval,
    takes="folder",
)
