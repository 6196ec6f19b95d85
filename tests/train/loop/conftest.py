"""What the tests of a run share: compiled programs, a whole run, and other processes."""

from functools import partial

import pytest
from programs import share
from small_run import TEXTS, run, start

from lstm_jax.train import loop
from lstm_jax.train.data import synthetic
from lstm_jax.train.tasks.text import task as text_tasks


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Use few verses, and share the programs among all runs here, because they compile slowly."""
    verses = synthetic.verses
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(synthetic, "verses", lambda count, *, seed: verses(TEXTS, seed=seed))
        yield share(monkeypatch, (loop, "make_update"), (text_tasks, "make_scorer"))


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Start processes that share a cache of compiled programs."""
    return partial(start, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(compiled, tmp_path_factory):
    """Return a run that never stopped; no test may write to its folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, *run(folder)
