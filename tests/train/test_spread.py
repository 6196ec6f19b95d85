"""A run that is spread over devices or processes learns the same as on a single device."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lstm_jax import cli
from lstm_jax.train.config import ConfigError
from lstm_jax.train.data import synthetic
from lstm_jax.train.spread import parse_mesh

RUN = [
    "train", "text", "--stream", "True", "--texts", "line",
    "--model.embedding-features", "4", "--model.hidden-features", "8", "--model.num-layers", "1",
    # Each device draws its own masks.
    "--model.embedding-dropout", "0", "--model.layer-dropout", "0", "--model.output-dropout", "0",
    "--rows", "16", "--window", "24", "--epochs", "1", "--valid", "0.1", "--test", "0.1",
    "--log-every", "2", "--checkpoint-every", "4", "--health-every", "4",
]  # fmt: skip


def test_a_mesh_of_devices_gives_the_run_of_one():
    script = Path(__file__).parent / "meshes.py"
    # Eight devices that share two cores may take more than the 40 seconds to meet that XLA allows.
    patience = "--xla_cpu_collective_call_terminate_timeout_seconds=600"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {patience}"
    run = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.count("same:") == 2 + 3 + 1


@pytest.mark.parametrize("words", [["rows=2"], ["data=0"], ["data=2", "data=2"], ["data"], ["2"]])
def test_words_that_are_no_mesh_are_refused(words):
    with pytest.raises(ConfigError, match=re.escape(" ".join(words))):
        parse_mesh(words)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mesh", "rows=2"], "--mesh must be data=N, model=M or both"),
        (["--processes", "2"], "require --distributed"),
        (["--distributed", "--coordinator", "here", "--processes", "2", "--mesh", "data=3"],
         "--mesh needs 3 devices, which 2 processes cannot share evenly"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused_in_a_line(options, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main([*RUN, "--file", "none", "--out", str(tmp_path / "run"), *options])
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def processes(count, file, folder):
    """Start processes that train together, each of which reads its own rows from the disk."""
    program = Path(sys.executable).with_name("lstm-jax")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    together = ["--distributed", "--coordinator", f"localhost:{port}", "--processes", str(count)]
    return [
        subprocess.Popen(
            [program, *RUN, "--file", file, "--out", folder, *together, "--process", str(number)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
        )
        for number in range(count)
    ]  # fmt: skip


def losses(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTM_JAX_CACHE", str(cache))
        yield _verses(tmp_path_factory)


def _verses(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "verses.txt"
    path.write_text("\n".join(synthetic.verses(400, seed=0)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def alone(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "run"
    with pytest.raises(SystemExit) as exit:
        cli.main([*RUN, "--file", str(file), "--out", str(folder)])
    assert exit.value.code == 0
    found = losses(folder)
    assert len(found) > 10
    return found


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_that_train_together_give_the_run_of_one(count, file, alone, tmp_path):
    folder = tmp_path / "run"
    together = processes(count, file, folder)
    said = [process.communicate(timeout=300) for process in together]
    assert [process.returncode for process in together] == [0] * count, said
    assert "done after" in said[0][0]
    assert all("done after" not in out for out, _ in said[1:])  # one speaks for all
    there = losses(folder)
    assert there.keys() == alone.keys()
    np.testing.assert_allclose(list(there.values()), list(alone.values()), rtol=1e-6)


@pytest.mark.parametrize(
    ("lost", "ending"),
    [
        (1, signal.SIGKILL),
        (0, signal.SIGKILL),
        pytest.param(1, signal.SIGSTOP, marks=pytest.mark.slow),
    ],
)
def test_a_process_that_is_lost_stops_the_others_and_fewer_go_on(
    lost, ending, file, alone, tmp_path
):
    folder = tmp_path / "run"
    together = processes(2, file, folder)
    deadline = time.monotonic() + 240
    while not (folder / "checkpoints" / "latest").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    together[lost].send_signal(ending)
    left = together[1 - lost]
    _, error = left.communicate(timeout=60)
    together[lost].kill()
    together[lost].communicate()
    assert left.returncode == 4, error
    assert "another process of the run is gone" in error
    assert "Traceback" not in error
    with pytest.raises(SystemExit) as exit:
        cli.main([*RUN, "--file", str(file), "--out", str(folder), "--resume"])
    assert exit.value.code == 0
    there = losses(folder)
    steps = sorted(set(there) & set(alone))
    assert steps[-1] == max(alone)
    np.testing.assert_allclose([there[s] for s in steps], [alone[s] for s in steps], rtol=1e-6)
