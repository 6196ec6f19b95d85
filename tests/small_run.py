"""A run of two epochs and twelve steps, in this process or another, and what it leaves."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from rich.console import Console

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import loop
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.problems import make_task
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.text.config import TextConfig

ROWS, TEXTS = 3, 9  # 9 texts of 47 symbols in 3 rows: 141 symbols a row, 6 windows of 24
PER_EPOCH = 6
TOTAL = 2 * PER_EPOCH
CONFIG = TextConfig(
    data="verses",
    model=CharLMConfig(
        embedding_features=4,
        hidden_features=5,
        num_layers=1,
        output_dropout=0.1,
    ),
    optimizer=OptimizerConfig(learning_rate=0.03, warmup_steps=3),
    epochs=2,
    rows=ROWS,
    window=24,
    min_count=1,
    log_every=2,
    checkpoint_every=2,
)
FLAGS = [
    "--model.embedding-features", "4", "--model.hidden-features", "5", "--model.num-layers", "1",
    "--model.output-dropout", "0.1",
    "--optimizer.learning-rate", "0.03", "--optimizer.warmup-steps", "3",
    "--epochs", "2", "--rows", "3", "--window", "24", "--min-count", "1",
    "--log-every", "2", "--checkpoint-every", "2",
]  # fmt: skip

DRIVER = f"""
import sys, time
from lstm_jax import cli
from lstm_jax.train import loop
from lstm_jax.train.data import synthetic

pause, verses, make_update = float(sys.argv[1]), synthetic.verses, loop.make_update
synthetic.verses = lambda count, *, seed: verses({TEXTS}, seed=seed)

def slow(*args, **options):
    update = make_update(*args, **options)
    def paused(*args):
        time.sleep(pause)
        return update(*args)
    return paused

loop.make_update = slow
cli.main(sys.argv[2:])
"""


def run(folder, config=CONFIG, *, resume=False, overwrite=False):
    said = io.StringIO()
    config = loop.prepare(folder, config, resume=resume, overwrite=overwrite)
    result = loop.train(config, folder, console=Console(file=said))
    return result, said.getvalue()


@contextmanager
def start(cache, folder, *more, pause=0.0):
    """Run `lstm-jax train smoke` on the tiny run, in another process, with a pause per step."""
    cached = {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [sys.executable, "-W", "error", "-c", DRIVER, str(pause), "train", "smoke"]
    with subprocess.Popen(
        [*command, *FLAGS, "--out", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **cached, "PYTHONUTF8": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(path, process, seconds=300):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def template(config=CONFIG):
    task = make_task(config)
    optimizer, _ = make_optimizer(config.optimizer, TOTAL)
    model = task.model(nnx.Rngs(0))
    return make_state(model, optimizer, task.carry(model))


def latest(folder):
    return folder / "checkpoints" / "latest"


def assert_same_bytes(folder, other):
    """Check that two finished runs have the same checkpoints and the same model."""
    like = template()
    (one, facts), (two, other_facts) = (checkpoints.load(latest(f), like) for f in (folder, other))
    leaves = zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(two), strict=True)
    for (path, a), b in leaves:
        name = jax.tree_util.keystr(path)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), name
    assert facts == other_facts
    assert one.step == TOTAL
    assert (folder / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_metrics_whole(folder):
    """Check that every line of training and validation is there once, in order."""
    lines = metrics(folder)
    training = [line["step"] for line in lines if "loss" in line]
    assert training == sorted(set(training))
    assert set(training) >= set(range(2, TOTAL + 1, 2))
    assert [line["step"] for line in lines if "valid_loss" in line] == [PER_EPOCH, TOTAL]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)


def copy(folder, to):
    return Path(shutil.copytree(folder, to / "run"))


def damage(folder):
    array = max(folder.rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    content = bytearray(array.read_bytes())
    content[len(content) // 2] ^= 1
    array.write_bytes(content)
