"""The columns of a table, and what people call them and metrics: read as ours where only one meaning is possible.

One understanding for logs and tables. A known metric with a split as prefix (``eval_bleu``), suffix (``bleu_val``) or
folder (``BLEU/val``, ``inference_eval/de-en/bleu``, ``newstest2014.bleu``) is an evaluation, whatever its case.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

import numpy as np

from scalefit.errors import MissingColumnError, TableError
from scalefit.types import Floats, Mask
from scalefit.units import some, with_powers

from .draft import Draft, count_cell, numbers
from .metrics import METRICS, NO_SETS, SETS, canonical, known, on_a_set, unmarked

COLUMNS = (
    "corpus", "pretrain_tokens", "model", "parameters", "task", "finetune_tokens",
    "pretrain_seed", "finetune_seed", "eval_set", "domain", "metric", "value", "stderr",
    "signature", "source",
)  # fmt: skip
"""Canonical columns, in the order in which a table shows them."""

EXTRAS = (
    "unique_tokens", "pretrain_run", "learning_rate", "schedule", "source_blind", "tokenizer",
    "unit", "run", "system", "step", "filter", "lang_pair",
)  # fmt: skip
"""Further columns that scalefit knows the meaning of."""

REQUIRED = ("pretrain_tokens", "metric", "value")
COUNTS = ("pretrain_tokens", "finetune_tokens", "parameters", "unique_tokens")
NUMBERS = ("value", "stderr", "learning_rate")
SEEDS = ("pretrain_seed", "finetune_seed")
IDENTITY = ("pretrain_run", *SEEDS, "run")
"""Columns that say which run a row is of."""
TEXTS = (
    "corpus", "model", "task", "eval_set", "domain", "metric", "signature", "source",
    "pretrain_run", "schedule", "tokenizer", "unit",
)  # fmt: skip
KNOWN = COLUMNS + EXTRAS
MEASURED = ("value", "stderr", "signature", "source")
"""Columns that say what came out and where it stands; all the others are the row's key."""

NO_CORPUS = frozenset({"none", "scratch", "no pretraining"})
"""Names under which the not-pretrained baseline's corpus goes."""

Named = tuple[str | None, str]
"""Evaluation set (None where the name says none) and metric."""

_LONGEST = 200
"""Characters of a logged number's name; longer ones are no metrics."""
_SPLIT = "|".join(SETS)
_PREFIX = re.compile(rf"({_SPLIT}|train\w*)[_. -]+(.+)", re.I)
_SUFFIX = re.compile(rf"(.+?)[_. -]+\(?({_SPLIT}|train\w*)\)?", re.I)
_CLOCKS = re.compile(
    r"(.*_)?(runtime|samples|steps|samples_per_second|steps_per_second|tokens_per_second|epoch|step|"
    r"model_preparation_time|mem_.*|gen_len|global_step|num_input_tokens_seen|timestamp|total_flos|"
    r"jit_compilation_time|.*_mem_.*|throughput|grad_norm|learning_rate|lr|duration|seconds|"
    r"num_tokens)",
    re.I,
)
_LOADER = re.compile(r"(?:_epoch)?(?:/dataloader_idx_(\d+))?$")
_SPACE = re.compile(
    r"(?:(?:metrics?|params?|hparams|config|summary|results?|scores?|args|throughput)[./]|params_(?=\w{4})|user_attrs_)+(?=.)",
    re.I,
)
"""What tools put before names of their own: ``params.corpus``, ``summary.eval/bleu``, ``throughput/total_tokens``."""
LOSSES = ("loss", "nll_loss", "nll")
_ALSO_IN_TRAINING = (*LOSSES, "cross_entropy", "perplexity", "accuracy", "error", "f1")
"""Metrics that training reports too, so that a name without a split leaves open whose they are."""
_OTHER_SETS = frozenset(("ood", "heldout"))
"""Sets beside which a name without a set is that of the usual one."""


