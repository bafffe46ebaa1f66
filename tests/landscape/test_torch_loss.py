"""Losses of torch modules and of Hugging Face models."""

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import ModuleLoss, hf_loss, paths

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
    found = ModuleLoss(torch.nn.Linear(4, 3), data)({k: v.numpy() for k, v in weights.items()})
    inputs, labels = (torch.cat(part) for part in zip(*data, strict=True))
    expected = torch.nn.functional.cross_entropy(module(inputs), labels)
    assert found["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert found["accuracy"] == pytest.approx(
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


def test_half_precision():
    module = torch.nn.Linear(4, 3)
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    data = batches()
    half = ModuleLoss(torch.nn.Linear(4, 3), data, dtype="bfloat16")(weights)["loss"]
    assert half == pytest.approx(ModuleLoss(torch.nn.Linear(4, 3), data)(weights)["loss"], rel=0.02)


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
