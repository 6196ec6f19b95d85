"""The lines that a run writes, full disks, and an audience that goes away."""

import re
from pathlib import Path

import pytest
from small_run import PER_EPOCH, TOTAL, assert_metrics_whole, assert_same_bytes, copy, metrics, run

from lstm_jax.models import storage
from lstm_jax.train.run import checkpoints, meter
from lstm_jax.train.run.checkpoints import CheckpointError


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


def test_a_run_goes_on_when_nobody_reads_it(whole, started, tmp_path):
    folder = tmp_path / "run"
    with started(folder) as process:
        process.stdout.close()
        assert process.wait(timeout=300) == 0, process.stderr.read()
        assert process.stderr.read() == ""
    assert_same_bytes(folder, whole[0])
