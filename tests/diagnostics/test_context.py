"""The loss at a shortened context, against truncating by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import CELLS, quick, textbook
from oracles import cells as oracle
from problems import assert_close, make_xs

from lstm_jax.diagnostics import ContextLoss, loss_by_context, memory_length

T, D = 9, 2
CONTEXTS = [1, 4, 6]


def by_hand(cell, xs, targets):
    """A list of losses for each context, of the steps from the longest context on."""
    found = []
    for context in CONTEXTS:
        row = []
        for t in range(max(CONTEXTS) - 1, T):
            window = xs[t - context + 1 : t + 1]
            final, *_ = oracle.run("lstm", oracle.as_params(cell.params), window, cell.state)
            row.append(((final[0] - targets[t]) ** 2).sum())
        found.append(row)
    return np.array(found)


def test_the_loss_is_that_of_truncated_sequences(x64):
    cell, xs, targets = textbook("lstm"), make_xs((T, D)), make_xs((T, 3), seed=4)

    def loss(final, t):
        return ((final.h - jnp.asarray(targets)[t]) ** 2).sum()

    def run(params, xs, state):
        return loss_by_context(cell.step, params, xs, state, loss, CONTEXTS)

    found = quick(run)(cell.params, xs, cell.state)
    assert isinstance(found, ContextLoss)
    np.testing.assert_array_equal(found.contexts, CONTEXTS)
    assert found.losses.shape == (3, T - 6 + 1)
    assert_close(found.losses, by_hand(cell, xs, targets), 1e-14)


def test_contexts_in_any_order_and_of_any_cell(x64):
    """A cell that sums its inputs, given as a pytree: the losses are windows' sums."""
    xs = {"a": np.arange(1.0, 7), "b": np.zeros((6, 2))}

    def step(params, state, x):
        return {"sum": state["sum"] + params * x["a"] + x["b"].sum()}

    def run(xs, state):
        return loss_by_context(
            step, 10.0, xs, state, lambda s, t: s["sum"] + t, np.array([3, 1, 6])
        )

    found = quick(run)(xs, {"sum": np.array(0.5)})
    np.testing.assert_array_equal(found.contexts, [3, 1, 6])
    assert_close(found.losses, [[155.5], [65.5], [215.5]], 0)


@pytest.mark.parametrize(
    ("losses", "tolerance", "length"),
    [
        ([3.0, 2.0, 1.5, 1.005, 1.0], 0.01, 8),
        ([3.0, 2.0, 1.5, 1.005, 1.0], 0.001, 16),
        ([3.0, 2.0, 1.5, 1.005, 1.0], 5.0, 1),
        ([3.0, 1.0, 1.5, 1.0, 1.0], 0.01, 8),  # better by chance at 2
        ([0.5, 0.6, 0.7, 0.8, 1.0], 0.01, 1),  # shorter is better: nothing to remember
    ],
)
def test_memory_length(losses, tolerance, length):
    contexts = jnp.array([1, 2, 4, 8, 16])
    found = jax.jit(partial(memory_length, tolerance=tolerance))(contexts, jnp.array(losses))
    assert found == length


def test_errors_explain_the_mistake():
    cell, xs = CELLS["lstm"], make_xs((5, D))
    ask = partial(loss_by_context, cell.step, cell.params)
    for contexts in ([0, 2], [2, 6], []):
        message = rf"contexts must lie in \[1, T=5\], got \[{str(contexts)[1:-1]}\]"
        with pytest.raises(ValueError, match=message):
            ask(xs, cell.state, lambda s, t: 0.0, contexts)
    with pytest.raises(ValueError, match="xs has no time steps"):
        ask(xs[:0], cell.state, lambda s, t: 0.0, [1])
    with pytest.raises(TypeError, match="the state has no arrays"):
        ask(xs, (), lambda s, t: 0.0, [1])
