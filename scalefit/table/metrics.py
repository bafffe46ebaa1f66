"""The metrics that scalefit knows: direction, range, unit and title of each; users add their own."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from scalefit.errors import TableError

INF = math.inf


@dataclass(frozen=True)
class Metric:
    """What is known about a metric.

    Attributes
    ----------
    name : name in the ``metric`` column.
    direction : {"+", "-"} or None
        Whether more is better, less is better, or neither is known.
    lower, upper : range outside which a value is wrong.
    unit : unit of the values, for axes.
    title : name as papers write it; the name, unless given.
    one_scale : whether values of at most 1 beside larger ones are fractions beside percentages, and no low scores.

    Examples
    --------
    >>> fluency = Metric("fluency", "+", lower=1, upper=5)
    >>> fluency.title, fluency.rises, fluency.falls
    ('fluency', True, False)
    """

    name: str
    direction: Literal["+", "-"] | None = None
    lower: float = -INF
    upper: float = INF
    unit: str = ""
    title: str = ""
    one_scale: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip() or self.direction not in ("+", "-", None):
            raise TableError(
                f"found the metric {self.name!r} with direction {self.direction!r}; needed a name and "
                "'+' (more is better), '-' (less is better) or None"
            )
        if not self.lower < self.upper:
            raise TableError(f"{self.name}: found a range of {self.lower:g} to {self.upper:g}")
        object.__setattr__(self, "title", self.title or self.name)

    @property
    def falls(self) -> bool:
        """Whether less is known to be better."""
        return self.direction == "-"

    @property
    def rises(self) -> bool:
        """Whether more is known to be better."""
        return self.direction == "+"

    @property
    def is_loss(self) -> bool:
        """Whether it is a loss of whatever unit."""
        return self.unit.startswith(("nats", "bits")) or bool(_LOSS.fullmatch(self.name))

    @property
    def is_perplexity(self) -> bool:
        """Whether it is the exponential of a loss, of whatever set its name says."""
        return "perplexity" in (canonical(self.name), *(on_a_set(self.name) or ()))

    @property
    def is_rate(self) -> bool:
        """Whether it is the share of what is right, or of what is wrong, so that it may well come to its top."""
        whole = self.lower == 0.0 and self.upper in (1.0, 100.0)
        return whole and self.direction is not None and not self.unit

    @property
    def relative(self) -> bool:
        """Whether differences are told as shares of it: of a loss. Of a rate right and wrong differ by the same."""
        return self.falls and not self.is_rate

    @property
    def percent(self) -> bool:
        """Whether the metric runs from 0 to 100, so that a fraction is a mistake."""
        return self.upper == 100.0 and self.unit.endswith("points")

    @property
    def either(self) -> bool:
        """Whether it is written as a fraction or in percent, as its values tell."""
        return self.upper == 100.0 and not self.percent

    def up_to(self, largest: float) -> Metric:
        """Return the metric in percent or as a fraction, whichever values up to ``largest`` are written in.

        A metric trained on ratings ends where the best rating does, unless its values are z scores.
        """
        if self.unit in TRAINED and (0 < largest <= 1 or 2 < largest <= 100):
            return replace(self, unit="", upper=100.0).up_to(largest)
        fraction = self.either and largest <= 1.0
        times = 0.01 if fraction else 100.0 if self.upper == 1.0 < largest else 1.0
        return replace(self, lower=times * self.lower, upper=times * self.upper)


TRAINED = ("COMET", "COMET-QE", "XCOMET", "BLEURT")
_LISTED: tuple[Metric, ...] = (
    Metric("cross_entropy", "-", 0.0, INF, "nats/target token", "cross-entropy"),
    Metric("cross_entropy_per_byte", "-", 0.0, INF, "nats/byte", "cross-entropy per byte"),
    Metric("bits_per_byte", "-", 0.0, INF, "bits/byte", "bits per byte"),
    Metric("bits_per_character", "-", 0.0, INF, "bits/character", "bits per character"),
    Metric("perplexity", "-", 1.0, INF, "", "perplexity"),
    Metric("bleu", "+", 0.0, 100.0, "BLEU points", "BLEU"),
    Metric("spbleu", "+", 0.0, 100.0, "spBLEU points", "spBLEU"),
    Metric("chrf", "+", 0.0, 100.0, "chrF points", "chrF"),
    Metric("chrf++", "+", 0.0, 100.0, "chrF++ points", "chrF++"),
    Metric("rouge", "+", 0.0, 100.0, "ROUGE points", "ROUGE"),
    Metric("rouge1", "+", 0.0, 100.0, "ROUGE-1", "ROUGE-1"),
    Metric("rouge2", "+", 0.0, 100.0, "ROUGE-2", "ROUGE-2"),
    Metric("rougel", "+", 0.0, 100.0, "ROUGE-L", "ROUGE-L"),
    Metric("rougelsum", "+", 0.0, 100.0, "ROUGE-Lsum", "ROUGE-Lsum"),
    Metric("meteor", "+", 0.0, 100.0, "METEOR", "METEOR"),
    Metric("ter", "-", 0.0, INF, "TER points", "TER"),
    Metric("wer", "-", 0.0, INF, "", "WER"),
    Metric("cer", "-", 0.0, INF, "", "CER"),
    Metric("comet", "+", -INF, INF, "COMET", "COMET"),
    Metric("comet_qe", "+", -INF, INF, "COMET-QE", "COMET-QE"),
    Metric("xcomet", "+", -INF, INF, "XCOMET", "XCOMET"),
    Metric("metricx", "-", 0.0, 25.0, "MetricX", "MetricX"),
    Metric("bleurt", "+", -INF, INF, "BLEURT", "BLEURT"),
    Metric("bertscore", "+", -INF, 100.0, "", "BERTScore"),
    Metric("accuracy", "+", 0.0, 100.0, "", "accuracy", one_scale=True),
    Metric("exact_match", "+", 0.0, 100.0, "", "exact match"),
    *(Metric(name, "+", 0.0, 100.0) for name in ("acc_norm", "pass@1", "pass@10", "pass@100")),
    Metric("error", "-", 0.0, 100.0, "", "error rate"),
    Metric("f1", "+", 0.0, 100.0, "", "F1", one_scale=True),
    Metric("auc", "+", 0.0, 100.0, "", "AUC"),
    Metric("mcc", "+", -1.0, 1.0, "", "MCC"),
    Metric("brevity_penalty", None, 0.0, 1.0, "ratio", "brevity penalty"),
)
_TASKS = frozenset(
    """mmlu mmlu_pro hellaswag arc_c arc_e arc_challenge arc_easy piqa winogrande boolq openbookqa obqa siqa sciq
