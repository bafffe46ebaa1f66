"""Answers on disk: one versioned JSON format for all of them.

A document says what it is (``scalefit``, ``format``, ``version``), holds the answer for readers of any language (what
``to_dict`` gives), the whole of it (``state``), and a digest of each part and over everything, so that an edited or
damaged file is refused by name. The digest guards against accidents, not against forgery. Loading
fits nothing and runs nothing that the file names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import landscape
from scalefit.alignment import Alignment, AlignmentTable
from scalefit.alignment.monitor import Watch, WatchTable
from scalefit.codec import Codec, Custom, needs
from scalefit.corpora.ranking import Ranking, Rankings
from scalefit.corpora.score import Similarity, SimilarityReport
from scalefit.corpora.value import Value, Values
from scalefit.doors.backtest import LawComparison
from scalefit.doors.chain import Chain
from scalefit.doors.published import Refit
from scalefit.doors.stream import Streamed
from scalefit.errors import FormatError
from scalefit.files import write_text
from scalefit.fitting.card import Card
from scalefit.fitting.contour import Contour
from scalefit.fitting.goodness import Influence
from scalefit.fitting.lmfit_bridge import law_of_function
from scalefit.fitting.many import Fits
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import Solution
from scalefit.forecasting.backtest import Backtest
from scalefit.forecasting.forecast import Forecast, Outlook
from scalefit.forecasting.mixture import Mixture, Mixtures
from scalefit.forecasting.predict import Band
from scalefit.forecasting.record import ForecastScore
from scalefit.forecasting.surface import Surface
from scalefit.forecasting.tokens import TokensFor
from scalefit.laws import LAWS, is_built_in
from scalefit.laws.law import Law
from scalefit.planning.allocate import Allocation
from scalefit.planning.plan import Plan
from scalefit.procedures.aggregate import Aggregates
from scalefit.procedures.comparison import Comparison, Contrast
from scalefit.procedures.modes import Bimodality
from scalefit.procedures.over_sizes import SeedCurve, SeedCurves
from scalefit.result import Result, to_json
from scalefit.scoring.bootstrap import SystemComparison
from scalefit.seeds.needed import SeedPlan
from scalefit.seeds.result import Variance, VariancePart
from scalefit.table import Observations
from scalefit.table.observations import digest as data_digest
from scalefit.version import __version__

FORMAT = 3
_OLDER = {
    1: "which had no digest and was fitted again whenever it was read",
    2: "in which an accuracy and its error were forecast apart",
}
KINDS: dict[str, type[Result]] = {
    "fit": Fit,
    "fits": Fits,
    "card": Card,
    "influence": Influence,
    "contour": Contour,
    "mixture": Mixture,
    "mixtures": Mixtures,
    "surface": Surface,
    "band": Band,
    "tokens": TokensFor,
    "outlook": Outlook,
    "stream": Streamed,
    "forecast": Forecast,
    "backtest": Backtest,
    "chain": Chain,
    "refit": Refit,
    "law comparison": LawComparison,
    "forecast score": ForecastScore,
    "ranking": Ranking,
    "rankings": Rankings,
    "value": Value,
    "values": Values,
    "plan": Plan,
    "allocation": Allocation,
    "alignment": Alignment,
    "alignments": AlignmentTable,
    "watch": Watch,
    "watches": WatchTable,
    "variance": Variance,
    "variance part": VariancePart,
    "seed plan": SeedPlan,
    "comparison": Comparison,
    "contrast": Contrast,
    "aggregates": Aggregates,
    "bimodality": Bimodality,
    "seed curve": SeedCurve,
    "seed curves": SeedCurves,
    "similarity": Similarity,
    "similarity report": SimilarityReport,
    "system comparison": SystemComparison,
    "barrier": landscape.Barrier,
    "budget": landscape.Budget,
    "path": landscape.Path,
    "distances": landscape.Distances,
    "clusters": landscape.Clusters,
    "plane": landscape.Plane,
    "sharpness": landscape.Sharpness,
    "prediction": landscape.Prediction,
    "robustness": landscape.Robustness,
}
"""What a file says it holds -> the kind of answer; scores are kept as tables and segment statistics instead."""
OwnLaw = Law | Callable[..., Any] | None


def save(result: Result, path: str | Path) -> None:
    """Write an answer as JSON that :func:`load` reads.

    Parameters
    ----------
    result : a fit, many fits, a forecast, an alignment, …
    path : path

    Raises FormatError: this kind of answer is not kept in files.

    Examples
    --------
    >>> import tempfile, scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> path = Path(tempfile.mkdtemp()) / "fit.json"
    >>> fit = sf.fit(table, "bleu", "log")
    >>> sf.save(fit, path)
    >>> sf.load(path).params == fit.params
    True
    """
    write_text(path, to_json(document(result)) + "\n")


def load(path: str | Path, *, law: OwnLaw = None) -> Any:
    """Read an answer that :func:`save` or a command's ``--json`` wrote; nothing is fitted again.

    Parameters
    ----------
    path : path
    law : the law of a fit that is not built in: files hold no code.

    Raises FormatError: no such file, one of an older format, or changed since it was written; says what differs.

    Examples
    --------
    >>> import tempfile, scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6], "bleu": [5.0, 9.1, 12.9, 17.1]}
    >>> def line(x, a, b):
    ...     return a + b * np.log(x)
    >>> path = Path(tempfile.mkdtemp()) / "fit.json"
    >>> sf.save(sf.fit(table, "bleu", line), path)
    >>> sf.load(path, law=line).law.name
    'line'
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not JSON ({error})") from None
    return loads(text, name=str(path), law=law)


