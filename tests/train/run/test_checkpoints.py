"""Checkpoints are loaded bit for bit or refused; a kill never destroys the earlier checkpoint."""

import itertools
import json
import logging
import os
import re
import resource
import shutil
import threading
import time
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.checkpoints import CheckpointError, exists, load, read_metadata, save

METADATA = {"step": 7, "best": 3.25, "vocabulary": "靜夜思", "model": {"hidden": 5}, "seen": None}


def make_tree(seed=0, hidden=5):
    keys = jax.random.split(jax.random.key(seed), 3)
    params = {
        "embed": jax.random.normal(keys[0], (7, 4), jnp.bfloat16),
        "lstm": {"kernel": jax.random.normal(keys[1], (4, 4 * hidden)), "b": jnp.zeros(4 * hidden)},
        "a.b": jnp.array([jnp.nan, -0.0, jnp.inf]),
    }
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-3, 5, 50)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule))
    state = optimizer.init(params)
    gradients = jax.tree.map(jnp.ones_like, params)
    _, state = optimizer.update(gradients, state, params)
    carry = (jax.random.normal(keys[2], (2, hidden)), None, ())
    return {"params": params, "optimizer": state, "carry": carry, "step": jnp.int32(7 + seed)}


def abstract(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert isinstance(a, jax.Array)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def refused(folder, like, pattern):
    with pytest.raises(CheckpointError, match=pattern) as caught:
        load(folder, like)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def tree():
    return make_tree()


@pytest.fixture(scope="module")
def written(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "checkpoints" / "latest"
    save(folder, tree, metadata=METADATA)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "latest")


class Killed(BaseException):
    pass


def kill_at_rename(monkeypatch, number):
    """Allow `number` renames, and die at the next."""
    rename, done = os.rename, []

    def dying(*args, **kwargs):
        if len(done) == number:
            raise Killed
        done.append(args)
        return rename(*args, **kwargs)

    monkeypatch.setattr(checkpoints.os, "rename", dying)
    # Orbax renames too, and is not what is being killed here.
    monkeypatch.setattr(checkpoints, "_orbax_save", lambda path, leaves: fake_arrays(path, leaves))


def fake_arrays(path, leaves):
    path.mkdir()
    for i, leaf in enumerate(leaves):
        np.save(path / f"{i}.npy", np.asarray(leaf).view(np.uint8) if leaf.ndim else leaf)


@pytest.mark.parametrize("like", [abstract, lambda tree: tree], ids=["abstract", "arrays"])
def test_round_trip_is_bit_for_bit(written, tree, like):
    loaded, metadata = load(written, like(tree))
    assert_same(loaded, tree)
    assert metadata == METADATA == read_metadata(written)
    assert exists(written)
    assert [p.name for p in written.parent.iterdir()] == ["latest"]


def test_a_bare_array_and_a_named_sharding(tmp_path):
    array = jnp.arange(6.0).reshape(2, 3)
    save(tmp_path / "x", array, metadata={})
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    like = jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)
    loaded, _ = load(tmp_path / "x", like)
    assert_same(loaded, array)
    assert loaded.sharding == sharding


