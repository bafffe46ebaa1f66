"""An MLflow tracking server, by its REST interface: ``scalefit.read("http://host:5000")``.

An experiment's or a run's page, as the browser shows it (``…/#/experiments/3/runs/ID``), is read
alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urlencode

from scalefit.errors import FormatError

from .http import Client
from .mlflow_runs import Run, conclude, value
from .names import Names
from .reader import Extract, Row

_API = "/api/2.0/mlflow/"
_PAGE = re.compile(r"/?experiments/(?P<experiment>\w+)(?:/runs/(?P<run>\w+))?(?:[/?].*)?")
SECONDS = 60.0
"""How long reading a server may take, all its pages together."""
_PAGES = 1000
Answer = dict[str, Any]


def is_server(path: str) -> bool:
    """Whether a path is a tracking server's address."""
    return path.startswith(("http://", "https://"))


def read_server(address: str, names: Names, *, history: bool = False) -> Extract:
    """Return the evaluations of all active runs of all experiments, or of those the page shows.

    Parameters
    ----------
    address : str
        The server's address, or that of an experiment's or a run's page on it.
    names : Names
        What logged names mean to the user.
    history : bool
        Whether every logged value is asked for, and not only each metric's last.
    """
    server, found, runs = _server(address, names), Extract(), list[Run]()
    for answer in server.runs():
        run = _run(answer)
        runs.append(run)
        if not run.broken:
            found.rows += _rows(server, run, answer, history=history)
    conclude(address, found, runs)
    if not found.rows:
        raise FormatError(
            f"{address}: no active run has an evaluation (a metric such as eval_bleu)"
        )
    return found


def _run(answer: Answer) -> Run:
    info, params = _inside(answer, "info"), _listed(_inside(answer, "data"), "params")
    told = {str(p.get("key")): p.get("value") for p in params}
    name = str(info.get("run_id"))
    return Run(name, str(info.get("run_name") or name), str(info.get("status")), told)


def _rows(server: _Server, run: Run, answer: Answer, *, history: bool) -> Iterator[Row]:
    for last in _listed(_inside(answer, "data"), "metrics"):
        key = str(last.get("key"))
        named = server.names.split(key)
        if named is None:
            continue
        logged = server.history(run.id, key) if history else [last]
        for one in logged:
            place = {"step": one.get("step"), "source": f"{server.base}#{run.id}/{key}"}
            own = {"eval_set": named[0], "metric": named[1], "value": value(one.get("value"))}
            yield {**run.common(), **own, **place}


@dataclass(frozen=True)
class _Server:
    """A tracking server, and what of it is wanted."""

    base: str
    names: Names
    experiment: str | None = None
    run: str | None = None
    client: Client = field(default_factory=lambda: Client(SECONDS))

    def runs(self) -> Iterator[Answer]:
        """Yield the active runs that are wanted."""
        if self.run is not None:
            yield _inside(self._ask("runs/get?" + urlencode({"run_id": self.run})), "run")
            return
        asked = {"experiment_ids": self._experiments(), "run_view_type": "ACTIVE_ONLY"}
        if asked["experiment_ids"]:
            yield from self._pages("runs/search", "runs", asked)

    def _experiments(self) -> list[str]:
        if self.experiment is not None:
            return [self.experiment]
        every = self._pages("experiments/search", "experiments", {})
        return [str(one.get("experiment_id")) for one in every]

    def history(self, run: str, key: str) -> list[Answer]:
        """Return all values of a metric; of equal steps the latest comes last."""
        asked = {"run_id": run, "metric_key": key}
        every = list(self._pages("metrics/get-history", "metrics", asked, by_query=True))
        return sorted(
            every, key=lambda m: (value(m.get("step")) or 0, value(m.get("timestamp")) or 0)
        )

    def _pages(
        self, call: str, key: str, asked: Answer, *, by_query: bool = False
    ) -> Iterator[Answer]:
        token: str | None = None
        for _ in range(_PAGES):
            body = {**asked, "max_results": 1000, **({"page_token": token} if token else {})}
            told = f"{call}?{urlencode(body)}" if by_query else call
            answer = self._ask(told, None if by_query else body)
            yield from _listed(answer, key)
            token = answer.get("next_page_token")
            if not token:
                return
        raise FormatError(f"{self.base}: more than {_PAGES} pages of {key}; name an experiment")

    def _ask(self, call: str, body: Answer | None = None) -> Answer:
        """Return the answer to a call: a POST where it has a body, else a GET."""
        url = self.base + _API + call
        found = self.client.ask(url, body)
        if not isinstance(found, dict):
            raise FormatError(f"{url}: answered with something that is no MLflow")
        return found


def _server(address: str, names: Names) -> _Server:
    base, fragment = urldefrag(address)
    page = _PAGE.fullmatch(fragment)
    if fragment.strip("/") and page is None:
        raise FormatError(
            f"{address}: is no page of runs; needed the server's address, or that of an "
            "experiment or a run: …/#/experiments/ID/runs/ID"
        )
    return _Server(base.rstrip("/"), names, *((page["experiment"], page["run"]) if page else ()))


def _inside(answer: Answer, key: str) -> Answer:
    found = answer.get(key)
    return found if isinstance(found, dict) else {}


def _listed(answer: Answer, key: str) -> list[Answer]:
    found = answer.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