def split(name: str) -> Named | None:
    """Return (evaluation set, metric) of a logged name, None where it is no evaluation.

    Lightning's ``_epoch`` is a mean over the set, ``/dataloader_idx_1`` another set, ``_step`` a batch.
    A ``loss`` stays a ``loss``: only the reader knows its unit.

    Examples
    --------
    >>> split("eval_ood_bleu"), split("BLEU/val"), split("inference_eval/de-en/bleu")
    (('ood', 'bleu'), ('valid', 'bleu'), ('de-en', 'bleu'))
    >>> split("bleu"), split("train/bleu"), split("eval_runtime"), split("accuracy")
    ((None, 'bleu'), None, None, None)
    """
    name = bare(name)
    if (loader := _LOADER.search(name)) and loader[0]:
        of_set = split(name[: loader.start()])
        return of_set and (of_set[0] and f"{of_set[0]}{loader[1] or ''}", of_set[1])
    folders, word = _path(name)
    place, rest = _edges(word)
    explicit = place or next(
        (SETS[f.lower()] for f in reversed(folders) if f.lower() in SETS), None
    )
    if explicit == "train" or not rest or any(map(_is_no_set, folders)):
        return None
    named = [f for f in folders if f.lower() not in SETS]
    metric = metric_name(rest)
    if explicit and not known(rest) and (placed := on_a_set(rest)):
        return placed
    if _is_metric(rest):
        told = explicit is not None or metric not in _ALSO_IN_TRAINING
        return ("/".join(named) or explicit, metric) if told else None
    if explicit is None or _CLOCKS.fullmatch(rest):
        return None
    head, _, tail = rest.partition("_")
    if tail and _is_metric(tail):
        return head.lower(), metric_name(tail)
    return explicit, metric_name("/".join([*named, rest]))


def bare(name: str) -> str:
    """Return a name without the words that tools put before it.

    Examples
    --------
    >>> bare("params.corpus"), bare("metrics/eval/bleu"), bare("metrics")
    ('corpus', 'eval/bleu', 'metrics')
    """
    space = _SPACE.match(name)
    return name[space.end() :] if space else name


def _is_no_set(folder: str) -> bool:
    return folder.lower() in NO_SETS or folder.lower().startswith("train")


_IN_UNIT = re.compile(
    r"(.*\S)\s*[(\[]\s*(%|(?:nats?|bits?)(?:\s*(?:/|per)\s*[\w ]+)?)\s*[)\]]", re.I
)


def in_unit(name: str) -> tuple[str, str | None]:
    """Return a column's name without the arrow of its metric and the unit in brackets, and that unit.

    Examples
    --------
    >>> in_unit("val loss (nats/token) ↓"), in_unit("BLEU (↑)")
    (('val loss', 'nats/token'), ('BLEU', None))
    """
    plain = unmarked(name)
    told = _IN_UNIT.fullmatch(plain)
    return (told[1], re.sub(r"\s*per\s*|\s*/\s*", "/", told[2].lower())) if told else (plain, None)


def measured_column(name: str) -> Named | None:
    """Return (evaluation set, metric) of a table's column, None where it holds no known metric.

    In a table a bare name is always a measurement, and so is a set's with one (``ood_bleu``, ``bleu_en_de``); a name
    that is only near one (``best_bleu``) is left alone.

    Examples
    --------
    >>> [measured_column(n) for n in ("Test BLEU", "accuracy (%)", "bleu_en_de", "eval_runtime", "best_bleu")]
    [('test', 'bleu'), (None, 'accuracy'), ('en_de', 'bleu'), None, None]
    """
    name, _ = in_unit(name)
    if known(name):
        return None, canonical(name)
    if name.strip().lower() in LOSSES:
        return None, name.strip().lower()
    for spelled in (name, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)):  # valLoss
        named = split(spelled)
        if named and (known(named[1]) or named[1] in LOSSES):
            return named
    return on_a_set(name)


def trained_beside(columns: Mapping[str, Named]) -> list[str]:
    """Return the columns whose metric training reports too, where another has it of an evaluation.

    Examples
    --------
    >>> trained_beside({"loss": (None, "loss"), "val_loss": ("valid", "loss"), "bleu": (None, "bleu")})
    ['loss']
    """
    usual = {*SETS.values()} - _OTHER_SETS
    evaluated = {metric for place, metric in columns.values() if place in usual}
    told = columns.items()
    return [n for n, (place, m) in told if place is None and m in evaluated & {*_ALSO_IN_TRAINING}]


def metric_name(name: str) -> str:
    """Return the metric's canonical name, or the name in the registry's manner."""
    plain = canonical(name.replace("/", "_"))
    return plain if known(plain) else plain.lower()


def _path(name: str) -> tuple[list[str], str]:
    """Return the folders of a name and its last part; a split that comes last is a folder."""
    parts = [part.strip() for part in name.split("/")] if len(name) <= _LONGEST else [""]
    *folders, word = parts
    place, point, last = word.rpartition("." if "." in word else ":")
    if point and place and known(last) and not known(word):
        folders, word = [*folders, place], last  # newstest2014.bleu
    if folders and word.lower() in SETS:
        return [*folders[:-1], word], folders[-1]
    return folders, word


