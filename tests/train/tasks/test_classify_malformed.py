"""What is wrong in a user's file is one line, or it is learned from: no trace, no hang."""

from dataclasses import replace

import numpy as np
import pytest
from malformed_classes import CASES, json_lines, texts

from lstm_jax.configs.classify import config as recipe
from lstm_jax.errors import UserError
from lstm_jax.train.tasks.classify.own import look_at_own

TEXTS = {"text": "text", "label": "label"}
STEPS = {"by": "id", "time": "t", "label": "label"}


def looked_at(path, columns):
    """A look at a file, or what was said of it instead."""
    try:
        return look_at_own(replace(recipe, file=str(path), **columns)), ""
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_refused_in_a_line_or_learned_from(case, tmp_path):
    make, seed = CASES[case]
    ending, content = make(seed)
    path = tmp_path / f"data{ending}"
    path.write_bytes(content)
    columns = TEXTS if make in (texts, json_lines) else STEPS
    look, said = looked_at(path, {} if ending == ".ts" else columns)
    if look is None:
        assert "\n" not in said
        assert str(path) in said
        return
    batch = look.task.epoch(0)[0]
    assert np.isfinite(batch.inputs).all()
    assert batch.weights.sum() > 0
    assert look.config.epochs >= 1


def test_some_are_refused_and_some_learned_from(tmp_path):
    refused = 0
    for make, seed in CASES.values():
        ending, content = make(seed)
        path = tmp_path / f"data{ending}"
        path.write_bytes(content)
        columns = TEXTS if make in (texts, json_lines) else STEPS
        refused += looked_at(path, {} if ending == ".ts" else columns)[0] is None
    assert len(CASES) / 3 < refused < len(CASES)
