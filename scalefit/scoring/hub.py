"""Models on the Hugging Face hub: what is on this machine first, and no blind retries."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from scalefit.errors import ScoringError

from .options import Comet
from .quiet import quiet

_TOKENIZER = (".json", ".model", ".txt", ".bpe", ".vocab")
"""Suffixes of an encoder's configuration and tokenizer, all of them small files."""


def from_hub(comet: Comet) -> Path:
    """Return the folder of a hub model, from this machine where it is there."""
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

    Raises
    ------
    ScoringError
        If the encoder is a folder that is not there.
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

    Raises
    ------
    ScoringError
        If the network is forbidden, or does not answer within five seconds: the libraries
        underneath would try for a minute and a half.
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