commonsenseqa csqa lambada truthfulqa gsm8k humaneval mbpp bbh triviaqa nq naturalqs squad copa agieval ceval
cmmlu xnli xcopa xstorycloze glue superglue cola sst2 stsb mrpc qqp mnli qnli rte wnli wsc multirc belebele""".split()  # noqa: SIM905
)
"""Benchmarks that tables give a column each: an accuracy or the like, as a fraction or in percent."""
_LISTED += tuple(Metric(name, "+", 0.0, 100.0) for name in sorted(_TASKS))
METRICS: dict[str, Metric] = {m.name: m for m in _LISTED}
_CALLED = {
    "cross_entropy": "crossentropy crossentropyloss languagecrossentropy ce celoss xent logperplexity logppl",
    "bits_per_byte": "bpb bits/byte",
    "bits_per_character": "bpc bitsperchar bits/char bits/character",
    "perplexity": "ppl languageperplexity",
    "bleu": "sacrebleu bleu4",
    "spbleu": "flores101bleu flores200bleu",
    "chrf": "chrf2",
    "chrf++": "chrfplusplus chrf2pp",
    "ter": "translationeditrate",
    "wer": "worderrorrate",
    "cer": "charactererrorrate",
    "comet": "comet22 cometda cometda22 comet22da wmt22cometda cometwmt22 cometwmt22da",
    "comet_qe": "cometqe cometkiwi wmt22cometkiwida",
    "accuracy": "acc acc@1 top1 top1acc top1accuracy",
    "auc": "auroc rocauc",
    "error": "errorrate top1error top1err",
    "exact_match": "em",
    "mcc": "matthewscorrelation",
    "brevity_penalty": "bp",
}
_SPELLINGS = {own: ours for ours, names in _CALLED.items() for own in names.split()}
_FAMILY = re.compile(
    r"(?:wmt\d+[-_ ]*)?(xcomet|comet|metricx|bleurt|bertscore)"
    r"([-_ ]*(da|wmt\d*|\d[\d.]*|x*l|large|base|tiny|hybrid|ref|qe|f1))*",
    re.I,
)
"""Metrics of several models (``metricx-24-hybrid-xl``): each keeps its name, all share what is known."""

_AVERAGED = re.compile(
    r"(?:macro|micro|weighted)[-_ ]*(?:avg[-_ ]*)?(f1|accuracy)(?:[-_ ]score)?|"
    r"(f1|accuracy)[-_ ]*(?:macro|micro|weighted)",
    re.I,
)
"""One metric averaged over classes in several ways: each keeps its name."""
_MEAN = re.compile(
    r"(?:avg|average|mean|overall)[_. -]+(.+)|(.+)[_. -]+(?:avg|average|mean|overall)", re.I
)
"""A mean over tasks: a user's own summary, so no column is taken for one unless it is asked for."""


