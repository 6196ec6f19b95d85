"""A run that is stopped or killed, and resumed, ends like a run that never stopped."""

import io
import math
import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from folders import digest
from rich.console import Console
from small_run import (
    CONFIG,
    TOTAL,
    assert_metrics_whole,
    assert_same_bytes,
    copy,
    damage,
    latest,
    metrics,
    run,
    template,
    wait_for,
)

import lstm_jax
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError
from lstm_jax.train.problems import load as load_config
from lstm_jax.train.run import checkpoints, machine
from lstm_jax.train.run.checkpoints import CheckpointError
from lstm_jax.train.tasks.text.score import score_texts
from lstm_jax.train.tasks.text.task import load_texts


def test_a_whole_run(whole, compiled):
    folder, result, said = whole
    assert result.finished
    assert result.step == TOTAL
    assert load_config(folder / "config.json") == CONFIG
    assert checkpoints.exists(folder / "checkpoints" / "best")
    assert_metrics_whole(folder)
    assert "9 texts" in said
    assert len(re.findall("epoch [12]: validation perplexity", said)) == 2
    assert [program._cache_size() for program in compiled.values()] == [1, 1]
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json", "metrics.jsonl", "checkpoints", "model.json", "model.safetensors"
    }  # fmt: skip


def test_the_keys_of_the_metrics(whole):
    folder = whole[0]
    training = {"step", "loss", "perplexity", "grad_norm", "learning_rate", "tokens_per_second"}
    validation = {"step", "valid_loss", "valid_perplexity"}
    lines = metrics(folder)
    assert {frozenset(line) for line in lines} == {frozenset(training), frozenset(validation)}
    for line in lines:
        loss = line.get("loss", line.get("valid_loss"))
        perplexity = line.get("perplexity", line.get("valid_perplexity"))
        assert perplexity == pytest.approx(math.exp(loss))
        assert line.get("tokens_per_second", 1) > 0
    rates = [line["learning_rate"] for line in lines if "loss" in line]
    assert rates[0] == pytest.approx(0.03 / 3, rel=1e-5)
    assert rates[1] == pytest.approx(0.03, rel=1e-5)


def test_the_exported_model_is_the_best_one(whole):
    folder, result, _ = whole
    best = min(line["valid_loss"] for line in metrics(folder) if "valid_loss" in line)
    assert result.best_valid_loss == best
    state, facts = checkpoints.load(folder / "checkpoints" / "best", template())
    assert facts["best_valid_loss"] == best
    model = lstm_jax.load(folder)
    score = score_texts(model, load_texts("verses").splits["valid"], rows=4, length=24)
    assert score.nats_per_symbol == pytest.approx(best, rel=1e-6)
    assert model.card["valid_perplexity"] == pytest.approx(math.exp(best))
    assert model.card["data"] == "verses"
    assert model.card["steps"] == int(state.step)
    assert model.card["parameters"] == sum(x.size for x in jax.tree.leaves(state.params))
    np.testing.assert_array_equal(model.network.embedding[...], state.params["embedding"][...])


def test_max_steps_then_a_new_process_gives_the_same_bytes(whole, started, tmp_path):
    folder = tmp_path / "run"
    result, _ = run(folder, replace(CONFIG, max_steps=5))
    assert not result.finished
    assert result.step == 5
    assert checkpoints.load(latest(folder), template())[0].step == 5
    again, _ = run(folder, replace(CONFIG, max_steps=5), resume=True)
    assert again == result, "at its limit, a run that is taken up has nothing to do"
    with started(folder, "--resume") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    assert "resuming from step 5" in out
    assert f"done after {TOTAL} steps: {folder}" in out
    assert_same_bytes(folder, whole[0])
    assert_metrics_whole(folder)