def loads(text: str, *, name: str = "the text", law: OwnLaw = None) -> Any:
    """Read an answer from a document's text; ``name`` is what errors call it."""
    stored = _parsed(text, name)
    try:
        return restore(stored, law=law)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def _parsed(text: str, name: str) -> Any:
    needed = "needed the output of sf.save or of a scalefit command's --json (scalefit fit)"
    if not text.strip():
        raise FormatError(f"{name}: empty; {needed}")
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{name}, line {error.lineno}: not JSON ({error.msg}); {needed}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: not JSON that can be read ({error}); {needed}") from None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def document(result: Result) -> dict[str, Any]:
    """Return an answer as the document that files hold.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> stored = document(sf.fit(table, "bleu", "log"))
    >>> stored["scalefit"], stored["format"], stored["law"]
    ('fit', 3, 'log')
    """
    kind = next((name for name, known in KINDS.items() if type(result) is known), None)
    if kind is None:
        raise FormatError(
            f"a {type(result).__name__} is not kept in files; needed one of "
            f"{', '.join(known.__name__ for known in KINDS.values())}. Try: to_dict() or to_frame()"
        )
    content = {
        "scalefit": kind,
        "format": FORMAT,
        "version": __version__,
        **result.to_dict(),
        "state": Codec(_customs(None)).encode(result, type(result)),
    }
    return {**content, "digest": digests(content)}


def restore(stored: Any, *, law: OwnLaw = None) -> Any:
    """Return the answer that a document holds.

    Raises FormatError: see :func:`load`.
    """
    if not isinstance(stored, Mapping) or "scalefit" not in stored:
        what = "object" if isinstance(stored, Mapping) else type(stored).__name__
        raise FormatError(
            f"a JSON {what} is no answer stored by scalefit; make one with sf.save(...) or "
            "`scalefit fit --json`"
        )
    kind = stored["scalefit"]
    if stored.get("format") != FORMAT:
        raise FormatError(_other_format(stored))
    if not isinstance(kind, str) or kind not in KINDS:
        raise FormatError(f"found a stored {kind!r}; this scalefit reads {', '.join(KINDS)}")
    _check(stored)
    return Codec(_customs(law)).decode(stored["state"], KINDS[kind])


def _other_format(stored: Mapping[str, Any]) -> str:
    """Refuse another format by name."""
    given = stored.get("format", stored.get("version"))
    why = _OLDER.get(given) if isinstance(given, int) else None
    if why:
        return (
            f"a {stored['scalefit']} in format {given}, {why}; needed format {FORMAT}. Try: make it again, "
            "with sf.save or `scalefit fit --json`"
        )
    return f"a {stored['scalefit']} in format {given!r}; this scalefit {__version__} reads format {FORMAT}"


