"""Writing with packed weights: the same logits and texts as by the network's own step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.engines import native
from lstm_jax.engines.native import library
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text import steps
from lstm_jax.text.language import LanguageModel

VOCABULARY = Vocabulary(tuple("abcdefghij"))
UNKNOWN = VOCABULARY.unknown_id


@pytest.fixture(scope="module", autouse=True)
def built():
    """The compiled kernels; where they cannot be compiled, these tests are skipped and say why."""
    try:
        return native.build()
    except native.NativeError as error:
        pytest.skip(str(error))


def network(seed=0, **others):
    config = CharLMConfig(6, 21, 2, **others)
    made = CharLM(len(VOCABULARY), config, rngs=nnx.Rngs(seed))
    rng = np.random.default_rng(seed)
    made.output_bias[...] = jnp.asarray(rng.normal(size=len(VOCABULARY)), jnp.float32)
    return made


def rounded(made):
    """The same, with weights that float16 holds exactly."""
    halves = jax.tree.map(lambda a: a.astype(jnp.float16).astype(jnp.float32), nnx.state(made))
    nnx.update(made, halves)
    return made


def run(next_logits, params, state, steps=4):
    found, rows = [], state[0].h.shape[0]
    for step in range(steps):
        state, logits = next_logits(params, state, (jnp.arange(rows) + step) % len(VOCABULARY))
        found.append(logits)
    return state, found


@pytest.mark.parametrize(("rows", "half"), [(1, False), (3, True), (64, False), (64, True)])
def test_it_is_the_networks_own_step(rows, half):
    made = rounded(network()) if half else network()
    state = made.initial_state(rows)
    writer = steps.writer(made, UNKNOWN, state)
    assert writer.params.output.panels.dtype == (jnp.float16 if half else jnp.float32)
    graph, params = nnx.split(made)
    found = run(*writer, state)
    wanted = run(steps.next_logits(graph, UNKNOWN), params, state)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # -inf is -inf in both


def test_weights_are_packed_once_and_anew_when_they_change():
    made = network()
    state = made.initial_state(2)
    before = steps.writer(made, UNKNOWN, state)
    again = steps.writer(made, UNKNOWN, made.initial_state(5))
    assert again.params is before.params
    made.projection[...] = 2 * made.projection[...]
    after = steps.writer(made, UNKNOWN, state)
    assert after.next_logits is before.next_logits  # nothing is compiled again
    np.testing.assert_allclose(
        after.params.projection.panels, 2 * before.params.projection.panels, rtol=1e-6
    )


def test_texts_are_those_of_the_networks_own_step(monkeypatch):
    model = LanguageModel(network(), VOCABULARY, {})

    def written():
        options = {"num": 5, "seed": 3, "max_length": 20}
        return model.generate(["a", "bc"], **options), model.next_characters("ab")

    texts, characters = written()
    monkeypatch.setenv(library.VARIABLE, "0")
    library.forget()
    try:
        own, own_characters = written()
        assert isinstance(steps.writer(model.network, 1, model.network.initial_state(1)).params,
                          nnx.State)  # fmt: skip
    finally:
        monkeypatch.undo()
        library.forget()
    assert texts == own
    assert characters == pytest.approx(own_characters, rel=1e-5)


def half_precision():
    made = network()
    nnx.update(made, jax.tree.map(lambda a: a.astype(jnp.bfloat16), nnx.state(made)))
    return made


def named_scan():
    made = network()
    made.lstm.implementation = "scan"
    return made


@pytest.mark.parametrize(
    "make", [half_precision, named_scan, lambda: network(connections="residual")],
    ids=["bfloat16", "named scan", "residual"],
)  # fmt: skip
def test_what_the_kernels_do_not_know_keeps_its_own_step(make):
    made = make()
    writer = steps.writer(made, UNKNOWN, made.initial_state(2))
    assert isinstance(writer.params, nnx.State)