def _edges(word: str) -> Named:
    """Return the split that a word has at its beginning or end, and the rest of the word."""
    before, after = _PREFIX.fullmatch(word), _SUFFIX.fullmatch(word)
    if before:
        return _set(before[1]), before[2]
    return (_set(after[2]), after[1]) if after and _is_metric(after[1]) else (None, word)


def _set(name: str) -> str:
    return SETS.get(name.lower(), "train")


def _is_metric(name: str) -> bool:
    low = name.lower()
    loss = low == "lm loss" or (low.startswith(("loss", "nll")) and not low.endswith("_step"))
    return loss or known(low) is not None or any(low.startswith(f"{m}_") for m in METRICS)


_PRETRAIN = (
    "tokens pretraintokens pretrainingtokens pretraintok pretokens pttokens ntokens numtokens trainingtokens "
    "consumedtokens tokensconsumed tokensprocessed"
)
_COLUMN_SPELLINGS = {
    "pretrain_tokens": f"{_PRETRAIN} traintokens tokensseen seentokens totaltokens pretrainsize pretrainingsize",
    "finetune_tokens": "finetuningtokens fttokens finetunesize finetuningsize finetunetok",
    "parameters": "params param nparams numparams nparameters numparameters modelparams modelsize parametercount",
    "corpus": "dataset data pretraindata pretrainingdata pretrainingcorpus pretraincorpus datarecipe",
    "model": "modelname",
    "task": "taskname finetuningtask finetunetask",
    "eval_set": "evalset testset evaluationset evaldataset testsetname benchmark",
    "pretrain_seed": "pretrainingseed pretrainseed seedpretrain",
    "finetune_seed": "finetuningseed finetuneseed ftseed seedfinetune",
    "stderr": "stderror standarderror sem",
    "metric": "metricname",
    "value": "metricvalue score result",
    "learning_rate": "lr",
}
_MEANINGS = {name.replace("_", ""): name for name in KNOWN} | {
    own: ours for ours, names in _COLUMN_SPELLINGS.items() for own in names.split()
}
_POWER = r"(?:[x×*/]\s*)?(?:10\s*(?:\^|\*\*)\s*\{?|1e\+?)(\d{1,2})\}?"
_SCALED = re.compile(
    r"(.+?)(?:[\s_]*[(\[$]+\s*(?:in\s+)?|[\s_,]+(?:in[\s_]+)?|\s*(?=[x×*/]))"
    rf"(?:(k|[mb]n?|g|t|mio|mrd|thousand|million|billion|trillion)s?|{_POWER})\$?"
    r"(?:\s*(?:of\s*)?tok(?:en)?s?)?\s*[)\]]?",
    re.I,
)
_PREFIXED = re.compile(
    r"(.*?)(?:^|[\s_-]|(?<=[a-z])(?-i:(?=[A-Z])))([kmbgt])[\s_]?tok(?:en)?s?", re.I
)
"""Counts whose column says their unit: ``Tokens (B)``, ``tokens [10^6]``, ``MTokens``."""
_SYMBOL = re.compile(r"\$?D_[\\a-z{]*?(p|f)(?:t|re)?\}*\$?")
_SYMBOLS = {"p": "pretrain_tokens", "f": "finetune_tokens"}
"""Sizes as papers write them: ``D_p``, ``$D_{ft}$``."""
_FACTORS = {
    "thousand": "1e3",
    "mrd": "1e9",
    "k": "1e3",
    "m": "1e6",
    "b": "1e9",
    "g": "1e9",
    "t": "1e12",
}
SEED_WORDS = ("seed", "random_seed", "run_seed", "rng_seed", "rng", "random_state")
_FINETUNED = ("finetune_tokens", "finetune_seed", "task")
"""Columns of a table of finetuned models, in which a plain seed may be either run's."""


def meaning(name: str) -> str | None:
    """Return the column that an own name means, None where it means none for sure.

    Examples
    --------
    >>> meaning("Tokens"), meaning("n_params"), meaning("pretraining tokens (B)"), meaning("tokens_B")
    ('pretrain_tokens', 'parameters', 'pretrain_tokens', 'pretrain_tokens')
    """
    own, factor = _scale(with_powers(bare(name)))
    symbol = _SYMBOL.fullmatch(own)
    plain = re.sub(r"[\W_]+", "", own.lower())
    ours = _SYMBOLS[symbol[1]] if symbol else _MEANINGS.get(plain)
    return ours if not factor or ours in COUNTS else None


