"""Dynamic evaluation: a model goes on learning from the running text that it is judged on.

Each segment is scored by the weights that the segments before it left, and only then learned from
(Krause et al. 2018), so that no symbol is ever predicted by weights that have seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.models.char_lm import CharLM
from lstm_jax.text.language import LanguageModel
from lstm_jax.train.batch import Batch
from lstm_jax.train.data.text import stripes
from lstm_jax.train.tasks.text.score import Progress, Score, silent
from lstm_jax.train.tasks.text.task import window_loss
from lstm_jax.trees import Tree

SAMPLES = 400
"""Segments of the training text that the usual size of a gradient is measured on."""


class Rule(NamedTuple):
    """How a model learns while it is judged.

    Attributes:
        rate: η, of a step along the gradient.
        decay: λ, of the way back to the trained weights, after each segment.
        segment: symbols between two steps.
    """

    rate: float
    decay: float
    segment: int


RULE = Rule(rate=1e-3, decay=1e-3, segment=20)
"""The best of six on the first 20,000 characters of tinyshakespeare's last tenth: a model that has
1.395 nats there has 1.309 so. Segments are as long as the paper's for characters."""


Gradient: TypeAlias = Callable[[Any, Tree, Batch[np.ndarray]], tuple[Any, Array, Tree]]
"""`gradient(params, carry, window) -> (gradient of the mean, nats summed, carry)`."""


def score_dynamic(
    model: LanguageModel,
    texts: Sequence[str],
    learned: Sequence[str],
    rule: Rule = RULE,
    *,
    progress: Progress = silent,
) -> Score:
    """Score running texts by a model that learns from them as it goes.

    Args:
        model: as it was trained; it stays so.
        texts: to be judged on, each going on where the one before it ends.
        learned: that the model learned from; they say how large gradients usually are.
        rule: of the learning.
        progress: may show how far it is.

    Raises:
        ValueError: for no texts.
    """
    network, end_id = model.network, model.vocabulary.end_id
    gradient = make_gradient(network)
    trained = nnx.state(network, nnx.Param)
    shape = {"rows": 1, "length": rule.segment, "end_id": end_id}
    ids = [model.encode(text) for text in texts]
    packed = stripes(ids, **shape)
    sample = stripes([model.encode(text) for text in learned], **shape).windows()
    places = np.linspace(0, len(sample) - 1, min(SAMPLES, len(sample))).astype(int)
    sizes = usual_sizes(gradient, trained, network.initial_state(1), [sample[i] for i in places])
    move = jax.jit(adapted, static_argnames="rule")
    params, carry = trained, network.initial_state(1)
    total, windows = 0.0, packed.windows()
    for index in progress(range(len(windows))):
        gradients, nats, carry = gradient(params, carry, windows[index])
        total += float(nats)
        params = move(params, trained, gradients, sizes, rule)
    unknown = sum(int((text == model.vocabulary.unknown_id).sum()) for text in ids)
    return Score(total, packed.symbols, unknown)


def make_gradient(network: CharLM) -> Gradient:
    """Make a `Gradient`, jitted, without dropout.

    Args:
        network: whose structure the parameters have.
    """
    graph = nnx.graphdef(network)

    def mean(params: Any, carry: Tree, window: Batch[Array]) -> tuple[Array, tuple[Array, Tree]]:
        nats, count, carry = window_loss(nnx.merge(graph, params), carry, window, None)
        return nats / jnp.maximum(count, 1), (nats, carry)

    @jax.jit
    def gradient(params: Any, carry: Tree, window: Batch[Array]) -> tuple[Any, Array, Tree]:
        gradients, (nats, carry) = jax.grad(mean, has_aux=True)(params, carry, window)
        return gradients, nats, carry

    return gradient


def usual_sizes(
    gradient: Gradient, params: Any, carry: Tree, windows: Sequence[Batch[np.ndarray]]
) -> Any:
    """Measure how large each weight's gradient usually is.

    Args:
        gradient: what `make_gradient` gives.
        params: of the trained model.
        carry: the state before each window.
        windows: of texts that the model learned from.

    Returns:
        The root of the mean square over the windows, a tree as the parameters.
    """
    squares = jax.tree.map(jnp.zeros_like, params)
    for window in windows:
        gradients, _, _ = gradient(params, carry, window)
        squares = jax.tree.map(lambda s, g: s + g**2, squares, gradients)
    return jax.tree.map(lambda s: jnp.sqrt(s / len(windows)), squares)


def adapted(params: Any, trained: Any, gradients: Any, sizes: Any, rule: Rule) -> Any:
    """Take one step: along the gradient, and back toward the trained weights.

        θ ← θ - η g / (s + s̄) + min(λ s / s̄, 1) (θ_trained - θ)

    where s is a weight's usual size of a gradient and s̄ the mean of all s, which keeps weights that
    hardly ever had a gradient from leaping. That is the paper's rule, but for its ε in place of s̄.

    Args:
        params: θ.
        trained: where the decay leads.
        gradients: g, of the segment that was just scored.
        sizes: s.
        rule: η and λ.

    Returns:
        The weights that the next segment is scored with.
    """
    leaves = jax.tree.leaves(sizes)
    mean = sum(leaf.sum() for leaf in leaves) / sum(leaf.size for leaf in leaves)

    def move(theta: Array, start: Array, g: Array, s: Array) -> Array:
        back = jnp.minimum(rule.decay * s / mean, 1)
        return theta - rule.rate * g / (s + mean) + back * (start - theta)

    return jax.tree.map(move, params, trained, gradients, sizes)
