"""JSON over HTTP within bounds that hold for the whole answer: seconds, bytes, values.

A time-out of sockets bounds one read only: a server that drips a byte every two seconds would be
waited for without end. Here every read waits no longer than what is left of the whole.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

from scalefit.errors import FormatError

from .limits import LIMITS

PATIENCE = 20.0
"""Seconds that one silence may last."""


class Client:
    """Asks a server for JSON; all its calls together take no longer than its time.

    Parameters
    ----------
    seconds : float
        What all calls may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end = seconds, time.monotonic() + seconds
        self._opener = urllib.request.build_opener(_Plain(self.end), _Secure(self.end))

    def ask(self, url: str, body: Any = None) -> Any:
        """Return the JSON of an answer: to a POST where there is a body, else to a GET.

        Raises
        ------
        FormatError
            Where no answer comes, none in time, or one that is no JSON or too much of it.
        """
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with self._opener.open(request, timeout=PATIENCE) as answer:
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
    try:
        told = json.loads(error.read(1 << 16)).get("message")
    except (OSError, ValueError, AttributeError, RecursionError, http.client.HTTPException):
        told = None
    return " ".join(f"{error} ({told})".split())[:300] if isinstance(told, str) else str(error)


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, end: float) -> None:
        super().__init__()
        self.end = end

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_connection(http.client.HTTPConnection, self.end), request)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, end: float) -> None:
        super().__init__()
        self.end = end

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_connection(http.client.HTTPSConnection, self.end), request)


def _connection(kind: Callable[..., http.client.HTTPConnection], end: float) -> Any:
    """Return a maker of connections whose answers are read against the clock."""

    def made(host: str, *, timeout: float, **options: Any) -> http.client.HTTPConnection:
        connection = kind(host, timeout=_left(end, timeout), **options)
        connection.response_class = partial(_response, end)  # type: ignore[assignment]
        return connection

    return made


def _response(end: float, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
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
        self.sock.settimeout(_left(self.end, PATIENCE))
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()
