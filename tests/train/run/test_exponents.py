"""The exponents in health.jsonl are those of the model on the first sequences of the batch."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax import cli
from lstm_jax.cells import LSTMState, lstm_step
from lstm_jax.diagnostics import lyapunov_spectrum
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.recurrence import StackState, stack
from lstm_jax.train import loop, problems
from lstm_jax.train.batch import Batch
from lstm_jax.train.run.exponents import growth
from lstm_jax.train.tasks.memory.config import FlossingConfig, MemoryConfig
from lstm_jax.train.tasks.memory.task import MemoryTask
from lstm_jax.train.tasks.text.task import window_loss

BEFORE = Path(__file__).parents[2] / "before" / "memory"
K, SEQUENCES = 3, 4


def expected(layers, sequences):
    """Compute the mean exponents over the steps of (T, D) sequences of different lengths."""
    step = stack(*[lstm_step] * len(layers))
    zeros = [jnp.zeros(params.recurrent_kernel.shape[0]) for params in layers]
    start = StackState([LSTMState(zero, zero) for zero in zeros])
    spectra = [lyapunov_spectrum(step, layers, xs, start, k=K).exponents for xs in sequences]
    return np.average(spectra, axis=0, weights=[len(xs) for xs in sequences])


def until_the_end(batch):
    pairs = zip(batch.inputs[:SEQUENCES], batch.lengths, strict=False)
    return [xs[:length] for xs, length in pairs]


def health_of(folder):
    return [json.loads(line) for line in (folder / "health.jsonl").read_text().splitlines()]


def test_the_command_line_measures_the_model_before_the_update(tmp_path):
    words = "train adding --steps 24 --batch 6 --sequences 6 --epochs 1 --health-every 1"
    options = ["--health-exponents", str(K), "--out", str(tmp_path / "run")]
    model = "--model.hidden-features 3 --model.num-layers 2 --model.max-timescale None"
    with pytest.raises(SystemExit) as end:
        cli.main([*words.split(), *model.split(), *options])
    assert end.value.code == 0
    config = problems.load(tmp_path / "run" / "config.json")
    assert (config.health_exponents, config.model.num_layers) == (K, 2)
    task = MemoryTask(config)
    initial, batch = task.model(nnx.Rngs(config.seed)), task.epoch(0)[0]
    sequences = until_the_end(batch)
    assert len(batch.inputs) > SEQUENCES
    assert len({len(xs) for xs in sequences}) > 1, "some end before the others"
    [line] = health_of(tmp_path / "run")
    wanted = expected(initial.recurrent.params, sequences)
    assert line["exponents"] == pytest.approx(wanted, rel=1e-3)


def test_a_run_from_before_there_were_exponents_goes_on_with_them(tmp_path):
    folder = Path(shutil.copytree(BEFORE, tmp_path / "run"))
    config = replace(problems.load(folder / "config.json"), max_steps=None)
    assert config.health_exponents == 0
    config = replace(config, health_exponents=K)
    loop.prepare(folder, config, resume=True, overwrite=False)
    assert loop.train(config, folder, console=Console(file=io.StringIO())).finished
    lines = health_of(folder)
    assert [len(line.get("exponents", [])) for line in lines] == [0, 0, 0, K]


def test_resets_inside_a_window_are_ignored():
    config = CharLMConfig(4, 3, 2, embedding_dropout=0.5, layer_dropout=0.5)
    model = CharLM(7, config, rngs=nnx.Rngs(0))
    ids = np.random.default_rng(0).integers(0, 7, (5, 20)).astype(np.int32)
    resets = np.zeros(ids.shape, bool)
    resets[:, 8] = True
    carry = jax.tree.map(lambda leaf: leaf + 1.0, model.initial_state(5))
    batch = Batch(ids, ids, resets, np.ones(ids.shape, np.float32))
    found = jax.jit(lambda: growth(window_loss, nnx.clone(model), carry, batch, K))()
    assert found.steps == SEQUENCES * 20
    wanted = expected(model.lstm.params, model.embedding[...][ids[:SEQUENCES]])
    np.testing.assert_allclose(found.logs / found.steps, wanted, rtol=1e-4)


def test_there_are_no_more_exponents_than_numbers_in_the_state():
    flossing = FlossingConfig(exponents=2, before=1)  # its loss calls the layers in two places
    config = MemoryConfig(steps=24, batch=2, flossing=flossing)
    config = replace(config, model=replace(config.model, hidden_features=2))
    task = MemoryTask(config)
    model, batch = task.model(nnx.Rngs(0)), task.epoch(0)[0]
    logs, steps = jax.jit(lambda: growth(task.loss, nnx.clone(model), (), batch, 99))()
    assert logs.shape == (4,)
    assert steps == batch.lengths.sum()
    wanted = expected(model.recurrent.params, until_the_end(batch)) * steps
    np.testing.assert_allclose(logs[:K], wanted, rtol=1e-3)


def test_a_device_measures_those_of_the_first_sequences_that_it_has():
    task = MemoryTask(MemoryConfig(steps=24, batch=3))
    model, batch = task.model(nnx.Rngs(0)), task.epoch(0)[0]
    measure = jax.jit(lambda first: growth(task.loss, nnx.clone(model), (), batch, K, first))
    found = measure(SEQUENCES - 1)
    assert found.steps == batch.lengths[0]
    wanted = expected(model.recurrent.params, until_the_end(batch)[:1])
    np.testing.assert_allclose(found.logs / found.steps, wanted, rtol=1e-3)
    found = measure(SEQUENCES)
    assert found.steps == 0
    np.testing.assert_allclose(found.logs, 0, atol=1e-4)


def test_layers_that_are_no_stack_of_steps_have_none():
    def never(*_):
        raise AssertionError

    both = SequenceClassifier(2, SequenceClassifierConfig(3, 3), in_features=2, rngs=nnx.Rngs(0))
    skip = CharLM(7, CharLMConfig(3, 3, 2, connections="skip"), rngs=nnx.Rngs(0))
    plain = CharLM(7, CharLMConfig(3, 3, 2), rngs=nnx.Rngs(0))
    assert both.lstm.bidirectional
    empty = Batch(np.zeros((1, 1)), np.zeros((1, 1)))
    assert growth(never, both, (), empty, K) is None
    assert growth(never, skip, (), empty, K) is None
    assert growth(never, plain, (), empty, 0) is None
