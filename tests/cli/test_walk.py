"""Every command of the README and the docs runs as it is printed, in order, in an empty folder with the lab's table."""

import re
import shlex
from pathlib import Path

import pytest

import scalefit as sf

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/start/tutorial.md", "docs/cli.md")
FOUND = 3  # what `align --fail-on` exits with where it finds it


def printed():
    """Return all commands that need no file but the lab's table and what earlier ones wrote."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL):
            if "# files of yours" not in block:
                lines = block.replace("\\\n", " ").splitlines()
                yield from (line for line in lines if line.startswith("scalefit "))


@pytest.mark.slow
def test_each_command_runs_as_it_is_printed(scalefit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab = sf.datasets.transfer_lab().where(domain="in", corpus=["none", "fr", "en", "unpaired"])
    metrics = ["bleu", "chrf", "cross_entropy"]
    lab.where(task="en-fr", metric=metrics).write("results.csv")
    lines = list(dict.fromkeys(printed()))
    assert len(lines) > 30
    for line in lines:
        ran = piped(scalefit, line)
        assert ran.code == (FOUND if "--fail-on" in line else 0), (line, ran.err)


def piped(scalefit, line):
    """Run a line as a shell does: pipes, and > into a file."""
    text = ""
    for part in line.split(" | "):
        call, _, file = part.partition(" > ")
        ran = scalefit(*shlex.split(call)[1:], stdin=text)
        text = ran.out
        if file:
            Path(file).write_text(text, encoding="utf-8")
    return ran
