"""The health describes the update that was made, and its adjoint follows the chain rule."""

import io
import json
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracles import adjoints
from oracles.cells import as_params
from rich.console import Console
from rich.progress import Progress

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.data.text import pack
from lstm_jax.train.run import meter
from lstm_jax.train.run.health import figures, make_health, perturb
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import StepMetrics, make_update
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import MemoryTask
from lstm_jax.train.tasks.text.task import window_loss

V, ROWS, LENGTH = 7, 3, 6
OPTIMIZER = OptimizerConfig(learning_rate=0.05, warmup_steps=0, weight_decay=0.3, clip_norm=0.3)


@pytest.fixture(scope="module")
def text():
    """Return a model with dropout, a window in which texts begin, and a carried state."""
    config = CharLMConfig(4, 5, 2, embedding_dropout=0.1, layer_dropout=0.2, output_dropout=0.3)
    model = CharLM(V, config, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(1)
    texts = [rng.integers(2, V, size).astype(np.int32) for size in (9, 2, 3, 4, 8)]
    windows = pack(texts, rows=ROWS, length=LENGTH, end_id=0).windows()
    optimizer, _ = make_optimizer(OPTIMIZER, 10)
    update = make_update(window_loss, model, optimizer, 0)
    state, _ = update(make_state(model, optimizer, model.initial_state(ROWS)), windows[0])
    health = make_health(
        window_loss, model, optimizer, 0,
        initial_state=CharLM.initial_state, clip_norm=OPTIMIZER.clip_norm,
    )  # fmt: skip
    return SimpleNamespace(window=windows[1], state=state, update=update, health=health)


def test_the_figures_are_those_of_the_update_that_is_made(text):
    found = text.health(text.state, text.window).update
    before = nnx.to_pure_dict(jax.tree.map(np.array, text.state.params))
    state, metrics = text.update(jax.tree.map(jnp.copy, text.state), text.window)
    np.testing.assert_allclose(found.grad_norm, metrics.grad_norm, rtol=1e-6)
    assert bool(found.clipped) == bool(metrics.grad_norm > OPTIMIZER.clip_norm)
    after = nnx.to_pure_dict(jax.tree.map(np.array, state.params))
    assert set(found.update_ratios) == set(before)
    for name, ratio in [*found.update_ratios.items(), (None, found.update_ratio)]:
        old, new = (jax.tree.leaves(t if name is None else t[name]) for t in (before, after))
        moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(new, old, strict=True)))
        expected = moved / np.sqrt(sum((a**2).sum() for a in old))
        np.testing.assert_allclose(ratio, expected, rtol=1e-4)
    assert found.nonfinite == 0


def test_the_state_is_not_donated(text):
    text.health(text.state, text.window)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(text.state))