def _scale(name: str) -> tuple[str, str]:
    """Return a name without its unit, and the factor that the unit means; nothing where there is none."""
    if prefixed := _PREFIXED.fullmatch(name):
        return f"{prefixed[1]}tokens", _FACTORS[prefixed[2].lower()]
    scaled = _SCALED.fullmatch(name)
    if scaled is None:
        return name, ""
    unit = (scaled[2] or "").lower()
    return scaled[1], _FACTORS.get(unit) or _FACTORS.get(unit[:1]) or f"1e{scaled[3]}"


def _recognised(draft: Draft, kept: Collection[str] = ()) -> dict[str, str]:
    """Return own name -> canonical name for the columns that can mean one thing only.

    A table that has the canonical column keeps the other as it is; two columns that could both be
    one are left alone, and asked about.
    """
    claims = defaultdict[str, list[str]](list)
    for name in draft.cells:
        ours = _seed(draft) if name.lower() in SEED_WORDS else meaning(name)
        if ours == "value" and "metric" not in meanings_in(draft.cells):
            continue  # in a wide table a score of its own
        if name not in (*KNOWN, *kept) and ours and not draft.has(ours):
            claims[ours].append(name)
    if "run" not in kept and _run_is_pretraining(draft):
        claims["pretrain_seed"].append("run")
    for ours, names in claims.items():
        if len(names) > 1:
            told = " or ".join(map(repr, names))
            cure = f"mapping={{{names[0]!r}: {ours!r}}}"
            draft.note(f"{told} may be {ours!r}: neither is taken. Try: {cure}")
    for name in (n for n in draft.cells if n.lower() in SEED_WORDS and n not in kept):
        if _seed(draft) and _without_pretraining(draft, name):
            draft.note(
                f"models without pretraining have several of {name!r}, so it is taken for that of whole runs. Where "
                f"one checkpoint was finetuned several times: mapping={{{name!r}: 'finetune_seed'}}"
            )
        elif not _seed(draft) and not meanings_in(draft.cells) >= set(SEEDS):
            draft.note(
                f"{name!r} may be the seed of pretraining or of finetuning, and only tells runs apart. Try: "
                f"mapping={{{name!r}: 'pretrain_seed'}}, or 'finetune_seed'"
            )
    return {_own(names[0]): ours for ours, names in claims.items() if len(names) == 1}


def _seed(draft: Draft) -> str | None:
    """Return which run a plain seed is of: pretraining's, where no column tells of finetuning."""
    told = meanings_in(draft.cells) & {*_FINETUNED, "pretrain_seed"}
    return None if told else "pretrain_seed"


def _run_is_pretraining(draft: Draft) -> bool:
    """Return whether ``run`` names pretraining runs: each is there at several sizes, and no seed or run is told."""
    told = meanings_in(draft.cells) & {*SEEDS, "pretrain_run", "finetune_tokens"}
    seeded = any(name.lower() in SEED_WORDS for name in draft.cells)
    if told or seeded or "run" not in draft.cells:
        return False
    cells = zip(draft.cells["run"], _sizes(draft).tolist(), strict=True)
    pairs = {(str(run), size) for run, size in cells if size > 0}
    count = Counter(run for run, _ in pairs)
    return len(count) > 1 and min(count.values()) > 1


def _without_pretraining(draft: Draft, name: str) -> bool:
    """Return whether models without pretraining have several seeds."""
    return len({str(seed) for seed in draft.cells[name][_sizes(draft) == 0]}) > 1


def _sizes(draft: Draft) -> Floats:
    """Return the pretraining sizes, in whatever unit; NaN where no column, or more than one, may hold them."""
    there = [cells for own, cells in draft.cells.items() if meaning(own) == "pretrain_tokens"]
    return numbers(there[0], count_cell)[0] if len(there) == 1 else np.full(len(draft), np.nan)


def meanings_in(columns: Collection[str]) -> set[str | None]:
    """Return what columns mean, and what they are called."""
    there = {str(name).lower() for name in columns}
    return {meaning(name) for name in there} | there


def _own(name: str) -> str:
    """Return how a mapping names a column: ``Tokens (B)`` is that column times 1e9."""
    factor = _scale(with_powers(name))[1]
    return f"{name}*{factor}" if factor else name


_FACTOR = re.compile(r"(?P<name>.+?)\s*(?P<sign>[*/])\s*(?P<factor>[\d.]+(?:e[+-]?\d+)?)", re.I)


