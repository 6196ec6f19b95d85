"""A run that is killed at any moment, and resumed, has the same bits as one that never was.

One kill is part of the suite, and another one of `pytest -m slow`. Thirty kills for each problem,
in separate processes, take about half an hour on two cores, and print what was killed where:

    pytest -m long -s tests/train/test_killed.py
"""

import json
import zlib

import numpy as np
import pytest
from killing import RUN, commands, killed_often, killed_once, left_by, touches_of

from lstm_jax import cli

KILLS = 30


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the arguments of `lstm-jax` for each problem."""
    return commands(tmp_path_factory.mktemp("data"))


def train(place, words, monkeypatch):
    """Start or resume a run in this process."""
    monkeypatch.chdir(place)
    more = ["--resume"] if (place / RUN).exists() else []
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--out", RUN, *more])
    assert ended.value.code == 0


# The 300th touch is in the third checkpoint or near it.
@pytest.mark.parametrize(
    ("problem", "event", "seconds"),
    [("text", 300, 0.0), pytest.param("series", 300, 0.02, marks=pytest.mark.slow)],
)
def test_a_killed_run_leaves_what_a_whole_one_leaves(
    problem, event, seconds, trained, tmp_path, monkeypatch
):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    kill = killed_once(killed, trained[problem], event, seconds)
    assert kill is not None
    assert kill.logged > 0
    train(killed, trained[problem], monkeypatch)
    train(whole, trained[problem], monkeypatch)
    assert left_by(killed / RUN) == left_by(whole / RUN)


@pytest.mark.long
@pytest.mark.parametrize("problem", ["text", "memory", "classify", "sounds", "series"])
def test_a_run_that_is_killed_often_leaves_what_a_whole_one_leaves(problem, trained, tmp_path):
    rng = np.random.default_rng(zlib.crc32(problem.encode()))
    whole = tmp_path / "whole"
    whole.mkdir()
    touches = touches_of(whole, trained[problem])
    wanted = left_by(whole / RUN)
    kills, runs = [], 0
    while len(kills) < KILLS:
        runs += 1
        place = tmp_path / str(runs)
        place.mkdir()
        reached = 0
        for kill in killed_often(place, trained[problem], rng, touches):
            print(problem, runs, json.dumps(vars(kill)), flush=True)
            if kill.began is not None:
                assert kill.began >= reached, "what was saved once is lost"
                reached = kill.began
            kills.append(kill)
        assert left_by(place / RUN) == wanted
    print(f"{problem}: {len(kills)} kills in {runs} runs, nothing lost")
