"""Recordings are found in folders and tables, and what is passed over is said."""

import io
import os

import numpy as np
import pandas
import pytest
import soundfile
from made_up import sound, sound_folder
from rich.console import Console

from lstm_jax.train.data.audio import Mel
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples import hearing
from lstm_jax.train.data.examples.recordings import Left, in_folder, in_table


def write(path, seed=0, *, hertz=500, seconds=0.12, rate=8000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.stack([sound(hertz, seconds, rate=rate, seed=seed)] * channels, 1)
    whole = np.round(samples * 2**15).astype(np.int16)  # as every format holds them
    with path.open("wb") as file:
        soundfile.write(file, whole, rate, format=path.suffix[1:].upper())
    return path


def heard(listing, longest=5.0):
    listing, found = hearing.headers(listing)
    return hearing.hear(listing, found, Mel(), longest)


# Folders


def test_each_folder_is_a_class(tmp_path):
    found = in_folder(sound_folder(tmp_path, takes=2))
    assert [(one.name, one.label, one.group) for one in found.sounds[:2]] == [
        ("high/ada_0.wav", "high", None),
        ("high/ada_1.wav", "high", None),
    ]
    assert len(found.sounds) == 8
    assert (found.left, found.notes) == ((), ())


def test_what_is_no_recording_is_passed_over_and_said(tmp_path):
    sound_folder(tmp_path, takes=1)
    write(tmp_path / "low" / "further" / "down.flac")
    write(tmp_path / "loose.wav")
    for name in ("low/notes.txt", "low/more.txt", "high/list.json", "low/.DS_Store", "README.md"):
        (tmp_path / name).write_text("no sound")
    write(tmp_path / ".hidden" / "a.wav")
    write(tmp_path / "__MACOSX" / "a.wav")
    (tmp_path / "nothing").mkdir()
    found = in_folder(tmp_path)
    names = {one.name: one.label for one in found.sounds}
    assert names == {
        "high/ada_0.wav": "high",
        "high/bob_0.wav": "high",
        "low/ada_0.wav": "low",
        "low/bob_0.wav": "low",
        "low/further/down.flac": "low",
    }
    assert found.notes == (
        "skipped 2 .txt, 1 .json, which are not recordings",
        "skipped loose.wav, not in the folder of a class",
        "skipped nothing, without recordings",
    )


def test_a_link_to_a_folder_above_is_not_followed(tmp_path):
    sound_folder(tmp_path, takes=1)
    (tmp_path / "low" / "up").symlink_to(tmp_path)
    assert len(in_folder(tmp_path).sounds) == 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "there is no folder"),
        (lambda path: path.write_bytes(b""), "use --file for a table"),
        (lambda path: path.mkdir(), "has no recordings in folders of classes"),
        (lambda path: write(path / "a.wav"), "a.wav is not in the folder of a class"),
        (
            lambda path: [write(path / part / "low" / "a.wav") for part in ("test", "train")],
            "has the folders test and train, which are not classes: use the folder",
        ),
        (lambda path: os.makedirs(os.fsencode(path) + b"/\xff"), "is not UTF-8"),
    ],
)
def test_a_folder_that_cannot_be_learned_from_is_one_line(make, said, tmp_path):
    make(tmp_path / "sounds")
    with pytest.raises(DataError) as caught:
        in_folder(tmp_path / "sounds")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_group_stands_in_the_name(tmp_path):
    found = in_folder(sound_folder(tmp_path, takes=2), pattern=r"^(\w+)_\d")
    assert [one.group for one in found.sounds] == ["ada", "ada", "bob", "bob"] * 2
    write(tmp_path / "low" / "who.wav")
    with pytest.raises(DataError, match=r"finds no group in the name 'who\.wav'"):
        in_folder(tmp_path, pattern=r"^(\w+)_\d")


# Tables


def table_of(tmp_path, text):
    for name in ("a", "b", "c"):
        write(tmp_path / "clips" / f"{name}.wav", ord(name))
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path / "labels.csv"


def test_a_table_names_files_relative_to_itself(tmp_path):
    path = table_of(tmp_path, "file,word,who\nclips/a.wav,yes,1\nclips/b.wav,none,2.0\n")
    found = in_table(path, path="file", label="word", group="who")
    assert [one[1:] for one in found.sounds] == [
        ("clips/a.wav", "yes", "1"),
        ("clips/b.wav", "none", "2.0"),  # a word, and no missing value
    ]
    assert all(one.path.is_file() for one in found.sounds)


