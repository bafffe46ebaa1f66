"""Weights that are damaged or made up: our error before anything of their size is made."""

import contextlib
import io
import json
import sqlite3
import time
import zipfile
from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from scalefit.errors import LandscapeError
from scalefit.landscape.checkpoint import load
from scalefit.landscape.evaluate import Store


def safetensors(path, header, data=b"\0" * 24):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(**changes):
    return {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changes}}


def test_a_whole_one_is_read(tmp_path):
    assert load(safetensors(tmp_path / "a.safetensors", entry())).read("w").shape == (2, 3)


@pytest.mark.parametrize(
    "shape",
    [[-2, -3], [2.0, 3], [None], None, "23", [10**30], [0, 10**30], [True, 6], [1] * 40, {}],
)
def test_shapes_that_are_none(tmp_path, shape):
    with pytest.raises(LandscapeError, match=r"a\.safetensors"):
        load(safetensors(tmp_path / "a.safetensors", entry(shape=shape)))


@pytest.mark.parametrize(
    "offsets", [[-24, 0], [0], [0, 24, 48], None, "ab", [0.0, 24.0], [24, 0], [0, 10**30]]
)
def test_offsets_that_are_none(tmp_path, offsets):
    with pytest.raises(LandscapeError, match=r"a\.safetensors"):
        load(safetensors(tmp_path / "a.safetensors", entry(data_offsets=offsets)))


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F4", None, [], {}, 3])
def test_types_that_are_not_read(tmp_path, dtype):
    with pytest.raises(LandscapeError, match=r"a\.safetensors.*convert"):
        load(safetensors(tmp_path / "a.safetensors", entry(dtype=dtype)))


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'{"w": 3}', b'{"w": {}}']
)
def test_headers_that_are_none(tmp_path, header):
    with pytest.raises(LandscapeError, match=r"a\.safetensors"):
        load(safetensors(tmp_path / "a.safetensors", header))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"w": ".."}}', '{"weight_map": {"w": 3}}',
     '{"weight_map": {"w": "model.safetensors.index.json"}}', '{"weight_map": {"w": "../a.safetensors"}}',
     '{"weight_map": {"w": "."}}', '{"weight_map": {"w": ""}}', "[" * 100_000],
)  # fmt: skip
def test_indices_that_are_none(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(LandscapeError, match=r"index\.json|holds no tensors"):
        load(tmp_path)


def archive(path, shape, data=b"\0" * 64, **options):
    held = io.BytesIO()
    npy.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("w.npy", held.getvalue() + data)
    return path


@pytest.mark.parametrize("shape", [(10**12,), (-8,), (2**62, 2**62), (9,)])
def test_archives_that_claim_more_than_they_hold(tmp_path, shape):
    with pytest.raises(LandscapeError, match=r"a\.npz"):
        load(archive(tmp_path / "a.npz", shape)).read("w")
    assert load(archive(tmp_path / "b.npz", (8,))).read("w").shape == (8,)


def test_an_archive_that_expands(tmp_path):
    begun = time.monotonic()
    with pytest.raises(LandscapeError, match="made to fill the memory"):
        load(archive(tmp_path / "a.npz", (20 << 20,), b"\0" * (160 << 20)))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY", b"PK\x05\x06" + b"\0" * 18])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt", ".bin"])
def test_files_that_hold_nothing(tmp_path, data, suffix):
    if suffix in (".pt", ".bin"):
        pytest.importorskip("torch")
    (tmp_path / f"a{suffix}").write_bytes(data)
    with pytest.raises(
        LandscapeError, match="a" + suffix.replace(".", r"\.") + "|holds no tensors"
    ):
        load(tmp_path / f"a{suffix}")


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_bytes_give_a_checkpoint_or_our_error(tmp_path, data):
    suffix = data.draw(st.sampled_from([".npz", ".safetensors", ".safetensors.index.json"]))
    path = tmp_path / f"a{suffix}"
    path.unlink(missing_ok=True)
    if suffix == ".npz":
        archive(path, (8,))
    elif suffix == ".safetensors":
        safetensors(path, entry())
    else:
        path.write_text('{"weight_map": {"w": "b.safetensors"}}')
        safetensors(tmp_path / "b.safetensors", entry())
    held = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at, new = data.draw(st.integers(0, len(held))), data.draw(st.binary(max_size=6))
        held[at : at + len(new)] = new
    path.write_bytes(held)
    with contextlib.suppress(LandscapeError):
        found = load(path)
        for name in found.shapes:
            found.read(name)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    "kind", ["sparse", "quantised", "expanded", "meta", "float8", "empty message"]
)
def test_tensors_of_torch_that_numpy_does_not_hold(tmp_path, kind):
    torch = pytest.importorskip("torch")
    made = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "expanded": lambda: torch.ones(1).expand(1_000_000_000),
        "meta": lambda: torch.ones(3, device="meta"),
        "float8": lambda: torch.ones(3).to(torch.float8_e4m3fn),
    }
    path = tmp_path / "a.pt"
    if kind == "empty message":
        path.write_bytes(b"")
    else:
        torch.save({"w": made[kind]()}, path)
    with pytest.raises(LandscapeError, match=r"a\.pt"):
        load(path)


def test_a_damaged_evaluation_is_as_good_as_none(tmp_path):
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.agree({"points": 3})
        store.put("a", "b", 1.5, np.ones((3, 2)))
    for column, value in (
        ("data", b"123"),
        ("shape", "[9, 9]"),
        ("shape", "x"),
        ("distance", "far"),
    ):
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(f"update curve set {column} = ?", (value,))
        with Store(path) as store:
            assert store.get("a", "b") is None
            store.put("a", "b", 1.5, np.ones((3, 2)))
            assert store.get("a", "b")[1].shape == (3, 2)


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([None]), np.array([1j])])
def test_arrays_that_hold_no_numbers(value):
    with pytest.raises(LandscapeError, match="needed floats"):
        load({"w": value}).read("w")


@pytest.mark.parametrize("name", ["w.safetensors", "w.npz", "w.pt", "w.bin"])
def test_a_pointer_of_git_lfs_is_called_by_name(name, tmp_path):
    (tmp_path / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 9\n"
    )
    with pytest.raises(LandscapeError, match="is a Git-LFS pointer"):
        load(tmp_path / name)