def digests(content: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of every part, two floors deep, and one over all of it."""
    parts = {name: digest_of(value) for name, value in _parts(content)}
    return {**parts, "whole": digest_of([content, parts])}


def _parts(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    state = content.get("state")
    inner = state.items() if isinstance(state, Mapping) else ()
    told = [(name, value) for name, value in content.items() if name != "state"]
    return [*told, *((f"state.{name}", value) for name, value in inner)]


def digest_of(value: Any) -> str:
    """Return ``sha256:`` and 32 hex digits over plain data; numbers count by value, not by how they are written."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _check(stored: Mapping[str, Any]) -> None:
    """Refuse a document that is not as it was written; name the parts that differ."""
    content = {name: value for name, value in stored.items() if name != "digest"}
    told = stored.get("digest")
    needs(isinstance(told, Mapping), "digest", "the digests of a stored answer", told)
    assert isinstance(told, Mapping)
    try:
        now = digests(content)
    except ValueError as error:
        raise FormatError(f"a number is none of JSON's ({error})") from None
    except RecursionError:
        raise FormatError("nested deeper than any answer is") from None
    if dict(told) == now:
        return
    names = dict.fromkeys([*now, *told])
    parts = [name for name in names if name != "whole" and told.get(name) != now.get(name)]
    what = ", ".join(parts) or "the digest itself, or the order of its parts"
    raise FormatError(
        f"changed since it was written; what differs: {what}. Needed the file as scalefit wrote it: "
        "to change a number, fit again"
    )


def _customs(law: OwnLaw) -> dict[type, Custom]:
    """How laws, data and optima are written and read: what is more than their fields."""
    given = law if law is None or isinstance(law, Law) else law_of_function(law)
    return {
        Law: Custom(_law_written, lambda _, stored: _law_read(stored, given), whole=True),
        Observations: Custom(lambda _, plain: plain, lambda data, _: _with_its_digest(data)),
        Solution: Custom(_with_values, lambda made, stored: _as_it_was(made, stored)),
    }


def _law_written(law: Law, _: dict[str, Any]) -> dict[str, Any]:
    """Write a law by name and constants; whether it is ours decides who gives it back."""
    return {
        "name": law.name,
        "built_in": is_built_in(law),
        "inputs": list(law.inputs),
        "parameters": list(law.parameters),
        "constants": {name: float(value) for name, value in law.constants.items()},
    }


def _law_read(stored: Mapping[str, Any], given: Law | None) -> Law:
    name = stored.get("name")
    chosen = LAWS.get(str(name)) if stored.get("built_in") else given
    if chosen is None:
        known = "is not known to this scalefit" if stored.get("built_in") else "is not built in"
        raise FormatError(f"the law {name!r} {known}: give it back, sf.load(path, law=…)")
    needed = (stored.get("inputs"), stored.get("parameters"))
    needs(
        (list(chosen.inputs), list(chosen.parameters)) == needed,
        f"the law {name!r}",
        f"a law of {needed[0]} with parameters {needed[1]}",
        chosen,
    )
    return replace(chosen, constants=dict(stored["constants"]))


def _with_its_digest(data: Observations) -> Observations:
    """Refuse data that are not those of their digest."""
    needs(
        data.digest == data_digest(data.inputs, data.values),
        "the observations",
        f"the data of digest {data.digest}",
        data_digest(data.inputs, data.values),
    )
    return data


def _with_values(solution: Solution, plain: dict[str, Any]) -> dict[str, Any]:
    """Write the fitted values too: by them a law that is given back is known."""
    return {**plain, "fitted": [x if np.isfinite(x) else None for x in solution.fitted.tolist()]}


def _as_it_was(solution: Solution, stored: Mapping[str, Any]) -> Solution:
    """Refuse a law whose values are not those that were stored."""
    then = np.array(stored["fitted"], dtype=float)
    same = np.allclose(solution.fitted, then, rtol=1e-9, atol=0, equal_nan=True)
    needs(same, f"the law {solution.problem.law.name!r}", "the law that was fitted", "other values")
    return solution
