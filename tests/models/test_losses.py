import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from problems import assert_close

from lstm_jax.models.losses import logits_of, tied_cross_entropy, tied_log_probabilities

E, V = 3, 7
SHAPE = (2, 5)  # ten rows


def problem(dtype=np.float64, shape=SHAPE):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(*shape, E)).astype(dtype)
    embedding = rng.normal(size=(V, E)).astype(dtype)
    bias = rng.normal(size=V).astype(dtype)
    targets = rng.integers(0, V, shape).astype(np.int32)
    weights = rng.random(shape).astype(dtype)
    return features, embedding, bias, targets, weights


def oracle_log_probabilities(features, embedding, bias, targets):
    out = np.empty(targets.shape)
    for row in np.ndindex(targets.shape):
        logits = [float(features[row] @ embedding[v] + bias[v]) for v in range(len(embedding))]
        total = sum(np.exp(a) for a in logits)
        out[row] = np.log(np.exp(logits[targets[row]]) / total)
    return out


def peers_loss(features, embedding, bias, targets, weights):
    logits = features @ embedding.T + bias
    return (weights * optax.softmax_cross_entropy_with_integer_labels(logits, targets)).sum()


peers_gradient = jax.jit(jax.value_and_grad(peers_loss, (0, 1, 2)))
peers_squared = jax.jit(jax.value_and_grad(lambda *a: peers_loss(*a) ** 2, (0, 1, 2)))


# Divides ten rows; does not; one at a time; all at once; more than there are.
CHUNKS = [5, 4, 1, 10, 1024]


@functools.cache
def jitted(function, chunk):
    return jax.jit(functools.partial(function, chunk=chunk))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_log_probabilities(chunk, x64):
    *arrays, _ = problem()
    actual = jitted(tied_log_probabilities, chunk)(*arrays)
    assert actual.shape == SHAPE
    assert_close(actual, oracle_log_probabilities(*arrays), 1e-13)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_cross_entropy_and_its_gradients_are_the_peers(chunk, x64):
    features, embedding, bias, targets, weights = problem()
    value = jitted(tied_cross_entropy, chunk)(features, embedding, bias, targets, weights)
    loop = -(weights * oracle_log_probabilities(features, embedding, bias, targets)).sum()
    assert_close(value, loop, 1e-12)

    # A power, so that the cotangent is not 1.
    @jax.jit
    def ours(*arrays):
        return tied_cross_entropy(*arrays, targets, weights, chunk=chunk) ** 2

    arguments = (features, embedding, bias)
    actual = jax.value_and_grad(ours, (0, 1, 2))(*arguments)
    desired = peers_squared(*arguments, targets, weights)
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        assert a.shape == d.shape
        assert_close(a, np.asarray(d), 1e-11)


def test_log_probabilities_have_a_gradient(x64):
    features, embedding, bias, targets, weights = problem()

    def ours(*arrays):
        return -(weights * tied_log_probabilities(*arrays, targets, chunk=4)).sum()

    arguments = (features, embedding, bias)
    actual = jax.jit(jax.grad(ours, (0, 1, 2)))(*arguments)
    _, desired = peers_gradient(*arguments, targets, weights)
    for a, d in zip(actual, desired, strict=True):
        assert_close(a, np.asarray(d), 1e-12)


def test_rows_without_weight_count_for_nothing():
    features, embedding, bias, targets, weights = problem(np.float32)
    weights[0] = 0
    loss = jax.jit(jax.value_and_grad(functools.partial(tied_cross_entropy, chunk=4), (0, 1, 2)))
    value, gradient = loss(features, embedding, bias, targets, weights)
    changed = features.copy()
    changed[0] = 17
    other_value, other_gradient = loss(changed, embedding, bias, targets, weights)
    assert value == other_value
    jax.tree.map(np.testing.assert_array_equal, gradient, other_gradient)
    assert (np.asarray(gradient[0])[0] == 0).all()


def test_weights_have_no_gradient():
    features, embedding, bias, targets, weights = problem(np.float32)
    gradient = jax.grad(lambda w: tied_cross_entropy(features, embedding, bias, targets, w))
    assert (np.asarray(gradient(weights)) == 0).all()


def test_large_logits_do_not_overflow():
    features = np.full((4, E), 100, np.float32)
    embedding = np.stack([np.full(E, 10, np.float32), np.full(E, -10, np.float32)])
    value, gradient = jax.value_and_grad(tied_cross_entropy)(
        features, embedding, np.zeros(2, np.float32), np.zeros(4, int), np.ones(4, np.float32)
    )
    assert value == 0
    assert (np.asarray(gradient) == 0).all()
    wrong = tied_log_probabilities(features, embedding, np.zeros(2, np.float32), np.ones(4, int))
    np.testing.assert_allclose(wrong, -6000)


@pytest.mark.parametrize("dtypes", [("bfloat16",) * 3, ("bfloat16", "float32", "float32")])
def test_low_precision_accumulates_in_float32(dtypes):
    shape = (600,)
    *arrays, targets, weights = problem(np.float32, shape)
    arrays = [jnp.asarray(a, d) for a, d in zip(arrays, dtypes, strict=True)]
    loss = functools.partial(tied_cross_entropy, chunk=1)
    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(*arrays, targets, weights)
    assert value.dtype == jnp.float32
    assert [g.dtype for g in gradients] == list(dtypes)
    wide = [np.asarray(a).astype(np.float32) for a in arrays]
    desired = peers_gradient(*wide, targets, weights)
    assert value == pytest.approx(float(desired[0]), rel=3e-3)
    for actual, d in zip(gradients, desired[1], strict=True):
        error = np.asarray(actual).astype(np.float32) - d
        assert np.linalg.norm(error) < 1e-2 * np.linalg.norm(d)


