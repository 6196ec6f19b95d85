"""Texts on the disk: every one once, whatever the chunks, rows that go on, nothing half written."""

import itertools
import json
import os
import time
from collections import Counter

import numpy as np
import pytest

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.units import UNITS
from lstm_jax.train.data import corpus
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.shards import pieces, prepare, rows, store, symbols
from lstm_jax.train.data.shards.count import Files, sha256_of
from lstm_jax.train.data.shards.pieces import read_pieces
from lstm_jax.train.data.shards.rows import windows
from lstm_jax.train.data.shards.store import BlockWriter, open_blocks
from lstm_jax.train.data.shards.symbols import Encoder
from lstm_jax.train.data.text import epoch_order

RNG = np.random.default_rng(0)
PROSE = "".join(
    RNG.choice(list("ab é床𝄞\n'"), 2000, p=[0.3, 0.2, 0.2, 0.1, 0.05, 0.05, 0.08, 0.02])
)
UNIT_NAMES = ("character", "word", "byte")


@pytest.fixture
def small(monkeypatch):
    """Pieces, blocks and shards so small that a short text has many."""
    monkeypatch.setattr(pieces, "PIECE", 50)
    monkeypatch.setattr(store, "BLOCK", 60)
    monkeypatch.setattr(store, "SHARD", 3)


@pytest.fixture
def chunked(monkeypatch):
    """Sets the bytes that are read at a time."""

    def to(size):
        read = pieces.read_chunks
        monkeypatch.setattr(
            pieces, "read_chunks", lambda path, encoding: read(path, encoding, size=size)
        )

    return to


def texts_of(path, kind):
    """The texts of a file, put together again; and the pieces."""
    found, rest, every = [], "", []
    for some in read_pieces(path, None, kind, read=lambda size: None):
        for text, end in zip(some.texts, some.ends, strict=True):
            every.append(text)
            rest += text
            if end:
                found.append(rest)
                rest = ""
    assert rest == ""
    return found, every


