"""Fits that others published, as values: law, parameters, units, source, and what is known of their doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from scalefit.errors import LawError
from scalefit.laws import get_law

Origin = Literal["published", "refitted", "recalled"]
PROVENANCE = {
    "published": "as published",
    "refitted": "fitted by us to the data that the authors published",
    "recalled": "as cited by others; not verified here",
}
HUBER = {"objective": "huber", "delta": 1e-3, "residual": "log"}


@dataclass(frozen=True)
class PublishedFit:
    """A law with the parameters that somebody found, and all that is needed to use them.

    Attributes
    ----------
    name : what it is asked for by.
    law, params : a law of the catalogue, its quoted parameters by name.
    inputs : law input -> what was counted, with its unit.
    metric : what was measured, with its unit.
    data : the runs behind it.
    minimised : what the fit minimised: options of :func:`scalefit.fit`.
    source : paper and place.
    origin : ``"published"``, ``"refitted"`` (by us, to the authors' data) or ``"recalled"`` (not verified).
    stderr : standard errors of the parameters, where they were given.

    Examples
    --------
    >>> import scalefit as sf
    >>> fit = sf.published()["hoffmann-2022"]
    >>> fit.law, round(float(fit(70e9, 1.4e12)), 3)
    ('chinchilla', 1.937)
    """

    name: str
    law: str
    params: Mapping[str, float]
    inputs: Mapping[str, str]
    metric: str
    data: str
    source: str
    origin: Origin
    minimised: Mapping[str, Any] = field(default_factory=dict)
    stderr: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, *inputs: Any) -> Any:
        """Value of the fit at inputs in the published units, in the law's order."""
        return get_law(self.law)(*inputs, **self.params)

    @property
    def doubt(self) -> str:
        """What the source says of the parameters' doubt: standard errors or nothing; none gives a covariance."""
        return "standard errors given, no covariance" if self.stderr else "no errors given"

    @property
    def about(self) -> str:
        """Where it comes from and how sure its numbers are, in one line."""
        return f"{self.name}: {self.metric} over {self.data}; {self.source}; {PROVENANCE[self.origin]}; {self.doubt}"


TOKENS = {"N": "parameters", "D": "training tokens"}
NATS = "cross-entropy in nats a token"
MASSIVE = "Chinchilla's runs (MassiveText)"
EPOCH = "Besiroglu et al. 2024, arXiv 2404.10102"
KAPLAN = "Kaplan et al. 2020, arXiv 2001.08361"
GORDON = (
    "Gordon, Duh and Kaplan 2021, Data and Parameter Scaling Laws for Neural Machine Translation"
)
GADRE = "Gadre et al. 2024, arXiv 2403.08540, the fit behind table 2"


def _chinchilla(E: float, A: float, B: float, alpha: float, beta: float) -> dict[str, float]:
    return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta}


def _gordon_loss(pair: str, *numbers: float) -> PublishedFit:
    return PublishedFit(
        f"gordon-2021-loss-{pair}",
        "kaplan",
        dict(zip(("alpha_N", "N_c", "alpha_D", "D_c"), numbers, strict=True)),
        {"N": "parameters without embeddings", "D": "bytes of parallel text, above 5 MB"},
        "development cross-entropy in nats a BPE token",
        f"Transformers trained on {pair} from 7 MB up",
        GORDON,
        "refitted",
    )


def _gordon_bleu(pair: str, C: float, k: float) -> PublishedFit:
    return PublishedFit(
        f"gordon-2021-bleu-{pair}",
        "ce_to_bleu",
        {"C": C, "k": k},
        {"L": "development cross-entropy in nats a BPE token"},
        "detokenised BLEU on the development set",
        f"Transformers trained on {pair} from 7 MB up",
        GORDON,
        "refitted",
        {"residual": "linear"},
    )


def _gadre(corpus: str, epsilon: float, k: float, gamma: float) -> PublishedFit:
    return PublishedFit(
        f"gadre-2024-error-{corpus}",
        "loss_to_error",
        {"epsilon": epsilon, "k": k, "gamma": gamma},
        {"L": "cross-entropy on C4 in nats a token"},
        "mean error of 17 tasks, a fraction",
        f"six models trained on {corpus}: 0.011B to 1.4B parameters",
        GADRE,
        "refitted",
    )


