"""A loss(weights) from a torch module and batches of data, or from a Hugging Face model: on the GPU in half precision.

torch and transformers are imported when a loss is made, not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.errors import LandscapeError, MissingDependencyError
from scalefit.landscape.formats import Tensors

_Row = Mapping[str, Any]
IGNORED = -100
_KINDS = {
    "seq2seq": "AutoModelForSeq2SeqLM",
    "causal": "AutoModelForCausalLM",
    "classification": "AutoModelForSequenceClassification",
}


def hf_loss(
    model: Any,
    data: str | Path | Iterable[_Row],
    *,
    tokenizer: Any = None,
    batch: int = 32,
    longest: int = 512,
    device: str = "auto",
    dtype: str = "auto",
) -> ModuleLoss:
    """Make a loss for a Hugging Face model.

    Parameters
    ----------
    model : str, path or PreTrainedModel
        Name or folder of one of the finetuned models (its weights will be overwritten).
    data : path of a JSON-lines file, or iterable of mappings; rows of text: ``source`` and ``target`` (sequence to
        sequence), ``text`` (language model), or ``text``, perhaps ``pair``, and ``label`` (classification). Or rows of
        pieces: ``input_ids`` and ``labels``.
    tokenizer : by default that of `model`; not needed for rows of pieces.
    longest : pieces beyond are cut off.
    device, dtype : a GPU in float16 where there is one, else float32.

    Returns ModuleLoss: gives ``loss`` (nats per target piece, or per example) and ``accuracy``.

    Raises LandscapeError: where rows are missing or of no known form.
    """
    rows = _rows(data)
    kind = _kind(rows[0], model)
    network = _model(model, kind)
    if "input_ids" not in rows[0]:
        cut = tokenizer or _transformers().AutoTokenizer.from_pretrained(str(model))
        rows = [_encoded(row, cut, longest) for row in rows]
    pad = getattr(network.config, "pad_token_id", None) or 0
    rows = sorted(rows, key=lambda row: len(row["input_ids"]))
    chunks = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    batches = [_stacked(chunk, pad) for chunk in chunks]
    return ModuleLoss(network, batches, _SCORES[kind], device, dtype)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingDependencyError(
            "a loss for Hugging Face models needs transformers: pip install transformers"
        ) from error
    return transformers


def _rows(data: str | Path | Iterable[_Row]) -> list[_Row]:
    if isinstance(data, (str, Path)):
        lines = Path(data).read_text(encoding="utf-8").splitlines()
        rows: list[_Row] = [json.loads(line) for line in lines if line.strip()]
    else:
        rows = list(data)
    if not rows:
        raise LandscapeError("no rows of data to evaluate the loss on")
    return rows


def _kind(row: _Row, model: Any) -> str:
    """Tell the task from a row's fields (and, for pieces, from the model)."""
    if "label" in row:
        return "classification"
    if "source" in row and "target" in row:
        return "seq2seq"
    if "input_ids" in row and "labels" in row:
        if not hasattr(row["labels"], "__len__"):
            return "classification"
        config = getattr(model, "config", None)
        if config is None:
            config = _transformers().AutoConfig.from_pretrained(str(model))
        return "seq2seq" if config.is_encoder_decoder else "causal"
    if "text" in row:
        return "causal"
    raise LandscapeError(
        f"a row has {', '.join(row)}; needed source and target, or text (and label), or input_ids "
        "and labels"
    )


def _model(model: Any, kind: str) -> Any:
    if hasattr(model, "state_dict"):
        return model
    return getattr(_transformers(), _KINDS[kind]).from_pretrained(str(model))


def _encoded(row: _Row, tokenizer: Any, longest: int) -> _Row:
    """Turn text into pieces."""
    options = {"truncation": True, "max_length": longest}
    if "source" in row:
        target = tokenizer(text_target=row["target"], **options)["input_ids"]
        return {"input_ids": tokenizer(row["source"], **options)["input_ids"], "labels": target}
    pieces = tokenizer(row["text"], row.get("pair"), **options)["input_ids"]
    return {"input_ids": pieces, "labels": row.get("label", pieces)}


def _stacked(rows: Sequence[_Row], pad: int) -> dict[str, Any]:
    """Pad rows to one length; padding is masked, and ignored among the labels."""
    torch = import_torch()
    pieces = _padded([list(row["input_ids"]) for row in rows], pad)
    mask = _padded([[1] * len(row["input_ids"]) for row in rows], 0)
    single = not hasattr(rows[0]["labels"], "__len__")
    labels = (
        [int(row["labels"]) for row in rows]
        if single
        else _padded([list(row["labels"]) for row in rows], IGNORED)
    )
    batch = {"input_ids": pieces, "attention_mask": mask, "labels": labels}
    return {name: torch.tensor(values, dtype=torch.long) for name, values in batch.items()}


def _padded(rows: list[list[int]], fill: int) -> list[list[int]]:
    longest = max(map(len, rows))
    return [row + [fill] * (longest - len(row)) for row in rows]


def _direct(module: Any, batch: Mapping[str, Any]) -> Sums:
    """Score models whose logits stand at their labels' places (shifted inside, or one a row)."""
    return sums_of(module(**batch).logits, batch["labels"])