# --- pieces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("kind", ["file", "line", "paragraph"])
def test_texts_are_those_of_a_file_in_memory(kind, size, small, chunked, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(f"\n \n{PROSE}\n \t\n\n{PROSE}" + "\r" * 9, encoding="utf-8", newline="")
    chunked(size)
    if kind == "paragraph":  # whole, as most are: those that are cut keep their line feeds
        pieces.PIECE = 10_000
    found, every = texts_of(path, kind)
    assert found == corpus.cut(path.read_text(encoding="utf-8"), kind)
    assert max(map(len, every)) <= pieces.PIECE
    assert len(found) > 5 or kind == "file"


def test_where_a_text_is_cut_hangs_on_the_text_alone(small, chunked, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(PROSE, encoding="utf-8")
    _, whole = texts_of(path, "file")
    chunked(3)
    assert texts_of(path, "file")[1] == whole == pieces.cut(PROSE)


def test_a_text_is_cut_after_a_line_or_before_a_blank(small):
    assert pieces.cut("a" * 50) == ["a" * 50]
    assert pieces.cut("a" * 51) == ["a" * 50, "a"]
    assert pieces.cut("a" * 30 + "\n" + "b c" * 10) == ["a" * 30 + "\n", "b c" * 10]
    assert pieces.cut("a" * 30 + " " + "b" * 30) == ["a" * 30, " " + "b" * 30]


def test_words_are_those_of_the_whole_text(small):
    text = "It's a fine day, isn't it? " * 40
    cut = [UNITS["word"].split(piece) for piece in pieces.cut(text)]
    assert [word for words in cut for word in words] == UNITS["word"].split(text)


# --- symbols -------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_symbols_are_counted_and_numbered_as_in_a_vocabulary(unit):
    texts, ends = [PROSE[:700], "", PROSE[700:]], [True, True, False]
    counter = symbols.counter(unit)
    for text in texts:
        counter.add([text])
    cut = [UNITS[unit].split(text) for text in texts]
    expected = Counter(symbol for text in cut for symbol in text)
    assert counter.counts() == expected
    assert counter.total == expected.total()
    table = symbols.table(counter.counts(), unit)
    vocabulary = Vocabulary.from_texts(cut, min_count=1)
    assert tuple(table) == vocabulary.characters
    rare = Vocabulary.from_counts(table, min_count=9).characters
    assert rare == vocabulary.characters[: len(rare)]
    ids, sizes = Encoder(unit, list(table)).encode(texts, ends)
    slow = [[*vocabulary.encode(text), *[0] * end] for text, end in zip(cut, ends, strict=True)]
    assert ids.tolist() == [number for text in slow for number in text]
    assert sizes.tolist() == list(map(len, slow))


@pytest.mark.parametrize(
    ("count", "dtype"), [(254, "u1"), (255, "u2"), (65534, "u2"), (65535, "u4")]
)
def test_ids_take_as_few_bytes_as_they_can(count, dtype):
    encoder = Encoder("character", [chr(0x10000 + i) for i in range(count)])
    ids, _ = encoder.encode([chr(0x10000 + count - 1) + "a"], [False])
    assert ids.dtype == dtype
    assert ids.tolist() == [count + 1, Vocabulary.unknown_id]


def test_many_words_are_counted_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(symbols, "MOST_WORDS", 20)
    monkeypatch.setattr(symbols, "WORDS", 2)
    counter = symbols.counter("word")
    for start in range(0, 300, 10):
        counter.add([f"often often {' '.join(f'w{n}' for n in range(start, start + 10))} also"])
    counts = counter.counts()
    assert len(counts) <= 20
    assert counter.total == 30 * 13
    assert list(symbols.table(counts, "word").items()) == [(" also", 30), (" often", 30)]


# --- blocks --------------------------------------------------------------------------------------


def write(folder, texts, dtype="u1", known=250):
    """Blocks of texts of some sizes, whose ids tell where they are."""
    writer = BlockWriter(folder, np.dtype(dtype))
    every = np.arange(sum(texts)) % 200 + 2
    ids = every.astype(dtype)
    ids[np.cumsum(texts) - 1] = 0
    for start in range(0, len(texts), 4):  # as they come: a few at a time
        before = sum(texts[:start])
        some = texts[start : start + 4]
        writer.add(ids[before : before + sum(some)], np.array(some))
    writer.close()
    shards = sorted(folder.glob("*.array_record"))
    lengths = np.array(writer.lengths, np.int32)
    return ids, open_blocks(shards, lengths, np.dtype(dtype), known)


def test_a_block_holds_whole_texts(small, tmp_path):
    ids, blocks = write(tmp_path, [20, 30, 11, 60, 1, 150, 5, 5, *[9] * 40])
    assert blocks.lengths.tolist() == [50, 11, 60, 1, 150, 55, *[54] * 5, 45]
    read = [blocks.read(number) for number in range(len(blocks.lengths))]
    assert np.concatenate(read).tolist() == ids.tolist()
    assert len(blocks.shards) == -(-len(read) // 3)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4"])
def test_ids_that_a_vocabulary_does_not_know_are_unknown(dtype, small, tmp_path):
    ids, blocks = write(tmp_path, [50, 50, 50], dtype, known=30)
    assert np.concatenate([blocks.read(n) for n in range(3)]).tolist() == [
        number if number < 30 else Vocabulary.unknown_id for number in ids.tolist()
    ]


def test_a_damaged_block_is_one_line(small, tmp_path):
    _, blocks = write(tmp_path, [50] * 30)
    content = bytearray(blocks.shards[2].read_bytes())
    for place in range(len(content)):
        content[place] ^= 1
    blocks.shards[2].write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged \(.*\): delete it, and it will be created"):
        blocks.read(7)


def test_missing_packages_are_said_with_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "grain", None)
    with pytest.raises(DataError, match=r'not installed: pip install "lstm_jax\[scale\]"$'):
        store.packages()


# --- rows ----------------------------------------------------------------------------------------


def literal(blocks, order, rows, length, parts):
    """(row, window) -> inputs, targets, resets, weights: each symbol laid down by itself."""
    line = []
    for number in order:
        before = 0
        for symbol in blocks.read(int(number)).tolist():
            line.append((before, symbol))
            before = symbol
    count = -(-len(line) // (rows * length * parts)) * parts
    size = count * length
    found = {}
    for row in range(rows):
        own = line[row * size : (row + 1) * size]
        own = [(0, own[0][1]), *own[1:]] if own else []
        steps = [(before, symbol, before == 0, 1.0) for before, symbol in own]
        steps += [(0, 0, True, 0.0)] * (size - len(steps))
        for index in range(count):
            found[row, index] = steps[index * length : (index + 1) * length]
    return count, found


@pytest.mark.parametrize(
    ("rows", "length", "parts"),
    [(1, 7, 1), (3, 16, 1), (3, 16, 3), (4, 64, 1), (4, 32, 2), (50, 5, 1), (50, 5, 3)],
)
def test_a_pass_is_that_of_a_literal_reference(rows, length, parts, small, tmp_path):
    _, blocks = write(tmp_path, [20, 30, 11, 60, 1, 150, 5, 5, *[9] * 40])
    order = epoch_order(3, 1, len(blocks.lengths))
    count, expected = literal(blocks, order, rows, length, parts)
    shape = {"rows": rows, "length": length, "parts": parts}
    epochs = [windows(blocks, order, **shape, part=part) for part in range(parts)]
    assert [len(epoch) for epoch in epochs] == [count // parts] * parts
    for index in np.random.default_rng(1).permutation(count):  # from any start, in any order
        part, place = divmod(int(index), count // parts)
        batch = epochs[part][place]
        assert batch.weights.any()
        for row in range(rows):
            arrays = (batch.inputs, batch.targets, batch.resets, batch.weights)
            assert (
                list(zip(*(array[row].tolist() for array in arrays), strict=True))
                == (expected[row, index])
            )


def test_epochs_have_a_bounded_number_of_steps():
    most = rows.STEPS * 32 * 96
    assert rows.count_parts(most, rows=32, length=96) == 1
    assert rows.count_parts(most + 1, rows=32, length=96) == 2
    assert rows.count_parts(most, rows=1, length=96) == 1


def test_every_symbol_is_read_once_and_rows_go_on(small, tmp_path):
    ids, blocks = write(tmp_path, [9] * 200)
    epoch = windows(blocks, epoch_order(0, 0, len(blocks.lengths)), rows=4, length=32)
    batches = list(epoch)
    targets = np.concatenate([batch.targets[batch.weights > 0] for batch in batches])
    assert sorted(targets.tolist()) == sorted(ids.tolist())
    went_on = 0
    for before, after in itertools.pairwise(batches):
        goes_on = ~after.resets[:, 0]
        assert (after.inputs[goes_on, 0] == before.targets[goes_on, -1]).all()
        went_on += goes_on.sum()
    assert went_on > len(batches)


def test_a_process_reads_the_blocks_of_its_own_rows(small, tmp_path, monkeypatch):
    _, blocks = write(tmp_path, [30] * 64)  # 32 blocks of 60: 8 rows of 4 each
    order = epoch_order(0, 0, 32)
    whole = list(windows(blocks, order, rows=8, length=20))
    read, plain = [], store.Blocks.read
    monkeypatch.setattr(
        store.Blocks, "read", lambda self, number: read.append(number) or plain(self, number)
    )
    own = windows(blocks, order, rows=8, length=20)
    for index in range(len(own)):
        part = own.part(index, slice(2, 5))
        for mine, every in zip(part, whole[index], strict=True):
            assert mine is every is None or mine.tolist() == every[2:5].tolist()
    assert sorted(read) == sorted(order[8:20].tolist())  # each once


def test_an_epoch_hangs_on_the_seed_and_its_number(small, tmp_path):
    _, blocks = write(tmp_path, [9] * 200)

    def first(seed, epoch):
        order = epoch_order(seed, epoch, len(blocks.lengths))
        return windows(blocks, order, rows=4, length=32)[0].targets.tolist()

    assert first(0, 0) == first(0, 0)
    assert first(0, 0) != first(0, 1)
    assert first(0, 0) != first(1, 0)


# --- the preparation -----------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"{number}.txt")
        lines = [f"line {n * n} of {number}" for n in range(200)]
        paths[-1].write_text("\n".join(lines), encoding="utf-8")
    return Files(tuple(paths), None, "line", "character", 0.1, 0.1)


def made(files):
    return prepare.prepare(files, sha256_of(files.paths))


def lines_of(prepared):
    """The training texts, back from their ids."""
    blocks = prepared.blocks(1000)
    vocabulary = Vocabulary(tuple(prepared.counts.symbols))
    ids = np.concatenate([blocks.read(number) for number in range(len(blocks.lengths))])
    return [
        "".join(vocabulary.decode(part)) for part in np.split(ids, np.flatnonzero(ids == 0) + 1)
    ]


def test_every_text_is_in_one_split(files, small):
    prepared = made(files)
    every = [line for path in files.paths for line in path.read_text().split("\n")]
    train, held = lines_of(prepared)[:-1], prepared.held_out
    assert sorted([*train, *held["valid"], *held["test"]]) == sorted(every)
    assert prepared.counts.texts == {
        "train": len(train), "valid": len(held["valid"]), "test": len(held["test"]),
    }  # fmt: skip
    assert prepared.counts.symbols == Counter("".join(train))
    assert prepared.counts.characters == sum(map(len, every))
    assert not prepared.counts.cut
    assert 10 < len(held["valid"]) < 70


def test_the_digest_is_that_of_files_in_memory(files):
    assert sha256_of(files.paths) == corpus.read_files(files.paths).sha256


def test_what_is_prepared_is_found_again(files, monkeypatch):
    first = made(files)
    monkeypatch.setattr(prepare, "_make", None)
    again = made(files)
    assert again.folder == first.folder
    assert again.counts == first.counts


def test_other_files_and_another_way_to_read_them_are_prepared_by_themselves(files):
    folders = {made(one).folder for one in (files, files._replace(unit="byte"))}
    folders.add(made(files._replace(test=0.2)).folder)
    files.paths[0].write_text("other\n" * 99, encoding="utf-8")
    folders.add(made(files).folder)
    assert len(folders) == 4


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, OSError, RuntimeError])
def test_an_interrupted_preparation_leaves_nothing(trouble, files, monkeypatch):
    def interrupted(self):
        raise trouble("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(BlockWriter, "close", interrupted)
        said = (
            pytest.raises(KeyboardInterrupt)
            if trouble is KeyboardInterrupt
            else pytest.raises(
                DataError, match=r"the texts cannot be prepared in .*prepared: no space left$"
            )
        )
        with said:
            made(files)
    root = made(files).folder.parent
    assert len(list(root.iterdir())) == 1


def test_what_was_killed_is_not_taken_and_deleted_in_the_end(files):
    folder = made(files).folder
    left = folder.rename(folder.with_name(f"{folder.name}.old.partial"))
    young = folder.with_name(f"{folder.name}.young.partial")
    young.mkdir()
    os.utime(left, (time.time() - 2 * prepare.DAY,) * 2)
    assert made(files).folder.is_dir()
    assert young.exists()  # somebody may be at it
    assert not left.exists()


def test_a_folder_that_lost_a_file_or_half_of_one_is_made_again(files):
    first = made(files)
    before = lines_of(first)
    shard = first.folder / "00000.array_record"
    for spoil in (
        shard.unlink,
        lambda: shard.write_bytes(b"half"),
        (first.folder / "about.json").unlink,
    ):
        spoil()
        assert lines_of(made(files)) == before


def test_two_that_prepare_at_once_do_not_disturb_each_other(files, monkeypatch):
    plain = prepare._write

    def slower(*args):
        plain(*args)
        monkeypatch.setattr(prepare, "_write", plain)
        made(files)  # the other one, which is done first

    monkeypatch.setattr(prepare, "_write", slower)
    prepared = made(files)
    assert len(lines_of(prepared)) > 100
    assert [path.name for path in prepared.folder.parent.iterdir()] == [prepared.folder.name]


def test_too_few_texts_are_one_line(files):
    files.paths[0].write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"^2 texts, or pieces of longer ones, are too few to set"):
        made(files._replace(paths=files.paths[:1]))


def test_texts_that_are_cut_are_said_to_be(files, small):
    prepared = made(files._replace(texts="file"))
    assert prepared.counts.cut
    assert json.loads((prepared.folder / "about.json").read_text())["counts"]["cut"]
    text = "".join(path.read_text() for path in files.paths)
    assert len("".join(lines_of(prepared))) < len(text) == prepared.counts.characters
