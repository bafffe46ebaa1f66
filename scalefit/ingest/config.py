"""``scalefit.toml``: how a folder's tables are to be read, said once and used by every command.

::

    allow = ["fractions"]
    pattern = "runs/{corpus}-{pretrain_tokens}/s{finetune_seed}"

    [map]
    Tokens = "pretrain_tokens"
    Loss = "cross_entropy"
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalefit.groups import as_names, did_you_mean

from .checkpoints import Checkpoints
from .mlflow_server import is_server
from .source import Source

_NAME = "scalefit.toml"
_MOST = 1 << 20
_KINDS: Mapping[str, tuple[type, ...]] = {
    "map": (dict,),
    "allow": (list, str),
    "manifest": (str,),
    "pattern": (str,),
    "checkpoints": (str,),
    "tokens_per_step": (int, float),
}


@dataclass(frozen=True)
class Config:
    """What a ``scalefit.toml`` says; all of it optional.

    Attributes
    ----------
    mapping : own name -> canonical name; those that a table has not are passed over.
    allow : checks to switch off.
    manifest, pattern, checkpoints, tokens_per_step
        As :func:`scalefit.read` takes them; a manifest's path is relative to the file.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    manifest: Path | None = None
    pattern: str | None = None
    checkpoints: Checkpoints | None = None
    tokens_per_step: float | None = None

    @classmethod
    def of(cls, given: str | Path | None, paths: Sequence[str]) -> Config:
        """Return the file that is named, else the one beside the data, else an empty one."""
        path = Path(given) if given is not None else _beside(paths)
        return cls() if path is None else cls._of(Source.of(path))

    @classmethod
    def _of(cls, source: Source) -> Config:
        try:
            told = tomllib.loads(source.data(_MOST).decode("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise source.wrong(None, f"no valid TOML: {error}") from error
        _check(source, told)
        rest = {
            name: value for name, value in told.items() if name not in ("map", "allow", "manifest")
        }
        manifest = source.path.parent / told["manifest"] if "manifest" in told else None
        return cls(told.get("map", {}), as_names(told.get("allow", ())), manifest, **rest)

    def fitting(self, mapping: Mapping[str, str], there: Collection[str]) -> dict[str, str]:
        """Return a mapping without those of the file's own entries that these names have no use for."""
        unused = {
            n
            for n in self.mapping
            if not any(n == t or n.startswith((f"{t}/", f"{t}*")) for t in there)
        }
        return {name: ours for name, ours in mapping.items() if name not in unused}


def names_in(columns: Mapping[Any, Any]) -> set[str]:
    """Return what of a table can be renamed: columns, and the metrics of a long one."""
    return {*map(str, columns), *map(str, columns.get("metric", ()))}


def _beside(paths: Sequence[str]) -> Path | None:
    for path in paths:
        if path == "-" or is_server(path):
            continue
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        if (folder / _NAME).is_file():
            return folder / _NAME
    return None


def _check(source: Source, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        if name not in _KINDS:
            raise source.wrong(
                None,
                f"has {name!r}; needed some of {', '.join(_KINDS)}{did_you_mean(name, _KINDS)}",
            )
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise source.wrong(None, f"{name} = {value!r}; needed {_KINDS[name][0].__name__}")
        cells = [*value.values()] if isinstance(value, dict) else value
        cells = cells if isinstance(cells, list) else []
        if not all(isinstance(cell, str) for cell in cells):
            raise source.wrong(None, f"{name} holds something that is no text")
