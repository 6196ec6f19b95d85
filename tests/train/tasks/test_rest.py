"""The fixed points of networks that hold three bits: known ones, and those of a trained network."""

import io
import json
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console

import lstm_jax as lj
from lstm_jax.configs.flipflop import config as recipe
from lstm_jax.models import storage
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.train import loop, problems
from lstm_jax.train.data import memory
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.rest import corners, describe, figures, find_rest, kinds
from lstm_jax.train.tasks.memory.task import MemoryTask

CONFIG = MemoryConfig(
    problem="flipflop", steps=20, model=SequenceModelConfig(cell="rnn", hidden_features=3)
)
CUBE = {0: 8, 1: 12, 2: 6, 3: 1}
ROOT = 0.9575040240772687  # of h = tanh(2 h)


@pytest.fixture(scope="module")
def three_bits():
    """A tanh RNN of three units that do not see each other, h = tanh(2 h + 3 x); it reads out h."""
    model = SequenceModel(3, 3, CONFIG.model, rngs=nnx.Rngs(0))
    eye, zero = jnp.eye(3), jnp.zeros(3)
    model.recurrent.params = (lj.RNNParams(3 * eye, 2 * eye, zero),)
    model.output_kernel[...], model.output_bias[...] = eye, zero
    return model


@pytest.fixture(scope="module")
def rest(three_bits):
    return find_rest(three_bits, memory.flipflop(np.random.default_rng(0), 16, 20).inputs)


def test_three_independent_units_rest_at_the_cube(rest):
    assert kinds(rest.points) == CUBE
    h = np.asarray(rest.points.states.h)
    unstable = np.asarray(rest.points.unstable)
    np.testing.assert_array_equal(unstable, np.sort(unstable))
    np.testing.assert_array_equal((np.abs(h) < 1e-4).sum(1), unstable)
    np.testing.assert_allclose(np.abs(h[unstable == 0]), ROOT, atol=1e-5)
    np.testing.assert_allclose(rest.outputs, h, atol=1e-6)
    assert corners(rest) == 8
    assert rest.trajectories.shape == (16, 20, 3)


def test_what_is_found_is_said(rest):
    assert figures(rest) == {"stable": 8, "corners": 8, "saddles": {"1": 12, "2": 6, "3": 1}}
    assert describe(rest) == (
        "fixed points: 8 stable, at 8 of the 8 values of the bits; 19 saddles, "
        "12 with 1, 6 with 2, 1 with 3 unstable directions"
    )


def test_a_network_that_forgets_rests_at_one_point(three_bits):
    forgets = nnx.clone(three_bits)
    forgets.recurrent.params = (lj.RNNParams(3 * jnp.eye(3), jnp.eye(3) / 2, jnp.zeros(3)),)
    found = find_rest(forgets, memory.flipflop(np.random.default_rng(0), 4, 20).inputs)
    assert kinds(found.points) == {0: 1}
    assert describe(found).endswith("1 stable, at 1 of the 8 values of the bits")


def save(model, config, folder):
    card = {"data": config.problem, "config": problems.to_dict(config)}
    MemoryTask(config).save(model, folder, card)
    return str(folder)


def test_evaluate_counts_and_draws_them(three_bits, tmp_path):
    pytest.importorskip("matplotlib")
    folder = save(three_bits, CONFIG, tmp_path / "run")
    found, said = measure(EvaluateOptions(folder, plot=True))
    assert (found["on"], found["stable"], found["corners"]) == ("flipflop test", 8, 8)
    assert json.loads(json.dumps(found))["saddles"] == {"1": 12, "2": 6, "3": 1}
    judged, points = said.split("\n")
    assert judged.endswith("fixed_points.png")
    assert points.startswith("fixed points: 8 stable")
    picture = (tmp_path / "run" / "fixed_points.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_another_puzzle_has_no_picture(tmp_path):
    config = MemoryConfig(problem="adding", steps=24)
    folder = save(MemoryTask(config).model(nnx.Rngs(0)), config, tmp_path / "run")
    with pytest.raises(storage.ModelError, match=r"--plot needs a run of flipflop .* got adding"):
        measure(EvaluateOptions(folder, plot=True))


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_recipe_rests_at_the_eight_values_of_three_bits(cell, tmp_path):
    config = replace(recipe, model=replace(recipe.model, cell=cell))
    folder = tmp_path / "run"
    loop.prepare(folder, config, resume=False, overwrite=False)
    loop.train(config, folder, console=Console(file=io.StringIO()))
    found, _ = measure(EvaluateOptions(str(folder)))
    assert found["wrong"] == 0
    assert (found["stable"], found["corners"]) == (8, 8)
    assert found["saddles"]["1"] == 12