SETS = {
    "eval": "eval",
    "evaluation": "eval",
    "inference_eval": "eval",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "dev",
    "test": "test",
    "predict": "test",
    "held_out": "heldout",
    "heldout": "heldout",
    "ood": "ood",
}
"""What names of metrics call evaluation sets, and what we do."""
_SETS = "|".join((*SETS, "train", "training"))
_LOSS = re.compile(rf"(?:.+[_. /-])?(?:loss|nll)(?:[_. /-]+(?:{_SETS}))?", re.I)
"""Names of a loss of whatever kind; its range nobody knows."""
NO_SETS = frozenset(
    """train training best max min mean std delta diff ema running rewards system""".split()  # noqa: SIM905
)
"""Folders whose numbers are no evaluation, or one of something else."""
_WORDS = NO_SETS | frozenset(
    """avg average median sd se stderr standard gain last final previous prev first target goal wanted baseline
    reference human n num number count total sum rank relative rel token step epoch expected predicted rate ci low
    high lower upper log ln neg negative normalized normalised scaled inverse smoothed type message signature
    threshold id for of by per with without is has use""".split()  # noqa: SIM905
)
"""Words beside a metric in a column's name that sum it up, aim at it or belong to a sentence: no set."""
_PAIR = "[a-z]{2,3}(?:_+(?:to_)?|2)[a-z]{2,3}"
_BEHIND = re.compile(rf"{_SETS}|{_PAIR}|\d+_?shot|(?:wmt|newstest|iwslt|flores|ntrex|ted)_?\w*")
"""What surely is a set behind a metric: ``bleu_shuffled`` may be anything."""


_MARKS = re.compile(
    r"\$?\\(?:up|down)arrow\$?|[↑↓⇑⇓⬆⬇*`]|\\textbf|[{}]|(?:(?<=[(\[])[^()\[\]]*)?±[^()\[\]]*|(?<![a-z])[×x] ?100\b"
)


@lru_cache(maxsize=1024)
def unmarked(name: str) -> str:
    """Return a name without what papers put beside it: arrows for better, bold letters, spreads, a factor of 100.

    Examples
    --------
    >>> unmarked("**BLEU** (↑)"), unmarked("$COMET$"), unmarked("BLEU (mean ± std)"), unmarked("COMET ×100")
    ('BLEU', '$COMET$', 'BLEU', 'COMET')
    """
    return re.sub(r"[(\[]\s*[)\]]", "", _MARKS.sub("", name)).strip()


@lru_cache(maxsize=1024)
def _squeezed(name: str) -> str:
    return re.sub(r"[_\s-]+", "", name.strip().lower()).rstrip(".").replace("++", "pp")


