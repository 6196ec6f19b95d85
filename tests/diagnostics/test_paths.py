"""The gradient's paths, against chains of Jacobians with columns removed."""

from functools import partial

import jax
import numpy as np
import pytest
from diagnostics.recurrences import leaves_of, quick, stacked, textbook
from oracles import jacobians as oracle
from oracles.cells import as_params, lstm_gates, lstm_step
from problems import assert_close, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import cell_and_hidden, cell_jacobian, detach, step_jacobians

D, H, T = 2, 3, 40


def stack_of_two():
    return stacked(textbook("lstm"), textbook("lstm", D=3, H=2))


def rows(states):
    return np.concatenate(jax.tree.leaves(states), axis=1)


def test_each_path_is_the_chain_without_the_other_columns(x64):
    cell, xs = stack_of_two(), make_xs((T, D))

    def loss(states):
        return (states[1].h ** 2).sum() + states[0].c[-1].sum()

    found = quick(partial(cell_and_hidden, cell.step, loss=loss))(cell.params, xs, cell.state)
    states, jacobians = oracle.chain(cell.oracle, leaves_of(cell.state), xs)
    # h of 3, c of 3, h of 2, c of 2.
    is_h = np.repeat([True, False, True, False], [3, 3, 2, 2])
    direct = np.zeros((T, 10))
    direct[:, 6:8] = 2 * states[1:, 6:8]
    direct[-1, 3:6] = 1
    for actual, kept in (
        (found.total, np.ones(10)),
        (found.through_cell, ~is_h),
        (found.through_hidden, is_h),
    ):
        expected = oracle.adjoints(jacobians * kept, direct)
        assert_close(rows(actual), expected, 1e-14)
    # They do not add up, because some paths switch between the two.
    both = rows(found.through_cell)[0] + rows(found.through_hidden)[0]
    assert np.abs(both - rows(found.total)[0]).max() > 1e-5


def lstm_gate_values(params, xs, state):
    params, gates = as_params(params), []
    for x in xs:
        gates.append(lstm_gates(params, state[0], x))
        state = lstm_step(params, state, x)
    return np.array(gates).swapaxes(0, 1), state


@quick
def lstm_roads(params, xs, state, h, c):
    """A loss of the last h and c, in these proportions."""

    def loss(states):
        return h * states.h[-1].sum() + c * states.c[-1].sum()

    return cell_and_hidden(lj.lstm_step, params, xs, state, loss)


@quick
def by_forget_gates(forget):
    return cell_jacobian(forget)


def test_along_the_cell_the_adjoint_is_the_product_of_forget_gates(x64):
    cell, xs = textbook("lstm"), make_xs((T, D))
    found = lstm_roads(cell.params, xs, cell.state, 1.0, 0.0).through_cell
    (_, f, _, o), (_, c) = lstm_gate_values(cell.params, xs, cell.state)
    last = o[-1] * (1 - np.tanh(c) ** 2)
    logs = by_forget_gates(f)
    assert logs.shape == (T + 1, H)
    assert_close(logs[0], np.zeros(H), 0)
    assert_close(logs[2], np.log(f[-1]) + np.log(f[-2]), 1e-15)
    expected = np.exp(logs) * last  # by lag
    assert_close(found.c[::-1][1:] / expected[1:], np.ones((T, H)), 1e-13)
    assert (found.c[-1] == 0).all()  # the c of the last step, whose h the loss reads
    assert (found.h[:-1] == 0).all()  # h reaches the loss only at the end
    np.testing.assert_array_equal(found.h[-1], np.ones(H))


def test_without_recurrent_weights_there_is_only_one_path(x64):
    cell, xs = textbook("lstm"), make_xs((T, D))
    cell.params = lj.LSTMParams(
        cell.params.input_kernel, 0 * cell.params.recurrent_kernel, cell.params.bias
    )
    found = lstm_roads(cell.params, xs, cell.state, 0.0, 1.0)
    (_, f, _, _), _ = lstm_gate_values(cell.params, xs, cell.state)
    logs = by_forget_gates(f)
    assert_close(found.total.c[::-1] / np.exp(logs), np.ones((T + 1, H)), 1e-13)
    assert_close(found.through_cell.c, found.total.c, 1e-15)
    assert (found.through_hidden.c[:-1] == 0).all()


def test_detaching_changes_gradients_and_no_values(x64):
    cell, xs = textbook("lstm"), make_xs((5, D))
    steps = [detach(cell.step, "h"), detach(cell.step, "c"), cell.step]

    def run(params, xs, state):
        jacobians = [step_jacobians(step, params, xs, state) for step in steps]
        return jacobians, [step(params, state, xs[0]) for step in steps]

    (no_h, no_c, whole), values = quick(run)(cell.params, xs, cell.state)
    _, expected = oracle.chain(cell.oracle, cell.state, xs)
    assert_close(whole, expected, 1e-14)
    for found, kept, struck in (
        (no_h, slice(H, None), slice(None, H)),
        (no_c, slice(None, H), slice(H, None)),
    ):
        assert_close(found[:, :, kept], expected[:, :, kept], 1e-14)
        assert (found[:, :, struck] == 0).all()
    for value in values[:2]:
        jax.tree.map(np.testing.assert_array_equal, value, values[2])


def test_a_batch_with_lengths_is_its_rows(x64):
    cell, lengths = textbook("lstm"), np.array([6, 4])
    state, xs = make_state("lstm", (2,), H), make_xs((6, 2, D))

    def last(states):
        return states.h[lengths - 1, np.arange(2)].sum()

    run = partial(cell_and_hidden, cell.step, loss=last, lengths=lengths)
    found = quick(run)(cell.params, xs, state)
    for b, length in enumerate(lengths):
        row = [leaf[b] for leaf in state]
        _, jacobians = oracle.chain(cell.oracle, row, xs[:length, b])
        direct = np.zeros((length, 2 * H))
        direct[-1, :H] = 1
        for actual, kept in (
            (found.total, np.ones(2 * H)),
            (found.through_cell, np.repeat([0, 1], H)),
            (found.through_hidden, np.repeat([1, 0], H)),
        ):
            expected = oracle.adjoints(jacobians * kept, direct)
            assert_close(rows([leaf[: length + 1, b] for leaf in actual]), expected, 1e-14)
            assert not any(leaf[length + 1 :, b].any() for leaf in actual)


def test_errors_explain_the_mistake():
    with pytest.raises(ValueError, match='road must be "h" or "c", got \'cell\''):
        detach(lj.lstm_step, "cell")
    rnn = textbook("rnn")
    with pytest.raises(TypeError, match=r"fields h and c, .* got a RNNState"):
        detach(rnn.step, "c")(rnn.params, rnn.state, np.ones(D))
    with pytest.raises(TypeError, match="such as LSTMState, or a stack of such states, got a dict"):
        cell_and_hidden(lambda p, s, x: s, None, np.ones((2, D)), {"h": np.ones(2)},
                        lambda states: states["h"].sum())  # fmt: skip
