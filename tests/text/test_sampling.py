import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import sampling as oracle

from lstm_jax.text.filters import validate
from lstm_jax.text.sampling import Decoding, decode, prefill, sample

EOS = 1
VOCABULARY = 7


def bigram_step(table, state, ids):
    return state + 1, table[ids]


def rnn_step(params, state, ids):
    h = jnp.tanh(params["embedding"][ids] + state["h"] @ params["recurrent"])
    return {"h": h, "last": ids}, h @ params["output"] + params["bias"]


def bigram(batch, seed=0, vocabulary=VOCABULARY):
    table = np.random.default_rng(seed).normal(size=(vocabulary, vocabulary)).astype(np.float32)
    return jnp.asarray(table), jnp.zeros((batch,), jnp.int32)


def rnn(batch, hidden=5):
    rng = np.random.default_rng(1)
    params = {
        "embedding": rng.normal(size=(VOCABULARY, hidden)).astype(np.float32),
        "recurrent": rng.normal(size=(hidden, hidden)).astype(np.float32),
        "output": rng.normal(size=(hidden, VOCABULARY)).astype(np.float32),
        "bias": np.where(np.arange(VOCABULARY) == EOS, -2, 0).astype(np.float32),
    }
    state = {"h": jnp.zeros((batch, hidden)), "last": jnp.zeros((batch,), jnp.int32)}
    return jax.tree.map(jnp.asarray, params), state


def prompts(batch, length=4, seed=2):
    rng = np.random.default_rng(seed)
    ids = rng.integers(2, VOCABULARY, size=(batch, length)).astype(np.int32)
    return ids, rng.integers(1, length + 1, size=batch).astype(np.int32)


# --- drawing -------------------------------------------------------------------------------------
# Compiling is what these tests take their time for: most share one shape, of 4 rows and 8 steps,
# and those that compare draws with draws, or with no figures at all, do without optimization.


@pytest.fixture
def unoptimized():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


quick = pytest.mark.usefixtures("unoptimized")


def sample_rnn(rows=4, seed=4, **settings):
    settings = {"key": jax.random.key(seed), "max_length": 8, "eos_id": EOS} | settings
    ids, lengths = prompts(4)
    return sample(rnn_step, *rnn(rows), ids[:rows], lengths[:rows], **settings)


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.6}, {"temperature": 1.5, "top_k": 6, "top_p": 0.8}],
    ids=str,
)
def test_two_symbols_have_their_exact_joint_distribution(settings):
    rows, begin = 8192, 0
    table, state = bigram(rows)
    ids = sample(
        bigram_step,
        table,
        state,
        np.full((rows, 1), begin),
        np.ones(rows, np.int32),
        key=jax.random.key(0),
        max_length=2,
        eos_id=EOS,
        **settings,
    )
    table = np.asarray(table)
    expected = np.zeros((VOCABULARY, VOCABULARY))
    oracle_settings = {"temperature": 1.0} | settings
    first = np.exp(oracle.filter_logits(table[begin], **oracle_settings))
    for v in range(VOCABULARY):
        row = np.exp(oracle.filter_logits(table[v], **oracle_settings))
        expected[v] = first[v] * (np.eye(VOCABULARY)[EOS] if v == EOS else row)
    observed = np.zeros_like(expected)
    np.add.at(observed, tuple(np.asarray(ids).T), 1)

    possible = expected > 0
    assert observed[~possible].sum() == 0
    common = expected * rows >= 5
    statistic = ((observed - rows * expected)[common] ** 2 / (rows * expected[common])).sum()
    # Wilson and Hilferty 1931: the cube root of chi-square over its degrees is nearly normal.
    degrees = common.sum() - 1
    spread = 2 / (9 * degrees)
    assert (np.cbrt(statistic / degrees) - (1 - spread)) / np.sqrt(spread) < 3.1


def test_symbols_of_many_blocks_have_their_frequencies():
    rows, weights = 8192, np.full(300, -np.inf, np.float32)
    possible = np.array([5, 127, 128, 260])  # two of one block, a block of none, a last part of one
    weights[possible] = np.log([0.1, 0.4, 0.3, 0.2])

    def step(params, state, ids):
        return state, jnp.broadcast_to(params, (len(ids), 300))

    ones = np.ones(rows, np.int32)
    ids = sample(
        step, weights, ones, ones[:, None], ones, key=jax.random.key(0), max_length=1, eos_id=-1
    )
    found, counts = np.unique(ids, return_counts=True)
    assert found.tolist() == possible.tolist()
    np.testing.assert_allclose(counts / rows, [0.1, 0.4, 0.3, 0.2], atol=4 * (0.25 / rows) ** 0.5)