def rename(draft: Draft, mapping: Mapping[str, str], kept: Collection[str] = ()) -> None:
    """Apply the user's mapping, then recognise canonical names written otherwise.

    Columns among ``kept`` are asked for by their own names and keep them.
    """
    for own, target in mapping.items():
        _map(draft, str(own), str(target))
    _strip(draft, kept)
    for name in list(draft.cells):
        plain = re.sub(r"[\s-]+", "_", name.strip().lower())
        if plain != name and plain in KNOWN and not draft.has(plain):
            _read_as(draft, name, plain)
    for own, target in _recognised(draft, kept).items():
        _map(draft, own, target, "the only meaning it has here")


def _strip(draft: Draft, kept: Collection[str]) -> None:
    """Call columns by what stands behind a tool's ``params.`` or ``metrics.``, where that means something alone."""
    plain_names = {name: bare(name) for name in draft.cells if name not in kept}
    times = Counter([*plain_names.values(), *kept])
    for name, plain in plain_names.items():
        means = plain.lower() in SEED_WORDS or meaning(plain) or measured_column(plain)
        if name != plain and means and times[plain] == 1:
            _read_as(draft, name, plain)


def _read_as(draft: Draft, name: str, plain: str) -> None:
    draft.rename(name, plain)
    draft.note(f"column {name!r} read as {plain!r}")


def _map(draft: Draft, own: str, target: str, why: str = "") -> None:
    if own == target:
        return
    scaled = None if draft.has(own) else _FACTOR.fullmatch(own)
    source = scaled["name"] if scaled else own
    if not draft.has(source) and _map_metric(draft, source, target, scaled):
        return
    if not draft.has(source):
        raise MissingColumnError(
            f"the mapping names a column {source!r} that is not there "
            f"(columns: {some(draft.cells)})"
        )
    if draft.has(target) and source != target:
        raise TableError(
            f"the mapping turns {source!r} into {target!r}, which is there already. "
            f"Try: map {target!r} to another name first"
        )
    if scaled:
        _scaled(draft, scaled, target)
    else:
        draft.rename(own, target)
    doubt = f" ({why})" if why else _doubt(source, target, scaled)
    draft.note(f"column {own!r} taken as {target!r}{doubt}")


def _map_metric(draft: Draft, own: str, target: str, by: re.Match[str] | None) -> bool:
    """Rename a metric where there is no such column, in each column that holds it; return whether there was one."""
    names = draft.cells["metric"].tolist() if draft.has("metric") else []
    spelled = canonical if by else str
    rows = np.array([spelled(str(name)) == spelled(own) for name in names], dtype=bool)
    if rows.any():
        draft.cells["metric"] = np.where(rows, target, draft.cells["metric"]).astype(object)
        if by:
            for name in filter(draft.has, ("value", "stderr")):
                _multiply(draft, name, by, rows)
        draft.note(f"metric {(by[0] if by else own)!r} taken as {target!r}")
        return True
    # A table says of ``dev loss`` that it holds ``loss``: a mapping may call it so too.
    held = [(name, measured_column(name)) for name in draft.cells if known(target)]
    ours = [(name, told[0]) for name, told in held if told and told[1] == own]
    factor = f"{by['sign']}{by['factor']}" if by else ""
    for name, eval_set in ours:
        _map(draft, name + factor, f"{eval_set}/{target}" if eval_set else target)
    return bool(ours)


def _scaled(draft: Draft, match: re.Match[str], target: str) -> None:
    name = match["name"]
    of_metric = measured_column(target) is not None
    draft.cells[target] = draft.cells[name]
    errors = ("stderr", f"{name}_stderr", f"{target}_stderr") if of_metric else ()
    for own in (target, *filter(draft.has, dict.fromkeys(errors))):
        _multiply(draft, own, match, np.ones(len(draft), bool))
    if of_metric and name != target:  # the fractions of a percentage are no metric beside it
        del draft.cells[name]


def _multiply(draft: Draft, name: str, by: re.Match[str], rows: Mask) -> None:
    cells = draft.cells[name].astype(object)
    values, bad = numbers(cells[rows], count_cell)
    factor = count_cell(by["factor"]) or 0.0
    if bad.any() or factor <= 0:
        raise TableError(f"{by[0]!r} is no number; needed a numeric column and a factor over 0")
    cells[rows] = values / factor if by["sign"] == "/" else values * factor
    draft.cells[name] = cells if (~rows).any() else cells.astype(float)


def _doubt(source: str, target: str, scaled: re.Match[str] | None) -> str:
    if "byte" in source.lower() and target.endswith("tokens") and not scaled:
        return f" one for one: bytes are not tokens, '{source}/4' would divide"
    return ""
