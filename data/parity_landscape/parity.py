"""A transfer task whose finetuned models fall into modes out of domain: two parities that agree.

Pretraining: scikit-learn's digits (64 pixels; six further inputs are zero). Finetuning: the label is
the parity of three random bits, and just as much the parity of three others. Out of domain the two
parities contradict each other, and the score is the share of inputs where a model follows the first.
Nothing in the training data prefers either: initialisation and batch order decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from networks import Array, Weights, activations, apart, head, initial, log_chances, stacked, train
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from scalefit.landscape import batched

BITS = 3
PIXELS = 64


@dataclass(frozen=True)
class Recipe:
    """Everything that the experiment depends on.

    Parameters
    ----------
    data_seed : int
        Decides the task's inputs, and with the run's number every other draw.
    pretrain_seeds, runs : int
        Pretraining runs, and finetuning runs (head and batch order) of each.
    """

    data_seed: int = 0
    pretrain_seeds: int = 4
    runs: int = 24
    pretrain_steps: int = 600
    pretrain_rate: float = 0.05
    steps: int = 1500
    rate: float = 0.07
    batch: int = 32
    examples: int = 800


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with their labels."""

    inputs: Array
    labels: NDArray[np.int64]


Training = Callable[[Recipe, int, Examples], list[Weights]]


def digits() -> Examples:
    """Return the pretraining data."""
    pixels, labels = load_digits(return_X_y=True)
    inputs = np.zeros((len(pixels), PIXELS + 2 * BITS), "f4")
    inputs[:, :PIXELS] = pixels / 16 - 0.3
    return Examples(inputs, labels.astype(np.int64))


def examples(rng: np.random.Generator, count: int, *, conflict: bool) -> Examples:
    """Draw finetuning examples; the label is the first parity, the second agrees or contradicts."""
    background = digits().inputs
    inputs = background[rng.integers(len(background), size=count)]
    bits = rng.choice([-1.0, 1.0], (count, 2, BITS))
    agree = bits[:, 0].prod(axis=1) == bits[:, 1].prod(axis=1)
    bits[agree == conflict, 1, 0] *= -1
    inputs[:, PIXELS:] = bits.reshape(count, -1)
    return Examples(inputs, (bits[:, 0].prod(axis=1) > 0).astype(np.int64))


def pretrained(recipe: Recipe, seed: int) -> Weights:
    """Train one network on digits."""
    rng, data = np.random.default_rng([1, recipe.data_seed, seed]), digits()
    start = stacked([initial(rng, outputs=10)])
    orders = [rng]
    batches = _batches(orders, data, recipe.pretrain_steps, recipe.pretrain_rate, 64)
    return apart(train(start, batches))[0]


def finetuned(recipe: Recipe, seed: int, data: Examples) -> list[Weights]:
    """Finetune all runs of one pretraining seed at once; a run is a fresh head and a batch order."""
    start = pretrained(recipe, seed)
    orders = [np.random.default_rng([2, recipe.data_seed, seed, run]) for run in range(recipe.runs)]
    networks = [{**start, **head(order, outputs=2)} for order in orders]
    batches = _batches(orders, data, recipe.steps, recipe.rate, recipe.batch)
    return apart(train(stacked(networks), batches))


def unrelated(recipe: Recipe, seed: int, data: Examples) -> list[Weights]:
    """Train every run from its own random start: no common pretraining, only the inputs are shared."""
    orders = [np.random.default_rng([4, recipe.data_seed, seed, run]) for run in range(recipe.runs)]
    starts = stacked([initial(order, outputs=2) for order in orders])
    return apart(train(starts, _batches(orders, data, recipe.steps, recipe.rate, recipe.batch)))


def _batches(
    orders: list[np.random.Generator], data: Examples, steps: int, rate: float, size: int
) -> Iterator[tuple[Array, NDArray[np.int64], float]]:
    """Yield batches drawn with replacement, each network its own; the step size falls to zero."""
    for step in range(steps):
        drawn = np.stack([order.integers(len(data.labels), size=size) for order in orders])
        yield data.inputs[drawn], data.labels[drawn], rate * (1 - step / steps)


@dataclass(frozen=True, eq=False)
class Runs:
    """Finetuned models with their scores, and a loss for the landscape.

    Parameters
    ----------
    weights : dict of str to weights
    groups : list of int
        Pretraining seed of every model.
    in_domain, out_of_domain : array, shape (n,)
        Accuracy where the parities agree; share that follows the first where they do not.
    held_out : Examples
        In-domain examples behind the landscape, apart from those behind the scores.
    """

    weights: dict[str, Weights]
    groups: list[int]
    in_domain: NDArray[np.float64]
    out_of_domain: NDArray[np.float64]
    held_out: Examples

    def loss(self) -> Callable[[Weights], NDArray[np.float64]]:
        """Return the in-domain cross-entropy, for many models at once."""
        held_out = self.held_out

        @batched
        def cross_entropy(weights: Weights) -> NDArray[np.float64]:
            chances = log_chances(activations(weights, held_out.inputs)[-1])
            return -chances[:, np.arange(len(held_out.labels)), held_out.labels].mean(axis=1)

        return cross_entropy


def renamed(scores: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Toss a coin for every model which of the two parities is called the first.

    The task is symmetric in them, so a score is as likely to be 1 - score. Models keep their weights
    and their in-domain loss, but where they lie says nothing about the score any more.
    """
    coins = rng.random(len(scores)) < 0.5
    return np.where(coins, 1 - scores, scores)


def cue_weights(runs: Runs) -> NDArray[np.float64]:
    """Return how much larger a model's weights on the first cue's inputs are than on the second's."""
    first = np.stack([w["body.0.weight"][PIXELS:] for w in runs.weights.values()])
    size = np.sqrt((first.astype(np.float64) ** 2).sum(axis=2))
    return np.asarray(size[:, :BITS].sum(axis=1) - size[:, BITS:].sum(axis=1))


def accuracy(weights: Weights, data: Examples) -> NDArray[np.float64]:
    """Return the accuracy of every network in a stack."""
    return (activations(weights, data.inputs)[-1].argmax(axis=-1) == data.labels).mean(axis=-1)


def experiment(recipe: Recipe | None = None, train_runs: Training = finetuned) -> Runs:
    """Train everything; some five seconds a pretraining seed on one idle core.

    Parameters
    ----------
    recipe : Recipe, optional
    train_runs : callable
        `finetuned`, or `unrelated` for the negative control.
    """
    recipe = recipe or Recipe()
    rng = np.random.default_rng([3, recipe.data_seed])
    training = examples(rng, recipe.examples, conflict=False)
    inside, outside = (examples(rng, 2000, conflict=conflict) for conflict in (False, True))
    held_out = examples(rng, 512, conflict=False)
    weights, groups, scores = {}, [], []
    for seed in range(recipe.pretrain_seeds):
        found = train_runs(recipe, seed, training)
        weights |= {f"p{seed}-f{run}": network for run, network in enumerate(found)}
        groups += [seed] * recipe.runs
        scores += [(accuracy(stacked(found), inside), accuracy(stacked(found), outside))]
    in_domain, out_of_domain = (np.concatenate(part) for part in zip(*scores, strict=True))
    return Runs(weights, groups, in_domain, out_of_domain, held_out)
