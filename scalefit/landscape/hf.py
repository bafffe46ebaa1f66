"""A ready-made loss(weights) for Hugging Face models, from a name or folder and a data set.

torch and transformers are imported when a loss is made, not before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalefit.errors import LandscapeError, MissingDependencyError

from .torch_loss import ModuleLoss, Sums, import_torch, sums_of

Row = Mapping[str, Any]
IGNORED = -100
KINDS = {
    "seq2seq": "AutoModelForSeq2SeqLM",
    "causal": "AutoModelForCausalLM",
    "classification": "AutoModelForSequenceClassification",
}


def hf_loss(
    model: Any,
    data: str | Path | Iterable[Row],
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
    data : path of a JSON-lines file, or iterable of mappings
        Rows of text: ``source`` and ``target`` (sequence to sequence), ``text`` (language model),
        or ``text``, perhaps ``pair``, and ``label`` (classification). Or rows of pieces:
        ``input_ids`` and ``labels``.
    tokenizer : optional
        By default that of `model`; not needed for rows of pieces.
    batch : int, default 32
    longest : int, default 512
        Pieces beyond are cut off.
    device, dtype : str, default "auto"
        A GPU in float16 where there is one, else float32.

    Returns
    -------
    ModuleLoss
        Gives ``loss`` (nats per target piece, or per example) and ``accuracy``.

    Raises
    ------
    LandscapeError
        Where rows are missing or of no known form.
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


def _rows(data: str | Path | Iterable[Row]) -> list[Row]:
    if isinstance(data, (str, Path)):
        lines = Path(data).read_text(encoding="utf-8").splitlines()
        rows: list[Row] = [json.loads(line) for line in lines if line.strip()]
    else:
        rows = list(data)
    if not rows:
        raise LandscapeError("no rows of data to evaluate the loss on")
    return rows


def _kind(row: Row, model: Any) -> str:
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
    return getattr(_transformers(), KINDS[kind]).from_pretrained(str(model))


def _encoded(row: Row, tokenizer: Any, longest: int) -> Row:
    """Turn text into pieces."""
    options = {"truncation": True, "max_length": longest}
    if "source" in row:
        target = tokenizer(text_target=row["target"], **options)["input_ids"]
        return {"input_ids": tokenizer(row["source"], **options)["input_ids"], "labels": target}
    pieces = tokenizer(row["text"], row.get("pair"), **options)["input_ids"]
    return {"input_ids": pieces, "labels": row.get("label", pieces)}


def _stacked(rows: Sequence[Row], pad: int) -> dict[str, Any]:
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
    found = {"input_ids": pieces, "attention_mask": mask, "labels": labels}
    return {name: torch.tensor(values, dtype=torch.long) for name, values in found.items()}


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
