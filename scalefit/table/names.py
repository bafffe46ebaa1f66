"""What people call their measured numbers: which metric, on which evaluation set.

One understanding for logs and tables. A known metric with a split as prefix (``eval_bleu``), suffix
(``bleu_val``) or folder (``BLEU/val``, ``inference_eval/de-en/bleu``, ``newstest2014.bleu``) is an evaluation, whatever
its case.
"""

from __future__ import annotations

import re

from .metrics import METRICS, canonical, known

Named = tuple[str | None, str]
"""Evaluation set (None where the name says none) and metric."""

LONGEST = 200
"""Characters of a logged number's name; longer ones are no metrics."""
_SETS = {
    "eval": "eval",
    "evaluation": "eval",
    "inference_eval": "eval",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "dev",
    "test": "test",
    "predict": "test",
}
_SPLIT = "|".join(_SETS)
_PREFIX = re.compile(rf"({_SPLIT}|train\w*)[_. -]+(.+)", re.I)
_SUFFIX = re.compile(rf"(.+?)[_. -]+\(?({_SPLIT}|train\w*)\)?", re.I)
_CLOCKS = re.compile(
    r"(.*_)?(runtime|samples|steps|samples_per_second|steps_per_second|tokens_per_second|epoch|step|"
    r"model_preparation_time|mem_.*|gen_len|global_step|num_input_tokens_seen|timestamp|total_flos|"
    r"jit_compilation_time|.*_mem_.*|throughput|grad_norm|learning_rate|lr|duration|seconds|"
    r"num_tokens)",
    re.I,
)
_NO_SETS = re.compile(r"train.*|best|max|min|mean|std|delta|diff|ema|running|rewards|system", re.I)
"""Folders whose numbers are no evaluation, or one of something else."""
_LOSSES = ("loss", "nll_loss", "nll")
_ALSO_IN_TRAINING = (*_LOSSES, "cross_entropy", "perplexity", "accuracy", "error", "f1")
"""Metrics that training reports too, so that a name without a split leaves open whose they are."""


def split(name: str) -> Named | None:
    """Return (evaluation set, metric) of a logged name, None where it is no evaluation.

    A ``loss`` stays a ``loss``: only the reader knows its unit.

    Examples
    --------
    >>> split("eval_ood_bleu"), split("BLEU/val"), split("inference_eval/de-en/bleu")
    (('ood', 'bleu'), ('valid', 'bleu'), ('de-en', 'bleu'))
    >>> split("bleu"), split("train/bleu"), split("eval_runtime"), split("accuracy")
    ((None, 'bleu'), None, None, None)
    """
    folders, word = _path(name)
    place, rest = _edges(word)
    explicit = place or next((_SETS[f.lower()] for f in folders if f.lower() in _SETS), None)
    if explicit == "train" or any(map(_NO_SETS.fullmatch, folders)) or not rest:
        return None
    named = [f for f in folders if f.lower() not in _SETS]
    metric = metric_name(rest)
    if _is_metric(rest):
        told = explicit is not None or metric not in _ALSO_IN_TRAINING
        return ("/".join(named) or explicit, metric) if told else None
    if explicit is None or _CLOCKS.fullmatch(rest):
        return None
    head, _, tail = rest.partition("_")
    if tail and _is_metric(tail):
        return head.lower(), metric_name(tail)
    return explicit, metric_name("/".join([*named, rest]))


def column(name: str) -> Named | None:
    """Return (evaluation set, metric) of a table's column, None where it holds no known metric.

    In a table a bare name is always a measurement; a name that is only near one (``best_bleu``)
    is left alone.

    Examples
    --------
    >>> column("Test BLEU"), column("accuracy"), column("eval_runtime"), column("eval_id")
    (('test', 'bleu'), (None, 'accuracy'), None, None)
    """
    if known(name):
        return None, canonical(name)
    if name.strip().lower() in _LOSSES:
        return None, name.strip().lower()
    named = split(name)
    return named if named and (known(named[1]) or named[1] in _LOSSES) else None


def metric_name(name: str) -> str:
    """Return the metric's canonical name, or the name in the registry's manner."""
    plain = canonical(name.replace("/", "_"))
    return plain if known(plain) else plain.lower()


def _path(name: str) -> tuple[list[str], str]:
    """Return the folders of a name and its last part; a split that comes last is a folder."""
    parts = [part.strip() for part in name.split("/")] if len(name) <= LONGEST else [""]
    *folders, word = parts
    place, point, last = word.rpartition("." if "." in word else ":")
    if point and place and known(last) and not known(word):
        folders, word = [*folders, place], last  # newstest2014.bleu
    if folders and word.lower() in _SETS:
        return [*folders[:-1], word], folders[-1]
    return folders, word


def _edges(word: str) -> Named:
    """Return the split that a word has at its beginning or end, and the rest of the word."""
    before, after = _PREFIX.fullmatch(word), _SUFFIX.fullmatch(word)
    if before:
        return _set(before[1]), before[2]
    return (_set(after[2]), after[1]) if after and _is_metric(after[1]) else (None, word)


def _set(name: str) -> str:
    return _SETS.get(name.lower(), "train")


def _is_metric(name: str) -> bool:
    low = name.lower()
    if known(low) or low.startswith(("loss", "nll")):
        return True
    return any(low.startswith(f"{m}_") for m in METRICS)
