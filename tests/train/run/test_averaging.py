"""The moving average of the weights: its formula, and a run that validates and saves it."""

import io
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, OptimizerConfig
from lstm_jax.train.data import synthetic
from lstm_jax.train.problems import make_task
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.averaging import averaging
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.text.config import TextConfig

PER_EPOCH = 6
CONFIG = TextConfig(
    data="verses",
    model=CharLMConfig(embedding_features=4, hidden_features=5, num_layers=1),
    optimizer=OptimizerConfig(learning_rate=0.03, warmup_steps=3, ema=0.8),
    epochs=2,
    rows=3,
    window=24,
    min_count=1,
    log_every=2,
    checkpoint_every=2,
    health_every=0,
)


@pytest.fixture(autouse=True)
def few_verses(monkeypatch):
    verses = synthetic.verses
    monkeypatch.setattr(synthetic, "verses", lambda count, *, seed: verses(9, seed=seed))


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_is_the_weighted_mean_of_the_weights_after_each_update(decay):
    optimizer = averaging(optax.sgd(0.1, momentum=0.9), decay)
    plain = optax.sgd(0.1, momentum=0.9)
    params = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(3.0)}
    state, same = optimizer.init(params), plain.init(params)
    seen = []
    for step in range(1, 7):
        gradients = jax.tree.map(lambda p, step=step: p / step, params)
        expected, same = plain.update(gradients, same, params)
        updates, state = optimizer.update(gradients, state, params)
        jax.tree.map(np.testing.assert_array_equal, updates, expected)
        params = optax.apply_updates(params, updates)
        seen.append(jax.tree.map(np.asarray, params))
        weights = decay ** np.arange(step - 1, -1, -1.0)
        for name, found in state.average.items():
            mean = np.average([one[name] for one in seen], axis=0, weights=weights)
            np.testing.assert_allclose(found, mean, rtol=1e-5)
    assert int(state.steps) == 6


def test_before_the_first_update_it_is_the_weights_and_without_a_decay_there_is_none():
    model = make_task(CONFIG).model(nnx.Rngs(0))
    for ema, kept in ((0.8, 1), (0.0, 0)):
        optimizer, _ = make_optimizer(replace(CONFIG.optimizer, ema=ema), 12)
        state = make_state(model, optimizer, ())
        jax.tree.map(np.testing.assert_array_equal, state.judged, state.params)
        plain = make_state(model, make_optimizer(OptimizerConfig(), 12)[0], ())
        more = len(jax.tree.leaves(state)) - len(jax.tree.leaves(plain))
        assert more == kept * (1 + len(jax.tree.leaves(state.params)))


def run(folder, config=CONFIG, **options):
    given = {"resume": False, "overwrite": False, **options}
    config = loop.prepare(folder, config, **given)
    return loop.train(config, folder, console=Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    verses = synthetic.verses
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "verses", lambda count, *, seed: verses(9, seed=seed))
        run(folder)
    return folder


def loaded(folder, name="latest"):
    task = make_task(CONFIG)
    model = task.model(nnx.Rngs(0))
    optimizer, _ = make_optimizer(CONFIG.optimizer, 2 * PER_EPOCH)
    like = make_state(model, optimizer, task.carry(model))
    return task, model, *checkpoints.load(folder / "checkpoints" / name, like)


def test_a_run_validates_the_average_and_keeps_it_as_the_model(whole):
    task, model, state, facts = loaded(whole, "best")
    assert not np.allclose(state.judged["embedding"][...], state.params["embedding"][...])
    found = task.validator(model)(state.judged, int(state.step))
    assert found.loss == pytest.approx(facts["best_valid_loss"], rel=1e-6)
    assert task.validator(model)(state.params, int(state.step)).loss != found.loss
    stored = nnx.state(storage.load(whole).network, nnx.Param)
    jax.tree.map(np.testing.assert_array_equal, stored, state.judged)


def test_a_run_that_goes_on_averages_to_the_same_bits(whole, tmp_path):
    folder = tmp_path / "run"
    run(folder, replace(CONFIG, max_steps=7))
    run(folder, resume=True)
    one, two = loaded(whole)[2:], loaded(folder)[2:]
    assert one[1] == two[1]
    for a, b in zip(jax.tree.leaves(one[0]), jax.tree.leaves(two[0]), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert (whole / storage.WEIGHTS).read_bytes() == (folder / storage.WEIGHTS).read_bytes()


def test_the_average_is_part_of_the_run_even_where_the_optimizer_may_change(whole):
    other = replace(CONFIG, optimizer=replace(CONFIG.optimizer, ema=0.0, learning_rate=0.01))
    message = (
        f"the run in {whole} has optimizer.ema 0.8, not 0.0; resume it with the same "
        "configuration, or start a new run with another --out"
    )
    with pytest.raises(ConfigError) as refused:
        loop.prepare(whole, other, resume=True, overwrite=False, source="best")
    assert str(refused.value) == message
