"""The picture of the house is true: its files are there, and its walk is walked."""

import re
import sys
from pathlib import Path

import scalefit as sf
from scalefit.views import plot_forecast

ROOT = Path(sf.__file__).parent
TEXT = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = TEXT[TEXT.index("## One walk") :].split("\n## ")[0]
STEPS = re.findall(r"`([\w/]+\.py): ([\w.]+)`", WALK)


def test_every_file_that_it_names_is_there():
    files = [f"/{p.relative_to(ROOT.parent).as_posix()}" for p in ROOT.parent.rglob("*.py")]
    named = set(re.findall(r"`([\w/]+\.py)(?::[^`]*)?`", TEXT))
    assert len(named) > 40
    assert {name for name in named if not any(f.endswith(f"/{name}") for f in files)} == set()


def test_every_folder_has_its_row():
    folders = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in TEXT} == set()


def test_the_walk_is_walked_in_its_order(tmp_path):
    """A call's functions, by file and name, as the profiler sees them called for the first time."""
    path, called = tmp_path / "results.csv", {}
    rows = zip([1e6, 4e6, 16e6, 64e6, 256e6], [5.0, 9.1, 12.9, 17.0, 18.1], strict=True)
    path.write_text("pretrain_tokens,bleu\n" + "".join(f"{x},{y}\n" for x, y in rows))

    def seen(frame, event, argument):
        file = Path(frame.f_code.co_filename)
        if event == "call" and ROOT in file.parents:
            step = file.relative_to(ROOT).as_posix(), frame.f_code.co_qualname
            called.setdefault(step, len(called))

    sys.setprofile(seen)
    try:
        found = sf.forecast(path, target=20)
        told = found[0].tokens.verdict, found.verdict
        plot_forecast(found)
    finally:
        sys.setprofile(None)
    assert all(told)
    assert len(STEPS) > 15
    assert [step for step in STEPS if step not in called] == []
    assert [called[step] for step in STEPS] == sorted(called[step] for step in STEPS)
