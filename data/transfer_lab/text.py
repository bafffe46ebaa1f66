"""The lab's text: package descriptions, manual pages, program sources; from apt and Python."""

from __future__ import annotations

import hashlib
import json
import random
import re
import sysconfig
import unicodedata
from pathlib import Path

from debian import Description, descriptions, fetch, manual_pages, source_packages
from pairs import Pair
from toy import toy_text

LANGUAGES = ("en", "fr", "de")
TASKS = ("en-fr", "en-de")
UNPAIRED = {"unpaired": ("en", "fr")}  # a bitext aligned wrongly: what is read, what is written
SPLITS = ("train", "dev", "test", "out")
SHARE_HELD_OUT = 8  # of 100 source packages: 4 to dev, 4 to test and the out-of-domain set
LARGEST_CORPUS = 8_000_000  # characters a corpus keeps, after shuffling
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý0-9«\"(])")


def parts(corpus: str) -> tuple[str, ...]:
    """Return the texts that a corpus is made of; of an unpaired bitext what is read, then what is written."""
    return UNPAIRED.get(corpus) or tuple(corpus.split("+"))


def split_of(group: str) -> str:
    """Return the split of a source package, from a hash of its name alone."""
    bucket = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 100
    if bucket < SHARE_HELD_OUT // 2:
        return "test"
    return "dev" if bucket < SHARE_HELD_OUT else "train"


def clean(text: str) -> str:
    """Return the text in one Unicode form with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def first_sentence(paragraph: str) -> str:
    """Return the first sentence of a paragraph (naively split)."""
    return SENTENCE_END.split(paragraph, maxsplit=1)[0]


def comparable(pair: Pair) -> bool:
    """Say whether the two sides differ and have lengths that a translation can have."""
    a, b = len(pair.source), len(pair.target)
    return pair.source != pair.target and 10 <= a <= 160 and 10 <= b <= 200 and 0.5 < b / a < 2.2


def unique(pairs: list[Pair], seen: set[str]) -> list[Pair]:
    """Keep pairs whose source and target were both never seen before; remember them."""
    kept = []
    for pair in pairs:
        if pair.source not in seen and pair.target not in seen:
            seen.update((pair.source, pair.target))
            kept.append(pair)
    return kept


def parallel(
    english: dict[str, Description], other: dict[str, Description], groups: dict[str, str]
) -> dict[str, list[Pair]]:
    """Pair synopses and (split `out`) first sentences of bodies, split by source package."""
    found: dict[str, list[Pair]] = {name: [] for name in SPLITS}
    for key in sorted(set(english) & set(other)):
        a, b = english[key], other[key]
        split = split_of(groups.get(a.package, a.package))
        found[split].append(Pair(clean(a.synopsis), clean(b.synopsis)))
        if split == "test" and a.paragraphs and b.paragraphs:
            first = Pair(
                first_sentence(clean(a.paragraphs[0])), first_sentence(clean(b.paragraphs[0]))
            )
            found["out"].append(first)
    seen: set[str] = set()
    order = (
        "test",
        "dev",
        "out",
        "train",
    )  # held-out sets choose first, so training never repeats them
    return {name: unique([p for p in found[name] if comparable(p)], seen) for name in order}


def corpus(paragraphs: list[str], seed: int = 0) -> list[str]:
    """Deduplicate and shuffle paragraphs; keep at most LARGEST_CORPUS characters."""
    kept = sorted({p for p in paragraphs if len(p) >= 40})
    random.Random(seed).shuffle(kept)
    size, out = 0, []
    for paragraph in kept:
        size += len(paragraph)
        if size > LARGEST_CORPUS:
            break
        out.append(paragraph)
    return out


def bodies(found: dict[str, Description], groups: dict[str, str]) -> list[str]:
    """Return the training packages' paragraphs (not the synopses: they are for finetuning)."""
    train = (d for d in found.values() if split_of(groups.get(d.package, d.package)) == "train")
    return [clean(p) for d in train for p in d.paragraphs]


def program_text(root: Path) -> list[str]:
    """Return blocks of the Python standard library's sources, indentation as in the files."""
    blocks = []
    for path in sorted(root.rglob("*.py")):
        if not {"site-packages", "test", "tests", "idle_test"} & set(path.parts):
            text = path.read_text(encoding="utf-8", errors="ignore")
            blocks += [b.strip("\n") for b in re.split(r"\n\s*\n", text)]
    return [clean(b) for b in blocks]


def debian_text(work: Path) -> tuple[dict[str, list[str]], dict[str, dict[str, list[Pair]]]]:
    """Fetch everything with apt and return corpora by name and pairs by task and split."""
    lists, pages = fetch(work / "apt", LANGUAGES)
    groups = source_packages(lists)
    found = {lang: descriptions(lists, lang) for lang in LANGUAGES}
    corpora = {
        lang: corpus(bodies(found[lang], groups) + [clean(p) for p in manual_pages(pages, lang)])
        for lang in LANGUAGES
    }
    corpora["code"] = corpus(program_text(Path(sysconfig.get_paths()["stdlib"])))
    tasks = {f"en-{lang}": parallel(found["en"], found[lang], groups) for lang in LANGUAGES[1:]}
    return corpora, tasks


def build_text(work: Path, tiny: bool) -> Path:
    """Write all text under `work/text` once and return that folder."""
    folder = work / "text"
    if (folder / "done").exists():
        return folder
    corpora, tasks = toy_text() if tiny else debian_text(work)
    folder.mkdir(parents=True, exist_ok=True)
    for name, paragraphs in corpora.items():
        (folder / f"{name}.txt").write_text("\n".join(paragraphs) + "\n", encoding="utf-8")
    for task, splits in tasks.items():
        for split, pairs in splits.items():
            lines = (json.dumps([p.source, p.target], ensure_ascii=False) for p in pairs)
            (folder / f"{task}.{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "done").touch()
    return folder


def read_pairs(folder: Path, task: str, split: str) -> list[Pair]:
    """Read the pairs of one task and split."""
    lines = (folder / f"{task}.{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Pair(*json.loads(line)) for line in lines]


def read_corpus(folder: Path, name: str) -> list[str]:
    """Read the paragraphs of one corpus."""
    return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