def test_the_adjoint_of_a_language_model_is_the_chain_rule_by_hand(text):
    found = text.health(text.state, text.window).adjoint
    params = nnx.to_pure_dict(jax.tree.map(lambda a: np.asarray(a, np.float64), text.state.params))
    layers = [params["lstm"]["layers"][i] for i in range(2)]
    # Forwards, without dropout, time-major.
    inputs, targets, resets, weights = (np.asarray(a).T for a in text.window[:4])
    assert resets[1:].any()
    assert not resets.all(axis=1).any()
    xs, kept = params["embedding"][inputs], []
    for layer, state in zip(layers, text.state.carry, strict=True):
        assert np.asarray(state.c).any(), "a state must be carried into the window"
        xs, one = adjoints.forward(layer, xs, state, resets)
        kept.append(one)
    logits = xs @ params["projection"] @ params["embedding"].T + params["output_bias"]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    # Backwards, from the mean over the window's symbols.
    dlogits = (p - np.eye(V)[targets]) * weights[..., None] / weights.sum()
    dhs = dlogits @ params["embedding"] @ params["projection"].T
    for index in (1, 0):
        expected_h, expected_c, dhs = adjoints.backward(layers[index], kept[index], dhs, resets)
        assert found[index].h.shape == (LENGTH + 1,)
        for norms, adjoint in ((found[index].h, expected_h), (found[index].c, expected_c)):
            np.testing.assert_allclose(norms, adjoints.norms_by_lag(adjoint), rtol=2e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_stand_in_gives_what_the_layers_give(cell):
    config = SequenceModelConfig(cell=cell, hidden_features=4, num_layers=2)
    model = SequenceModel(3, 2, config, rngs=nnx.Rngs(0))
    xs = jax.random.normal(jax.random.key(0), (2, 5, 3))
    options = {"lengths": jnp.array([5, 3]), "resets": jnp.zeros((2, 5), bool).at[0, 2].set(True)}
    state = jax.tree.map(lambda s: s + 0.5, model.initial_state(2))
    zeros = jax.tree.map(lambda s: jnp.zeros((6, *s.shape)), state)
    expected = jax.jit(lambda: model(xs, state, **options))()
    found = jax.jit(lambda: perturb(nnx.clone(model), zeros)(xs, state, **options))()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_adjoint_of_a_memory_task_comes_from_its_end():
    config = MemoryConfig(steps=24, batch=2, model=SequenceModelConfig(hidden_features=3))
    task = MemoryTask(config)
    model, batch = task.model(nnx.Rngs(0)), task.epoch(0)[0]
    optimizer, _ = make_optimizer(config.optimizer, 10)
    health = make_health(
        task.loss, model, optimizer, 0, initial_state=task.initial_state, clip_norm=1.0
    )
    [found] = health(make_state(model, optimizer, ()), batch).adjoint
    params = as_params(model.recurrent.params[0])
    xs = np.swapaxes(batch.inputs, 0, 1).astype(np.float64)
    hs, kept = adjoints.forward(params, xs, model.initial_state(2)[0], np.zeros(xs.shape[:2], bool))
    dhs = np.zeros_like(hs)
    kernel, bias = np.asarray(model.output_kernel[...]), np.asarray(model.output_bias[...])
    for row, (length, target) in enumerate(zip(batch.lengths, batch.targets, strict=True)):
        y = hs[length - 1, row] @ kernel + bias
        dhs[length - 1, row] = 2 * (y - target) / 2 @ kernel.T
    expected = adjoints.backward(params, kept, dhs, np.zeros(xs.shape[:2], bool))
    for norms, adjoint in zip(found, expected[:2], strict=True):
        np.testing.assert_allclose(norms, adjoints.norms_by_lag(adjoint), rtol=1e-4, atol=1e-9)


def test_the_line_is_json_to_five_digits(text):
    health = text.health(text.state, text.window)
    line = json.loads(json.dumps(figures(health)))
    assert set(line) == {
        "grad_norm", "clipped", "nonfinite", "update_ratio", "update_ratios", "adjoint"
    }  # fmt: skip
    assert line["grad_norm"] == pytest.approx(float(health.update.grad_norm), rel=1e-4)
    assert line["clipped"] is bool(health.update.clipped)
    assert [set(layer) for layer in line["adjoint"]] == [{"h", "c"}] * 2
    assert line["adjoint"][1]["c"] == pytest.approx(health.adjoint[1].c.tolist(), rel=1e-4)


# The log


@pytest.fixture
def watched(tmp_path):
    """Return a meter of a made-up run, and its output."""
    said = io.StringIO()
    console = Console(file=said, width=200)
    progress = Progress(console=console, disable=True)
    made = meter.Meter(
        tmp_path, MemoryTask(MemoryConfig()), lambda step: 0.1,
        clip_norm=1.0, held={}, console=console, progress=progress, bar=progress.add_task(""),
    )  # fmt: skip
    return made, said


def step_of(norm):
    return StepMetrics(
        jnp.float32(6.0), jnp.float32(3.0), jnp.float32(norm), jnp.bool(math.isfinite(norm))
    )


def test_steps_that_are_not_finite_are_told_and_left_out_of_the_means(watched, tmp_path):
    made, said = watched
    for step, norm in enumerate([1.0, math.nan, 2.0, math.inf], 1):
        made.add(step, step_of(norm), None, flush=False)
    made.flush()
    assert said.getvalue().startswith("step 2: the loss or its gradient is not finite")
    [line] = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert (line["loss"], line["grad_norm"], line["skipped_steps"]) == (2.0, 1.5, 2)


def test_the_share_of_clipped_steps_is_counted_from_line_to_line(watched, text, tmp_path):
    made, _ = watched
    health = text.health(text.state, text.window)
    for step, norm in enumerate([0.5, 1.5, 1.0, 3.0, 2.0, 4.0], 1):
        made.add(step, step_of(norm), health if step in (4, 6) else None, flush=False)
    made.flush()
    lines = [json.loads(line) for line in (tmp_path / "health.jsonl").read_text().splitlines()]
    assert [(line["step"], line["clipped_share"]) for line in lines] == [(4, 0.5), (6, 1.0)]
