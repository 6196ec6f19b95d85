"""Short lags first, and updates of flossing among those that learn."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.diagnostics import lyapunov_spectrum
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.recurrence import StackState, stack
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.tasks.memory.config import FlossingConfig, MemoryConfig
from lstm_jax.train.tasks.memory.schedule import flosses, flossing_loss, lag
from lstm_jax.train.tasks.memory.task import MemoryTask, judge

CONFIG = MemoryConfig(
    problem="copy", steps=40, batch=4, sequences=12,
    model=SequenceModelConfig(hidden_features=3), flossing=FlossingConfig(2, before=2, every=3),
)  # fmt: skip


def test_the_lag_grows_by_the_same_factor():
    config = replace(CONFIG, steps=160, short_epochs=2, grow_epochs=4)
    assert [lag(config, epoch) for epoch in range(8)] == [10, 10, 10, 20, 40, 80, 160, 160]
    assert [lag(replace(config, grow_epochs=0), epoch) for epoch in (1, 2)] == [10, 160]
    assert lag(replace(CONFIG, steps=160), 0) == 160
    assert lag(replace(config, problem="adding"), 0) == 24, "shorter ones have no room"
    assert lag(replace(config, steps=5), 0) == 5
    widths = [MemoryTask(config).epoch(n)[0].inputs.shape[1] for n in (0, 3, 9)]
    assert widths == [30, 40, 180]


def test_flossing_comes_before_and_then_every_so_often():
    found = [step for step in range(1, 13) if flosses(CONFIG.flossing, step)]
    assert found == [1, 2, 5, 8, 11]
    assert not any(flosses(FlossingConfig(), step) for step in range(1, 13))
    epoch = [MemoryTask(CONFIG).epoch(n) for n in range(2)]
    assert [bool(batch.weights.any()) for batches in epoch for batch in batches] == [
        False, False, True, True, False, True,
    ]  # fmt: skip
    assert MemoryTask(replace(CONFIG, flossing=FlossingConfig())).epoch(0)[0].weights is None


def test_an_update_of_flossing_has_its_loss_alone():
    task = MemoryTask(replace(CONFIG, steps=1))
    model = task.model(nnx.Rngs(0))
    flossed, learned = task.epoch(0)[0], task.epoch(0)[2]
    layer = model.recurrent
    zero = StackState(jax.tree.map(lambda leaf: leaf[0], layer.initial_state(1)))
    step = stack(layer.cell.step)
    spectrum = jax.vmap(lambda xs: lyapunov_spectrum(step, layer.params, xs, zero, k=2).exponents)
    exponents = spectrum(jnp.asarray(flossed.inputs[:2]))
    total, count, carry = task.loss(model, (), flossed, None)
    expected = np.square(exponents).sum(-1).mean()
    assert (count, carry) == (4, ())
    assert float(total / count) == pytest.approx(expected, rel=1e-4)
    assert float(flossing_loss(model, flossed.inputs, 2)) == pytest.approx(expected, rel=1e-4)
    total, count, _ = task.loss(model, (), learned, None)
    assert float(total) == pytest.approx(float(judge("copy", model, learned)[0].sum()), rel=1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"short_steps": 0}, "--short-steps must be at least 1"),
        ({"short_epochs": -1}, "--short-epochs must be at least 0"),
        ({"flossing": FlossingConfig(0, before=5)}, "--flossing.exponents must be at least 1 with"),
        ({"flossing": FlossingConfig(2, every=-1)}, "--flossing.every must be at least 0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(changed, said):
    check(replace(CONFIG, grow_epochs=3))
    with pytest.raises(ConfigError, match=said):
        check(replace(CONFIG, **changed))
