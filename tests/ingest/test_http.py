"""Servers that drip, flood or talk nonsense: each is answered by our error, in bounded time."""

import json
import socket
import threading
import time

import pytest

from scalefit import read
from scalefit.errors import FormatError
from scalefit.ingest import mlflow_server, source

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def server():
    """Serve bytes, or what a function sends on a connection; return the address."""
    held = []

    def started(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        held.append(listener)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(1 << 16)
                        answer(connection) if callable(answer) else connection.sendall(answer)
                        # Closed with a request half read, the system resets, and drops what we said.
                        connection.shutdown(socket.SHUT_WR)
                        connection.settimeout(1.0)
                        while connection.recv(1 << 16):
                            pass
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield started
    for listener in held:
        listener.close()


def body(text):
    return OK + f"Content-Length: {len(text)}\r\n\r\n".encode() + text


def drip(start):
    def answer(connection):
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nA: ", OK + b"\r\n", body(b"[" * 9)[:-8]]
)
def test_a_server_that_drips_is_left_when_its_time_is_over(server, monkeypatch, start):
    monkeypatch.setattr(mlflow_server, "SECONDS", 1.0)
    begun = time.monotonic()
    with pytest.raises(FormatError, match=r"127\.0\.0\.1"):
        read(server(drip(start)))
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x01\x02" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(300)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 " + b"9" * 70_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        OK + b"Content-Length: 1000\r\n\r\n{}",
        OK + b"Content-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 500 oops\r\n\r\n" + b"\xff" * 50,
        b"HTTP/1.1 302 x\r\nLocation: ftp://x\r\n\r\n",
        body(b"[1, 2]"),
        body(b"{"),
        body(b"\xff\xfe"),
        body(b"[" * 100_000),
        body(b'{"experiments": 3}'),
        body(
            b'{"experiments": [{"experiment_id": "0"}], "runs": [null, 1, {"info": [], "data": 2}]}'
        ),
    ],
)
def test_what_no_mlflow_says(server, answer):
    with pytest.raises(FormatError, match="http://"):
        read(server(answer))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:x", "http://[::1", "http://", "https://127.0.0.1:1", "http://127.0.0.1:99999", "http://a b"],
)  # fmt: skip
def test_addresses_that_are_none(address):
    with pytest.raises(FormatError, match=r"https?:"):
        read(address)


def test_an_answer_of_very_many_values_is_refused_before_it_is_parsed(server):
    begun = time.monotonic()
    with pytest.raises(FormatError, match="more than 33554432 bytes"):
        read(server(body(b"[" + b"[]," * 5_000_000 + b"1]")))
    assert time.monotonic() - begun < 60  # the client's own limit; a busy machine takes most of ten
    assert source.LIMITS.page == 33554432


@pytest.mark.parametrize("step", [10**400, -5, None, "x", 1.5, [1]])
def test_steps_that_are_none(server, step):
    run = {
        "info": {"run_id": "a", "run_name": "r", "status": "FINISHED"},
        "data": {"metrics": [{"key": "eval_bleu", "value": 20.25, "step": step, "timestamp": 1}]},
    }
    told = {"experiments": [{"experiment_id": "0"}], "runs": [run]}
    table = read(server(body(json.dumps(told).encode())))
    assert list(table.column("value")) == [20.25]
