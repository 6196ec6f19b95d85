"""The records of a run besides metrics.jsonl."""

import io
import json
import struct
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from lstm_jax.configs import adding
from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError
from lstm_jax.train.run.writers import TensorBoard, writing

pytestmark = pytest.mark.usefixtures("compile_fast")
TINY = replace(
    adding.config,
    steps=24,
    epochs=2,
    sequences=40,
    batch=20,
    log_every=1,
    model=replace(adding.config.model, hidden_features=3, max_timescale=None),
)


class Kept:
    def __init__(self):
        self.lines = []

    def write(self, step, values):
        self.lines.append({"step": step, **values})


def test_a_writer_of_ones_own_is_told_every_line(tmp_path):
    kept = Kept()
    loop.prepare(tmp_path / "run", TINY, resume=False, overwrite=False)
    loop.train(TINY, tmp_path / "run", console=Console(quiet=True), writers=[kept])
    written = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert kept.lines == [json.loads(line) for line in written]
    assert len(kept.lines) == 6  # four steps and two validations


def test_a_writer_that_cannot_write_ends_no_run(tmp_path):
    class Full(Kept):
        def write(self, step, values):
            super().write(step, values)
            raise OSError(28, "No space left on device")

    said, full, kept = io.StringIO(), Full(), Kept()
    loop.prepare(tmp_path / "run", TINY, resume=False, overwrite=False)
    console = Console(file=said, width=200)
    assert loop.train(TINY, tmp_path / "run", console=console, writers=[full, kept]).finished
    assert (len(full.lines), len(kept.lines)) == (1, 6)
    line = "Full cannot write ([Errno 28] No space left on device); training continues without it\n"
    assert line in said.getvalue()


def scalars(folder):
    """Return the events in TensorBoard's files as (tag, step, value)."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.*")):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])  # then a checksum of four bytes
            event = event_pb2.Event.FromString(content[12 : 12 + length])
            found += [(one.tag, event.step, one.simple_value) for one in event.summary.value]
            content = content[16 + length :]
    return found


def test_tensorboard_shows_the_figures(tmp_path):
    pytest.importorskip("tensorboardX")
    with writing("tensorboard", tmp_path) as (writer,):
        assert list(tmp_path.iterdir()) == []  # nothing yet
        writer.write(20, {"loss": 1.5, "perplexity": 4.5})
        writer.write(40, {"loss": 0.25})
        # At once, and not when the run ends, which a signal may do for it.
        assert scalars(tmp_path) == [
            ("loss", 20, 1.5),
            ("perplexity", 20, 4.5),
            ("loss", 40, 0.25),
        ]


def test_a_run_that_is_overwritten_leaves_no_events(tmp_path):
    folder = tmp_path / "run"
    loop.prepare(folder, TINY, resume=False, overwrite=False)
    (folder / "events.out.tfevents.17.host").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    loop.prepare(folder, TINY, resume=False, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "notes.txt"]


def test_without_the_package_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError) as raised:
        TensorBoard(tmp_path)
    assert str(raised.value) == (
        "writing for TensorBoard needs the package tensorboardX, which is not installed; install "
        'it with: pip install "lstm_jax[tensorboard]"'
    )
    with writing(None, tmp_path) as writers:
        assert writers == ()
