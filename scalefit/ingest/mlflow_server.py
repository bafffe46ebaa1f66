"""An MLflow tracking server, by its REST interface: ``scalefit.read("http://host:5000")``.

An experiment's or a run's page, as the browser shows it (``…/#/experiments/3/runs/ID``), is read alone.
"""

from __future__ import annotations

import io
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urlencode

from scalefit.errors import FormatError
from scalefit.ingest.mlflow import Run, conclude, metric_value
from scalefit.ingest.reader import Extract, evaluation
from scalefit.ingest.source import LIMITS, Names
from scalefit.rows import Row

if TYPE_CHECKING:
    import http.client
    import urllib.error
    import urllib.request

# JSON over HTTP within bounds that hold for the whole answer: seconds, bytes, values.
#
# A time-out of sockets bounds one read only: a server that drips a byte every two seconds would be
# waited for without end. Here every read waits no longer than what is left of the whole.
#
# http and urllib are loaded by the first call to a server, for they bring ssl: a tenth of what reading a file takes.


READ_PATIENCE = 20.0
"""Seconds that one silence may last."""


class Client:
    """Asks a server for JSON; all its calls together take no longer than its time.

    Parameters
    ----------
    seconds : what all calls may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end = seconds, time.monotonic() + seconds
        self._opener = _opener(self.end)

    def ask(self, url: str, body: Any = None) -> Any:
        """Return the JSON of an answer: to a POST where there is a body, else to a GET.

        Raises FormatError: where no answer comes, none in time, or one that is no JSON or too much of it.
        """
        import http.client
        import urllib.error
        import urllib.request

        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with self._opener.open(request, timeout=READ_PATIENCE) as answer:
                text = answer.read(LIMITS.page + 1)
            if len(text) > LIMITS.page or sum(map(text.count, (b"[", b"{", b","))) > LIMITS.values:
                raise ValueError(f"more than {LIMITS.page} bytes or {LIMITS.values} values at once")
            return json.loads(text)
        except urllib.error.HTTPError as error:
            raise FormatError(f"{url}: the server refuses: {_refusal(error)}") from error
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
            told = " ".join(f"{error}".split())[:200] or type(error).__name__
            raise FormatError(
                f"{url}: no MLflow tracking server answers here: {told}. "
                "Try: start it, or read its sqlite file or mlruns folder directly"
            ) from error


def _refusal(error: urllib.error.HTTPError) -> str:
    """Return what the server says, in one line."""
    import http.client

    try:
        told = json.loads(error.read(1 << 16)).get("message")
    except (OSError, ValueError, AttributeError, RecursionError, http.client.HTTPException):
        told = None
    return " ".join(f"{error} ({told})".split())[:300] if isinstance(told, str) else str(error)


def _opener(end: float) -> Any:
    """Return what opens addresses, every answer read against the clock."""
    import http.client
    import urllib.request

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_connection(http.client.HTTPConnection, end), request)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_connection(http.client.HTTPSConnection, end), request)

    return urllib.request.build_opener(Plain(), Secure())


def _connection(kind: Callable[..., http.client.HTTPConnection], end: float) -> Any:
    """Return a maker of connections whose answers are read against the clock."""

    def made(host: str, *, timeout: float, **options: Any) -> http.client.HTTPConnection:
        connection = kind(host, timeout=_left(end, timeout), **options)
        connection.response_class = partial(_response, end)  # type: ignore[assignment]
        return connection

    return made


def _response(end: float, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
    import http.client

    return http.client.HTTPResponse(_Timed(sock, end), **options)  # type: ignore[arg-type]


def _left(end: float, most: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes longer than a whole answer may")
    return min(left, most)


class _Timed:
    """What http.client asks of a socket: a file to read from, each read against the clock."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock, self.end = sock, end

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReads(self.sock, self.end))


class _TimedReads(io.RawIOBase):
    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock, self.end, self.raw = sock, end, sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self.sock.settimeout(_left(self.end, READ_PATIENCE))
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()


