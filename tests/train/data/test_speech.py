"""Sounds are read or refused in one line, and features are scaled by training recordings alone."""

import hashlib
import os
import sys
from dataclasses import replace

import librosa
import numpy as np
import pytest
import soundfile

from lstm_jax.train import sets
from lstm_jax.train.data import audio, speech
from lstm_jax.train.data.audio import AudioError, fit_scaler, log_mel
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.speech import Recording, Speech
from lstm_jax.train.tasks.sounds import augment
from lstm_jax.train.tasks.sounds.augment import make_augment, mask, response, warp
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.speech import make_speech_task


def tone(hertz, seconds=0.3, rate=audio.RATE):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def recordings(speakers=("ada", "bob"), digits=2, takes=11):
    return tuple(
        Recording(tone(300 * (digit + 1) + 10 * index + 50 * s, 0.1), digit, speaker, index)
        for digit in range(digits)
        for s, speaker in enumerate(speakers)
        for index in range(takes)
    )


def test_a_wav_is_read_as_it_is(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(440), audio.RATE, "FLOAT")
    samples, notes = audio.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(samples, tone(440))
    assert notes == []


def test_another_rate_and_two_channels_are_converted_and_it_says_so(tmp_path):
    wide = tone(440, rate=44_100)
    soundfile.write(tmp_path / "a.wav", np.stack([wide, 0 * wide], 1), 44_100, "FLOAT")
    samples, notes = audio.read(tmp_path / "a.wav")
    assert notes == ["2 channels were averaged into one", "44,100 Hz was resampled to 8,000 Hz"]
    inner = slice(200, -200)  # the filter rings at the ends
    np.testing.assert_allclose(samples[inner], tone(440)[inner] / 2, atol=2e-3)


@pytest.mark.parametrize("left", [1, 0.999, 0.5, 0])
def test_channels_of_opposite_phase_are_not_mixed_to_silence(tmp_path, left):
    sound = np.stack([left * tone(440), -tone(440)], 1)
    soundfile.write(tmp_path / "a.wav", sound, audio.RATE, "FLOAT")
    samples, [note] = audio.read(tmp_path / "a.wav")
    if left > 0.9:
        assert "2 channels cancel each other out" in note
        assert f"only channel {1 if left == 1 else 2} is used" in note
        np.testing.assert_array_equal(np.abs(samples), np.abs(tone(440)))
    else:
        assert note == "2 channels were averaged into one"
        np.testing.assert_array_equal(samples, sound.mean(1, dtype=np.float32))


def test_a_constant_shift_does_not_hide_that_channels_cancel(tmp_path):
    sound = np.stack([tone(440) + 0.2, 0.2 - tone(440)], 1)
    soundfile.write(tmp_path / "a.wav", sound, audio.RATE, "FLOAT")
    _, [note] = audio.read(tmp_path / "a.wav")
    assert "cancel each other out" in note


NAMES = [
    "a.raw",
    "a.RAW",
    "a.xyz",
    "a",
    "a.wav.txt",
    os.fsdecode(b"\xe4.wav"),
    "\u5e8a.flac",
    ".wav",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_file_says_itself_what_it_is(name, tmp_path):
    path = tmp_path / name
    with path.open("wb") as file:
        soundfile.write(file, tone(440), audio.RATE, "FLOAT", format="WAV")
    samples, notes = audio.read(path)
    np.testing.assert_array_equal(samples, tone(440))
    assert notes == []
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(AudioError, match="cannot be read as a sound: Format not recognised"):
        audio.read(path)
    path.unlink()
    with pytest.raises(AudioError, match=r"cannot be read as a sound: .*No such file"):
        audio.read(path)


@pytest.mark.parametrize("name", ["a\0b.wav", "x" * 300 + ".wav", ""])
def test_what_is_no_name_is_one_line(name):
    with pytest.raises(AudioError, match="cannot be read as a sound"):
        audio.read(name)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read as a sound"),
        (lambda path: path.write_bytes(b"RIFF, and then nothing"), "cannot be read as a sound"),
        (lambda path: path.write_bytes(b""), "cannot be read as a sound"),
        (lambda path: path.mkdir(), "cannot be read as a sound"),
        (lambda path: soundfile.write(path, np.zeros(0), 8000), "has 0 samples at 8,000 Hz"),
        (
            lambda path: soundfile.write(path, tone(9, 0.04), 8000),
            "must last at least 0.05",
        ),
        (lambda path: soundfile.write(path, np.zeros(999), 8000), "is silent from start to end"),
        (
            lambda path: soundfile.write(path, tone(9), 7),
            "claims a rate of 7 samples",
        ),
        (
            lambda path: soundfile.write(path, 1e30 * tone(9), 8000, "FLOAT"),
            "samples as large as 5e+29",
        ),
        (
            lambda path: soundfile.write(path, np.full(999, np.nan), 8000, "FLOAT"),
            "samples that are not numbers",
        ),
    ],
)
def test_what_is_no_word_is_one_line(make, said, tmp_path):
    make(tmp_path / "a.wav")
    with pytest.raises(AudioError) as caught:
        audio.read(tmp_path / "a.wav")
    assert said in str(caught.value)
    assert str(tmp_path / "a.wav") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_sound_is_cut_and_it_says_so(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(440, 0.9), audio.RATE, "FLOAT")
    samples, notes = audio.read(tmp_path / "a.wav", longest=0.5)
    np.testing.assert_array_equal(samples, tone(440, 0.5))
    assert notes == ["it lasts 0.9 seconds; only the first 0.5 are used"]
    assert audio.read(tmp_path / "a.wav", longest=0.9)[1] == []


