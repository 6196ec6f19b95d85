import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import sampling as oracle

from lstm_jax.text.filters import draw, filter_logits, validate

filter_jit = jax.jit(filter_logits)


def kept(log_weights):
    return set(np.flatnonzero(np.asarray(log_weights) > -np.inf).tolist())


def keeps(logits, temperature=1.0, top_k=None, top_p=None):
    # One width and one dtype each, so that it compiles once per choice of filters.
    row = np.full(8, -np.inf, np.float32)
    row[: len(logits)] = logits
    return kept(
        filter_jit(
            row,
            temperature=np.float32(temperature),
            top_k=None if top_k is None else np.int32(top_k),
            top_p=None if top_p is None else np.float32(top_p),
        )
    )


@hypothesis.settings(deadline=None, max_examples=150, derandomize=True, database=None)
@hypothesis.given(data=st.data())
def test_filter_logits_agrees_with_the_literal_oracle(data):
    size = data.draw(st.sampled_from([1, 8]))
    # Quarters: exact in float32, and often equal.
    quarters = st.integers(-24, 24).map(lambda n: n / 4)
    logits = data.draw(
        st.lists(quarters | st.just(-math.inf), min_size=size, max_size=size).filter(
            lambda row: max(row) > -math.inf
        )
    )
    temperature = data.draw(st.just(0.0) | st.floats(0.0625, 20, width=32))
    top_k = data.draw(st.none() | st.integers(1, 20))
    top_p = data.draw(st.none() | st.floats(0.015625, 1, width=32))

    got = np.asarray(
        filter_jit(
            np.array(logits, np.float32),
            temperature=np.float32(temperature),
            top_k=None if top_k is None else np.int32(top_k),
            top_p=None if top_p is None else np.float32(top_p),
        )
    )
    finite = np.array(logits) > -math.inf
    # A sum in float32 may cross p one symbol early or late where it all but touches p.
    low, high = (
        oracle.filter_logits(
            logits,
            temperature=temperature,
            top_k=top_k,
            top_p=None if top_p is None else min(top_p + slack, 1.0),
        )
        for slack in (-1e-5, 1e-5)
    )
    support = got > -np.inf
    assert not np.isnan(got).any()
    assert got.max() == 0
    assert kept(low) <= kept(got) <= kept(high)
    if top_k is not None and top_p is None and temperature > 0:
        assert support.sum() == min(top_k, finite.sum())
    if kept(got) == kept(high):
        normalized = got.astype(np.float64) - np.log(np.exp(got.astype(np.float64)).sum())
        np.testing.assert_allclose(normalized[support], high[support], rtol=1e-5, atol=1e-5)


def test_top_k_keeps_exactly_k_of_equals_the_lower_ids():
    logits = [1.0, 3.0, 2.0, 2.0, 2.0, 0.0]
    for k, expected in enumerate([{1}, {1, 2}, {1, 2, 3}, {1, 2, 3, 4}, {0, 1, 2, 3, 4}], start=1):
        assert keeps(logits, temperature=0.7, top_k=k) == expected
    assert keeps([0.0] * 6, top_k=4) == {0, 1, 2, 3}
    assert keeps(logits, top_k=100) == set(range(6))


def test_top_k_is_not_blurred_by_the_division():
    assert keeps([1.0, 1.0 + 2**-23, 1.0], temperature=1e30, top_k=1) == {1}


def test_nucleus_keeps_the_symbol_that_crosses():
    for top_p, size in [(1e-30, 1), (0.125, 1), (0.126, 2), (0.5, 4), (0.51, 5), (1.0, 8)]:
        assert keeps([0.0] * 8, top_p=top_p) == set(range(size))
    logits = np.log([0.1, 0.6, 0.3])
    assert keeps(logits, top_p=0.59) == {1}
    assert keeps(logits, top_p=0.61) == {1, 2}
    assert keeps(logits, top_p=0.91) == {0, 1, 2}


def test_nucleus_comes_after_temperature_and_top_k():
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    assert keeps(logits, top_p=0.55) == {0, 1}
    assert keeps(logits, temperature=0.1, top_p=0.55) == {0}
    # Within the top two the first has 4/7.
    assert keeps(logits, top_k=2, top_p=0.55) == {0}


