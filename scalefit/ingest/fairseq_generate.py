"""fairseq ``generate-*.txt``: its BLEU line, and its texts in the order of the test set."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .reader import Extract, Reader
from .source import Source

_SUMMARY = re.compile(
    r"Generate (?P<set>\S+) with beam=(?P<beam>\d+): (?P<name>BLEU4?) = (?P<bleu>[\d.]+)"
    r"(?:.*?\(BP ?= ?(?P<bp>[\d.]+))?"
)
_LINE = re.compile(r"([STHDP])-(\d{1,12})\t(.*)", re.S)


@dataclass(frozen=True)
class Outputs:
    """The texts of a generation, ordered by segment number.

    Attributes
    ----------
    ids : tuple of int
        Segment numbers, rising.
    sources, references, hypotheses : tuple of str
        Texts; empty strings where the file has none. Hypotheses are the detokenised ``D-`` lines
        where there are any, else the ``H-`` lines.
    """

    ids: tuple[int, ...]
    sources: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]


def recognises(source: Source) -> bool:
    """Whether the first lines are S-, T-, H-, D- or P- lines, or a generation summary."""
    lines = [line for line in source.first_lines if line.strip()]
    marked = sum(bool(_LINE.match(line)) for line in lines)
    return marked >= 2 or any(_SUMMARY.search(line) for line in lines)


def read(source: Source) -> Extract:
    """Return BLEU and brevity penalty of the summary line."""
    found, texts = Extract(), 0
    for number, line in source.lines():
        texts += line.startswith("H-")
        summary = _SUMMARY.search(line)
        if summary:
            signature = f"fairseq:{summary['name']}|beam:{summary['beam']}|tok:none"
            common = {
                "eval_set": summary["set"],
                "signature": signature,
                "source": source.at(number),
            }
            pairs = (("bleu", summary["bleu"]), ("brevity_penalty", summary["bp"]))
            found.rows += [{"metric": m, "value": v, **common} for m, v in pairs if v]
    if not found.rows:
        raise source.nothing(
            f"has {texts} hypotheses and no summary line 'Generate … BLEU4 = …': was it cut short? "
            "Try: score its texts, scalefit.ingest.fairseq_generate.outputs(path) orders them",
        )
    found.note(
        f"{source.name}: fairseq's BLEU is over its own tokens and does not compare with sacreBLEU's"
    )
    return found


def outputs(path: str) -> Outputs:
    """Return the texts of a generation file in the order of the test set.

    The file is sorted by length; scoring it as it stands against an ordered reference is wrong.

    Parameters
    ----------
    path : str
        A ``generate-*.txt``, plain or gzip.
    """
    source = Source.of(path)
    texts: dict[str, dict[int, str]] = {kind: {} for kind in "STHDP"}
    for number, line in source.lines():
        found = _LINE.fullmatch(line)
        if found:
            text = found[3].split("\t", 1)[1] if found[1] in "HD" and "\t" in found[3] else found[3]
            if int(found[2]) in texts[found[1]]:
                raise source.wrong(
                    number, f"{found[1]}-{found[2]} stands twice; needed one beam output"
                )
            texts[found[1]][int(found[2])] = text
    hypotheses = texts["D"] or texts["H"]
    if not hypotheses:
        raise source.wrong(None, "has no H- or D- lines; needed a fairseq generation")
    ids = tuple(sorted(hypotheses))
    columns = (tuple(kind.get(i, "") for i in ids) for kind in (texts["S"], texts["T"], hypotheses))
    return Outputs(ids, *columns)


READER = Reader("fairseq-generate", "a fairseq generation", recognises, read)
