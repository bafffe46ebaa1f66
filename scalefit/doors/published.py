"""Fits that others published, as values, and whether they hold on these runs: ``published`` and ``refit_published``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from scalefit.errors import DesignError, LawError
from scalefit.fitting.fit import fit_law
from scalefit.fitting.result import Fit
from scalefit.forecasting.backtest import NEAREST, Backtest, backtest_rows, law_of_rows
from scalefit.laws import get_law
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.units import short

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


PART = 5  # a fifth of the first input's values, the largest ones, is held out
_WIDE = 1.96


@dataclass(frozen=True, eq=False, repr=False)
class Refit(Result):
    """A published fit beside the same law on other runs.

    Attributes
    ----------
    name : of the published fit.
    fit : the law fitted to these runs.
    published : its parameters as published; ``stderr`` their standard errors, where given.
    tested : the law and the nearest run on the largest sizes, held out; None where none could be.
    notes : where the published numbers come from.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))
    >>> noise = 0.005 * np.resize([1.0, -1, 0.5, -0.7, 0.2], 25)
    >>> data = {"N": N, "D": D, "loss": sf.published()["besiroglu-2024"](N, D) + noise}
    >>> again = sf.refit_published("besiroglu-2024", data, "loss", inputs={"N": "N", "D": "D"})
    >>> again.state
    'holds'
    """

    name: str
    fit: Fit
    published: Mapping[str, float]
    stderr: Mapping[str, float]
    tested: Backtest | None = None
    notes: tuple[str, ...] = ()

    @property
    def apart(self) -> tuple[str, ...]:
        """Parameters whose published value lies outside the interval here, with 1.96 published errors allowed."""
        return tuple(
            name
            for name, i in self.fit.intervals().items()
            if not i.low - self._room(name) <= self.published[name] <= i.high + self._room(name)
        )

    def _room(self, name: str) -> float:
        digits = 1e-3 * abs(self.published[name])  # published numbers are rounded
        return max(_WIDE * self.stderr.get(name, 0.0), digits)

    @property
    def beaten(self) -> bool:
        """Whether the nearest run forecasts the held-out sizes better than the law."""
        if self.tested is None:
            return False
        law = self.fit.law.name
        return law not in self.tested.forecasters or self.tested.error(law) > self.tested.error(
            NEAREST
        )

    @property
    def state(self) -> str:
        """``beaten by a baseline``, ``not identified``, ``differs`` or ``holds``, in this order."""
        if self.beaten:
            return "beaten by a baseline"
        if self.fit.not_identified:
            return "not identified"
        return "differs" if self.apart else "holds"

    @property
    def verdict(self) -> str:
        """Whether it holds here, and what says so."""
        law = self.fit.law.name
        why = {
            "beaten by a baseline": f"the nearest run forecasts the largest sizes better than the {law} law",
            "not identified": f"these runs do not fix {', '.join(sorted(self.fit.not_identified))}",
            "differs": "; ".join(self._said(name) for name in self.apart),
            "holds": "every published parameter lies in its 95% interval here",
        }
        return f"{self.name}: {self.state}: {why[self.state]}; {self.fit.points.y.size} points"

    def _said(self, name: str) -> str:
        here = self.fit.intervals()[name]
        interval = f"{short(here.estimate)} [{short(here.low)}, {short(here.high)}]"
        return f"{name} {short(self.published[name])} published, {interval} here"

    def rows(self) -> list[Row]:
        """Return one row a parameter: published with its error, and the estimate here with its interval."""
        return [
            {
                "parameter": row["parameter"],
                "published": self.published[str(row["parameter"])],
                "stderr": self.stderr.get(str(row["parameter"]), float("nan")),
                **{k: row[k] for k in ("estimate", "low", "high", "identified")},
            }
            for row in self.fit.rows()
        ]

    def told(self) -> Row:
        """Return the state, the parameters and the errors on held-out sizes."""
        errors = (
            {}
            if self.tested is None
            else {n: self.tested.error(n) for n in self.tested.forecasters}
        )
        return {
            "name": self.name,
            "answer": self.state,
            "parameters": self.rows(),
            "errors": errors,
        }


def refit_published(
    name: str,
    data: Any,
    metric: str,
    *,
    inputs: Mapping[str, str],
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> Refit:
    """Fit a published fit's law to other runs, in its own way, and say whether it holds there.

    Parameters
    ----------
    name : of the published fit, see :func:`scalefit.published`.
    data, metric, where, mapping, allow : as in :func:`scalefit.fit`; numbers in the published units.
    inputs : law input -> column.

    Raises LawError: no published fit has this name; FitError: these runs cannot be fitted by the law at all.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> L = np.linspace(2.4, 5, 12)
    >>> data = {"L": L, "bleu": 70 * np.exp(-0.6 * L) + 0.02 * np.resize([1.0, -1, 0.5], 12)}
    >>> sf.refit_published("gordon-2021-bleu-de-en", data, "bleu", inputs={"L": "L"}).state
    'differs'
    """
    known = published_fit(name)
    law = get_law(known.law)
    fit = fit_law(
        data,
        metric,
        law,
        inputs=inputs,
        where=where,
        mapping=mapping,
        allow=allow,
        **known.minimised,
    )
    rows = fit.observations
    first = law.inputs[0]
    alone = law_of_rows(law, rows, fit.solution.problem.objective)
    held = max(1, np.unique(rows.inputs[first]).size // PART)
    try:
        tested = backtest_rows(rows, [alone], first, hold_out=held)
    except DesignError:
        tested = None
    return Refit(
        name, fit, dict(known.params), dict(known.stderr), tested, (known.about, *fit.notes)
    )
