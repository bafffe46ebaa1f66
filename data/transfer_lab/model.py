"""The model: a tiny T5 from scratch, initialised so that it learns in a few hundred steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from tokenizer import EOS, PAD
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5DenseGatedActDense, T5LayerNorm


@dataclass(frozen=True)
class Shape:
    """Sizes of the model."""

    vocabulary: int = 2000
    width: int = 64
    key_width: int = 16
    heads: int = 4
    feed_forward: int = 256
    layers: int = 1

    @property
    def name(self) -> str:
        """A short name for tables."""
        return f"t5-{self.layers}x{self.width}"


def new_model(shape: Shape, seed: int) -> T5ForConditionalGeneration:
    """Return a freshly initialised model; the seed decides every weight."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=shape.vocabulary,
        d_model=shape.width,
        d_kv=shape.key_width,
        d_ff=shape.feed_forward,
        num_layers=shape.layers,
        num_heads=shape.heads,
        relative_attention_num_buckets=16,
        relative_attention_max_distance=32,
        dropout_rate=0.0,
        initializer_factor=0.5,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
    )
    model = T5ForConditionalGeneration(config)
    with torch.no_grad():
        model.shared.weight.mul_(0.1)
    return quickened(model)


def quickened(model: T5ForConditionalGeneration) -> T5ForConditionalGeneration:
    """Use fused modules for T5's activation and norm: the same functions, faster on a CPU."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, T5LayerNorm):
                norm = torch.nn.RMSNorm(child.weight.shape, eps=child.variance_epsilon)
                norm.weight.data.copy_(child.weight.data)
                setattr(module, name, norm)
        if isinstance(module, T5DenseGatedActDense):
            module.act = torch.nn.GELU(approximate="tanh")
    return model


def parameters(model: torch.nn.Module) -> int:
    """Count the weights."""
    return sum(p.numel() for p in model.parameters())


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Write the weights at once: a killed run leaves no half file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_model(model, str(part))
    part.rename(path)


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Read weights saved by `save_weights` into the model."""
    load_model(model, str(path))
