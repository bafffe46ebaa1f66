"""Tables as terminals draw them are the table that was drawn."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf

tabulate = pytest.importorskip("tabulate").tabulate
KINDS = ["grid", "fancy_grid", "rounded_grid", "heavy_grid", "double_grid", "mixed_outline", "psql", "outline",
         "fancy_outline", "presto", "pretty", "github", "pipe"]  # fmt: skip


@settings(deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(["1M", "4M", "16M"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(["BLEU", "BLEU (μ ± 95% CI)", "BLEU ×100", "BLEU (mean±std)"]),
    st.sampled_from(["{}", "{} ± 0.4", "{} ({} ± 0.4)", "{} ({} ± 0.4)\n(p = 0.0010)*"]),
)
def test_a_drawn_table_is_read(tmp_path_factory, kind, sizes, head, cell):
    if kind != "fancy_grid":  # in ASCII nothing says whether a line goes on
        cell = cell.replace("\n", " ")
    rows = [["fr", size, cell.format(f"{i + 10}.25", f"{i + 10}.25")] for i, size in enumerate(sizes)]  # fmt: skip
    drawn = tabulate(rows, headers=["corpus", "tokens", head], tablefmt=kind, disable_numparse=True)
    path = tmp_path_factory.mktemp("drawn") / "table.txt"
    path.write_text(drawn + "\n")
    table = sf.read(path)
    assert table.metrics == ("bleu",)
    assert table.column("value").tolist() == [i + 10.25 for i in range(len(sizes))]
    assert table.column("corpus").tolist() == ["fr"] * len(sizes)


def test_sacrebleus_table_of_systems_is_read(tmp_path):
    reference = [f"the cat {i} sat on the mat and saw {i} dogs" for i in range(40)]
    (tmp_path / "ref").write_text("\n".join(reference) + "\n")
    for name, cut in (("a", 0), ("b", 6), ("c", 12)):
        lines = [line[cut * (i % 2) :] for i, line in enumerate(reference)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    told = "ref -i a b c -m bleu chrf --paired-bs --format text"
    words = [sys.executable, "-m", "sacrebleu", *told.split()]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "systems.txt").write_text(told.stdout)
    table = sf.read(tmp_path / "systems.txt")
    assert table.metrics == ("bleu", "chrf")
    assert [name.rpartition(" ")[2] for name in table.column("system")] == ["a", "a", "b", "b", "c", "c"]  # fmt: skip
    assert table.column("value")[0] == 100.0
