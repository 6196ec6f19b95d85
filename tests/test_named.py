"""Functions are recognized after copying, pickling and binding."""

import copy
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from lstm_jax import functional
from lstm_jax.cells import TEXTBOOK, Cell, LSTMActivations, lstm_step, rnn_step
from lstm_jax.named import Bound, bind, bound, known

FUNCTIONS = [
    jnp.tanh, jnp.sin, jax.nn.sigmoid, jax.nn.relu, jax.nn.soft_sign, jax.nn.softplus,
    jax.nn.silu, jax.nn.gelu, jax.nn.elu, jax.nn.leaky_relu, jax.nn.hard_tanh, jax.lax.tanh,
]  # fmt: skip


@jax.jit
def squashed(z):
    return z / (1 + jnp.abs(z))


def clipped(z, *, limit):
    return jnp.clip(z, -limit, limit)


def through_a_file(value):
    return pickle.loads(pickle.dumps(value))


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": through_a_file}
every_copy = pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_copy_of_jaxs_function_is_known(function):
    assert known(function) is function
    assert known(copy.deepcopy(function)) is function
    assert functional.rnn_cell(copy.deepcopy(function)) == functional.rnn_cell(function)


def test_a_different_function_of_the_same_name_is_not_known():
    def relu(z):
        return jnp.maximum(z, 0)

    straight = jax.custom_jvp(jax.nn.relu)
    straight.defjvp(lambda primals, tangents: (jax.nn.relu(*primals), *tangents))
    inside = jax.custom_jvp(jax.nn.relu.__wrapped__)
    inside.defjvp(lambda primals, tangents: (jax.nn.relu(*primals), *tangents))
    for own in (relu, jax.jit(relu), straight, inside):
        assert own.__name__ == "relu"
        assert known(own) is own
        assert jax.grad(known(own))(-1.0) == (1.0 if own in (straight, inside) else 0.0)


RECORDS = {
    "activations": LSTMActivations(jax.nn.relu, jnp.tanh, squashed),
    "lstm": functional.lstm_cell(),
    "lstm of others": functional.lstm_cell(LSTMActivations(jax.nn.hard_sigmoid)),
    "lstm of own": functional.lstm_cell(LSTMActivations(cell=squashed)),
    "bound": functional.rnn_cell(bind(clipped, limit=2.0)),
    "rnn": functional.rnn_cell(),
    "relu": functional.rnn_cell(jax.nn.relu),
    "gru": functional.gru_cell(),
    "gru, reset before": functional.gru_cell(reset_after=False),
    "mgu": functional.mgu_cell(),
    "conv": functional.conv_lstm_cell((3,)),
    "mogrifier": functional.mogrifier_cell(),
    "partial": bind(lstm_step, activations=TEXTBOOK),
}


@every_copy
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_and_its_copies_are_equal(record, make):
    made = make(record)
    assert type(made) is type(record)
    assert made == record
    assert hash(made) == hash(record)


@every_copy
def test_the_kind_of_a_cell_survives(make):
    assert make(functional.lstm_cell()).textbook == "lstm"
    for activations in (TEXTBOOK, make(TEXTBOOK), LSTMActivations(*copy.deepcopy(list(TEXTBOOK)))):
        assert functional.lstm_cell(activations).textbook == "lstm"
        assert functional.lstm_cell(activations) == functional.lstm_cell()
    assert functional.rnn_cell(copy.deepcopy(jnp.tanh)).textbook == "rnn"


def test_any_callable_is_accepted():
    by_hand = jax.custom_vjp(jnp.sin)
    for function in (jnp.add, by_hand, jax.tree_util.Partial(jnp.sin), jnp.vectorize(jnp.sin), int):
        assert known(function) is function


def test_functions_without_a_name_survive_a_deep_copy():
    cell = Cell(jax.jit(rnn_step), gates=lambda params, state, x: state)
    assert copy.deepcopy(cell) is cell
    cells = {"a": cell, "b": [cell]}
    assert copy.deepcopy(cells) == cells
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(cell)


def test_a_cell_with_a_partial_can_be_pickled():
    cell = Cell(partial(rnn_step, activation=jax.nn.relu), gates=partial(partial(clipped), limit=1))
    made = through_a_file(cell)
    assert isinstance(made.step, Bound)
    assert made.step.keywords == {"activation": jax.nn.relu}
    assert made.gates.func is clipped
    assert through_a_file(made) == made
    assert made.name == cell.name == "rnn_step"


def test_bound_arguments_are_compared_by_value():
    assert bind(clipped) is clipped
    two = bind(clipped, limit=2.0)
    assert two == bind(clipped, limit=2.0)
    assert two != bind(clipped, limit=3.0)
    assert two != clipped
    assert isinstance(two, Bound)
    assert two(jnp.float32(5)) == 2
    assert bound(two, "limit", None) == 2.0
    assert bound(clipped, "limit", None) is None
    assert bound(two, "other", 7) == 7


def test_a_pickle_contains_public_names():
    assert b"_src" not in pickle.dumps(RECORDS["activations"])
    assert b"_src" not in pickle.dumps(functional.rnn_cell(jax.nn.relu))
