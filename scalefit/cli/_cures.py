"""A message's cure in the words of the shell: ``--where corpus=fr`` for ``where={'corpus': 'fr'}``."""

from __future__ import annotations

import re

_QUOTED = r"\[?['\"]([^'\"]*)['\"]\]?"
_FLAGS = {"mapping": "--map", "where": "--where", "inputs": "--input"}
_PAIR = re.compile(rf"\b(mapping|where|inputs)=\{{{_QUOTED}: (?:{_QUOTED}|([^}}]*))\}}")
_NAMES = {
    "allow": "--allow",
    "by": "--by",
    "metrics": "--metric",
    "metric": "--metric",
    "quality": "--quality",
    "checkpoints": "--checkpoints",
    "tokenize": "--tokenize",
}
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})={_QUOTED}")
_CALL = re.compile(r"\bsf\.\w+\(\.\.\., (--[^)]*)\)")


def in_shell(message: str) -> str:
    """Return a message with its Python cures turned into options.

    Examples
    --------
    >>> in_shell("Try mapping={'loss': 'cross_entropy'}, or allow='range'")
    'Try --map loss=cross_entropy, or --allow range'
    >>> in_shell("fit each with sf.fit_each(..., by=['Layers'])")
    'fit each with --by Layers'
    """
    turned = _PAIR.sub(lambda m: f"{_FLAGS[m[1]]} {m[2]}={m[3] or m[4]}", message)
    turned = _NAME.sub(lambda m: f"{_NAMES[m[1]]} {m[2]}", turned)
    return _CALL.sub(r"\1", turned)
