"""Train two tiny but genuine COMET models into a folder laid out as the Hugging Face hub's cache.

COMET's own classes and trainer, a BPE tokenizer made on the spot, a two-layer XLM-R of width 16:
some ten thousand parameters each, and a score that follows how many words are right. The tests run
this as a script, so that its settings of libraries stay in a process of their own::

    python tests/build_tiny_comet.py FOLDER
    python tests/build_tiny_comet.py FOLDER --layers 24 --width 1024 --epochs 0   # a released model's size

A model of a released one's size is for measuring speed: it is left untrained, its scores mean nothing.
"""

import argparse
import csv
import json
import logging
import os
import random
import shutil
import warnings
from itertools import product
from pathlib import Path

REVISION = "0" * 40
ENCODER = "scalefit-test/tiny-xlmr"
WITH_REFERENCE = "scalefit-test/tiny-comet"
REFERENCE_FREE = "scalefit-test/tiny-comet-qe"

SUBJECTS = {"die Katze": "the cat", "der Hund": "the dog", "ein Kind": "a child"}
VERBS = {"sieht": "sees", "isst": "eats", "mag": "likes", "will": "wants"}
OBJECTS = {
    "den Apfel": "the apple",
    "ein Buch": "a book",
    "das Haus": "the house",
    "ein Lied": "a song",
}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def pairs():
    """Return all German sentences of the toy grammar with their English translations."""
    parts = [part.items() for part in (SUBJECTS, VERBS, OBJECTS)]
    chosen = (zip(*words, strict=True) for words in product(*parts))
    return [tuple(" ".join(words) + "." for words in languages) for languages in chosen]


def judged(count, rng):
    """Return translations with some words replaced, scored by the share of right ones."""
    known = pairs()
    words = [word for _, english in known for word in english[:-1].split()]
    for _ in range(count):
        source, reference = rng.choice(known)
        right, care = reference[:-1].split(), rng.random()
        ours = [word if rng.random() < care else rng.choice(words) for word in right]
        score = sum(a == b for a, b in zip(ours, right, strict=True)) / len(right)
        yield {"src": source, "mt": " ".join(ours) + ".", "ref": reference, "score": score}


def snapshot(hub, name):
    """Make the folder of a model's only revision."""
    home = hub / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(REVISION)
    folder = home / "snapshots" / REVISION
    folder.mkdir(parents=True)
    return folder


def save_tokenizer(folder):
    """Train a BPE tokenizer on the toy sentences."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    bpe.train_from_iterator([text for pair in pairs() for text in pair], trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", SPECIAL.index("<s>")), ("</s>", SPECIAL.index("</s>"))],
    )
    tokenizer = XLMRobertaTokenizerFast(tokenizer_object=bpe, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def save_encoder(folder, layers, width):
    """Save a random XLM-R; COMET's training is what teaches it."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=save_tokenizer(folder),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(2, width // 64),
        intermediate_size=2 * width if width < 64 else 4 * width,
        max_position_embeddings=66,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)


def write_judgements(folder):
    """Write training and development sets as COMET reads them."""
    rows = list(judged(480, random.Random(0)))
    for name, some in {"train": rows[:400], "dev": rows[400:]}.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(some)


def train(hub, name, kind, work, epochs):
    """Train one of COMET's model classes, save it as released checkpoints are; give its tau, if trained."""
    import pytorch_lightning as lightning
    import torch
    import yaml

    lightning.seed_everything(1)
    model = kind(
        nr_frozen_epochs=0,
        keep_embeddings_frozen=False,
        encoder_learning_rate=3e-3,
        learning_rate=3e-3,
        layerwise_decay=1.0,
        pretrained_model=ENCODER,
        layer_transformation="softmax",
        dropout=0.0,
        batch_size=16,
        train_data=[str(work / "train.csv")],
        validation_data=[str(work / "dev.csv")],
        hidden_sizes=[32],
        local_files_only=True,
    )
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model)
    folder = snapshot(hub, name)
    weights = folder / "checkpoints" / "model.ckpt"
    trainer.save_checkpoint(weights, weights_only=True)
    state = torch.load(weights, weights_only=False)
    state["hyper_parameters"].update(train_data=[], validation_data=[])
    torch.save(state, weights)
    (folder / "hparams.yaml").write_text(yaml.safe_dump(dict(state["hyper_parameters"])))
    return float(trainer.callback_metrics["val_kendall"]) if epochs else None


def main(hub, layers, width, epochs):
    """Build everything; print Kendall's tau of each model on its development set."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(hub), TOKENIZERS_PARALLELISM="false")
    warnings.simplefilter("ignore")
    from comet.models import ReferencelessRegression, RegressionMetric

    for name in ("pytorch_lightning", "lightning.pytorch", "comet"):
        logging.getLogger(name).setLevel(logging.ERROR)
    encoder = snapshot(hub, ENCODER)
    save_encoder(encoder, layers, width)
    work = hub / "work"
    work.mkdir()
    write_judgements(work)
    taus = {
        WITH_REFERENCE: train(hub, WITH_REFERENCE, RegressionMetric, work, epochs),
        REFERENCE_FREE: train(hub, REFERENCE_FREE, ReferencelessRegression, work, min(epochs, 1)),
    }
    shutil.rmtree(work)
    # Loading a COMET checkpoint takes the encoder's configuration and tokenizer only.
    (encoder / "model.safetensors").unlink()
    print(json.dumps(taus))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    told = parser.parse_args()
    main(told.folder.resolve(), told.layers, told.width, told.epochs)
