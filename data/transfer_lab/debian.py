"""What the text is made of: apt's description indices and packages of manual pages."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGES = {"en": ("manpages", "manpages-dev"), "fr": ("manpages-fr",), "de": ("manpages-de",)}
ESCAPES = re.compile(r"\\f(\[[^]]*\]|\(..|.)|\\[&/|^]|\\s[-+]?\d")
NAMED = {
    r"\-": "-",
    r"\(aq": "'",
    r"\(dq": '"',
    r"\(co": "©",
    r"\e": "\\",
    r"\(bu": "-",
    r"\(em": "-",
    r"\ ": " ",
    r"\~": " ",
}


@dataclass(frozen=True)
class Description:
    """A package's description in one language."""

    package: str
    synopsis: str
    paragraphs: tuple[str, ...]


def apt_options(root: Path, languages: tuple[str, ...]) -> list[str]:
    """Return options that keep apt's state inside `root`, away from the system's."""
    return [
        f"-oAcquire::Languages={','.join(languages)}",
        "-oAcquire::GzipIndexes=false",
        f"-oDir::State::Lists={root / 'lists'}",
        f"-oDir::Cache={root / 'cache'}",
        "-q=2",
    ]


def fetch(root: Path, languages: tuple[str, ...]) -> tuple[Path, Path]:
    """Download with apt; return the folders of indices and of unpacked manual pages."""
    root = root.resolve()
    lists, debs, pages = root / "lists", root / "debs", root / "pages"
    for folder in (lists / "partial", root / "cache" / "archives" / "partial", debs, pages):
        folder.mkdir(parents=True, exist_ok=True)
    options = apt_options(root, languages)
    if not list(lists.glob("*Translation-*")):
        subprocess.run(["apt-get", *options, "update"], check=True)
    names = [name for lang in languages for name in PAGES[lang]]
    if not list(debs.glob("*.deb")):
        subprocess.run(["apt-get", *options, "download", *names], check=True, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(deb), str(pages)], check=True)
    return lists, pages


def stanzas(path: Path) -> Iterator[dict[str, str]]:
    """Yield the stanzas of a Debian control file as field to text (continuation lines kept)."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith(" "):
                fields[name] += "\n" + line[1:]
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields


def descriptions(lists: Path, language: str) -> dict[str, Description]:
    """Read all descriptions of a language, by package and checksum of the English text."""
    found = {}
    for path in sorted(lists.glob(f"*_Translation-{language}")):
        for fields in stanzas(path):
            synopsis, _, body = fields.get(f"Description-{language}", "").partition("\n")
            key = f"{fields['Package']} {fields['Description-md5']}"
            found[key] = Description(fields["Package"], synopsis, paragraphs(body))
    return found


def paragraphs(body: str) -> tuple[str, ...]:
    """Split a body at its lone dots; lines of lists and verbatim text are left out."""
    parts = re.split(r"^\.\s*$", body, flags=re.MULTILINE)
    joined = (
        " ".join(line for line in part.splitlines() if line and line[0] not in " *-")
        for part in parts
    )
    return tuple(p for p in joined if p)


def source_packages(lists: Path) -> dict[str, str]:
    """Return the source package of every binary package."""
    found = {}
    for path in sorted(lists.glob("*_Packages")):
        for fields in stanzas(path):
            found[fields["Package"]] = fields.get("Source", fields["Package"]).split()[0]
    return found


def manual_pages(root: Path, language: str) -> list[str]:
    """Return the running text of the unpacked manual pages of a language."""
    folder = root / "usr/share/man" / ("" if language == "en" else language)
    found = []
    for path in sorted(folder.glob("man*/*.gz")):
        found += roff_paragraphs(
            gzip.decompress(path.read_bytes()).decode("utf-8", errors="ignore")
        )
    return found


def roff_paragraphs(page: str) -> list[str]:
    """Return the plain paragraphs of a roff page: text between requests, escapes removed."""
    blocks: list[list[str]] = [[]]
    for line in page.splitlines():
        if line.startswith((".", "'", r"\"")):
            blocks.append([])
        elif line.strip():
            blocks[-1].append(plain(line))
    return [" ".join(block) for block in blocks if block]


def plain(line: str) -> str:
    """Remove roff escapes from a line."""
    for escape, text in NAMED.items():
        line = line.replace(escape, text)
    return ESCAPES.sub("", line)