def test_no_targets_cost_nothing():
    *arrays, targets, weights = problem(np.float32, (0,))
    value, gradients = jax.value_and_grad(tied_cross_entropy, (0, 1, 2))(*arrays, targets, weights)
    assert value == 0
    assert all((np.asarray(g) == 0).all() for g in gradients)
    assert tied_log_probabilities(*arrays, targets).shape == (0,)


def largest_array(jaxpr):
    """Elements of the largest value inside a jaxpr, those of its inner jaxprs included."""
    sizes = [0]
    for equation in jaxpr.eqns:
        sizes += [v.aval.size for v in equation.outvars if hasattr(v.aval, "size")]
        for inner in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(inner, "jaxpr", inner)
            sizes += [largest_array(inner)] if hasattr(inner, "eqns") else []
    return max(sizes)


@pytest.mark.parametrize("function", ["log_probabilities", "cross_entropy", "gradient"])
def test_the_logits_are_never_stored_at_once(function):
    n, chunk = 64 * 8, 8  # so (N, V) is by far the largest possible array
    *arrays, targets, weights = problem(np.float32, (n,))
    functions = {
        "log_probabilities": lambda *a: tied_log_probabilities(*a, targets, chunk=chunk),
        "cross_entropy": lambda *a: tied_cross_entropy(*a, targets, weights, chunk=chunk),
    }
    functions["gradient"] = jax.grad(functions["cross_entropy"], (0, 1, 2))
    naive = jax.make_jaxpr(lambda *a: peers_loss(*a, targets, weights))(*arrays)
    assert largest_array(naive.jaxpr) >= n * V
    held = jax.make_jaxpr(functions[function])(*arrays)
    assert chunk * V <= largest_array(held.jaxpr) <= n * E  # it does look inside the loop
    compiled = jax.jit(functions[function]).lower(*arrays).compile().memory_analysis()
    # Gradients aside, which are outputs: the features once more, and little else.
    assert compiled.temp_size_in_bytes < 4 * n * V


def test_logits():
    features, embedding, bias, *_ = problem(np.float32)
    logits = logits_of(features, embedding, bias)
    assert logits.shape == (*SHAPE, V)
    assert_close(logits[1, 2, 3], float(features[1, 2] @ embedding[3] + bias[3]), 1e-5)


def test_errors_name_the_shapes():
    features, embedding, bias, targets, weights = problem(np.float32)
    with pytest.raises(ValueError, match=r"features \(2, 5, 3\) and targets \(2, 4\) must agree"):
        tied_log_probabilities(features, embedding, bias, targets[:, :4])
    with pytest.raises(ValueError, match=r"weights \(2,\) must have the shape of targets \(2, 5\)"):
        tied_cross_entropy(features, embedding, bias, targets, weights[:, 0])
    with pytest.raises(ValueError, match="must agree"):
        tied_cross_entropy(features[:1], embedding, bias, targets, weights)
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        tied_cross_entropy(features, embedding, bias, targets, weights, chunk=0)


@pytest.mark.parametrize("target", [-100, -1, V, 2**31 - 1, -(2**31)])
def test_a_target_of_weight_zero_is_ignored(target):
    """PyTorch and Keras mark ignored steps by an invalid target of -100."""
    features, embedding, bias, targets, weights = problem(np.float32)
    weights[0, 1:3] = weights[1, 4] = 0
    ignored = weights == 0
    bad = np.where(ignored, target, targets).astype(np.int32)
    of = jax.jit(jax.value_and_grad(tied_cross_entropy, (0, 1, 2)))
    found = of(features, embedding, bias, bad, weights)
    jax.tree.map(
        np.testing.assert_array_equal, found, of(features, embedding, bias, targets, weights)
    )
    np.testing.assert_array_equal(found[1][0][ignored], 0)


def test_an_invalid_target_with_weight_shows():
    features, embedding, bias, targets, weights = problem(np.float32)
    targets[0, 0] = -100
    assert np.isnan(tied_cross_entropy(features, embedding, bias, targets, weights))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_losses_accumulate_in_float32(dtype):
    """The loss and its gradients are off by the rounding of logits, and not by that of sums."""
    *arrays, targets, weights = problem(np.float32, (40, 50))
    narrow = [jnp.asarray(a, dtype) for a in (*arrays, np.ones_like(weights))]
    *arguments, ones = narrow
    found, gradients = jax.jit(jax.value_and_grad(tied_cross_entropy, (0, 1, 2)))(
        *arguments, targets, ones
    )
    features, embedding, bias = (np.asarray(a, np.float32) for a in arguments)
    logits = features @ embedding.T + bias
    scores = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    eps = float(jnp.finfo(dtype).eps)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, scores.sum(), rtol=eps / 20)  # many errors, which cancel
    assert all(g.dtype == dtype for g in gradients)
    probabilities = jax.nn.softmax(logits) - jax.nn.one_hot(targets, V)
    expected = np.einsum("abv,abe->ve", probabilities, features)
    error = np.abs(np.asarray(gradients[1], np.float32) - expected).max()
    assert error <= eps * np.abs(expected).max()
    each = tied_log_probabilities(*arguments, targets)
    assert each.dtype == jnp.float32
    np.testing.assert_allclose(each, -scores, rtol=2 * eps, atol=2 * eps)
