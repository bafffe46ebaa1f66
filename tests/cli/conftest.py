"""Run the command line as a user does: through ``main``, with its exit code and both streams."""

import io
from dataclasses import dataclass

import pytest

from scalefit.cli import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def scalefit(capsys, monkeypatch):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), streams.out, streams.err)

    return run
