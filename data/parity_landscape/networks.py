"""Many small networks at once: batched matrices, their gradients by hand, plain momentum descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = dict[str, Array]
WIDTHS = (70, 64, 64, 64)
MOMENTUM = 0.9


def initial(rng: np.random.Generator, outputs: int) -> Weights:
    """Return one network: three hidden layers of 64 rectified units (He et al. 2015)."""
    body = {}
    for layer, (inside, outside) in enumerate(pairwise(WIDTHS)):
        scale = np.sqrt(2 / inside)
        body[f"body.{layer}.weight"] = (scale * rng.standard_normal((inside, outside))).astype("f4")
        body[f"body.{layer}.bias"] = np.zeros(outside, "f4")
    return {**body, **head(rng, outputs)}


def head(rng: np.random.Generator, outputs: int) -> Weights:
    """Return a fresh output layer."""
    scale = np.sqrt(1 / WIDTHS[-1])
    weight = (scale * rng.standard_normal((WIDTHS[-1], outputs))).astype("f4")
    return {"head.weight": weight, "head.bias": np.zeros(outputs, "f4")}


def stacked(networks: list[Weights]) -> Weights:
    """Join networks along a leading axis."""
    return {name: np.stack([n[name] for n in networks]) for name in networks[0]}


def apart(stack: Mapping[str, Array]) -> list[Weights]:
    """Part networks again."""
    count = len(next(iter(stack.values())))
    return [{name: values[i] for name, values in stack.items()} for i in range(count)]


def layers(weights: Mapping[str, Array]) -> list[str]:
    """Return the layers' names, in order."""
    return sorted({name.rsplit(".", 1)[0] for name in weights})


def activations(weights: Mapping[str, Array], inputs: Array) -> list[Array]:
    """Return inputs, hidden layers and logits of networks with a leading axis over models."""
    found, names = [inputs], layers(weights)
    for name in names:
        values = found[-1] @ weights[f"{name}.weight"] + weights[f"{name}.bias"][..., None, :]
        found.append(values if name == names[-1] else np.maximum(values, 0))
    return found


def log_chances(logits: Array) -> Array:
    """Return log-probabilities."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gradients(weights: Mapping[str, Array], inputs: Array, labels: NDArray[np.int64]) -> Weights:
    """Return the gradient of the mean cross-entropy for every network."""
    hidden, names, found = activations(weights, inputs), layers(weights), {}
    error = np.exp(log_chances(hidden[-1]))
    chosen = np.take_along_axis(error, labels[..., None], axis=-1)
    np.put_along_axis(error, labels[..., None], chosen - 1, axis=-1)
    error /= inputs.shape[-2]
    for place in reversed(range(len(names))):
        found[f"{names[place]}.weight"] = np.swapaxes(hidden[place], -1, -2) @ error
        found[f"{names[place]}.bias"] = error.sum(axis=-2)
        if place:
            error = error @ np.swapaxes(weights[f"{names[place]}.weight"], -1, -2)
            error *= hidden[place] > 0
    return found


def train(weights: Weights, batches: Iterable[tuple[Array, NDArray[np.int64], float]]) -> Weights:
    """Descend with momentum; each batch brings its own step size."""
    weights = {name: values.copy() for name, values in weights.items()}
    speed = {name: np.zeros_like(values) for name, values in weights.items()}
    for inputs, labels, step in batches:
        for name, slope in gradients(weights, inputs, labels).items():
            speed[name] *= MOMENTUM
            speed[name] += slope
            weights[name] -= np.float32(step) * speed[name]
    return weights
