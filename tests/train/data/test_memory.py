"""The long-memory problems, sequence by sequence, as their papers word them."""

import math
from collections import Counter

import numpy as np
import pytest

from lstm_jax.train.data import memory

COUNT, STEPS = 400, 40


def make(name, count=COUNT, steps=STEPS, seed=0):
    return memory.puzzle(name).generate(np.random.default_rng(seed), count, steps)


@pytest.mark.parametrize("name", memory.PUZZLES)
def test_shapes_and_types(name):
    problem, batch = memory.puzzle(name), make(name)
    width = {"copy": STEPS + 20, "flipflop": STEPS}.get(name, STEPS + STEPS // 10)
    assert batch.inputs.shape == (COUNT, width, problem.in_features)
    assert batch.inputs.dtype == np.float32
    assert (batch.lengths.shape, batch.lengths.dtype) == ((COUNT,), np.int32)
    assert batch.targets.dtype == (np.float32 if name in ("adding", "flipflop") else np.int32)
    if name == "flipflop":
        assert batch.targets.shape == (COUNT, width, problem.out_features)
    else:
        assert batch.targets.shape == ((COUNT, width) if problem.every_step else (COUNT,))


@pytest.mark.parametrize("name", memory.PUZZLES)
def test_the_same_generator_gives_the_same_sequences(name):
    for field in ("inputs", "targets", "lengths"):
        one, same = (getattr(make(name), field) for _ in range(2))
        assert one.tobytes() == same.tobytes()
    assert make(name).inputs.tobytes() != make(name, seed=1).inputs.tobytes()


@pytest.mark.parametrize("name", ["adding", "order"])
def test_lengths_are_uniform_and_what_is_behind_them_is_zero(name):
    batch = make(name, count=4000)
    counts = Counter(batch.lengths.tolist())
    assert sorted(counts) == list(range(STEPS, STEPS + STEPS // 10 + 1))
    assert min(counts.values()) > 0.7 * 4000 / len(counts)
    for inputs, length in zip(batch.inputs, batch.lengths, strict=True):
        assert not inputs[length:].any()


def test_adding_is_experiment_4_of_hochreiter_and_schmidhuber():
    batch = make("adding")
    first_places, second_places, zeroed = set(), set(), 0
    for inputs, length, target in zip(batch.inputs, batch.lengths, batch.targets, strict=True):
        values, markers = inputs[:length].T
        assert (np.abs(values) <= 1).all()
        assert markers[0] == markers[-1] == -1
        marked = np.flatnonzero(markers == 1)
        assert set(markers[1:-1]) <= {0, 1}
        # One of the first ten pairs and one of the first T/2 - 1; of a first pair, X is zero.
        assert len(marked) in (1, 2)
        assert marked.max() <= STEPS // 2 - 2
        assert len(marked) == 1 or marked.min() <= 9
        zeroed += len(marked) == 1
        assert target == pytest.approx(0.5 + values[marked].sum() / 4, abs=1e-6)
        first_places.add(marked.min())
        second_places.add(marked.max())
    assert set(range(1, 10)) <= first_places
    assert STEPS // 2 - 2 in second_places
    assert 0 < zeroed < COUNT / 4, "the first pair is marked now and then"


def test_the_values_of_adding_are_uniform_on_both_sides_of_zero():
    values = make("adding").inputs[:, :STEPS, 0]
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.var() == pytest.approx(1 / 3, abs=0.01)


def test_order_is_experiment_6a_of_hochreiter_and_schmidhuber():
    batch = make("order")
    assert np.isin(batch.inputs, (0, 1)).all()
    early, late = set(), set()
    for inputs, length, target in zip(batch.inputs, batch.lengths, batch.targets, strict=True):
        assert (inputs[:length].sum(1) == 1).all()
        symbols = "".join("EBabcdXY"[i] for i in inputs[:length].argmax(1))
        assert symbols[0] == "E"
        assert symbols[-1] == "B"
        places = [t for t, symbol in enumerate(symbols) if symbol in "XY"]
        assert len(places) == 2
        rest = set(symbols[1:-1]) - set("XY")
        assert rest <= set("abcd")
        assert ["XX", "XY", "YX", "YY"][target] == "".join(symbols[t] for t in places)
        early.add(places[0])
        late.add(places[1])
    assert early == set(range(STEPS // 10, STEPS // 5 + 1))
    assert late == set(range(STEPS // 2, 3 * STEPS // 5 + 1))
    assert min(Counter(batch.targets.tolist()).values()) > COUNT / 8


def test_copy_is_that_of_arjovsky_and_others():
    batch = make("copy")
    assert (batch.inputs.sum(-1) == 1).all()
    assert (batch.lengths == STEPS + 20).all()
    for read, target in zip(batch.inputs.argmax(-1), batch.targets, strict=True):
        symbols, blanks, go, more = np.split(read, [10, 10 + STEPS - 1, 10 + STEPS])
        assert set(symbols) <= set(range(1, 9))
        assert not blanks.any()
        assert len(blanks) == STEPS - 1
        assert list(go) == [9]
        assert len(more) == 10
        assert not more.any()
        assert not target[:-10].any()
        np.testing.assert_array_equal(target[-10:], symbols)
    assert set(batch.inputs[:, :10].argmax(-1).ravel()) == set(range(1, 9))


def test_a_flip_flop_holds_the_last_pulse_of_each_channel():
    batch = make("flipflop")
    assert np.isin(batch.inputs, (-1, 0, 1)).all()
    assert (batch.lengths == STEPS).all()
    assert batch.inputs[:, 0].all(), "every bit is known from the first step on"
    held = np.zeros((COUNT, 3))
    for pulses, target in zip(
        batch.inputs.swapaxes(0, 1), batch.targets.swapaxes(0, 1), strict=True
    ):
        held = np.where(pulses == 0, held, pulses)
        np.testing.assert_array_equal(target, held)
    later = batch.inputs[:, 1:]
    assert (later != 0).mean() == pytest.approx(0.1, abs=0.005)
    assert batch.inputs[batch.inputs != 0].mean() == pytest.approx(0, abs=0.03)


def test_the_trivial_loss_is_that_of_knowing_nothing_but_when():
    batch = make("copy")
    # Blank for certain before, one of eight symbols at random in the last ten steps.
    nats = np.where(np.arange(STEPS + 20) < STEPS + 10, 0.0, math.log(8))
    assert nats.shape == batch.targets[0].shape
    assert memory.trivial_loss(STEPS) == pytest.approx(nats.mean())


@pytest.mark.parametrize("name", memory.PUZZLES)
def test_the_shortest_has_room_and_a_shorter_one_is_refused(name):
    least = memory.LEAST_STEPS[name]
    make(name, steps=least)
    with pytest.raises(ValueError, match=f"steps must be at least {least} for {name}"):
        make(name, steps=least - 1)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        make(name, count=0)


def test_an_unknown_problem_is_refused():
    with pytest.raises(ValueError, match="no problem 'parity'; the problems are adding, copy, ord"):
        memory.puzzle("parity")
