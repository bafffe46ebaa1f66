"""Which COMET model is meant, where it lies, and exactly which one it is: without loading torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from scalefit.errors import MissingDependencyError, ScoringError

from .hub import from_hub
from .options import Comet

INSTALL = (
    "COMET is not installed. Try: pip install 'transfer-scalefit[comet]' "
    "(docs/scoring.md says how to keep it small), or leave 'comet' out of the metrics"
)
REFERENCE_FREE = "referenceless_regression_metric"
_UNIFIED = ("unified_metric", "xcomet_metric")


@dataclass(frozen=True)
class Checkpoint:
    """A COMET checkpoint that is on this machine.

    Attributes
    ----------
    name, revision : str
        Hub name and commit, or folder name and digest of the files.
    file : Path
        The weights.
    reference : {"needed", "optional", "unused"}
        Whether the model reads references.
    encoder : str
        Pretrained encoder, whose configuration and tokenizer are loaded too.
    """

    name: str
    revision: str
    file: Path
    reference: Literal["needed", "optional", "unused"]
    encoder: str

    def signature(self, precision: str, references: bool) -> str:
        """Return what makes scores comparable, in the manner of sacreBLEU's signatures."""
        return (
            f"nrefs:{int(references)}|model:{self.name}|revision:{short(self.revision)}"
            f"|precision:{precision}|comet:{comet_version()}"
        )


def short(revision: str) -> str:
    """Return enough of a revision to tell it from others."""
    return revision[:19] if revision.startswith("sha256:") else revision[:12]


def comet_version() -> str:
    """Return the version of unbabel-comet.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return metadata.version("unbabel-comet")
    except metadata.PackageNotFoundError:
        raise MissingDependencyError(INSTALL) from None


def locate(comet: Comet) -> Checkpoint:
    """Find a model on this machine, or fetch it where that is allowed and possible.

    Raises
    ------
    MissingDependencyError
        If COMET is not installed.
    ScoringError
        If the model is not there, with the likely causes.
    """
    comet_version()
    path = _on_disk(comet)
    if path is not None:
        file = _weights(path)
        digest = hashlib.sha256(_hparams_file(file).read_bytes())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        return _described(_folder_name(file), f"sha256:{digest.hexdigest()}", file)
    folder = from_hub(comet)
    return _described(str(comet.model), folder.name, _weights(folder))


def _on_disk(comet: Comet) -> Path | None:
    path = Path(comet.model).expanduser()
    downloaded_by_old_comet = Path.home() / ".cache/torch/unbabel_comet" / path
    for candidate in (path, downloaded_by_old_comet):
        if candidate.exists():
            return candidate
    if isinstance(comet.model, Path) or path.is_absolute() or path.suffix == ".ckpt":
        raise ScoringError(f"{path}: no such COMET checkpoint; needed a file or its folder")
    return None


def _weights(path: Path) -> Path:
    """Return the checkpoint file of a folder, with ``hparams.yaml`` where COMET looks for it."""
    file = path
    if path.is_dir():
        found = sorted(path.glob("checkpoints/*.ckpt"))
        if not found:
            raise ScoringError(f"{path}: no checkpoints/*.ckpt in it, so this is no COMET model")
        file = path / "checkpoints/model.ckpt" if len(found) > 1 else found[0]
    if not _hparams_file(file).is_file() or not file.is_file():
        raise ScoringError(
            f"{file}: needed FOLDER/checkpoints/model.ckpt with FOLDER/hparams.yaml, "
            "as COMET saves and loads them"
        )
    return file


def _folder_name(weights: Path) -> str:
    """Return the model's folder name; in the hub's cache, the name it has on the hub."""
    folder = weights.absolute().parents[1]
    home = folder.parents[1].name if folder.parent.name == "snapshots" else ""
    return home.removeprefix("models--").replace("--", "/") or folder.name


def _hparams_file(weights: Path) -> Path:
    return weights.absolute().parents[1] / "hparams.yaml"


def _described(name: str, revision: str, file: Path) -> Checkpoint:
    import yaml

    try:
        hparams = yaml.load(_hparams_file(file).read_text("utf-8"), Loader=yaml.FullLoader)
        kind = hparams["class_identifier"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ScoringError(
            f"{_hparams_file(file)}: not the hyperparameters of a COMET model ({error!r:.80})"
        ) from error
    encoder = str(hparams.get("pretrained_model", "unknown"))
    return Checkpoint(name, revision, file, _reads_reference(kind, hparams), encoder)


def _reads_reference(kind: str, hparams: dict[str, Any]) -> Literal["needed", "optional", "unused"]:
    if kind == REFERENCE_FREE:
        return "unused"
    if kind not in _UNIFIED:
        return "needed"
    segments = hparams.get("input_segments") or ["mt", "src", "ref"]
    if "ref" not in segments:
        return "unused"
    return "optional" if "src" in segments else "needed"
