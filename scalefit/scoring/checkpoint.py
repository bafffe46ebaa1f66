"""Which COMET model is meant, where it lies, and exactly which one it is: without loading torch."""

from __future__ import annotations

import hashlib
import logging
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from scalefit.errors import MissingDependencyError, ScoringError


@dataclass(frozen=True)
class Comet:
    """A COMET model and how to run it.

    Attributes
    ----------
    model : name on the Hugging Face hub, or a checkpoint file, or the folder it lies in.
    revision : str, optional; commit or branch on the hub; without it, the one that is on this machine.
    batch_size : segments at once.
    gpus : int, optional; 0 runs on the CPU, 1 on a GPU; None takes a GPU where there is one.
    precision : {"fp32", "fp16"}; ``comet-score`` takes fp16, which moves scores by some 3e-4.
    local_files_only : bool, optional; True never asks the network. None looks on this machine first.

    Examples
    --------
    >>> Comet("Unbabel/wmt22-comet-da", batch_size=32, gpus=0).batch_size
    32
    """

    model: str | Path = "Unbabel/wmt22-comet-da"
    revision: str | None = None
    batch_size: int = 16
    gpus: int | None = None
    precision: Literal["fp32", "fp16"] = "fp32"
    local_files_only: bool | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "fp16"):
            raise ScoringError(f"precision {self.precision!r}; needed 'fp32' or 'fp16'")
        if self.gpus not in (None, 0, 1):
            raise ScoringError(f"gpus={self.gpus}; needed 0 or 1, with one process for each GPU")
        if self.batch_size < 1:
            raise ScoringError(f"batch_size={self.batch_size}; needed 1 or more")


_TALKATIVE = ("pytorch_lightning", "lightning", "lightning.pytorch", "comet")
"""Loggers that say much; COMET's import turns the root logger to INFO as well."""


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


_TOKENIZER = (".json", ".model", ".txt", ".bpe", ".vocab")
"""Suffixes of an encoder's configuration and tokenizer, all of them small files."""


