"""Losses of torch modules and of Hugging Face models."""

from types import SimpleNamespace

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import ModuleLoss, hf_loss, paths
from scalefit.landscape.torch_loss import placed

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with torch.no_grad():
        yield


def batches(count=3):
    return [(torch.randn(8, 4), torch.randint(3, (8,))) for _ in range(count)]


def test_a_modules_loss_is_its_cross_entropy():
    data, module = batches(), torch.nn.Linear(4, 3)
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    loss = ModuleLoss(torch.nn.Linear(4, 3), data, dtype="float32")
    measured = loss({name: value.numpy() for name, value in weights.items()})
    inputs, labels = (torch.cat(part) for part in zip(*data, strict=True))
    expected = torch.nn.functional.cross_entropy(module(inputs), labels)
    assert measured["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert measured["accuracy"] == pytest.approx(
        float((module(inputs).argmax(1) == labels).float().mean())
    )


def test_a_path_through_a_module_with_batch_normalisation():
    def module():
        return torch.nn.Sequential(
            torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3)
        )

    found = paths([module().state_dict(), module().state_dict()], ModuleLoss(module(), batches()))[
        0
    ]
    assert found.metrics == ("loss", "accuracy")
    assert np.isfinite(found.values).all()
    assert "1.running_mean, 1.running_var, 1.num_batches_tracked" in found.notes[0]


@pytest.mark.parametrize(("dtype", "rel"), [("float16", 0.005), ("bfloat16", 0.02)])
def test_half_precision_is_near_single(dtype, rel):
    """On the CPU: the arithmetic is that of a GPU in kind, not in every bit."""
    models, data = [torch.nn.Linear(4, 3).state_dict() for _ in range(2)], batches()
    half = ModuleLoss(torch.nn.Linear(4, 3), data, dtype=dtype)
    assert half.slots["weight"].dtype == getattr(torch, dtype)
    found = [paths(models, loss)[0] for loss in (half, ModuleLoss(torch.nn.Linear(4, 3), data))]
    np.testing.assert_allclose(found[0].curve(), found[1].curve(), rtol=rel)


def test_half_precision_that_overflows_says_where():
    models = [{"weight": torch.full((3, 4), size), "bias": torch.zeros(3)} for size in (0.0, 1e5)]
    loss = ModuleLoss(torch.nn.Linear(4, 3), batches(), dtype="float16")
    with pytest.raises(LandscapeError, match=r"evaluate in float32 \(float16 overflows"):
        paths(models, loss, points=3)


def test_weights_and_data_go_to_the_device_asked_for():
    """The meta device has shapes and no values: it is on every machine."""
    loss = ModuleLoss(torch.nn.Linear(4, 3), batches(), device="meta", dtype="float16")
    inputs, labels = loss.batches[0]
    assert {t.device.type for t in (*loss.slots.values(), inputs, labels)} == {"meta"}
    assert (inputs.dtype, labels.dtype) == (torch.float16, torch.int64)


@pytest.mark.parametrize(
    ("there", "asked", "given"),
    [
        (True, ("auto", "auto"), ("cuda", "float16")),
        (False, ("auto", "auto"), ("cpu", "float32")),
        (True, ("cpu", "auto"), ("cpu", "float32")),
        (True, ("cuda:1", "bfloat16"), ("cuda:1", "bfloat16")),
    ],
)
def test_auto_takes_a_gpu_in_half_precision_where_there_is_one(there, asked, given):
    machine = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: there), empty=lambda size, device: None
    )
    assert placed(machine, *asked) == given


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_clear_error():
    with pytest.raises(LandscapeError, match=r"device 'cuda' is not to be had here .*'cpu'"):
        ModuleLoss(torch.nn.Linear(4, 3), batches(), device="cuda")
    with pytest.raises(LandscapeError, match="device 'gpu' is not to be had"):
        ModuleLoss(torch.nn.Linear(4, 3), batches(), device="gpu")
    with pytest.raises(LandscapeError, match="no type 'half' to evaluate in; there are float16"):
        ModuleLoss(torch.nn.Linear(4, 3), batches(), dtype="half")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_path_on_a_gpu():
    models, data = [torch.nn.Linear(4, 3).state_dict() for _ in range(2)], batches()
    found = [
        paths(models, ModuleLoss(torch.nn.Linear(4, 3), data, device=device))[0].curve()
        for device in ("cuda", "cpu")
    ]
    np.testing.assert_allclose(*found, rtol=0.005)


def test_another_architecture_is_refused():
    loss = ModuleLoss(torch.nn.Linear(4, 3), batches())
    with pytest.raises(LandscapeError, match="the model has no tensor 'head'"):
        loss({"head": np.zeros(3)})
    with pytest.raises(LandscapeError, match=r"lack 1 tensors of the model \(bias\)"):
        loss({"weight": np.zeros((3, 4), "f4")})
    with pytest.raises(LandscapeError, match="no data"):
        ModuleLoss(torch.nn.Linear(4, 3), [])


def tiny_t5():
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=20, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config)


ROWS = [
    {"input_ids": [3, 4, 5, 1], "labels": [6, 1]},
    {"input_ids": [7, 1], "labels": [8, 9, 10, 1]},
]


@pytest.mark.lab
def test_a_sequence_model_from_pieces_counts_every_target_piece():
    model = tiny_t5().eval()
    found = hf_loss(tiny_t5(), ROWS, batch=2)(
        {name: value.numpy() for name, value in model.state_dict().items()}
    )
    total = 0.0
    for row in ROWS:
        inputs, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        total += float(model(input_ids=inputs, labels=labels).loss) * len(row["labels"])
    assert found["loss"] == pytest.approx(total / 6, rel=1e-4)


@pytest.mark.lab
def test_texts_are_cut_into_pieces_by_the_tokenizer_that_was_given():
    def pieces(text=None, pair=None, *, text_target=None, truncation, max_length):
        ids = [3 + len(word) for word in (text_target or text).split()]
        return {"input_ids": ids[: max_length if truncation else None]}

    texts = [{"source": "a bb ccc dddd", "target": "a bb ccc"}]
    model = tiny_t5().eval()
    weights = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    told = hf_loss(model, texts, tokenizer=pieces, longest=2)(weights)
    cut = [{"input_ids": [4, 5], "labels": [4, 5]}]
    assert told == pytest.approx(hf_loss(model, cut)(weights))


@pytest.mark.lab
def test_a_causal_model_is_shifted():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=20, n_positions=16, n_embd=8, n_layer=1, n_head=2)
    model = transformers.GPT2LMHeadModel(config).eval()
    rows = [{"input_ids": [3, 4, 5, 6], "labels": [3, 4, 5, 6]}]
    weights = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    ids = torch.tensor([rows[0]["input_ids"]])
    expected = float(model(input_ids=ids, labels=ids).loss)
    assert hf_loss(model, rows)(weights)["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.lab
def test_a_folder_of_a_finetuned_model(tmp_path):
    model = tiny_t5()
    model.save_pretrained(tmp_path / "a")
    tiny_t5().save_pretrained(tmp_path / "b")
    found = paths([tmp_path / "a", tmp_path / "b"], hf_loss(tmp_path / "a", ROWS), points=3)[0]
    assert np.isfinite(found.values).all()
    assert found.names == ("a", "b")


def test_rows_of_no_known_form():
    with pytest.raises(LandscapeError, match="a row has sentence; needed source and target"):
        hf_loss("nowhere", [{"sentence": "x"}])
    with pytest.raises(LandscapeError, match="no rows of data"):
        hf_loss("nowhere", [])