@pytest.mark.parametrize(("rate", "window", "step"), [(8000, 256, 160), (16_000, 512, 320)])
def test_features_are_as_long_as_they_say_at_any_rate(rate, window, step):
    mel = audio.Mel(rate)
    assert (mel.samples(mel.window), mel.samples(mel.step)) == (window, step)
    assert log_mel(tone(440, 1.0, rate), mel).shape == (51, 40)


def test_more_bands_than_a_window_tells_apart_are_refused():
    with pytest.raises(AudioError, match="64 bands are too many for a window of 8 ms at 8,000 Hz"):
        audio.check(audio.Mel(window=8, bands=64))


def test_without_librosa_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(AudioError, match=r'pip install "lstm_jax\[speech\]"'):
        audio.read(tmp_path / "a.wav")


def test_features_say_which_bands_sound_and_not_how_loud():
    found = log_mel(tone(1000))
    assert found.shape == (1 + len(tone(1000)) // 160, 40)
    centres = librosa.mel_frequencies(42, fmax=audio.RATE / 2)[1:-1]
    loudest = centres[found.mean(0).argmax()]
    assert abs(loudest - 1000) < 100
    np.testing.assert_allclose(log_mel(tone(1000) / 4), found, atol=1e-2)


def test_the_librarys_own_mel_spectrogram_is_the_same():
    energies = librosa.feature.melspectrogram(
        y=tone(700), sr=audio.RATE, n_fft=256, hop_length=160, n_mels=40
    )
    decibel = librosa.power_to_db(energies, amin=1e-10, top_db=80.0).T
    np.testing.assert_allclose(log_mel(tone(700)), decibel - decibel.mean(), atol=1e-3)


def test_the_splits_go_by_take():
    data = Speech(recordings(), "")
    splits = data.splits()
    takes = {name: sorted({one.take for one in part}) for name, part in splits.items()}
    assert takes == {"test": list(range(5)), "valid": list(range(5, 10)), "train": [10]}
    assert sum(map(len, splits.values())) == len(data.recordings)


def test_a_speaker_who_is_left_out_is_only_judged():
    splits = Speech(recordings(), "").splits("bob")
    assert {one.speaker for one in splits["train"] + splits["valid"]} == {"ada"}
    assert [one.speaker for one in splits["test"]] == ["bob"] * 22
    assert {one.take for one in splits["train"] + splits["valid"]} == {5, 6, 7, 8, 9, 10}
    with pytest.raises(DataError, match=r"there is no speaker 'eve'; the speakers are ada, bob"):
        Speech(recordings(), "").splits("eve")


def test_the_scaler_makes_mean_0_and_variance_1():
    features = [np.random.default_rng(n).normal(3, 5, (7, 2)) for n in range(3)]
    scaled = np.concatenate([fit_scaler(features)(one) for one in features])
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-6)


def test_each_group_is_scaled_by_its_own_recordings_alone():
    rng = np.random.default_rng(0)
    one, two, other = (rng.normal(3, 5, (steps, 4)).astype("f4") for steps in (7, 9, 8))
    microphone, gain = rng.normal(size=4).astype("f4"), np.float32(1.7)
    features = [one, other, two, gain * other + microphone]
    a, b, c, d = audio.scale_groups(features, ["x", "y", "x", "z"])
    np.testing.assert_allclose(np.concatenate([a, c]).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([a, c]).std(0), 1, rtol=1e-5)
    np.testing.assert_allclose(b, d, atol=1e-5)
    assert a.dtype == np.float32
    silent = audio.scale_groups([np.zeros((3, 2), "f4")], [None])
    np.testing.assert_array_equal(silent, np.zeros((1, 3, 2)))


def test_speakers_are_scaled_apart_in_every_part():
    data = Speech(recordings(), "")

    def means(config, name):
        """Return the mean features of each speaker."""
        task, part = make_speech_task(config, data), data.splits()[name]
        inputs = zip(part, getattr(task, name).inputs, strict=True)
        own = [(one.speaker, each) for one, each in inputs]
        return [np.concatenate([x for who, x in own if who == n]).mean(0) for n in data.speakers]

    for name in ("train", "valid"):
        np.testing.assert_allclose(means(SoundsConfig(scale_groups=True), name), 0, atol=1e-4)
        assert np.abs(means(SoundsConfig(), name)).max() > 0.1
    assert make_speech_task(SoundsConfig(scale_groups=True), data).own["scale_groups"] is True