def test_top_p_one_keeps_the_faintest_symbol_of_a_large_vocabulary():
    logits = np.linspace(0.0, -60.0, 1000)
    assert len(kept(filter_jit(logits, temperature=1.0, top_p=1.0))) == 1000


def test_temperature_zero_is_argmax_whatever_the_filters():
    logits = jnp.array([[0.0, 2.0, 2.0, -jnp.inf], [-3.0, -4.0, -5.0, -1.0]])
    for filters in ({}, {"top_k": 3, "top_p": 0.9}):
        for temperature in (0.0, 1e-42):
            got = np.asarray(filter_jit(logits, temperature=temperature, **filters))
            np.testing.assert_array_equal(np.argmax(got, -1), [1, 3])
            assert (got.max(-1) == 0).all()
            assert (np.isneginf(got).sum(-1) == 3).all()


def test_a_tiny_temperature_gives_no_nan():
    got = np.asarray(filter_jit(jnp.array([5.0, 1e4, -1e4]), temperature=1e-37, top_p=0.9))
    np.testing.assert_array_equal(got, [-np.inf, 0.0, -np.inf])


def test_temperature_divides_the_logits():
    logits = np.random.default_rng(3).normal(size=(2, 3, 9)).astype(np.float32)
    got = jax.nn.softmax(filter_jit(logits, temperature=2.5))
    np.testing.assert_allclose(got, jax.nn.softmax(logits / 2.5), rtol=1e-5)


def test_settings_may_differ_by_row():
    logits = jnp.log(jnp.array([[0.4, 0.3, 0.2, 0.1]] * 3))
    got = filter_jit(
        logits,
        temperature=jnp.array([0.0, 1.0, 1.0]),
        top_k=jnp.array([4, 3, 4]),
        top_p=jnp.array([1.0, 1.0, 0.5]),
    )
    assert [kept(row) for row in got] == [{0}, {0, 1, 2}, {0, 1}]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_filtered_in_float32(dtype):
    logits = jnp.array([1.0, 1.0, 0.5, -2.0], dtype)
    got = filter_jit(logits, temperature=1.0, top_k=3, top_p=0.99)
    assert got.dtype == jnp.float32
    assert kept(got) == {0, 1, 2}


def test_float64_is_filtered_in_float64():
    with jax.enable_x64(True):
        logits = jnp.array([1.0, 1.0 + 1e-12, -0.0, 0.0, -1.0, -1.0 - 1e-12])
        assert logits.dtype == jnp.float64
        for k, expected in enumerate([{1}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4}], 1):
            assert kept(filter_jit(logits, temperature=1.0, top_k=k)) == expected


def test_nothing_is_sorted_unless_asked():
    def sorts(**filters):
        filters = {name: jnp.asarray(value) for name, value in filters.items()}
        function = jax.jit(lambda x, f: filter_logits(x, temperature=1.0, **f))
        return function.lower(jnp.zeros((2, 7000)), filters).as_text().count("stablehlo.sort")

    assert [sorts(), sorts(top_k=5), sorts(top_p=0.9), sorts(top_k=5, top_p=0.9)] == [0, 1, 1, 1]


def test_sensible_settings_pass():
    validate()
    validate(temperature=0, top_k=np.int64(1), top_p=1, max_length=np.int32(1))
    validate(temperature=jnp.float32(1), top_k=jnp.int32(1), top_p=jnp.float32(1))


@pytest.mark.parametrize("size", [1, 129, 7038])
def test_no_random_number_leads_to_a_symbol_without_mass(size):
    generator = np.random.default_rng(size)
    mass = generator.exponential(size=size).astype(np.float32) ** 6
    mass[generator.random(size) < 0.7] = 0
    mass[size // 2] = 1e-30  # and it may be next to nothing
    uniform = np.concatenate([[0, np.nextafter(np.float32(1), 0)], generator.random(4000)])
    ids = jax.jit(jax.vmap(draw, (None, 0)))(mass, uniform.astype(np.float32))
    assert (mass[np.asarray(ids)] > 0).all()
    exact = np.searchsorted(np.cumsum(mass, dtype=np.float64) / mass.sum(dtype=np.float64), uniform)
    assert (exact[1:] != np.asarray(ids)[1:]).mean() < 0.01  # rounding, at the edges
