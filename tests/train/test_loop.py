"""A run that is stopped or killed, and resumed, ends like a run that never stopped."""

import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from flax import nnx
from folders import digest
from rich.console import Console

import lstm_jax
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, OptimizerConfig
from lstm_jax.train.data import synthetic
from lstm_jax.train.problems import load as load_config
from lstm_jax.train.problems import make_task
from lstm_jax.train.run import checkpoints, lock, machine, meter
from lstm_jax.train.run.checkpoints import CheckpointError
from lstm_jax.train.run.lock import LockedError
from lstm_jax.train.run.meter import DivergedError
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.text import task as text_tasks
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.score import Score, score_texts
from lstm_jax.train.tasks.text.task import load_texts

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


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Use few verses, and share the programs among all runs here, because they compile slowly."""
    verses, programs = synthetic.verses, {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(synthetic, "verses", lambda count, *, seed: verses(TEXTS, seed=seed))
        for module, name in ((loop, "make_update"), (text_tasks, "make_scorer")):
            make = getattr(module, name)

            def once(*args, make=make, name=name, **options):
                if name not in programs:
                    programs[name] = make(*args, **options)
                return programs[name]

            monkeypatch.setattr(module, name, once)
        yield programs


def run(folder, config=CONFIG, *, resume=False, overwrite=False):
    said = io.StringIO()
    config = loop.prepare(folder, config, resume=resume, overwrite=overwrite)
    result = loop.train(config, folder, console=Console(file=said))
    return result, said.getvalue()


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Start processes that share a cache of compiled programs."""
    return partial(start, tmp_path_factory.mktemp("cache"))


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
    """Return the step, parameters, optimizer and carried state of the latest checkpoints."""
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