def test_nothing_that_is_fitted_comes_from_what_is_judged():
    data = Speech(recordings(), "")
    changed = [
        one if one.take >= 10 else one._replace(samples=tone(3000, 0.2)) for one in data.recordings
    ]
    one, other = (
        make_speech_task(SoundsConfig(), given) for given in (data, Speech(tuple(changed), ""))
    )
    assert one.own == other.own
    for a, b in zip(one.train.inputs, other.train.inputs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        a.shape != b.shape for a, b in zip(one.valid.inputs, other.valid.inputs, strict=True)
    )


def test_a_mask_hides_bands_and_stretches_and_nothing_else():
    sequence = np.ones((20, 10), np.float32)
    seen = [mask(1, np.random.default_rng(n), sequence) for n in range(50)]
    for masked in seen:
        bands, steps = (masked == 0).all(0).sum(), (masked == 0).all(1).sum()
        assert bands <= augment.MASKED_BANDS
        assert steps <= augment.MASKED_SHARE * 20
        assert (masked == 0).sum() == 20 * bands + 10 * steps - bands * steps
    assert (sequence == 1).all()
    assert len({masked.tobytes() for masked in seen}) > 20
    np.testing.assert_array_equal(mask(1, np.random.default_rng(3), sequence), seen[3])


def test_a_warp_moves_a_tone_by_its_change():
    bands, loudest = audio.frequencies(), []
    for change in (-0.2, 0.0, 0.2):
        warped = warp(bands, change, audio.log_mel(tone(1000)).astype(float))
        loudest.append(bands[warped.mean(0).argmax()])
    np.testing.assert_allclose(loudest, [800, 1000, 1200], rtol=0.05)
    features = np.random.default_rng(0).normal(size=(7, 40))
    np.testing.assert_array_equal(warp(bands, 0.0, features), features)


def test_a_random_filter_is_smooth_and_has_the_size_that_was_asked_for():
    rng = np.random.default_rng(0)
    drawn = np.stack([response(4.0, rng, 40) for _ in range(2000)])
    np.testing.assert_allclose(np.sqrt((drawn**2).mean()), 4.0, rtol=0.05)
    np.testing.assert_allclose(drawn.mean(1), 0, atol=1e-12)
    assert np.abs(np.diff(drawn)).mean() < 0.2 * np.abs(drawn).mean()


def test_other_voices_are_drawn_before_the_masks():
    config = SoundsConfig(warp=0.1, coloring=3.0)
    features = audio.log_mel(tone(700))
    scaler = audio.fit_scaler([features])
    change = make_augment(config, scaler)
    seen = [change(np.random.default_rng(n), scaler(features)) for n in (0, 0, 1)]
    assert all(each.shape == features.shape and each.dtype == np.float32 for each in seen)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.abs(seen[2] - seen[0]).max() > 0.1
    np.testing.assert_allclose([scaler.inverse(each).mean() for each in seen], 0, atol=1e-3)
    hidden = make_augment(replace(config, masks=1), scaler)
    shown = hidden(np.random.default_rng(0), scaler(features))
    assert ((shown == seen[0]) | (shown == 0)).all()
    assert make_augment(SoundsConfig(), scaler) is None


def test_the_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_DATA", str(tmp_path))
    (tmp_path / "fsdd" / "recordings").mkdir(parents=True)
    files = {}
    for one in recordings(takes=1):
        name = f"recordings/{one.digit}_{one.speaker}_{one.take}.wav"
        soundfile.write(tmp_path / "fsdd" / name, one.samples, audio.RATE, "FLOAT")
        files[name] = hashlib.sha256((tmp_path / "fsdd" / name).read_bytes()).hexdigest()
    pinned = speech.source()
    assert len(pinned.files) == 3000
    monkeypatch.setattr(speech, "source", lambda: replace(pinned, files=files))
    data = speech.load()
    assert [one[1:] for one in data.recordings] == [one[1:] for one in recordings(takes=1)]
    np.testing.assert_array_equal(data.recordings[2].samples, recordings(takes=1)[2].samples)
    figures, said = sets.describe("speech")
    assert figures["splits"]["test"] == {"recordings": 4, "seconds": 0.4}
    assert said.endswith("speakers: ada, bob")


@pytest.mark.corpus
def test_the_official_counts():
    data = speech.load()
    counts = {name: len(part) for name, part in data.splits().items()}
    assert counts == {"train": 2400, "valid": 300, "test": 300}
    assert len(data.speakers) == 6
    assert {name: len(part) for name, part in data.splits("theo").items()} == {
        "train": 2000, "valid": 250, "test": 500,
    }  # fmt: skip
