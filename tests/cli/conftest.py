"""Models in files that the commands read."""

import sys

import pytest
from flax import nnx
from poets import HAN, save_poet

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train import problems
from lstm_jax.train.data import synthetic
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import MemoryTask


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model whose card says that it learned verses."""
    return save_poet(tmp_path_factory.mktemp("model"), "abcdefgh", "verses")


@pytest.fixture(scope="module")
def poet(tmp_path_factory):
    """A model of traditional characters, whose card says that it learned Tang poems."""
    return save_poet(tmp_path_factory.mktemp("poet"), HAN, "tang")


@pytest.fixture(scope="module")
def adder(tmp_path_factory):
    """A sequence model whose card says that it learned to add."""
    config = MemoryConfig(steps=24, model=SequenceModelConfig(hidden_features=3))
    network = MemoryTask(config).model(nnx.Rngs(0))
    folder = tmp_path_factory.mktemp("adder")
    MemoryTask(config).save(network, folder, {"data": "adding", "config": problems.to_dict(config)})
    return folder


@pytest.fixture(scope="module")
def few_verses():
    verses = synthetic.verses
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(synthetic, "verses", lambda count, *, seed: verses(4, seed=seed))
        yield


@pytest.fixture
def on_a_terminal(monkeypatch):
    """Makes a command believe, from then on, that it writes to a terminal."""
    return lambda: monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
