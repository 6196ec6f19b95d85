"""A run whose numbers are not finite keeps what was sound."""

import io
from dataclasses import replace

import jax
import numpy as np
import pytest
from rich.console import Console
from small_run import (
    CONFIG,
    PER_EPOCH,
    assert_metrics_whole,
    latest,
    metrics,
    run,
    template,
)

from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.meter import DivergedError
from lstm_jax.train.tasks.text import task as text_tasks
from lstm_jax.train.tasks.text.score import Score


def test_a_run_that_diverges_says_so_and_exports_nothing(tmp_path, monkeypatch):
    nowhere = Score(float("nan"), 1)
    monkeypatch.setattr(text_tasks, "evaluate", lambda *arguments, **options: nowhere)
    with pytest.raises(DivergedError, match="the run diverged; it has no validated checkpoint"):
        run(tmp_path / "run")
    assert not (tmp_path / "run" / "model.json").exists()


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