_PLAIN = {_squeezed(name): name for name in METRICS}


def register(*metrics: Metric) -> None:
    """Make metrics of your own known: their columns, directions and ranges.

    Examples
    --------
    >>> import scalefit as sf
    >>> sf.metrics.register(sf.Metric("fluency", "+", lower=1, upper=5))
    >>> sf.as_table({"pretrain_tokens": ["1M", "4M"], "Fluency": [3.1, 3.4]}).metrics
    ('fluency',)
    """
    shipped = {m.name: m for m in _LISTED}
    for new in metrics:
        name = canonical(new.name)
        if shipped.get(name, new) != new:
            raise TableError(f"the metric {name!r} is known already; give yours another name")
        METRICS[new.name] = new
        _PLAIN[_squeezed(new.name)] = new.name


def canonical(name: str) -> str:
    """Return the registry's spelling of a metric (``chrF2`` is ``chrf``), or the name as it is."""
    text = unmarked(name)
    squeezed = _squeezed(text).removeprefix("unbabel/")
    for short in (squeezed, squeezed.removesuffix("score")):
        meant = _SPELLINGS.get(short) or _PLAIN.get(short)
        if meant is not None:
            return meant
    return text


def known(name: str) -> Metric | None:
    """Return what is known about a metric, None where nothing is.

    Examples
    --------
    >>> known("MetricX-24-XL").direction, known("fluency of the text")
    ('-', None)
    """
    text = canonical(name)
    if text in METRICS:
        return METRICS[text]
    family = _FAMILY.fullmatch(text) or _AVERAGED.fullmatch(text)
    if family is None:
        return None
    parent = METRICS[canonical(next(filter(None, family.groups())))]
    return replace(parent, name=text, title=text)


def metric(name: str) -> Metric:
    """Return what is known about a metric; an unknown one has no direction and no range.

    A metric on a set that its name says (``test_bleu``), or a mean of it (``avg_bleu``), is that metric, and less of
    any loss is better.

    Examples
    --------
    >>> metric("test_bleu").direction, metric("val_loss").direction, metric("lossless").direction
    ('+', '-', None)
    >>> metric("chrF").direction
    '+'
    >>> metric("adequacy").direction is None
    True
    """
    there = known(name)
    if there is not None:
        return there
    if _LOSS.fullmatch(name):
        return Metric(name, "-")
    mean, of_set = _MEAN.fullmatch(name), on_a_set(name)
    parent = known(mean[1] or mean[2]) if mean else metric(of_set[1]) if of_set else None
    return replace(parent, name=name, title=name) if parent else Metric(name)


def _joined(name: str) -> str:
    return re.sub(r"[\s.:/()\[\]→>-]+", "_", name.strip().lower()).strip("_")


def is_language_pair(name: str) -> bool:
    """Return whether a name is that of two languages and nothing else.

    Examples
    --------
    >>> [is_language_pair(n) for n in ("en-de", "en → de", "deu_to_eng", "en2de", "ende", "seed-1")]
    [True, True, True, True, False, False]
    """
    return re.fullmatch(_PAIR, _joined(name)) is not None


def on_a_set(name: str) -> tuple[str, str] | None:
    """Return the set and the metric of a name that has both, the metric last or first; None where it has not.

    Examples
    --------
    >>> on_a_set("ood_bleu"), on_a_set("BLEU en-de"), on_a_set("best_bleu")
    (('ood', 'bleu'), ('en_de', 'bleu'), None)
    """
    words = _joined(name).split("_")
    for i in range(1, len(words) if all(words) else 0):
        head, tail = "_".join(words[:i]), "_".join(words[i:])
        if (
            known(head)
            and (_BEHIND.fullmatch(tail) or tail in _TASKS)
            and not _WORDS & set(words[i:])
        ):
            return tail, canonical(head)
        if known(tail) and not _WORDS & set(words[:i]):
            return head, canonical(tail)
    return None


def untold_direction(name: str) -> str:
    """Return the note that a door makes where it has to take more of an unknown metric for better."""
    return f"nobody told whether more {name} is better, and more is taken for it; sf.metrics.register tells"
