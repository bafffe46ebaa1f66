"""Packaged data: the same rows as the repository's, under a name that does not tell where it lies."""

import tomllib
from pathlib import Path

import pandas as pd

import scalefit as sf
from scalefit import datasets as lab

ROOT = Path(__file__).resolve().parents[1]


def test_the_lab_is_the_repository_s_own_table():
    table, own = sf.datasets.transfer_lab(), sf.read(ROOT / "data" / "transfer_lab" / "results.csv")
    pd.testing.assert_frame_equal(table.frame, own.frame)
    assert len(table.notes) == len(own.notes)
    assert not any("/" in note.split(":")[0] for note in table.notes)


def test_the_wheel_carries_the_file_where_it_is_looked_for():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    packed = build["build"]["targets"]["wheel"]["force-include"]
    homes = {ROOT / source: ROOT / target for source, target in packed.items()}
    assert homes[lab.OWNER] == lab.PACKED


def test_the_packed_file_goes_first(monkeypatch, tmp_path):
    path = tmp_path / "transfer_lab.csv"
    path.write_text("corpus,pretrain_tokens,bleu\nfr,1M,20\n")
    monkeypatch.setattr(lab, "PACKED", path)
    assert sf.datasets.transfer_lab().unique("corpus") == ["fr"]
