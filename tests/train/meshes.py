"""Runs over meshes, and from one mesh to another; test_spread runs it on eight devices."""

import io
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, OptimizerConfig
from lstm_jax.train.run.devices import make_devices
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import MemoryTask
from lstm_jax.train.tasks.text.config import TextConfig

CONFIG = TextConfig(
    data="verses",
    model=CharLMConfig(embedding_features=4, hidden_features=8, num_layers=1),
    optimizer=OptimizerConfig(learning_rate=0.01, warmup_steps=2),
    rows=16,
    window=24,
    min_count=1,
    log_every=1,
    checkpoint_every=0,
    max_steps=8,
    epochs=1,
)
MESHES = [{"data": 8}, {"data": 2, "model": 4}]


def run(folder, sizes, *, steps=8, resume=False, health=4):
    config = replace(
        CONFIG, max_steps=steps, health_every=health, health_exponents=2 if health else 0
    )
    loop.prepare(folder, config, resume=resume, overwrite=False)
    loop.train(config, folder, console=Console(file=io.StringIO()), devices=make_devices(sizes))
    return [line["loss"] for line in lines(folder / "metrics.jsonl")], lines(
        folder / "health.jsonl"
    )


def lines(path):
    return list(map(json.loads, path.read_text().splitlines())) if path.exists() else []


def compare(name, there, here):
    np.testing.assert_allclose(there[0], here[0], rtol=1e-6, err_msg=name)
    for one, other in zip(there[1], here[1], strict=True):
        np.testing.assert_allclose(one["grad_norm"], other["grad_norm"], rtol=1e-4)
        np.testing.assert_allclose(one["exponents"], other["exponents"], rtol=1e-3)
        for a, b in zip(one["adjoint"], other["adjoint"], strict=True):
            for leaf in a:
                np.testing.assert_allclose(a[leaf], b[leaf], rtol=1e-3, err_msg=f"{name} {leaf}")
    print("same:", name)


def uneven_rows():
    """Check that a batch whose rows cannot be divided goes to every device whole."""
    task = MemoryTask(MemoryConfig(problem="adding", steps=24, batch=6))
    model = task.model(nnx.Rngs(0))
    optimizer, _ = make_optimizer(task.config.optimizer, 10)
    after = []
    for devices in (make_devices(), make_devices({"data": 4})):
        state = devices.put(make_state(model, optimizer, ()))
        update = make_update(task.loss, model, optimizer, 0, devices)
        after.append(update(state, devices.batch(task.epoch(0), 0)))
    for one, other in zip(*map(jax.tree.leaves, after), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    print("same: uneven rows")


def main(folder):
    assert jax.device_count() == 8
    uneven_rows()
    alone = run(folder / "alone", None)
    assert [len(found) for found in alone] == [8, 2]
    for sizes in MESHES:
        compare(str(sizes), run(folder / f"{sizes}", sizes), alone)
    # Saved on eight, restored on two, then on one.
    there = folder / "moved"
    for steps, data in ((2, 8), (5, 2), (8, 1)):
        found = run(there, {"data": data}, steps=steps, resume=steps > 2, health=0)
        compare(f"data={data} after others", found, (alone[0][:steps], []))
    with pytest.raises(ConfigError, match="data=3 cannot split the 16 rows of a batch evenly"):
        run(folder / "three", {"data": 3})


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    with tempfile.TemporaryDirectory() as there:
        main(Path(there))
    sys.exit(0)
