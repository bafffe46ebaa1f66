"""COMET's import turns the root logger to INFO and its parts warn a lot: keep that to itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKATIVE = ("pytorch_lightning", "lightning", "lightning.pytorch", "comet")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings and chatter, then leave logging as it was found."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in _TALKATIVE:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
