"""What one environment skips, another runs; a skip has a reason that is listed."""

import re
from pathlib import Path

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
ELSEWHERE = re.compile(
    r"""importorskip\("(torch|transformers|accelerate|sentencepiece)|mark\.(comet|lab)\b|'transfer-scalefit\[test-mlflow\]'"""
)


def test_what_the_core_skips_runs_in_the_environment_with_torch():
    lines = re.findall(r".*--known-skips torch.*", (ROOT / ".ci" / "run").read_text())
    whole = [
        line for line in lines if '-m "' not in line
    ]  # one that leaves tests out is no home for them
    folders = re.findall(r"tests/\w+", " ".join(whole))
    files = [p for p in TESTS.rglob("test_*.py") if ELSEWHERE.search(p.read_text(encoding="utf-8"))]
    homes = {p.relative_to(ROOT).as_posix() for p in files if p.name != Path(__file__).name}
    assert len(homes) > 3
    assert [h for h in sorted(homes) if not h.startswith(tuple(f"{f}/" for f in folders))] == []


def test_each_listed_skip_names_its_place_and_a_reason():
    lines = (TESTS / "skips.txt").read_text(encoding="utf-8").splitlines()
    rules = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    assert {place for place, _ in rules} <= {"core", "torch", "both"}
    assert all(re.compile(reason) for _, reason in rules)
    assert not any(re.match(reason, "") for _, reason in rules)


def test_a_skip_that_is_not_listed_fails(pytester):
    folder = pytester.mkdir("tests")
    (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text(encoding="utf-8"))
    (folder / "skips.txt").write_text("core   known\n")
    (folder / "test_a.py").write_text(
        "import pytest\n\ndef test_a():\n    pytest.skip('because')\n"
    )
    run = ("-p", "no:cacheprovider", "tests")
    assert pytester.runpytest_subprocess(*run).ret == 0
    done = pytester.runpytest_subprocess("--known-skips", "core", *run)
    done.stdout.fnmatch_lines(["*NOT ON THE LIST because"])
    assert done.ret == 1
    (folder / "skips.txt").write_text("both   be.*\n")
    assert pytester.runpytest_subprocess("--known-skips", "core", *run).ret == 0