@pytest.fixture(scope="module")
def whole(compiled, tmp_path_factory):
    """Return a run that never stopped; no test may write to its folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, *run(folder)


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


def copy(folder, to):
    return Path(shutil.copytree(folder, to / "run"))


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "already holds a run; use --resume, --overwrite or another --out"),
        ({"resume": True, "overwrite": True}, "cannot be used together"),
    ],
)
def test_a_folder_that_holds_a_run_is_refused_and_untouched(options, message, whole):
    before = digest(whole[0])
    with pytest.raises(ConfigError, match=message):
        loop.prepare(whole[0], CONFIG, **{"resume": False, "overwrite": False, **options})
    assert digest(whole[0]) == before


def test_a_bad_value_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="--rows"):
        loop.prepare(tmp_path / "run", replace(CONFIG, rows=0), resume=False, overwrite=True)
    assert not (tmp_path / "run").exists()


def test_overwrite_starts_anew_and_spares_what_is_not_the_runs(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    (folder / "notes.txt").write_text("mine")
    other = replace(CONFIG, rows=4)
    assert loop.prepare(folder, other, resume=False, overwrite=True) == other
    assert {path.name for path in folder.iterdir()} == {"config.json", "notes.txt"}
    assert load_config(folder / "config.json") == other


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "config.json", "checkpoints"])
def test_a_folder_that_is_no_run_is_refused_and_untouched(name, overwrite, tmp_path):
    (tmp_path / name).write_text('{"model_type": "bert"}')
    before = digest(tmp_path)
    with pytest.raises(ConfigError, match="is not a run's folder; choose another --out"):
        loop.prepare(tmp_path, CONFIG, resume=False, overwrite=overwrite)
    assert digest(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        loop.prepare(tmp_path / "file" / "run", CONFIG, resume=False, overwrite=False)
    assert "\n" not in str(caught.value)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(ConfigError, match=r"no run to resume in .* \(no config\.json\)"):
        loop.prepare(tmp_path, CONFIG, resume=True, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def damage(folder):
    array = max(folder.rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    content = bytearray(array.read_bytes())
    content[len(content) // 2] ^= 1
    array.write_bytes(content)


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


def test_a_run_that_diverges_says_so_and_exports_nothing(tmp_path, monkeypatch):
    nowhere = Score(float("nan"), 1)
    monkeypatch.setattr(text_tasks, "evaluate", lambda *arguments, **options: nowhere)
    with pytest.raises(DivergedError, match="the run diverged; it has no validated checkpoint"):
        run(tmp_path / "run")
    assert not (tmp_path / "run" / "model.json").exists()


# --- what is not finite -------------------------------------------------------------------------


def spoil(monkeypatch, spoilt):
    """Give the batches of some steps weights that are NaN, so that their losses are NaN too."""
    make_update, count = loop.make_update, iter(range(1, 1000))

    def making(*args, **options):
        update = make_update(*args, **options)

        def spoiling(state, batch):
            if next(count) in spoilt:
                batch = batch._replace(weights=np.full_like(batch.weights, np.nan))
            return update(state, batch)

        return spoiling

    monkeypatch.setattr(loop, "make_update", making)


def test_an_update_that_is_not_finite_is_skipped_and_counted(tmp_path, monkeypatch):
    spoil(monkeypatch, {3, 7, 8})
    result, said = run(tmp_path)
    assert result.finished
    assert said.count("the update was skipped") == 2
    skipped = {line["step"]: line["skipped_steps"] for line in metrics(tmp_path) if len(line) == 7}
    assert skipped == {4: 1, 8: 2}
    assert '"loss": null' in (tmp_path / "metrics.jsonl").read_text()  # of steps 7 and 8
    for leaf in jax.tree.leaves(checkpoints.load(latest(tmp_path), template())[0]):
        assert np.isfinite(leaf).all()


def test_a_skipped_step_changes_nothing_but_the_count(tmp_path, monkeypatch):
    run(tmp_path / "run", replace(CONFIG, max_steps=2))
    spoil(monkeypatch, {1})
    run(tmp_path / "run", replace(CONFIG, max_steps=3), resume=True)
    after, _ = checkpoints.load(latest(tmp_path / "run"), template())
    monkeypatch.undo()
    run(tmp_path / "other", replace(CONFIG, max_steps=2))
    before, _ = checkpoints.load(latest(tmp_path / "other"), template())
    assert (int(before.step), int(after.step)) == (2, 3)
    for old, new in zip(jax.tree.leaves(before[1:]), jax.tree.leaves(after[1:]), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_run_that_diverges_keeps_what_was_sound_and_goes_on_from_its_best(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        spoil(patched, set(range(8, 100)))
        with pytest.raises(DivergedError) as caught:
            run(folder)
    assert "5 steps in a row, up to step 12" in str(caught.value)
    assert "--resume-from best --optimizer.learning-rate 0.0075" in str(caught.value)
    assert caught.value.code == 3
    assert checkpoints.load(latest(folder), template())[0].step == 10
    gentle = replace(CONFIG, optimizer=replace(CONFIG.optimizer, learning_rate=0.0075))
    with pytest.raises(ConfigError, match=r"has optimizer\.learning_rate 0\.03, not 0\.0075"):
        run(folder, gentle, resume=True)
    loop.prepare(folder, gentle, resume=True, overwrite=False, source="best")
    said = io.StringIO()
    assert loop.train(gentle, folder, console=Console(file=said)).finished
    assert f"resuming from step {PER_EPOCH}" in said.getvalue()
    assert_metrics_whole(folder)


def test_there_must_be_a_best_checkpoint_to_go_on_from(tmp_path):
    run(tmp_path, replace(CONFIG, max_steps=2))
    with pytest.raises(ConfigError, match="no best checkpoint"):
        loop.prepare(tmp_path, CONFIG, resume=True, overwrite=False, source="best")


# --- one run in a folder ------------------------------------------------------------------------


def test_overwrite_empties_checkpoints_that_lie_on_another_disk(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    scratch = tmp_path / "scratch"
    (folder / "checkpoints").rename(scratch)
    (folder / "checkpoints").symlink_to(scratch)
    other = replace(CONFIG, seed=7, max_steps=1)
    _, said = run(folder, other, overwrite=True)
    assert "resuming" not in said
    assert checkpoints.load(scratch / "latest", template())[0].step == 1


def test_a_run_that_cannot_be_deleted_is_refused_and_still_there(whole, tmp_path, monkeypatch):
    folder = copy(whole[0], tmp_path)

    def refuse(path, *args, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ConfigError, match=r"cannot be used: .*Permission denied"):
        loop.prepare(folder, replace(CONFIG, seed=7), resume=False, overwrite=True)
    assert load_config(folder / "config.json") == CONFIG
    assert checkpoints.exists(latest(folder))


def test_a_checkpoint_of_another_configuration_is_never_loaded(whole, tmp_path):
    other = tmp_path / "other"
    run(other, replace(CONFIG, seed=7, max_steps=1))
    shutil.rmtree(other / "checkpoints")
    shutil.copytree(whole[0] / "checkpoints", other / "checkpoints")
    with pytest.raises(ConfigError, match="has seed 0, not 7"):
        run(other, replace(CONFIG, seed=7), resume=True)


def closed(monkeypatch, folder):
    """Make a folder unreadable, as the system does for everyone but root."""
    for name in ("stat", "iterdir", "open"):
        method = getattr(Path, name)

        def refused(self, *args, method=method, **options):
            if folder == self or folder in self.parents:
                raise PermissionError(13, "Permission denied", str(self))
            return method(self, *args, **options)

        monkeypatch.setattr(Path, name, refused)


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}], ids=str)
@pytest.mark.parametrize("place", [".", "config.json", "checkpoints/latest"])
def test_what_is_closed_to_us_is_one_line_and_untouched(
    place, options, whole, tmp_path, monkeypatch
):
    folder = copy(whole[0], tmp_path)
    with monkeypatch.context() as patch:
        closed(patch, folder / place)
        patch.setattr(shutil, "rmtree", lambda path: (path / "x").stat())
        with pytest.raises(ConfigError) as caught:
            run(folder, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert "Permission denied" in said or said.endswith("another --out")
    for name in ("metrics.jsonl", "model.json", "checkpoints/latest/manifest.json"):
        assert (folder / name).read_bytes() == (whole[0] / name).read_bytes()


@pytest.mark.parametrize("more", ["--resume", "--overwrite"])
def test_a_second_process_is_refused_and_touches_nothing(more, whole, started, tmp_path):
    folder = copy(whole[0], tmp_path)
    with lock.held(folder):
        before = digest(folder)
        with started(folder, more) as second:
            _, err = second.communicate(timeout=300)
        assert second.returncode == 2
        assert f"{folder} is in use by process {os.getpid()} on " in err
        assert err.count("\n") == 1
        assert digest(folder) == before
    assert not (folder / "run.lock").exists()


def test_who_held_a_folder_and_was_killed_is_said(tmp_path):
    run(tmp_path, replace(CONFIG, max_steps=2))
    who = {"process": 17, "host": "elsewhere", "since": "Monday"}
    (tmp_path / "run.lock").write_text(json.dumps(who))
    with lock.held(tmp_path) as before:
        assert before == "process 17 on elsewhere, since Monday"
        with pytest.raises(LockedError, match=f"is in use by process {os.getpid()} on "):
            run(tmp_path, replace(CONFIG, max_steps=2), resume=True)
    with lock.held(tmp_path) as before:
        assert before is None


def test_a_folder_of_a_run_that_was_killed_as_it_began_is_taken(tmp_path):
    (tmp_path / ".config.0a1b2c3d.partial.json").write_text("{")
    (tmp_path / "run.lock").write_text("")
    loop.prepare(tmp_path, CONFIG, resume=False, overwrite=False)
    assert load_config(tmp_path / "config.json") == CONFIG


def test_half_files_of_a_killed_process_are_swept_away_and_others_are_not(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    halves = {".metrics.0a1b2c3d.partial.jsonl", ".model.0a1b2c3d.partial.safetensors"}
    mine = {".model.0a1b2c3d.partial.onnx", ".notes.0a1b2c3d.partial.json"}
    for name in halves | mine:
        (folder / name).write_text("half")
    loop.prepare(folder, CONFIG, resume=True, overwrite=False)
    names = {path.name for path in folder.iterdir()}
    assert mine <= names
    assert not halves & names


# --- the lines of a run -------------------------------------------------------------------------


def test_foreign_and_damaged_lines_are_kept_aside(whole, tmp_path):
    folder = copy(whole[0], tmp_path)
    before = metrics(folder)
    foreign = [b"a note of mine", b'{"step": "x"}', b"[1, 2]", b'{"step": \xff}', b'{"loss": 1}']
    with (folder / "metrics.jsonl").open("ab") as log:
        log.write(b"".join(line + b"\n" for line in foreign) + b'{"step": 12, "lo')
    _, said = run(folder, resume=True)
    aside = folder / "metrics.jsonl.aside"
    assert f"moved 5 lines of metrics.jsonl to {aside}: damaged, or not written by this run" in said
    assert aside.read_bytes().split(b"\n") == [*foreign, b""]
    assert metrics(folder) == before


def test_lines_are_replaced_whole_or_not_at_all(whole, tmp_path, monkeypatch):
    folder = copy(whole[0], tmp_path)
    content = (folder / "metrics.jsonl").read_bytes()

    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        meter.cut(folder, 3)
    assert (folder / "metrics.jsonl").read_bytes() == content


def test_a_full_disk_costs_the_metrics_and_not_the_run(whole, tmp_path, monkeypatch):
    opened = Path.open

    def full(self, mode="r", *args, **options):
        if self.name == "metrics.jsonl":
            raise OSError(28, "No space left on device")
        return opened(self, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    result, said = run(tmp_path / "run")
    assert result.finished
    assert said.count("No space left on device") == 1
    assert_same_bytes(tmp_path / "run", whole[0])


@pytest.mark.parametrize(
    ("writer", "call", "saved"),
    [
        ((checkpoints, "_reserve"), 2, 4),  # of the arrays of a checkpoint: the second
        ((checkpoints, "_reserve"), 3, PER_EPOCH),  # the best one
        ((checkpoints, "_reserve"), 4, PER_EPOCH),  # the latest after it
        ((storage, "write_whole"), 1, PER_EPOCH),  # a model's weights
        ((storage, "write_whole"), 4, TOTAL),  # the last description
    ],
)
def test_a_run_whose_disk_is_full_is_saved_elsewhere_and_goes_on_there(
    writer, call, saved, whole, tmp_path, monkeypatch
):
    folder, write, count = tmp_path / "run", getattr(*writer), iter(range(1, 99))

    def full(path, *rest):
        if folder in path.parents and next(count) >= call:
            raise OSError(28, "No space left on device")
        write(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(*writer, full)
        with pytest.raises(CheckpointError, match="No space left on device") as caught:
            run(folder)
    pattern = rf"saved after step {saved} in (\S+); resume it with --resume --out \1$"
    said = re.search(pattern, str(caught.value))
    assert said, caught.value
    run(Path(said[1]), resume=True)
    assert_same_bytes(Path(said[1]), whole[0])
    assert_metrics_whole(Path(said[1]))


def test_lines_that_could_not_be_written_are_written_later(whole, tmp_path, monkeypatch):
    folder, opened, tries = tmp_path / "run", Path.open, []

    def full_at_first(self, mode="r", *args, **options):
        if self.name == "metrics.jsonl" and mode == "a":
            tries.append(self)
            if 2 <= len(tries) <= 4:
                with opened(self, mode) as file:
                    file.write('{"step"')  # a full disk takes a part
                raise OSError(28, "No space left on device")
        return opened(self, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full_at_first)
    _, said = run(folder)
    assert said.count("No space left on device") == 1

    found, wanted = metrics(folder), metrics(whole[0])
    for line in found + wanted:
        line.pop("tokens_per_second", None)
    assert found == wanted


# --- an audience that goes away -----------------------------------------------------------------


def test_a_run_goes_on_when_nobody_reads_it(whole, started, tmp_path):
    folder = tmp_path / "run"
    with started(folder) as process:
        process.stdout.close()
        assert process.wait(timeout=300) == 0, process.stderr.read()
        assert process.stderr.read() == ""
    assert_same_bytes(folder, whole[0])