_API = "/api/2.0/mlflow/"
_PAGE = re.compile(r"/?experiments/(?P<experiment>\w+)(?:/runs/(?P<run>\w+))?(?:[/?].*)?")
SECONDS = 60.0
"""How long reading a server may take, all its pages together."""
_PAGES = 1000
_Answer = dict[str, Any]


def is_server(path: str) -> bool:
    """Whether a path is a tracking server's address."""
    return path.startswith(("http://", "https://"))


def read_server(address: str, names: Names, *, history: bool = False) -> Extract:
    """Return the evaluations of all active runs of all experiments, or of those the page shows.

    Parameters
    ----------
    address : the server's address, or that of an experiment's or a run's page on it.
    names : Names; what logged names mean to the user.
    history : whether every logged value is asked for, and not only each metric's last.
    """
    server, extract, runs = _server(address, names), Extract(), list[Run]()
    for answer in server.runs():
        run = _run(answer)
        runs.append(run)
        if not run.broken:
            extract.rows += _rows(server, run, answer, history=history)
    conclude(address, extract, runs)
    if not extract.rows:
        raise FormatError(
            f"{address}: no active run has an evaluation (a metric such as eval_bleu)"
        )
    return extract


def _run(answer: _Answer) -> Run:
    info, params = _inside(answer, "info"), _listed(_inside(answer, "data"), "params")
    told = {str(p.get("key")): p.get("value") for p in params}
    name = str(info.get("run_id"))
    return Run(name, str(info.get("run_name") or name), str(info.get("status")), told)


def _rows(server: _Server, run: Run, answer: _Answer, *, history: bool) -> Iterator[Row]:
    for last in _listed(_inside(answer, "data"), "metrics"):
        key = str(last.get("key"))
        named = server.names.split(key)
        if named is None:
            continue
        logged = server.history(run.id, key) if history else [last]
        for one in logged:
            place = {"step": one.get("step"), "source": f"{server.base}#{run.id}/{key}"}
            yield {**run.common(), **evaluation(named, metric_value(one.get("value"))), **place}


@dataclass(frozen=True)
class _Server:
    """A tracking server, and what of it is wanted."""

    base: str
    names: Names
    experiment: str | None = None
    run: str | None = None
    client: Client = field(default_factory=lambda: Client(SECONDS))

    def runs(self) -> Iterator[_Answer]:
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

    def history(self, run: str, key: str) -> list[_Answer]:
        """Return all values of a metric; of equal steps the latest comes last."""
        asked = {"run_id": run, "metric_key": key}
        every = list(self._pages("metrics/get-history", "metrics", asked, by_query=True))
        return sorted(
            every,
            key=lambda m: (metric_value(m.get("step")) or 0, metric_value(m.get("timestamp")) or 0),
        )

    def _pages(
        self, call: str, key: str, asked: _Answer, *, by_query: bool = False
    ) -> Iterator[_Answer]:
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

    def _ask(self, call: str, body: _Answer | None = None) -> _Answer:
        """Return the answer to a call: a POST where it has a body, else a GET."""
        url = self.base + _API + call
        answer = self.client.ask(url, body)
        if not isinstance(answer, dict):
            raise FormatError(f"{url}: answered with something that is no MLflow")
        return answer


def _server(address: str, names: Names) -> _Server:
    base, fragment = urldefrag(address)
    page = _PAGE.fullmatch(fragment)
    if fragment.strip("/") and page is None:
        raise FormatError(
            f"{address}: is no page of runs; needed the server's address, or that of an "
            "experiment or a run: …/#/experiments/ID/runs/ID"
        )
    return _Server(base.rstrip("/"), names, *((page["experiment"], page["run"]) if page else ()))


def _inside(answer: _Answer, key: str) -> _Answer:
    inner = answer.get(key)
    return inner if isinstance(inner, dict) else {}


def _listed(answer: _Answer, key: str) -> list[_Answer]:
    items = answer.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
