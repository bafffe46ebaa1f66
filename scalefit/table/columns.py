"""The columns of a results table: their order, their kind, and the usual other spellings."""

from __future__ import annotations

COLUMNS = (
    "corpus",
    "pretrain_tokens",
    "model",
    "parameters",
    "task",
    "finetune_tokens",
    "pretrain_seed",
    "finetune_seed",
    "eval_set",
    "domain",
    "metric",
    "value",
    "stderr",
    "signature",
    "source",
)
"""Canonical columns, in the order in which a table shows them."""

EXTRAS = (
    "unique_tokens",
    "pretrain_run",
    "learning_rate",
    "schedule",
    "source_blind",
    "tokenizer",
    "unit",
    "run",
    "system",
    "step",
    "filter",
    "lang_pair",
)
"""Further columns that scalefit knows the meaning of."""

REQUIRED = ("pretrain_tokens", "metric", "value")
COUNTS = ("pretrain_tokens", "finetune_tokens", "parameters", "unique_tokens")
NUMBERS = ("value", "stderr", "learning_rate")
SEEDS = ("pretrain_seed", "finetune_seed")
IDENTITY = ("pretrain_run", *SEEDS, "run")
"""Columns that say which run a row is of."""
TEXTS = (
    "corpus",
    "model",
    "task",
    "eval_set",
    "domain",
    "metric",
    "signature",
    "source",
    "pretrain_run",
    "schedule",
    "tokenizer",
    "unit",
)
KNOWN = COLUMNS + EXTRAS
MEASURED = ("value", "stderr", "signature", "source")
"""Columns that say what came out and where it stands; all the others are the row's key."""

MISSING = frozenset({"", "--", "-", "n/a", "na", "null"})
"""Cells that mean "not measured", compared in lower case."""
NO_CORPUS = frozenset({"none", "scratch", "no pretraining"})
"""Names under which the not-pretrained baseline's corpus goes."""


def ordered(names: list[str]) -> list[str]:
    """Return column names with the canonical ones first, in canonical order."""
    return [c for c in COLUMNS if c in names] + [c for c in names if c not in COLUMNS]