def _shifted(module: Any, batch: Mapping[str, Any]) -> Sums:
    """Score a causal language model: each piece is predicted from those before it."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    logits = module(**inputs).logits
    return sums_of(logits[:, :-1], batch["labels"][:, 1:])


_SCORES = {"seq2seq": _direct, "classification": _direct, "causal": _shifted}


Sums = Mapping[str, tuple[float, float]]
_Score = Callable[[Any, Any], Sums]
_DTYPES = ("float16", "bfloat16", "float32", "float64")


def import_torch() -> Any:
    """Import torch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "this loss needs torch: pip install 'transfer-scalefit[landscape]'"
        ) from error
    return torch


def classify(module: Any, batch: tuple[Any, Any]) -> Sums:
    """Score a classifier on (inputs, labels): sums of cross-entropy and of correct answers."""
    inputs, labels = batch
    return sums_of(module(inputs), labels)


def sums_of(logits: Any, labels: Any) -> Sums:
    """Return sums and counts of cross-entropy (nats) and correct answers; labels of -100 are skipped.

    Parameters
    ----------
    logits : tensor, shape (..., classes)
    labels : tensor of int, shape (...)
    """
    torch = import_torch()
    flat, wanted = logits.flatten(0, -2).float(), labels.flatten()
    entropy = torch.nn.functional.cross_entropy(flat, wanted, ignore_index=-100, reduction="sum")
    counted = wanted != -100
    right = ((flat.argmax(dim=-1) == wanted) & counted).sum()
    count = float(counted.sum())
    return {"loss": (float(entropy), count), "accuracy": (float(right), count)}


@dataclass(eq=False)
class ModuleLoss:
    """A loss(weights) that puts weights into a module and scores it on batches.

    Parameters
    ----------
    module : torch.nn.Module; its own weights are overwritten.
    batches : held on the device for as long as the loss lives.
    score : (module, batch) -> name -> (sum, count); the sums are divided at the end.
    device : str, default "auto"; ``"auto"`` takes a GPU where there is one.
    dtype : {"auto", "float16", "bfloat16", "float32", "float64"}
        ``"auto"`` takes float16 on a GPU and float32 elsewhere.

    Raises LandscapeError: where there are no batches, or the device or the type is not to be had.
    """

    module: Any
    batches: Sequence[Any]
    score: _Score = classify
    device: str = "auto"
    dtype: str = "auto"
    slots: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        torch = import_torch()
        if not len(self.batches):
            raise LandscapeError("no data to evaluate the loss on; pass at least one batch")
        self.device, self.dtype = placed(torch, self.device, self.dtype)
        kind = getattr(torch, self.dtype)
        self.module = self.module.to(device=self.device, dtype=kind).eval()
        self.batches = [moved(batch, self.device, kind) for batch in self.batches]
        self.slots = dict(self.module.state_dict())

    def __call__(self, weights: Tensors) -> dict[str, float]:
        """Return the metrics of these weights."""
        torch = import_torch()
        with torch.no_grad():
            self._fill(torch, weights)
            totals: dict[str, list[float]] = {}
            for batch in self.batches:
                for name, (total, count) in self.score(self.module, batch).items():
                    sums = totals.setdefault(name, [0.0, 0.0])
                    sums[0] += float(total)
                    sums[1] += float(count)
        return {name: total / count for name, (total, count) in totals.items()}

    def _fill(self, torch: Any, weights: Tensors) -> None:
        """Copy weights into the module; a name it lacks, or one left over, is an error."""
        unknown = [name for name in weights if name not in self.slots]
        if unknown:
            raise LandscapeError(
                f"the model has no tensor {unknown[0]!r}; it has {', '.join(list(self.slots)[:4])}"
                ", …: the checkpoints are of another architecture"
            )
        for name, values in weights.items():
            source = torch.from_numpy(np.require(values, requirements=["C", "W"]))
            self.slots[name].copy_(source.reshape(self.slots[name].shape))
        self._check_left_over(weights)

    def _check_left_over(self, weights: Tensors) -> None:
        """Refuse weights that leave a tensor as it was, unless it shares memory with one given."""
        filled = {self.slots[name].data_ptr() for name in weights}
        left = [n for n, slot in self.slots.items() if slot.data_ptr() not in filled]
        if left:
            raise LandscapeError(
                f"the checkpoints lack {len(left)} tensors of the model ({', '.join(left[:3])})"
            )


def placed(torch: Any, device: str, dtype: str) -> tuple[str, str]:
    """Return device and type with ``"auto"`` filled in, or say what is missing."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "float16" if device.startswith("cuda") else "float32"
    if dtype not in _DTYPES:
        raise LandscapeError(f"no type {dtype!r} to evaluate in; there are {', '.join(_DTYPES)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise LandscapeError(
            f"device {device!r} is not to be had here ({reason}); try device='auto', which takes a "
            "GPU where there is one, or 'cpu'"
        ) from error
    return device, dtype


def moved(batch: Any, device: str, kind: Any) -> Any:
    """Move tensors, and mappings or tuples of them, to a device; floats change their type too."""
    if isinstance(batch, Mapping):
        return {name: moved(value, device, kind) for name, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch)(moved(value, device, kind) for value in batch)
    if hasattr(batch, "is_floating_point") and batch.is_floating_point():
        return batch.to(device=device, dtype=kind)
    return batch.to(device) if hasattr(batch, "to") else batch
