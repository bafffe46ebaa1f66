"""How genuine bytes are damaged: as texts, as numbers in texts, as JSON, and bit by bit."""

from __future__ import annotations

import json
import random
import re

TOKENS = [
    b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b"\r\n", b"\t", b",", b";", b"|", b'"', b"'", b"#",
    b"{", b"}", b"[", b"]", b"[" * 200, b'{"a":' * 100, b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1",
    b"0", b"99999999999999999999", b"9" * 400, b"1e-320", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\\ud800", b"<", b"=1+1",
    b" : ", b"Steps: 1\tPPL: ", b"| valid on 'valid' subset |", b"[valid] Ep. 1 : Up. 1 : ", b"%s", b"../", b"~",
]  # fmt: skip
NUMBERS = [
    b"nan",
    b"inf",
    b"-inf",
    b"-1",
    b"0",
    b"1e308",
    b"1e309",
    b"1e-400",
    b"0x10",
    b"1,5",
    b"",
    b"1.2.3",
    b"9" * 60,
]
VALUES = [
    None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 10**30, "", "x", "nan", "\ud800", [], {}, [[]],
    {"a": {}}, [1, "a"], "1e5", "9" * 60,
]  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return bytes that were damaged in one to four places."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(_WAYS)(rng, data)
    return data[: 1 << 20]


def _cut(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.randint(0, 80) :]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(TOKENS) + data[at:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    piece = data[at : at + rng.randint(1, 200)]
    return data[:at] + piece * rng.randint(2, 50) + data[at:]


def _flip(rng: random.Random, data: bytes) -> bytes:
    held = bytearray(data)
    for _ in range(rng.randint(1, 8) if held else 0):
        held[rng.randrange(len(held))] ^= 1 << rng.randrange(8)
    return bytes(held)


def _number(rng: random.Random, data: bytes) -> bytes:
    places = [found.span() for found in _NUMBER.finditer(data[:200_000])]
    if not places:
        return _insert(rng, data)
    start, end = rng.choice(places)
    return data[:start] + rng.choice(NUMBERS) + data[end:]


def _lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    rng.shuffle(lines) if rng.random() < 0.3 else lines.insert(
        rng.randint(0, len(lines)), rng.choice(lines)
    )
    return b"\n".join(lines)


def _node(rng: random.Random, data: bytes) -> bytes:
    """Put another value, or none, in the place of one of a JSON document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _number(rng, data)
    places = list(_places(document))
    if not places:
        return _insert(rng, data)
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(document, indent=rng.choice([None, 1])).encode()


def _places(value, depth=0):
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in list(items)[:500]:
        yield value, key
        if depth < 6:
            yield from _places(inner, depth + 1)


_WAYS = (
    _cut,
    _truncate,
    _insert,
    _insert,
    _repeat,
    _flip,
    _flip,
    _number,
    _number,
    _lines,
    _node,
    _node,
)
