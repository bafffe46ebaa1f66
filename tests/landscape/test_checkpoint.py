"""Files of weights: the same values from every format, and nothing executed on the way."""

import json
import os
import pickle

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import load
from scalefit.landscape.checkpoint import load_all
from scalefit.landscape.formats import _check_version

from .samples import write_safetensors


class Evil:
    """Pickled, it would make a folder when opened."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def same(checkpoint, tensors):
    return all(np.array_equal(checkpoint.read(name), value) for name, value in tensors.items())


def test_safetensors_by_hand(tmp_path, small):
    assert same(load(write_safetensors(tmp_path / "a.safetensors", small)), small)


def test_safetensors_written_by_their_own_library(tmp_path, small):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(small, tmp_path / "a.safetensors")
    assert same(load(tmp_path / "a.safetensors"), small)


def test_safetensors_are_mapped_not_read(tmp_path, small):
    read = load(write_safetensors(tmp_path / "a.safetensors", small)).read("layer.weight")
    base = read
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_bfloat16_is_widened(tmp_path):
    upper = (np.array([1.0, -2.5, 0.15625], "f4").view("u4") >> 16).astype("u2")
    path = write_safetensors(tmp_path / "a.safetensors", {"w": upper}, {"w": "BF16"})
    assert load(path).read("w").tolist() == [1.0, -2.5, 0.15625]


def test_float16_is_widened(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {"w": np.ones(3, "f2")})
    assert load(path).read("w").dtype == np.float32


def test_scalars_and_empty_tensors(tmp_path):
    tensors = {"scalar": np.array(2.0, "f4"), "empty": np.zeros((0, 3), "f4")}
    assert same(load(write_safetensors(tmp_path / "a.safetensors", tensors)), tensors)


def test_npz(tmp_path, small):
    np.savez(tmp_path / "a.npz", **small)
    assert same(load(tmp_path / "a.npz"), small)


def test_torch(tmp_path, small):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    torch.save({name: torch.from_numpy(value.copy()) for name, value in small.items()}, path)
    assert same(load(path), small)


def test_torch_nested_as_training_code_saves_it(tmp_path, small):
    torch = pytest.importorskip("torch")
    inner = {name: torch.from_numpy(value.copy()) for name, value in small.items()}
    torch.save({"state_dict": inner, "epoch": 3}, tmp_path / "a.ckpt")
    assert same(load(tmp_path / "a.ckpt"), small)


def test_state_dict_of_torch_tensors_with_bfloat16():
    torch = pytest.importorskip("torch")
    assert load({"w": torch.ones(2, dtype=torch.bfloat16)}).read("w").tolist() == [1.0, 1.0]


def test_folder_and_shards(tmp_path, small):
    first, second = dict(list(small.items())[:1]), dict(list(small.items())[1:])
    write_safetensors(tmp_path / "model-1.safetensors", first)
    write_safetensors(tmp_path / "model-2.safetensors", second)
    home = dict.fromkeys(first, "model-1.safetensors") | dict.fromkeys(
        second, "model-2.safetensors"
    )
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": home}))
    assert same(load(tmp_path), small)


def test_a_shard_outside_the_folder_is_refused(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "../secret.safetensors"}}))
    with pytest.raises(LandscapeError, match="outside its folder"):
        load(index)


def test_a_malicious_torch_file_is_not_run(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"w": Evil(tmp_path / "made")}, tmp_path / "evil.pt")
    with pytest.raises(LandscapeError, match="could run code"):
        load(tmp_path / "evil.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("version", "safe"), [("2.5.1+cpu", False), ("2.6.0", True), ("2.13.0+cu128", True)]
)
def test_torch_whose_weights_only_is_not_safe_is_not_used(tmp_path, version, safe):
    """CVE-2025-32434: before 2.6 a file could run code all the same."""
    if safe:
        _check_version(tmp_path / "a.pt", version)
        return
    with pytest.raises(LandscapeError, match=r"torch 2\.5\.1\+cpu can be made to run code .* 2\.6"):
        _check_version(tmp_path / "a.pt", version)


@pytest.mark.parametrize("name", ["evil.bin", "evil.pth"])
def test_a_malicious_bare_pickle_is_not_run(tmp_path, name):
    pytest.importorskip("torch")
    (tmp_path / name).write_bytes(pickle.dumps({"w": Evil(tmp_path / "made")}))
    with pytest.raises(LandscapeError, match=r"could run code|not a readable"):
        load(tmp_path / name)
    assert not (tmp_path / "made").exists()


def test_a_malicious_npz_is_not_run(tmp_path):
    objects = np.array([Evil(tmp_path / "made")], dtype=object)
    np.savez(tmp_path / "evil.npz", w=objects)
    with pytest.raises(LandscapeError, match="Python objects"):
        load(tmp_path / "evil.npz")
    assert not (tmp_path / "made").exists()


def test_other_pickles_are_not_opened(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "made")))
    with pytest.raises(LandscapeError, match="save as safetensors"):
        load(tmp_path / "evil.pkl")
    assert not (tmp_path / "made").exists()


def test_a_file_cut_short_is_refused(tmp_path, small):
    path = write_safetensors(tmp_path / "a.safetensors", small)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(LandscapeError, match="cut short or damaged"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 40, (2).to_bytes(8, "little") + b"[]"])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(LandscapeError, match=r"a\.safetensors"):
        load(tmp_path / "a.safetensors")


def test_offsets_beyond_the_file_are_refused(tmp_path):
    header = {"w": {"dtype": "F32", "shape": [1000000], "data_offsets": [0, 4000000]}}
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(LandscapeError, match="cut short"):
        load(tmp_path / "a.safetensors")


def test_eight_bit_floats_are_refused_with_advice(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {"w": np.ones(2, "u1")}, {"w": "F8_E4M3"})
    with pytest.raises(LandscapeError, match="convert it to float16"):
        load(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.safetensors", "no such file"),
        ({}, "holds no tensors"),
        (3, "a path or a state dict; found int"),
    ],
)
def test_what_is_no_checkpoint(source, message):
    with pytest.raises(LandscapeError, match=message):
        load(source)


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(LandscapeError, match="name the file itself"):
        load(tmp_path)


def test_a_module_is_answered_with_advice():
    torch = pytest.importorskip("torch")
    with pytest.raises(LandscapeError, match=r"state_dict\(\)"):
        load(torch.nn.Linear(2, 2))


def test_names_tell_files_apart(tmp_path, small):
    for run in ("run-1", "run-2"):
        (tmp_path / run).mkdir()
        write_safetensors(tmp_path / run / "model.safetensors", small)
    sources = [tmp_path / "run-1" / "model.safetensors", tmp_path / "run-2"]
    assert [c.name for c in load_all(sources)] == ["run-1", "run-2"]


def test_the_same_file_twice_is_refused(tmp_path, small):
    path = write_safetensors(tmp_path / "a.safetensors", small)
    with pytest.raises(LandscapeError, match="two checkpoints are called 'a'"):
        load_all([path, path])


def test_a_prefix_can_be_stripped(small):
    wrapped = {f"module.{name}": value for name, value in small.items()}
    assert same(load(wrapped, strip="module."), small)
