"""A loss in bfloat16 equals the float32 loss to bfloat16's tolerance; parameters stay float32."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import made_up
import numpy as np
import pytest
from flax import nnx

from lstm_jax.configs import weather
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train import loop
from lstm_jax.train.batch import Batch
from lstm_jax.train.config import ConfigError, OptimizerConfig, check
from lstm_jax.train.data import sentiment, series, speech, synthetic
from lstm_jax.train.problems import load, make_task
from lstm_jax.train.run.health import make_health
from lstm_jax.train.run.precision import at_precision
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import make_gradient, make_update
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.text.config import TextConfig

pytestmark = pytest.mark.usefixtures("compile_fast")
H = 16
TEXT = TextConfig(data="verses", rows=4, window=12, model=CharLMConfig(8, H, 2))
CLASSIFIER = SequenceClassifierConfig(8, H)
CONFIGS = {
    "text": TEXT,
    "adding": MemoryConfig(problem="adding", steps=24, batch=8, sequences=8),
    "order, GRU": MemoryConfig(
        problem="order", steps=24, batch=8, sequences=8, model=SequenceModelConfig(cell="gru")
    ),
    "copy, RNN": MemoryConfig(
        problem="copy", steps=5, batch=8, sequences=8, model=SequenceModelConfig(cell="rnn")
    ),
    "sentiment": ClassifyConfig(
        data="sentiment", words=64, model=replace(CLASSIFIER, pooling="attention")
    ),
    "speech": SoundsConfig(data="speech", batch=8, masks=0, model=CLASSIFIER),
    "sine": SeriesConfig(data="sine", batch=8, window=10, model=ForecasterConfig(H, 2)),
    "weather": replace(
        weather.config, batch=8, window=10, season=7, model=ForecasterConfig(H, linear=4)
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def generated():
    verses = synthetic.verses
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "verses", lambda count, *, seed: verses(8, seed=seed))
        patch.setattr(sentiment, "load", made_up.sentiment_data)
        patch.setattr(speech, "load", made_up.speech_data)
        patch.setattr(series, "rows_of", made_up.series_rows)
        patch.setattr(series, "SINE_STEPS", 120)
        yield


def begun(config):
    """Return a task, its model with no parameter at zero, the state before a step, and a batch."""
    task = make_task(config)
    model = task.model(nnx.Rngs(0))
    rng = np.random.default_rng(0)
    drawn = jax.tree.map(  # readouts begin with zeros, and nothing would then reach the layers
        lambda leaf: leaf + jnp.asarray(0.2 * rng.normal(size=leaf.shape), leaf.dtype),
        nnx.state(model, nnx.Param),
    )
    nnx.update(model, drawn)
    optimizer, _ = make_optimizer(OptimizerConfig(warmup_steps=0), 10)
    carry = jax.tree.map(
        lambda leaf: leaf + jnp.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype),
        task.carry(model),
    )
    return task, model, optimizer, make_state(model, optimizer, carry), task.epoch(0)[0]


def dtypes(tree):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(tree)}


def together(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]).astype(np.float64)


def off(found, wanted):
    """Return the norm of the difference of two trees, divided by the norm of the second."""
    found, wanted = together(found), together(wanted)
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def primitives(jaxpr):
    """Yield the name and the first output of each primitive in a program, also inside loops."""
    for equation in jaxpr.eqns:
        if equation.outvars:
            yield equation.primitive.name, equation.outvars[0].aval
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from primitives(inner)


SLOW = ("adding", "sine")  # as the order and the weather, with other numbers


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CONFIGS],
)
def test_the_gradient_is_that_of_float32_to_the_tolerance_of_bfloat16(name):
    task, model, _, state, batch = begun(CONFIGS[name])
    wide, (total, count, carry) = jax.jit(make_gradient(task.loss, model, 0))(state, batch)
    gradient = jax.jit(make_gradient(at_precision(task.loss, "bfloat16"), model, 0))
    narrow, (narrow_total, narrow_count, narrow_carry) = gradient(state, batch)
    assert narrow_count == count
    np.testing.assert_allclose(narrow_total, total, rtol=0.02)
    # 8 bits of mantissa: each operation is off by up to 2^-9, and errors of many add up.
    assert 1e-4 < off(narrow, wide) < 0.04
    assert jax.tree.structure(narrow) == jax.tree.structure(wide)
    assert dtypes((narrow, narrow_total, narrow_count)) == {"float32"}
    assert jax.tree.structure(narrow_carry) == jax.tree.structure(carry)
    if name == "text":
        assert 1e-4 < off(narrow_carry, carry) < 0.02
        assert dtypes(narrow_carry) == {"float32"}


@pytest.mark.parametrize("name", CONFIGS)
def test_products_are_bfloat16_and_softmaxes_and_sums_float32(name):
    task, model, _, state, batch = begun(CONFIGS[name])
    loss = at_precision(task.loss, "bfloat16")

    def run(params):
        return loss(nnx.merge(nnx.graphdef(model), params), state.carry, batch, None)[0]

    found = list(primitives(jax.make_jaxpr(run)(state.params).jaxpr))
    assert "bfloat16" in {str(one.dtype) for name, one in found if name == "dot_general"}
    delicate = ("exp", "log", "reduce_sum", "cumsum", "square", "integer_pow")
    assert "bfloat16" not in {str(one.dtype) for name, one in found if name in delicate}


def test_the_layers_read_bfloat16_and_keep_c_in_float32():
    model = CharLM(7, CharLMConfig(4, 5, 2), rngs=nnx.Rngs(0))
    seen = {}

    def loss(model, carry, batch, key):
        state, features = model.features(batch.inputs, carry)
        seen["params"] = dtypes(nnx.state(model))
        seen["h"] = dtypes([layer.h for layer in (*carry, *state)])
        seen["c"] = dtypes([layer.c for layer in (*carry, *state)])
        seen["features"] = dtypes(features)
        return features.sum(), jnp.float32(1), state

    batch = Batch(jnp.ones((3, 6), jnp.int32), jnp.ones((3, 6), jnp.int32))
    carry = model.initial_state(3)
    *_, after = at_precision(loss, "bfloat16")(model, carry, batch, None)
    assert seen == {
        "params": {"bfloat16"}, "h": {"bfloat16"}, "c": {"float32"}, "features": {"bfloat16"}
    }  # fmt: skip
    assert dtypes(after) == {"float32"}
    assert dtypes(nnx.state(model)) == {"float32"}, "the model that was given stays what it was"
    assert model.lstm.dtype is None


def test_categories_with_large_codes_are_told_apart():
    """bfloat16 can represent 256 and 258, but not 257."""
    model = Forecaster(2, 4, 1, 1, ForecasterConfig(4), categories=(300,), rngs=nnx.Rngs(0))
    model.output_kernel[...] = jnp.ones((4, 1))

    def loss(model, carry, batch, key):
        return model(batch.inputs)[0, 0, 0], jnp.float32(1), carry

    def said(code):
        xs = jnp.stack([jnp.ones(4), jnp.full(4, float(code))], -1)[None]
        return float(at_precision(loss, "bfloat16")(model, (), Batch(xs, xs), None)[0])

    assert len({said(code) for code in (256, 257, 258)}) == 3


@pytest.mark.parametrize("name", ["text", "weather"])
def test_an_update_leaves_everything_in_float32(name):
    task, model, optimizer, state, batch = begun(CONFIGS[name])
    before = jax.tree.map(jnp.shape, state), dtypes(state.params), dtypes(state.carry)
    update = make_update(at_precision(task.loss, "bfloat16"), model, optimizer, 0)
    state, metrics = update(state, batch)
    assert (jax.tree.map(jnp.shape, state), dtypes(state.params), dtypes(state.carry)) == before
    assert dtypes(state.params) == {"float32"}
    assert dtypes(state.opt_state) == {"float32", "int32"}  # int32: the counts of steps
    assert dtypes((metrics.total, metrics.count, metrics.grad_norm)) == {"float32"}
    assert metrics.finite


def test_float32_is_the_loss_itself():
    task = make_task(TEXT)
    assert at_precision(task.loss, "float32") is task.loss


def test_health_looks_at_the_update_in_its_precision_and_at_the_states_in_float32():
    task, model, optimizer, state, batch = begun(TEXT)
    looks = {
        precision: make_health(
            task.loss, model, optimizer, 0,
            initial_state=task.initial_state, clip_norm=1.0, precision=precision, exponents=2,
        )(state, batch)
        for precision in ("float32", "bfloat16")
    }  # fmt: skip
    narrow, wide = looks["bfloat16"], looks["float32"]
    jax.tree.map(np.testing.assert_array_equal, narrow.adjoint, wide.adjoint)
    jax.tree.map(np.testing.assert_array_equal, narrow.growth, wide.growth)
    assert wide.growth.logs.shape == (2,)
    update = make_update(at_precision(task.loss, "bfloat16"), model, optimizer, 0)
    norm = update(state, batch)[1].grad_norm
    np.testing.assert_allclose(narrow.update.grad_norm, norm, rtol=1e-6)
    assert narrow.update.grad_norm != wide.update.grad_norm


# --- the run -------------------------------------------------------------------------------------


def test_a_run_does_not_go_on_in_another_precision(tmp_path):
    loop.prepare(tmp_path, TEXT, resume=False, overwrite=False)
    narrow = replace(TEXT, precision="bfloat16")
    with pytest.raises(ConfigError) as caught:
        loop.prepare(tmp_path, narrow, resume=True, overwrite=False)
    assert str(caught.value) == (
        f"the run in {tmp_path} has precision 'float32', not 'bfloat16'; resume it with the same "
        "configuration, or start a new run with another --out"
    )


def test_a_run_from_before_there_was_a_choice_is_float32(tmp_path):
    loop.prepare(tmp_path, TEXT, resume=False, overwrite=False)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values.pop("precision") == "float32"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert load(path).precision == "float32"
    loop.prepare(tmp_path, TEXT, resume=True, overwrite=False)


def test_another_precision_is_refused():
    expected = r"^--precision must be one of float32, bfloat16, got half$"
    with pytest.raises(ConfigError, match=expected):
        check(replace(TEXT, precision="half"))
