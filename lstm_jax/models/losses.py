"""Losses that compute logits in chunks, so that they never store all of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.promotion import add, aligned, matmul, multiply
from lstm_jax.trees import wide, widened

CHUNK = 1280


def logits_of(features: Array, embedding: Array, bias: Array) -> Array:
    """Compute the logits of a softmax tied to the embedding (Press & Wolf 2017).

    Args:
        features: (..., E).
        embedding: (V, E).
        bias: (V,).

    Returns:
        features Eᵀ + bias, (..., V).
    """
    # Contract both over their last axis: a transposed table would be copied first, and in a
    # sampler's loop at every step.
    return add(jnp.einsum("...e,ve->...v", features, embedding), bias)


def tied_log_probabilities(
    features: Array, embedding: Array, bias: Array, targets: Array, *, chunk: int = CHUNK
) -> Array:
    """Compute ln softmax(features Eᵀ + bias)[targets] in chunks, without storing (N, V).

    Args:
        features: (..., E).
        embedding: (V, E), the output layer tied to the input embedding (Press & Wolf 2017).
        bias: (V,).
        targets: (...) integers in [0, V).
        chunk: rows of logits computed at once.

    Returns:
        Natural-log probabilities of the targets, (...), float32 at least.

    Raises:
        ValueError: if the leading axes of features and targets differ, or the chunk is below 1.
    """
    rows, ids = _rows(chunk, features, targets)
    transposed = embedding.T
    out = jax.lax.map(lambda one: _score(add(one[0] @ transposed, bias), one[1]), (rows, ids))
    return out.reshape(-1)[: targets.size].reshape(targets.shape)


def tied_cross_entropy(
    features: Array,
    embedding: Array,
    bias: Array,
    targets: Array,
    weights: Array,
    *,
    chunk: int = CHUNK,
) -> Array:
    """Compute the sum of weights · -ln softmax(features Eᵀ + bias)[targets].

    The gradient of a cross-entropy is known as soon as its logits are. The forward pass of a
    differentiated call therefore computes the gradients too, and no logits are computed twice or
    kept: it takes three products with the embedding, and stores the logits of one chunk at a time.

    Args:
        features, embedding, bias, targets, chunk: as in `tied_log_probabilities`.
        weights: (...), with the shape of `targets`; no gradient flows to them. Targets with a
            weight of 0 are ignored, and may be -100 or any other number.

    Returns:
        The sum, a scalar in nats, float32 at least.

    Raises:
        ValueError: if the leading axes of features, targets and weights differ, or the chunk is
            below 1.
    """
    if weights.shape != targets.shape:
        raise ValueError(f"weights {weights.shape} must have the shape of targets {targets.shape}")
    # The score of an invalid target is NaN, and so is 0 times it, so replace the target first.
    targets = jnp.where(weights == 0, 0, targets)
    rows, ids, weights = _rows(chunk, features, targets, jax.lax.stop_gradient(weights))
    return _cross_entropy(rows, embedding, bias, ids, weights)


@jax.custom_vjp
def _cross_entropy(rows, embedding, bias, ids, weights):
    transposed = embedding.T

    def one(total, inputs):
        rows, ids, weights = inputs
        scores = _score(add(_wide_product(rows, transposed), bias), ids)
        return total - matmul(weights, scores), None

    start = jnp.zeros((), wide(rows, embedding, bias, weights))
    return jax.lax.scan(one, start, (rows, ids, weights))[0]


def _cross_entropy_forward(rows, embedding, bias, ids, weights):
    transposed = embedding.T
    columns = jnp.arange(embedding.shape[0])

    def one(carry, inputs):
        total, dembedding, dbias = carry
        rows, ids, weights = inputs
        logits = widened(add(_wide_product(rows, transposed), bias))
        most = logits.max(axis=-1)
        # Behind a barrier, or XLA would compute every exponential twice: for the sum, and again.
        masses = jax.lax.optimization_barrier(jnp.exp(logits - most[:, None]))
        totals = masses.sum(axis=-1)
        scores = _chosen(logits, ids) - most - jnp.log(totals)
        # ∂(-ln p[target]) / ∂ logits = p - onehot(target)
        probabilities = masses / totals[:, None]
        weight = weights[:, None]
        onehot = jnp.equal(*aligned(columns, ids[:, None])).astype(probabilities.dtype)
        dlogits = multiply(weight, probabilities - onehot)
        total = total - matmul(weights, scores)
        dembedding = add(dembedding, matmul(dlogits.T, rows))
        carry = (total, dembedding, add(dbias, dlogits.sum(0)))
        return carry, matmul(dlogits, embedding).astype(rows.dtype)

    dtype = wide(rows, embedding, bias, weights)
    start = tuple(jnp.zeros(shape, dtype) for shape in ((), embedding.shape, bias.shape))
    (total, dembedding, dbias), drows = jax.lax.scan(one, start, (rows, ids, weights))
    return total, (drows, dembedding.astype(embedding.dtype), dbias.astype(bias.dtype))


def _cross_entropy_backward(gradients, cotangent):
    cotangents = (multiply(cotangent, g).astype(g.dtype) for g in gradients)
    return *cotangents, None, None


_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def _wide_product(a: Array, b: Array) -> Array:
    """Compute a @ b without rounding the sums to a narrow dtype before the softmax reads them."""
    return jnp.matmul(a, b, preferred_element_type=wide(a, b))


def _score(logits: Array, ids: Array) -> Array:
    logits = widened(logits)
    return _chosen(logits, ids) - jax.nn.logsumexp(logits, axis=-1)


def _chosen(logits: Array, ids: Array) -> Array:
    return jnp.take_along_axis(logits, ids[:, None], axis=-1)[:, 0]


def _rows(chunk: int, features: Array, *others: Array) -> tuple[Array, ...]:
    """Flatten arrays to (chunks, rows, ...), padded with zeros to whole chunks."""
    for other in others:
        if features.shape[:-1] != other.shape:
            raise ValueError(
                f"features {features.shape} and targets {other.shape} must agree on all axes "
                "except the last of the features"
            )
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    count = others[0].size
    # Chunks of equal size need the least padding, which would be multiplied too.
    size = max(1, -(-count // max(1, -(-count // chunk))))  # at least 1, even without targets
    arrays = [features.reshape(-1, features.shape[-1]), *(other.reshape(-1) for other in others)]
    padding = -count % size
    padded = [jnp.pad(a, ((0, padding),) + ((0, 0),) * (a.ndim - 1)) for a in arrays]
    return tuple(a.reshape(-1, size, *a.shape[1:]) for a in padded)