_ALL = (
    PublishedFit(
        "hoffmann-2022",
        "chinchilla",
        _chinchilla(1.69, 406.4, 410.7, 0.34, 0.28),
        TOKENS,
        NATS,
        MASSIVE,
        "Hoffmann et al. 2022, arXiv 2203.15556, eq. 10",
        "published",
        HUBER,
    ),
    PublishedFit(
        "besiroglu-2024",
        "chinchilla",
        _chinchilla(1.8172, 477.8, 2143.0, 0.3473, 0.3672),
        TOKENS,
        NATS,
        f"{MASSIVE}: 240 points read off a figure, the 5 highest losses left out",
        EPOCH,
        "refitted",
        HUBER,
        _chinchilla(0.0257, 124.5, 1293.0, 0.0154, 0.0206),
    ),
    PublishedFit(
        "besiroglu-2024-all",
        "chinchilla",
        _chinchilla(1.891, 495.7, 12845.6, 0.3493, 0.4531),
        TOKENS,
        NATS,
        f"{MASSIVE}: all 245 points read off a figure",
        EPOCH,
        "refitted",
        HUBER,
    ),
    PublishedFit(
        "open-athena-2026",
        "chinchilla",
        _chinchilla(1.9051, 4.0005, 1.0509, 0.3511, 0.4587),
        {"N": "millions of parameters", "D": "billions of training tokens"},
        NATS,
        f"{MASSIVE}: 217 points under 1e21 FLOP",
        "Open-Athena, scaling-law-analysis",
        "refitted",
    ),
    PublishedFit(
        "muennighoff-2023",
        "data_constrained",
        {**_chinchilla(1.87, 521.0, 1488.0, 0.353, 0.353), "R_N": 5.3, "R_D": 15.4},
        {**TOKENS, "U": "unique training tokens"},
        NATS,
        "models of up to 9B parameters on up to 900B tokens of C4, repeated",
        "Muennighoff et al. 2023, arXiv 2305.16264, as in public implementations",
        "published",
    ),
    PublishedFit(
        "kaplan-2020-data",
        "pure_power",
        {"A": 5.4e13**0.095, "alpha": 0.095},
        {"x": "training tokens"},
        NATS,
        "Transformers on WebText2, stopped early",
        f"{KAPLAN}, eq. 1.2",
        "published",
    ),
    PublishedFit(
        "kaplan-2020-size",
        "pure_power",
        {"A": 8.8e13**0.076, "alpha": 0.076},
        {"x": "parameters without embeddings"},
        NATS,
        "Transformers on WebText2, to convergence",
        f"{KAPLAN}, eq. 1.1",
        "recalled",
    ),
    PublishedFit(
        "kaplan-2020-joint",
        "kaplan",
        {"alpha_N": 0.076, "N_c": 6.4e13, "alpha_D": 0.103, "D_c": 1.8e13},
        {"N": "parameters without embeddings", "D": "training tokens"},
        NATS,
        "Transformers on WebText2",
        f"{KAPLAN}, table 2",
        "recalled",
    ),
    PublishedFit(
        "hernandez-2021-text-to-code",
        "effective_data",
        {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
        {"F": "characters of code finetuned on", "N": "parameters without embeddings"},
        "effective data transferred, in characters of code",
        "Transformers pretrained on text, finetuned on Python",
        "Hernandez et al. 2021, arXiv 2102.01293, eq. 1.1",
        "recalled",
    ),
    PublishedFit(
        "bansal-2022-28-6",
        "bansal",
        {"A": 13.591, "gamma": 9.6916e-9, "alpha": 0.20844},
        {"x": "training sentences"},
        "log-perplexity",
        "translation Transformers of 28 encoder and 6 decoder layers, up to 256M sentences",
        "Bansal et al. 2022, arXiv 2202.01994, runs released with Alabdulmohsin et al. 2022",
        "refitted",
        {"residual": "log"},
    ),
    PublishedFit(
        "caballero-2023-addition",
        "broken",
        {"E": 0.41719, "B": 2.27369, "c0": 0.055149, "c1": 5.69423, "x_d": 612.803, "f": 0.0592636},
        {"x": "training examples"},
        "cross-entropy in nats",
        "four-digit addition, the 14 smallest of 17 sizes",
        "Caballero et al. 2023, arXiv 2210.14891, figure 4, left",
        "refitted",
        {"residual": "log"},
    ),
    _gordon_loss("de-en", 0.1222, 2.59e8, 0.4204, 1.78e8),
    _gordon_loss("zh-en", 0.1214, 3.86e8, 0.4142, 1.84e8),
    _gordon_loss("ru-en", 0.1093, 2.44e9, 0.3805, 5.07e8),
    _gordon_bleu("de-en", 70.06, 0.4480),
    _gordon_bleu("zh-en", 82.41, 0.4196),
    _gordon_bleu("ru-en", 58.75, 0.4067),
    _gadre("c4", 0.8497, 2.0789, 0.7561),
    _gadre("redpajama", 0.8570, 2.2065, 0.7146),
    _gadre("refinedweb", 0.8653, 2.2148, 0.7070),
)  # fmt: skip
PUBLISHED: Mapping[str, PublishedFit] = MappingProxyType({fit.name: fit for fit in _ALL})


def published() -> Mapping[str, PublishedFit]:
    """Return fits that others published, by name.

    Returns mapping of str to PublishedFit: each a value: law, parameters, units, runs, source, and standard errors
    where they were given.

    Examples
    --------
    >>> import scalefit as sf
    >>> [name for name, fit in sf.published().items() if fit.law == "data_constrained"]
    ['muennighoff-2023']
    >>> sf.published()["besiroglu-2024"].stderr["alpha"]
    0.0154
    """
    return PUBLISHED


def published_fit(name: str) -> PublishedFit:
    """Return one of them.

    Raises LawError: no published fit has this name; the message lists those there are.
    """
    if name not in PUBLISHED:
        raise LawError(
            f"no published fit is called {name!r}; there are {', '.join(PUBLISHED)}; sf.published() holds them"
        )
    return PUBLISHED[name]