@quick
def test_temperature_zero_follows_the_argmax():
    params, state = rnn(4)
    ids, lengths = prompts(4)
    got = sample_rnn(temperature=0).tolist()
    for row in range(4):
        one = jax.tree.map(lambda leaf: leaf[:1], state)
        for symbol in ids[row, : lengths[row]]:
            one, logits = rnn_step(params, one, np.array([symbol]))
        expected = []
        while len(expected) < 8 and EOS not in expected:
            expected.append(int(np.argmax(logits)))
            one, logits = rnn_step(params, one, np.array(expected[-1:]))
        assert got[row] == expected + [EOS] * (8 - len(expected))


def test_prefill_reads_each_prompt_to_its_end_and_no_further():
    params, state = rnn(4)
    ids, _ = prompts(4)
    lengths = np.array([1, 2, 3, 4], np.int32)
    got = prefill(rnn_step, params, state, ids, lengths)
    assert isinstance(got, Decoding)
    assert got.position.tolist() == [0] * 4
    assert got.done.tolist() == [False] * 4
    expected_state = state
    for t in range(4):
        expected_state, logits = rnn_step(params, expected_state, ids[:, t])
        np.testing.assert_allclose(got.logits[t], logits[t], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got.state["h"][t], expected_state["h"][t], rtol=1e-5, atol=1e-6)
        assert got.state["last"][t] == ids[t, t]


def test_padding_does_not_reach_a_row():
    params, state = rnn(4)
    # Symbol 0 poisons the state: only padding holds it.
    params["embedding"] = params["embedding"].at[0].set(jnp.nan)
    ids, _ = prompts(4)
    lengths = np.array([1, 2, 4, 3], np.int32)
    clean = prefill(rnn_step, params, state, ids, lengths)
    inside = np.arange(4) < lengths[:, None]
    poisoned = prefill(rnn_step, params, state, np.where(inside, ids, 0), lengths)
    wider = prefill(rnn_step, params, state, np.pad(ids, ((0, 0), (0, 3))), lengths)
    jax.tree.map(np.testing.assert_array_equal, clean, poisoned)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), clean, wider)
    assert np.isfinite(clean.logits).all()


@quick
def test_a_row_does_not_depend_on_the_number_of_rows():
    for temperature in (0.5, 1.0, 3.0):
        few, many = (sample_rnn(rows, temperature=temperature) for rows in (2, 4))
        np.testing.assert_array_equal(few, many[:2])


@quick
def test_equal_prompts_give_unlike_rows():
    got = sample(
        rnn_step, *rnn(4), np.full((4, 4), 2), np.full(4, 3, np.int32), key=jax.random.key(0),
        max_length=8, eos_id=EOS, temperature=3.0,
    )  # fmt: skip
    assert len({tuple(row) for row in got.tolist()}) == 4


@quick
def test_decoding_in_chunks_draws_what_one_call_draws():
    params, state = rnn(4)
    settings = {"key": jax.random.key(5), "eos_id": EOS, "temperature": np.float32(0.9)}
    start = prefill(rnn_step, params, state, *prompts(4))
    end, whole = decode(rnn_step, params, start, num_steps=16, **settings)
    middle, first = decode(rnn_step, params, start, num_steps=8, **settings)
    chunked_end, second = decode(rnn_step, params, middle, num_steps=8, **settings)
    np.testing.assert_array_equal(whole, np.concatenate([first, second], axis=1))
    np.testing.assert_array_equal(end.position, chunked_end.position)
    np.testing.assert_array_equal(end.done, chunked_end.done)
    np.testing.assert_allclose(end.logits, chunked_end.logits, rtol=1e-5, atol=1e-6)
    assert whole.dtype == jnp.int32
    assert whole.shape == (4, 16)
    assert middle.done.any()
    assert not middle.done.all()


@quick
def test_a_row_stops_at_eos():
    # 2 -> 3 -> eos; 4 -> 4 for ever.
    table = np.full((VOCABULARY, VOCABULARY), -np.inf, np.float32)
    table[[2, 3, 4, EOS], [3, EOS, 4, 2]] = 0.0
    start = prefill(
        bigram_step, table, np.zeros(3, np.int32), np.array([[2], [3], [4]]), np.ones(3, np.int32)
    )
    end, ids = decode(
        bigram_step, table, start, key=jax.random.key(0), num_steps=4, eos_id=EOS,
        temperature=np.float32(1),
    )  # fmt: skip
    assert ids.tolist() == [[3, EOS, EOS, EOS], [EOS] * 4, [4] * 4]
    assert end.done.tolist() == [True, True, False]
    assert end.position.tolist() == [2, 1, 4]
    assert end.state.tolist() == [2, 1, 5]  # steps taken: the prompt's, and none for eos


