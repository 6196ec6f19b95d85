"""Noise inside a recurrence: its statistics, expectation and key; and the penalties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.regularize import dropout

pytestmark = pytest.mark.usefixtures("compile_fast")
T, B, D, H = 6, 4, 2, 50
PARAMS = make_params("lstm", D, H, dtype=np.float32)
STATE = make_state("lstm", (B,), H, dtype=np.float32)
XS = make_xs((T, B, D), dtype=np.float32)
KEY = jax.random.key(3)


def layers(noise, key, cell=None, params=PARAMS, **options):
    cell = cell or lj.lstm_cell()
    return lj.run_layers(cell, (params,), XS, noise=noise, key=key, **options)


def test_zoneout_keeps_units_at_its_rates():
    step = lj.zoneout(lj.lstm_step, lj.LSTMState(h=0.2, c=0.6))
    new = lj.lstm_step(PARAMS, STATE, XS[0])
    kept = {"h": 0, "c": 0}
    for seed in range(20):
        mixed = step(PARAMS, STATE, (XS[0], jax.random.key(seed)))
        for name in kept:
            old, fresh, found = (np.asarray(getattr(s, name)) for s in (STATE, new, mixed))
            is_old = found == old.astype(found.dtype)
            np.testing.assert_array_equal(found[~is_old], fresh[~is_old])
            kept[name] += is_old.mean() / 20
    assert abs(kept["h"] - 0.2) < 5 * (0.2 * 0.8 / (20 * B * H)) ** 0.5
    assert abs(kept["c"] - 0.6) < 5 * (0.6 * 0.4 / (20 * B * H)) ** 0.5


def test_without_a_key_zoneout_is_its_expectation():
    step = lj.zoneout(lj.lstm_step, 0.25)
    new = lj.lstm_step(PARAMS, STATE, XS[0])
    mixed = step(PARAMS, STATE, (XS[0], None))
    for a, old, fresh in zip(mixed, STATE, new, strict=True):
        assert_close(a, np.asarray(0.25 * old + 0.75 * fresh), 1e-6)


def test_zoneout_scans_with_a_key_for_each_step():
    step = lj.zoneout(lj.lstm_step, 0.5)
    keys = jax.random.split(KEY, T)
    lengths = np.array([6, 3, 0, 1])
    final, hs = lj.scan(step, PARAMS, (XS, keys), STATE, lengths=lengths)
    state = STATE
    for t in range(T):
        new = step(PARAMS, state, (XS[t], keys[t]))
        valid = (t < lengths)[:, None]
        state = jax.tree.map(lambda a, b, valid=valid: jnp.where(valid, a, b), new, state)
        np.testing.assert_allclose(hs[t], np.where(valid, state.h, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(final.c, state.c, rtol=1e-5, atol=1e-6)


def test_dropped_states_are_one_mask_over_time(x64):
    params, state = make_params("lstm", D, H), make_state("lstm", (B,), H)
    mask = np.asarray(dropout(KEY, jnp.ones((B, H)), 0.5))
    _, hs = lj.scan(lj.drop_state(lj.lstm_step), (params, mask), XS, state)
    for t in range(T):
        state = lj.lstm_step(params, state._replace(h=state.h * mask), XS[t])
        assert_close(hs[t], np.asarray(state.h), 1e-12)


def test_dropped_weights_are_one_mask_of_the_recurrent_kernel():
    dropped = lj.drop_weights(KEY, PARAMS, 0.4)
    zeros = np.asarray(dropped.recurrent_kernel == 0)
    assert abs(zeros.mean() - 0.4) < 5 * (0.24 / zeros.size) ** 0.5
    np.testing.assert_allclose(
        dropped.recurrent_kernel[~zeros], PARAMS.recurrent_kernel[~zeros] / 0.6, rtol=1e-6
    )
    assert dropped.input_kernel is PARAMS.input_kernel
    assert lj.drop_weights(None, PARAMS, 0.4).recurrent_kernel is PARAMS.recurrent_kernel


@pytest.mark.parametrize(
    "noise",
    [
        lj.Noise(input_dropout=0.5), lj.Noise(output_dropout=0.5), lj.Noise(state_dropout=0.5),
        lj.Noise(weight_dropout=0.5), lj.Noise(zoneout=0.5), lj.Noise(cell_zoneout=0.5),
    ],
)  # fmt: skip
def test_the_key_decides(noise):
    quiet = layers(lj.Noise(), None)[1]
    one, same, other = (layers(noise, jax.random.key(s))[1] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    assert not np.allclose(one, quiet)
    without = layers(noise, None)[1]
    if noise.zoneout or noise.cell_zoneout:
        assert not np.allclose(without, quiet)  # the expectation
    else:
        np.testing.assert_allclose(without, quiet, rtol=1e-6)
    both = lj.run_layers(lj.lstm_cell(), (lj.Directions(PARAMS, PARAMS),), XS, noise=noise,
                         key=KEY, resets=np.zeros((T, B), bool))[1]  # fmt: skip
    assert not np.allclose(both[..., :H], both[::-1, :, H:])  # each direction has its own noise


def test_penalties_by_hand(x64):
    hs = make_xs((T, B, H))
    mask = np.arange(T)[:, None] < np.array([6, 3, 1, 0])
    assert_close(lj.activation_penalty(hs), (hs**2).mean(), 1e-13)
    assert_close(lj.temporal_activation_penalty(hs), ((hs[1:] - hs[:-1]) ** 2).mean(), 1e-13)
    valid = [hs[t, b] for t in range(T) for b in range(B) if mask[t, b]]
    assert_close(lj.activation_penalty(hs, mask=mask), np.mean(np.square(valid)), 1e-13)
    steps = [hs[t, b] - hs[t - 1, b] for t in range(1, T) for b in range(B) if mask[t, b]]
    assert_close(lj.temporal_activation_penalty(hs, mask=mask), np.mean(np.square(steps)), 1e-13)
    nothing = np.zeros((T, B), bool)
    assert lj.temporal_activation_penalty(hs, mask=nothing) == 0
    assert lj.temporal_activation_penalty(hs[:1]) == 0
    gradient = jax.grad(lambda hs: lj.activation_penalty(hs, mask=mask))(hs)
    np.testing.assert_array_equal(gradient[~mask], 0)


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_rates_are_checked(rate):
    for call in (
        lambda: lj.zoneout(lj.lstm_step, rate),
        lambda: lj.drop_weights(KEY, PARAMS, rate),
    ):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
            call()


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("penalty", [lj.activation_penalty, lj.temporal_activation_penalty])
def test_penalties_accumulate_in_float32(penalty, dtype):
    """Squares, sums and counts above 65504 do not fit a float16."""
    sign = (-1.0) ** np.arange(70_000)[:, None, None]
    hs = jnp.asarray(300 * sign, dtype)
    expected = 300**2 * (1 if penalty is lj.activation_penalty else 4)
    for mask in (None, np.ones((70_000, 1), bool)):
        found = penalty(hs, mask=mask)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    gradient = jax.grad(penalty)(hs)
    assert gradient.dtype == dtype
    assert np.isfinite(np.asarray(gradient, np.float32)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("penalty", [lj.activation_penalty, lj.temporal_activation_penalty])
def test_masked_steps_reach_no_penalty_and_no_gradient(penalty, bad):
    hs = make_xs((T, B, H), dtype=np.float32)
    mask = np.arange(T)[:, None] < np.array([6, 3, 1, 0])
    mask[0, 1] = False  # with padding in front, too
    altered = np.where(mask[..., None], hs, np.float32(bad))
    of = jax.value_and_grad(lambda hs: penalty(hs, mask=mask))
    clean, found = of(np.where(mask[..., None], hs, 0)), of(altered)
    np.testing.assert_array_equal(found[0], clean[0])
    np.testing.assert_array_equal(found[1], clean[1])
    np.testing.assert_array_equal(found[1][~mask], 0)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_rate_may_be_a_numpy_number(kind):
    arguments = PARAMS, STATE, (XS[0], KEY)
    found = lj.zoneout(lj.lstm_step, kind(0.25))(*arguments)
    expected = lj.zoneout(lj.lstm_step, 0.25)(*arguments)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