def test_a_killed_run_goes_on_to_the_same_bytes(whole, started, tmp_path):
    folder = tmp_path / "run"
    with started(folder, pause=0.05) as process:
        wait_for(latest(folder), process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step": 11, "loss": 1.0}\n{"step": 12, "lo')  # a line too far, and half a line
    result, said = run(folder, resume=True)
    assert result.finished
    assert "resuming from step" in said
    assert_same_bytes(folder, whole[0])
    assert_metrics_whole(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_within_a_step_is_answered_after_it(number, whole, tmp_path, monkeypatch):
    make = loop.make_update

    def interrupted(*args, **options):
        update = make(*args, **options)

        def step(*args):
            signal.raise_signal(number)
            return update(*args)

        return step

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "make_update", interrupted)
        result, _ = run(folder)
    assert (result.finished, result.signal, result.step) == (False, number, 1)
    assert checkpoints.load(latest(folder), template())[0].step == 1
    assert run(folder, resume=True)[0].finished
    assert_same_bytes(folder, whole[0])


slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT), slow(signal.SIGHUP)])
def test_a_signal_saves_and_tells_how_to_go_on(number, whole, started, tmp_path):
    folder = tmp_path / "a run"
    with started(folder, "--overwrite", pause=0.3) as process:
        wait_for(latest(folder), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 128 + number, err
    assert err == ""
    stopped = re.search(r"stopped and saved after step (\d+); resume with (lstm-jax train .*)", out)
    step = int(stopped[1])
    assert 2 <= step < TOTAL
    assert checkpoints.load(latest(folder), template())[0].step == step
    # The command is whole: with it the same configuration goes on, in the same folder.
    assert f"--out '{folder}'" in stopped[2]
    assert "--model.hidden-features 5" in stopped[2]
    assert stopped[2].endswith(" --resume")
    assert "--overwrite" not in stopped[2]
    assert run(folder, resume=True)[0].finished
    assert_same_bytes(folder, whole[0])
    assert_metrics_whole(folder)


def test_a_finished_run_that_is_resumed_stays_as_it_is(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    before = metrics(folder)
    result, _ = run(folder, resume=True)
    assert result == whole[1]
    assert metrics(folder) == before
    assert_same_bytes(folder, whole[0])


OTHERS = {
    "data": {"data": "tang"},
    "rows": {"rows": 4},
    "window": {"window": 12},
    "seed": {"seed": 1},
    "min_count": {"min_count": 2},
    "model.hidden_features": {"model": replace(CONFIG.model, hidden_features=6)},
    "optimizer.learning_rate": {"optimizer": replace(CONFIG.optimizer, learning_rate=0.1)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_resume_with_another_configuration_names_the_field(name, whole):
    before = digest(whole[0])
    with pytest.raises(ConfigError, match=f"has {name} ") as caught:
        loop.prepare(whole[0], replace(CONFIG, **OTHERS[name]), resume=True, overwrite=False)
    assert "\n" not in str(caught.value)
    assert digest(whole[0]) == before


def test_how_long_and_how_often_may_change_on_resume(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    often = {"log_every": 1, "health_exponents": 2, "checkpoint_every": 0}
    other = replace(CONFIG, epochs=3, max_steps=99, **often)
    assert loop.prepare(folder, other, resume=True, overwrite=False) == other
    assert load_config(folder / "config.json") == other


def test_where_the_only_checkpoint_is_damaged_nothing_is_overwritten(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    shutil.rmtree(folder / "checkpoints" / "latest.old")
    damage(latest(folder))
    loop.prepare(folder, CONFIG, resume=True, overwrite=False)
    before = digest(folder / "checkpoints")
    with pytest.raises(CheckpointError, match="is damaged"):
        loop.train(CONFIG, folder, console=Console(file=io.StringIO()))
    assert digest(folder / "checkpoints") == before


def test_of_two_checkpoints_the_older_is_taken_where_the_newer_is_damaged(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    damage(latest(folder))
    _, said = run(folder, resume=True)
    aside = folder / "checkpoints" / "latest.damaged-1"
    assert "is damaged: its SHA-256 is" in said
    assert f"it was moved to {aside}" in said
    assert aside.is_dir()
    assert_same_bytes(folder, whole[0])
    assert_metrics_whole(folder)


def test_one_checkpoint_is_kept_where_one_is_asked_for(tmp_path):
    run(tmp_path, replace(CONFIG, keep=1, max_steps=6))
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"latest", "best"}


def test_another_machine_is_said_when_a_run_goes_on_there(tmp_path, monkeypatch):
    run(tmp_path, replace(CONFIG, max_steps=2))
    monkeypatch.setenv(
        "XLA_FLAGS", os.environ.get("XLA_FLAGS", "") + " --xla_cpu_enable_xprof_traceme=false"
    )
    _, said = run(tmp_path, replace(CONFIG, max_steps=3), resume=True)
    assert "the run was saved with XLA_FLAGS " in said
    assert "its results may differ by rounding errors" in said


def test_another_engine_is_said_when_a_run_goes_on_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.library, "loaded", lambda: None)
    run(tmp_path, replace(CONFIG, max_steps=2))
    monkeypatch.setattr(machine.library, "loaded", lambda: SimpleNamespace(name="0a1b avx2"))
    _, said = run(tmp_path, replace(CONFIG, max_steps=3), resume=True)
    assert "the run was saved with native engine None, now '0a1b avx2'" in said
    assert "its results may differ by rounding errors" in said


def test_a_checkpoint_of_another_vocabulary_stops_the_run(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    state, facts = checkpoints.load(latest(folder), template())
    checkpoints.save(latest(folder), state, metadata={**facts, "vocabulary": "another"})
    before = digest(folder)
    with pytest.raises(ConfigError, match="different vocabulary than the current data have"):
        loop.train(CONFIG, folder, console=Console(file=io.StringIO()))
    assert digest(folder) == before


def test_a_run_goes_on_in_a_thread(tmp_path):
    """Where Python has no signals, as in the workers of a web server."""
    with ThreadPoolExecutor(1) as threads:
        result, _ = threads.submit(run, tmp_path, replace(CONFIG, max_steps=2)).result()
    assert result.step == 2


def test_a_run_with_nothing_left_to_do_writes_no_line(tmp_path):
    """Its last checkpoint holds sums for a line that is not yet due."""
    config = replace(CONFIG, log_every=5, checkpoint_every=3)
    make = loop.make_update

    def stopped(*args, **options):
        update, count = make(*args, **options), iter(range(1, 100))

        def step(*args):
            if next(count) == 4:
                raise KeyboardInterrupt  # no time to save: as if it were killed
            return update(*args)

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_update", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, config)
    assert checkpoints.load(latest(tmp_path), template())[0].step == 3
    result, _ = run(tmp_path, replace(config, max_steps=3), resume=True)
    assert (result.finished, result.step) == (False, 3)
    run(tmp_path, config, resume=True)
    assert [line["step"] for line in metrics(tmp_path) if "loss" in line][:2] == [5, 6]