def from_hub(comet: Comet) -> Path:
    """Return the folder of a hub model: what is on this machine first, and no blind retries."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import HFValidationError, LocalEntryNotFoundError

    name = str(comet.model)
    try:
        return Path(snapshot_download(name, revision=comet.revision, local_files_only=True))
    except HFValidationError as error:
        raise ScoringError(f"{name!r} is neither a file here nor a model name ({error})") from error
    except LocalEntryNotFoundError:
        refuse_offline(comet, f"COMET model {name!r}")
    return _download(comet)


def _download(comet: Comet) -> Path:
    name = str(comet.model)
    try:
        if comet.revision:
            from huggingface_hub import snapshot_download

            return Path(snapshot_download(name, revision=comet.revision))
        with quiet():
            from comet import download_model

            return Path(download_model(name)).parents[1]
    except Exception as error:
        raise ScoringError(
            f"COMET model {name!r} could not be fetched ({type(error).__name__}: {error}). COMET "
            "says 'not supported' for every cause: a misspelt name, no network, a licence not yet "
            "accepted on the model's page, or no login (hf auth login). Try the page of the model "
            "on the hub first"
        ) from error


def is_here(encoder: str) -> bool:
    """Return whether a pretrained encoder's configuration is on this machine.

    Raises ScoringError: if the encoder is a folder that is not there.
    """
    from huggingface_hub import try_to_load_from_cache

    if Path(encoder).is_absolute() and not Path(encoder).exists():
        raise ScoringError(
            f"{encoder}, the encoder of this COMET model, is not there: the model was trained "
            "with a folder of another machine. Try: put the folder there, or write the encoder's "
            "hub name into the checkpoint's hparams.yaml and hyper_parameters"
        )
    return Path(encoder).exists() or isinstance(try_to_load_from_cache(encoder, "config.json"), str)


def encoder_digest(encoder: str) -> str:
    """Return a digest of an encoder's configuration and tokenizer, as they lie on this machine.

    The checkpoint holds the weights; configuration and tokenizer are loaded by the encoder's name,
    so that another revision of them gives other scores under the same checkpoint.
    """
    folder = Path(encoder)
    if not folder.exists():
        from huggingface_hub import try_to_load_from_cache

        held = try_to_load_from_cache(encoder, "config.json")
        if not isinstance(held, str):
            return "unknown"
        folder = Path(held).parent
    state = hashlib.sha256()
    for file in sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in _TOKENIZER):
        state.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return state.hexdigest()


def refuse_offline(comet: Comet, what: str) -> None:
    """Say that something is not on this machine where the network may or can not be asked.

    Raises ScoringError: if the network is forbidden, or does not answer within five seconds: the libraries underneath
    would try for a minute and a half.
    """
    from huggingface_hub import constants

    if comet.local_files_only or constants.HF_HUB_OFFLINE:
        why = "the network may not be asked (local_files_only or HF_HUB_OFFLINE)"
    elif not _answers(constants.ENDPOINT):
        why = f"{constants.ENDPOINT} does not answer"
    else:
        return
    raise ScoringError(
        f"{what} is not in {constants.HF_HUB_CACHE}, and {why}. Try: fetch it once with "
        f"python -c \"from comet import download_model; download_model('{comet.model}')\" "
        "where there is a network, or give the path of a checkpoint"
    )


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


INSTALL = (
    "COMET is not installed. Try: pip install 'transfer-scalefit[comet]' "
    "(docs/scoring.md says how to keep it small), or leave 'comet' out of the metrics"
)
REFERENCE_FREE = "referenceless_regression_metric"
_UNIFIED = ("unified_metric", "xcomet_metric")


@dataclass(frozen=True)
class CometFile:
    """A COMET checkpoint that is on this machine.

    Attributes
    ----------
    name, revision : hub name and commit, or folder name and digest of the files.
    file : the weights.
    reference : {"needed", "optional", "unused"}; whether the model reads references.
    encoder : pretrained encoder, whose configuration and tokenizer are loaded too.
    """

    name: str
    revision: str
    file: Path
    reference: Literal["needed", "optional", "unused"]
    encoder: str

    def signature(self, precision: str, references: bool) -> str:
        """Return what makes scores comparable, in the manner of sacreBLEU's signatures."""
        return (
            f"nrefs:{int(references)}|model:{self.name}|revision:{short_name(self.revision)}"
            f"|precision:{precision}|comet:{comet_version()}"
        )


def short_name(revision: str) -> str:
    """Return enough of a revision to tell it from others."""
    return revision[:19] if revision.startswith("sha256:") else revision[:12]


def comet_version() -> str:
    """Return the version of unbabel-comet.

    Raises MissingDependencyError: if it is not installed.
    """
    try:
        return metadata.version("unbabel-comet")
    except metadata.PackageNotFoundError:
        raise MissingDependencyError(INSTALL) from None


def locate(comet: Comet) -> CometFile:
    """Find a model on this machine, or fetch it where that is allowed and possible.

    Raises MissingDependencyError: if COMET is not installed.
    Raises ScoringError: if the model is not there, with the likely causes.
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
        files = sorted(path.glob("checkpoints/*.ckpt"))
        if not files:
            raise ScoringError(f"{path}: no checkpoints/*.ckpt in it, so this is no COMET model")
        file = path / "checkpoints/model.ckpt" if len(files) > 1 else files[0]
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


def _described(name: str, revision: str, file: Path) -> CometFile:
    import yaml

    try:
        hparams = yaml.load(_hparams_file(file).read_text("utf-8"), Loader=yaml.FullLoader)
        kind = hparams["class_identifier"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ScoringError(
            f"{_hparams_file(file)}: not the hyperparameters of a COMET model ({error!r:.80})"
        ) from error
    encoder = str(hparams.get("pretrained_model", "unknown"))
    return CometFile(name, revision, file, _reads_reference(kind, hparams), encoder)


def _reads_reference(kind: str, hparams: dict[str, Any]) -> Literal["needed", "optional", "unused"]:
    if kind == REFERENCE_FREE:
        return "unused"
    if kind not in _UNIFIED:
        return "needed"
    segments = hparams.get("input_segments") or ["mt", "src", "ref"]
    if "ref" not in segments:
        return "unused"
    return "optional" if "src" in segments else "needed"