def test_a_frame_names_files_relative_to_where_one_is(tmp_path, monkeypatch):
    table_of(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame({"file": ["clips/a.wav", "clips/b.wav"], "word": [1.0, None]})
    found = in_table(frame, path="file", label="word")
    assert [one[1:] for one in found.sounds] == [("clips/a.wav", "1", None)]
    assert found.left == (Left("the frame, row 1", "word is empty"),)


def test_rows_without_a_file_or_a_class_are_left_out(tmp_path):
    path = table_of(tmp_path, "file,word\nclips/a.wav,\n,yes\nclips/b.wav,no\n")
    found = in_table(path, path="file", label="word")
    assert found.left == (
        Left(f"{path}, line 2", "word is empty"),
        Left(f"{path}, line 3", "file is empty"),
    )


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("file,word\n", {}, "has a header but no rows"),
        (
            "file,word\na.wav,yes\n",
            {},
            "the recordings can be found; the first, .*a.wav is missing",
        ),
        (
            "file,word\n,yes\n",
            {},
            "recordings can be found; the first, .*line 2: file is empty",
        ),
        ("file,word\na.wav,yes\n", {"path": "fille"}, "has no column 'fille': did you mean file"),
        ("file,word\na.wav,yes\n", {"label": ""}, "has the columns file, word: name the"),
        ("file,word\na.wav,yes\n", {"group": "who"}, "has no column 'who'"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_one_line(text, columns, said, tmp_path):
    path = table_of(tmp_path, text)
    with pytest.raises(DataError, match=said) as caught:
        in_table(path, **({"path": "file", "label": "word"} | columns))
    assert "\n" not in str(caught.value)


# Reading


def test_recordings_are_read_with_what_is_to_be_said_of_them(tmp_path):
    sound_folder(tmp_path, takes=6)
    write(tmp_path / "low" / "long.wav", 9, seconds=0.8, rate=16_000, channels=2)
    soundfile.write(tmp_path / "low" / "silent.wav", np.zeros(999), 8000)
    (tmp_path / "high" / "broken.wav").write_bytes(b"no sound at all")
    rows = heard(in_folder(tmp_path), 0.5)
    assert len(rows) == 25
    assert {len(one) for one in rows.inputs} == {7, 26}
    assert {one.shape[1] for one in rows.inputs} == {40}
    assert rows.labels.count("low") == 13
    assert rows.notes == (
        "0.12 to 0.80 seconds each, median 0.12; 0.1 minutes in total; 8,000 Hz (25), "
        "16,000 Hz (1); 1 channel (25), 2 channels (1)",
        "cut 1 recording after 0.5 seconds",
        "left out 2 of 27 recordings:",
        "  high/broken.wav: cannot be read as a sound: Format not recognised.",
        "  low/silent.wav: is silent from start to end: record it again",
    )


def test_equal_sounds_have_equal_keys_whatever_their_format(tmp_path):
    write(tmp_path / "a" / "1.wav", 1)
    write(tmp_path / "b" / "2.flac", 1)
    write(tmp_path / "b" / "3.wav", 2)
    rows = heard(in_folder(tmp_path))
    assert rows.keys[0] == rows.keys[1] != rows.keys[2]


def test_the_digest_is_of_files_names_and_classes(tmp_path):
    first = heard(in_folder(sound_folder(tmp_path / "a", takes=2))).sha256
    assert heard(in_folder(sound_folder(tmp_path / "b", takes=2))).sha256 == first
    (tmp_path / "b" / "low" / "ada_0.wav").rename(tmp_path / "b" / "high" / "ada_9.wav")
    assert heard(in_folder(tmp_path / "b")).sha256 != first
    write(tmp_path / "a" / "low" / "ada_0.wav", 77)
    assert heard(in_folder(tmp_path / "a")).sha256 != first


def test_too_many_that_cannot_be_used_are_refused(tmp_path):
    sound_folder(tmp_path, takes=2)
    (tmp_path / "low" / "a.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 9 recordings cannot be used.* is low/a.wav: cannot"):
        heard(in_folder(tmp_path))


def test_groups_of_one_class_only_are_pointed_out(tmp_path):
    sound_folder(tmp_path, takes=2)
    assert heard(in_folder(tmp_path, pattern=r"(\w+)_")).notes[1:] == ()
    for word in ("low", "high"):
        for path in (tmp_path / word).glob("*.wav"):
            path.rename(path.with_name(f"{word}{path.name}"))
    [note] = heard(in_folder(tmp_path, pattern=r"(\w+)_")).notes[1:]
    assert note == "warning: each group, such as 'highada', has recordings of only one class"


def test_progress_is_shown_on_a_terminal_alone(monkeypatch):
    for terminal in (True, False):
        shown = Console(file=io.StringIO(), force_terminal=terminal)
        monkeypatch.setattr(hearing, "Console", lambda shown=shown, **_: shown)
        assert list(hearing.progress([1, 2], "Features")) == [1, 2]
        assert ("Features" in shown.file.getvalue()) == terminal