@quick
def test_new_settings_do_not_recompile():
    traces = []

    def step(table, state, ids):
        traces.append(1)
        return bigram_step(table, state, ids)

    table, state = bigram(2)

    def run(**settings):
        key = jax.random.key(len(traces))
        before = len(traces)
        sample(step, table, state, *prompts(2), key=key, max_length=3, eos_id=EOS, **settings)
        return len(traces) - before

    assert run() > 0
    assert not any(run(temperature=t) for t in (0, 0.5, 1, 2.0, np.float64(0.3), np.int64(1)))
    assert run(top_k=3, top_p=0.5) > 0
    assert not any(run(top_k=k, top_p=p) for k, p in ((1, 1), (np.int64(5), 0.9), (10**12, 0.1)))


@quick
def test_works_under_an_outer_jit_and_vmap():
    def run(key, temperature):
        return sample_rnn(key=key, temperature=temperature)

    keys = jax.random.split(jax.random.key(6), 3)
    temperatures = np.array([0.0, 0.7, 1.3], np.float32)
    each = [run(*pair) for pair in zip(keys, temperatures, strict=True)]
    np.testing.assert_array_equal(jax.jit(jax.vmap(run))(keys, temperatures), np.stack(each))


@quick
def test_rows_may_be_split_over_an_explicit_mesh():
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Explicit,))

    def step(table, state, ids):
        return state + 1, table.at[ids].get(out_sharding=jax.P("data", None))

    table, state = bigram(3)
    settings = {"key": jax.random.key(7), "max_length": 4, "eos_id": EOS}
    expected = sample(bigram_step, table, state, *prompts(3), **settings)
    with jax.set_mesh(mesh):
        rows = [jax.device_put(x, jax.P("data")) for x in (state, *prompts(3))]
        table = jax.device_put(table, jax.P())
        got = sample(step, table, *rows, **settings, top_k=VOCABULARY, top_p=1)  # which keep all
    assert jax.typeof(got).sharding.spec == jax.P("data", None)
    np.testing.assert_array_equal(got, expected)


def test_lowers_for_accelerators():
    params, state = rnn(3)

    def run(params, state, ids, lengths, key):
        return sample(
            rnn_step, params, state, ids, lengths, key=jax.random.wrap_key_data(key), max_length=5,
            eos_id=EOS, top_k=4, top_p=0.9,
        )  # fmt: skip

    jax.export.export(jax.jit(run), platforms=["tpu", "cuda"])(
        params, state, *prompts(3), jax.random.key_data(jax.random.key(0))
    )


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(
            ({"temperature": t}, "temperature must be")
            for t in (-0.1, math.nan, math.inf, "1", None)
        ),
        *(({"top_k": k}, "top_k must be an int") for k in (0, -3, 2.0, True, "4")),
        *(({"top_p": p}, r"top_p must be .* \(0, 1\]") for p in (0, -0.5, 1.01, math.nan, "1")),
        *(({"max_length": n}, "max_length must be an int") for n in (0, -1, 2.5, None, True)),
    ],
    ids=str,
)
def test_senseless_settings_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        validate(**settings)
    assert "\n" not in str(error.value)
    assert repr(next(iter(settings.values()))) in str(error.value)
    table, state = bigram(2)
    arguments = {"key": jax.random.key(0), "eos_id": EOS, "max_length": 2} | settings
    with pytest.raises(ValueError, match=message):
        sample(bigram_step, table, state, *prompts(2), **arguments)


@pytest.mark.parametrize(
    ("ids", "lengths", "rows", "message"),
    [
        (np.zeros(2, int), np.ones(2, int), 2, r"prompt_ids must be \(B, P\)"),
        (np.zeros((2, 0), int), np.ones(2, int), 2, r"prompt_ids must be \(B, P\)"),
        (np.zeros((2, 3), np.float32), np.ones(2, int), 2, "prompt_ids must be integers"),
        (np.zeros((2, 3), int), np.ones(3, int), 2, r"prompt_lengths must be \(B,\)"),
        (np.zeros((2, 3), int), np.ones(2, int), 3, "state must have the leading axis B = 2"),
    ],
)
def test_shapes_that_do_not_agree_are_named(ids, lengths, rows, message):
    table, state = bigram(rows)
    with pytest.raises(ValueError, match=message):
        prefill(bigram_step, table, state, ids, lengths)