def test_flipped_bytes_are_refused(folder, tree):
    like = abstract(tree)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        for position in sorted({*range(0, len(data), max(1, len(data) // 6)), len(data) - 1}):
            if position < 0:  # Orbax leaves an empty marker file
                continue
            changed = bytearray(data)
            changed[position] ^= 1 << (position % 8)
            path.write_bytes(changed)
            refused(folder, like, "is damaged")
        path.write_bytes(data)
    assert_same(load(folder, like)[0], tree)


def test_truncated_and_missing_files_are_refused(folder, tree):
    like = abstract(tree)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if data:
            path.write_bytes(data[:-1])
            refused(folder, like, re.escape(str(folder)))
        path.unlink()
        refused(folder, like, f"{path.name}.*missing|has no {path.name}")
        path.write_bytes(data)
    (folder / "arrays" / "notes.txt").write_text("an extra file is no harm")
    assert_same(load(folder, like)[0], tree)


def test_damaged_metadata_is_refused_alone(folder):
    (folder / "metadata.json").write_text(json.dumps({**METADATA, "step": 8}))
    with pytest.raises(CheckpointError, match=r"metadata\.json is damaged"):
        read_metadata(folder)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_half_written_is_refused(folder, tree, name):
    (folder / name).unlink()
    refused(folder, abstract(tree), f"incomplete.*{re.escape(name)}")
    assert exists(folder)


def test_a_missing_checkpoint_says_where_it_looked(tmp_path, tree):
    assert not exists(tmp_path / "none")
    refused(tmp_path / "none", abstract(tree), f"no checkpoint at {re.escape(str(tmp_path))}/none")
    (tmp_path / "empty").mkdir()
    assert not exists(tmp_path / "empty")


def test_another_model_is_refused_by_leaf(written, tree):
    refused(
        written,
        abstract(make_tree(hidden=6)),
        r"leaf carry/0 is float32\[2, 5\] in the checkpoint and float32\[2, 6\] in the model",
    )
    like = abstract(tree)
    like["params"]["embed"] = jax.ShapeDtypeStruct((7, 4), jnp.float32)
    refused(written, like, r"leaf params/embed is bfloat16\[7, 4\] .* float32\[7, 4\]")
    like = abstract(tree)
    like["params"]["head"] = jax.ShapeDtypeStruct((3,), jnp.float32)
    refused(written, like, r"leaf params/head is absent in the checkpoint and float32\[3\]")
    like = abstract(tree)
    del like["params"]["lstm"]["b"]
    refused(written, like, r"leaf params/lstm/b is float32\[20\] .* absent in the model")


def test_saving_again_replaces(folder):
    second = make_tree(1)
    save(folder, second, metadata={"step": 8})
    loaded, metadata = load(folder, abstract(second))
    assert_same(loaded, second)
    assert metadata == {"step": 8}
    assert [p.name for p in folder.parent.iterdir()] == ["latest"]


def test_a_kill_before_the_renames_keeps_the_earlier(folder, tree, monkeypatch):
    with monkeypatch.context() as patch:
        kill_at_rename(patch, 0)
        with pytest.raises(Killed):
            save(folder, make_tree(1), metadata={"step": 8})
    assert_same(load(folder, abstract(tree))[0], tree)


def test_a_kill_between_the_renames_is_recovered(folder, tree, monkeypatch):
    with monkeypatch.context() as patch:
        kill_at_rename(patch, 1)
        with pytest.raises(Killed):
            save(folder, make_tree(1), metadata={"step": 8})
    assert not folder.exists()
    assert exists(folder)
    assert read_metadata(folder) == {"step": 8}
    # A new one that does not verify gives way to the old one.
    (folder.with_name("latest.new") / "manifest.json").write_text("{}")
    assert read_metadata(folder) == METADATA
    assert_same(load(folder, abstract(tree))[0], tree)
    # If the save after the kill fails, the recovered one is back in its place.
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_orbax_save", fail)
        with pytest.raises(CheckpointError, match="No space left"):
            save(folder, make_tree(2), metadata={})
    assert_same(load(folder, abstract(tree))[0], tree)
    assert [p.name for p in folder.parent.iterdir()] == ["latest"]


def test_the_new_one_loads_after_a_kill_between_the_renames(folder, tree, tmp_path):
    second = make_tree(1)
    save(tmp_path / "other", second, metadata={"step": 8})
    os.rename(folder, folder.with_name("latest.old"))
    os.rename(tmp_path / "other", folder.with_name("latest.new"))
    assert_same(load(folder, abstract(second))[0], second)
    save(folder, tree, metadata=METADATA)
    assert_same(load(folder, abstract(tree))[0], tree)
    assert [p.name for p in folder.parent.iterdir()] == ["latest"]


def test_a_kill_before_the_old_one_is_deleted_is_harmless(folder, tree, monkeypatch):
    shutil.copytree(folder, folder.with_name("latest.old"))
    assert_same(load(folder, abstract(tree))[0], tree)
    save(folder, tree, metadata={})
    assert [p.name for p in folder.parent.iterdir()] == ["latest"]


def fail(path, *_):
    raise OSError(28, "No space left\non device")


@pytest.mark.parametrize("stage", ["_orbax_save", "_write", "_write_manifest"])
def test_a_failed_write_keeps_the_earlier(folder, tree, monkeypatch, stage):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, stage, fail)
        with pytest.raises(CheckpointError, match="No space left on device") as caught:
            save(folder, make_tree(1), metadata={})
    assert "\n" not in str(caught.value)
    assert_same(load(folder, abstract(tree))[0], tree)
    assert [p.name for p in folder.parent.iterdir()] == ["latest"]


@contextmanager
def files_of_at_most(size):
    """Limit the size of files, which has the effect of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def large():
    """Return incompressible arrays of more than a megabyte."""
    return {name: jax.random.normal(jax.random.key(0), (200_000,)) for name in "ab"}


def test_a_full_disk_is_one_line_of_the_systems_words(folder, tree, large, capfd, caplog):
    with files_of_at_most(500_000), pytest.raises(CheckpointError) as caught:
        save(folder, large, metadata={})
    assert str(caught.value) == (
        f"could not write a checkpoint at {folder}: OSError: [Errno 27] File too large; an earlier "
        "checkpoint is untouched"
    )
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert_same(load(folder, abstract(tree))[0], tree)


def test_orbax_is_quiet_when_it_fails_in_many_threads(folder, tree, large, caplog, monkeypatch):
    monkeypatch.setattr(checkpoints, "_reserve", lambda *_: None)
    running = set(threading.enumerate())
    with files_of_at_most(500_000), pytest.raises(CheckpointError, match="File too large"):
        save(folder, large, metadata={})
    assert not caplog.records
    assert set(threading.enumerate()) <= running
    assert_same(load(folder, abstract(tree))[0], tree)


@pytest.mark.parametrize("hours", [3, -3, 500_000], ids=["forward", "back", "from 1970 to today"])
def test_a_clock_that_jumps_ends_no_save(hours, tmp_path, tree, monkeypatch):
    clock, ticks = time.time, itertools.count(1)

    def jumping():
        return clock() + 3600 * hours * (next(ticks) if abs(hours) < 10 else next(ticks) > 5)

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", jumping)
        patch.setattr(time, "time_ns", lambda: int(1e9 * jumping()))
        save(tmp_path / "latest", tree, metadata=METADATA)
        assert_same(load(tmp_path / "latest", abstract(tree))[0], tree)
    assert next(ticks) > 10, "Orbax must look at the clock for this to be a test"


@pytest.mark.parametrize(
    ("bad", "pattern"),
    [
        ({"x": 3}, "leaf x is a int"),
        ({"x": np.ones(3)}, "leaf x, a ndarray"),
        ({"x": jnp.zeros((0, 3))}, r"leaf x.*float32\[0, 3\]"),
        ({"x": ()}, "no leaves"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_name(tmp_path, bad, pattern):
    with pytest.raises(CheckpointError, match=pattern):
        save(tmp_path / "latest", bad, metadata={})
    assert not list(tmp_path.iterdir())


def test_a_prng_key_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="key_data"):
        save(tmp_path / "latest", {"key": jax.random.key(0)}, metadata={})


def test_metadata_that_is_not_json_is_refused(tmp_path, tree):
    with pytest.raises(CheckpointError, match="not JSON"):
        save(tmp_path / "latest", tree, metadata={"x": object()})


def test_a_folder_that_is_no_checkpoint_is_not_replaced(tmp_path, tree):
    (tmp_path / "poems.txt").write_text("牀前明月光")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        save(tmp_path, tree, metadata={})
    assert (tmp_path / "poems.txt").exists()


def test_orbax_is_quiet_even_where_logging_is_not(tmp_path, tree, caplog):
    with caplog.at_level(logging.INFO):
        save(tmp_path / "latest", tree, metadata={})
        load(tmp_path / "latest", abstract(tree))
    assert not [r for r in caplog.records if r.name == "absl"]


def test_a_folder_whose_name_is_no_utf8(tmp_path, tree):
    """Orbax's C++ code accepts only UTF-8, but any name that the file system allows must work."""
    folder = tmp_path / os.fsdecode(b"\xe4\xff") / "latest"
    for step in (1, 2):
        save(folder, tree, metadata={"step": step, "from": str(folder)})
    loaded, metadata = load(folder, tree)
    assert metadata == {"step": 2, "from": str(folder)}
    jax.tree.map(np.testing.assert_array_equal, loaded, tree)


def test_a_copy_takes_the_others_place_and_what_was_set_aside_stays(written, tree, tmp_path):
    folder = tmp_path / "latest"
    save(folder, {"x": jnp.ones(3)}, metadata={})
    (tmp_path / "latest.damaged-1").mkdir()
    checkpoints.copy(written, folder)
    loaded, metadata = load(folder, tree)
    assert_same(loaded, tree)
    assert metadata == METADATA
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "latest.damaged-1"}


def test_a_damaged_checkpoint_is_not_copied(written, tmp_path):
    folder, before = tmp_path / "latest", {"x": jnp.ones(3)}
    save(folder, before, metadata={})
    damaged = shutil.copytree(written, tmp_path / "best")
    largest = max((p for p in damaged.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"\0")
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoints.copy(damaged, folder)
    assert_same(load(folder, before)[0], before)


def test_a_copy_that_cannot_be_written_leaves_what_was_there(written, tmp_path, monkeypatch):
    folder, before = tmp_path / "latest", {"x": jnp.ones(3)}
    save(folder, before, metadata={})

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(CheckpointError, match="could not copy"):
        checkpoints.copy(written, folder)
    assert_same(load(folder, before)[0], before)
