"""Recordings with something wrong are refused in one line, or learned from; nothing else."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from made_up import sound_folder
from malformed_sounds import cases, tables

from lstm_jax.configs.sounds import config
from lstm_jax.errors import UserError
from lstm_jax.train.tasks.sounds.own import look_at_own

CASES = cases()
LEARNED = {"cut, beside", "8 channels", "a minute", "as loud as integers"}
REFUSED = {"nothing, in place of half", "text, in place of half", "an empty class", "all equal"}


def looked(values):
    """What recordings look like; None where they are refused, in one line."""
    try:
        look = look_at_own(replace(config, **values))
    except UserError as error:
        said = str(error)
    else:
        for part in (look.task.train, look.task.valid):
            assert all(np.isfinite(one).all() for one in part.inputs)
        assert len(look.saw) >= 4
        return look
    assert "\n" not in said
    assert 20 < len(said) < 6000
    return None


@pytest.mark.parametrize("name", CASES)
def test_a_folder_with_something_wrong_is_refused_in_one_line_or_learned_from(name, tmp_path):
    sound_folder(tmp_path / "sounds", takes=6)
    CASES[name](tmp_path / "sounds", np.random.default_rng(zlib.crc32(name.encode())))
    look = looked({"folder": str(tmp_path / "sounds")})
    assert look is not None or name not in LEARNED
    assert look is None or name not in REFUSED


@pytest.mark.parametrize("name", tables())
@pytest.mark.parametrize("group", ["", "who"])
def test_a_table_with_something_wrong_is_refused_in_one_line_or_learned_from(name, group, tmp_path):
    sound_folder(tmp_path, takes=6)
    (tmp_path / "labels.csv").write_text(tables()[name])
    columns = {"path": "file", "label": "word", "group": group}
    look = looked({"file": str(tmp_path / "labels.csv"), **columns})
    assert look is None or name not in ("empty", "a header", "ragged", "one class", "all gone")


def test_there_are_many():
    assert len(CASES) + 2 * len(tables()) >= 100
