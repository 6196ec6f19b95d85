"""Folders and tables of recordings with something wrong, made from a seed."""

import os
import struct

import numpy as np
import soundfile
from made_up import sound, sound_folder

RATES = (1, 7, 999, 1_000, 7_919, 11_025, 44_100, 192_000, 1_000_000)


def cases():
    """Name -> `make(folder, rng)`, which spoils one file of a folder, or the folder itself."""
    found = {}
    for name in BYTES:
        for place in ("in place of one", "beside", "in place of half"):
            found[f"{name}, {place}"] = _of_bytes(BYTES[name], place)
    for name in SAMPLES:
        found[name] = _of_samples(SAMPLES[name])
    for rate in RATES:
        found[f"{rate} samples a second"] = _of_samples(lambda rng: sound(99, 0.2), rate=rate)
    return found | FOLDERS


def wav(samples):
    """The bytes of a wav file."""
    data = np.round(samples * 2**15).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16,
                       1, 1, 8000, 16_000, 2, 16)  # fmt: skip
    return head + struct.pack("<4sI", b"data", len(data)) + data


def _patched(at, new):
    whole = wav(sound(500))
    return whole[:at] + new + whole[at + len(new) :]


BYTES = {
    "nothing": lambda rng: b"",
    "zeros": lambda rng: bytes(3000),
    "noise": lambda rng: rng.bytes(3000),
    "text": lambda rng: b"This is no sound.\n" * 40,
    "half of a header": lambda rng: wav(sound(500))[:20],
    "a header alone": lambda rng: wav(sound(500))[:44],
    "cut": lambda rng: wav(sound(500))[: 44 + int(rng.integers(2, 1800))],
    "a huge declared size": lambda rng: _patched(40, b"\xff\xff\xff\x7f"),
    "a size of 0": lambda rng: _patched(40, bytes(4)),
    "no channels": lambda rng: _patched(22, bytes(2)),
    "65,535 channels": lambda rng: _patched(22, b"\xff\xff"),
    "a rate of 0": lambda rng: _patched(24, bytes(4)),
    "a rate of 2**32 - 1": lambda rng: _patched(24, b"\xff" * 4),
    "no bits": lambda rng: _patched(34, bytes(2)),
    "an unknown codec": lambda rng: _patched(20, b"\xfe\xca"),
    "some bytes changed": lambda rng: _patched(int(rng.integers(0, 40)), rng.bytes(4)),
}
SAMPLES = {
    "one sample": lambda rng: sound(500)[:1],
    "silence": lambda rng: np.zeros(999, "f4"),
    "a constant": lambda rng: np.full(999, 0.5, "f4"),
    "hardly a sound": lambda rng: 1e-20 * sound(500),
    "no numbers": lambda rng: np.full(999, np.nan, "f4"),
    "one that is no number": lambda rng: np.append(sound(500), np.nan).astype("f4"),
    "an infinity": lambda rng: np.append(sound(500), np.inf).astype("f4"),
    "huge numbers": lambda rng: (1e30 * sound(500)).astype("f4"),
    "as loud as integers": lambda rng: (2.0**15 * sound(500)).astype("f4"),
    "8 channels": lambda rng: np.stack([sound(500, seed=n) for n in range(8)], 1),
    "channels that cancel": lambda rng: np.stack([sound(500), -sound(500)], 1),
    "a minute": lambda rng: np.tile(sound(500, 1.0), 60),
    "a click": lambda rng: np.eye(1, 999, 500, dtype="f4")[0],
}


def _of_bytes(make, place):
    def spoil(folder, rng):
        paths = sorted((folder / "low").glob("*.wav"))
        if place == "beside":
            paths = [folder / "low" / "z.wav"]
        for path in paths[: len(paths) // 2 if place == "in place of half" else 1]:
            path.write_bytes(make(rng))

    return spoil


def _of_samples(make, rate=8000):
    return lambda folder, rng: soundfile.write(folder / "low" / "z.wav", make(rng), rate, "FLOAT")


def _emptied(folder, rng):
    for path in (folder / "low").iterdir():
        path.unlink()


def _unreadable(folder, rng):
    (folder / "low" / "ada_0.wav").chmod(0)


def _all_equal(folder, rng):
    for path in folder.glob("*/*.wav"):
        path.write_bytes(wav(sound(500)))


FOLDERS = {
    "a folder called x.wav": lambda folder, rng: (folder / "low" / "x.wav").mkdir(),
    "a class called x.wav": lambda folder, rng: (folder / "low").rename(folder / "x.wav"),
    "an empty class": _emptied,
    "an unreadable file": _unreadable,
    "a pipe": lambda folder, rng: os.mkfifo(folder / "low" / "z.wav"),
    "a link to nowhere": lambda folder, rng: (folder / "low" / "z.wav").symlink_to("nowhere"),
    "a link to itself": lambda folder, rng: (folder / "low" / "z.wav").symlink_to("z.wav"),
    "a class of one": lambda folder, rng: sound_folder(folder / "more", takes=1),
    "a name of no UTF-8": lambda folder, rng: (folder / "low" / "ada_0.wav").rename(
        folder / "low" / os.fsdecode(b"\xff.wav")
    ),
    "all equal": _all_equal,
}


def tables():
    """Contents of a table of the files low/ada_0.wav and on, and high/ada_0.wav and on."""
    rows = [f"{word}/{who}_{n}.wav,{word},{who}"
            for word in ("low", "high") for who in ("ada", "bob") for n in range(6)]  # fmt: skip
    both = [row.replace(",low,", ",high,") for row in rows]
    whole = "\n".join(["file,word,who", *rows])
    return {
        "as it should be": whole,
        "empty": "",
        "a header": "file,word,who\n",
        "ragged": whole + "\na.wav",
        "one class": whole.replace(",high,", ",low,"),
        "a class each": "\n".join(["file,word,who", *(f"{row}{n}" for n, row in enumerate(
            f"{word}/ada_{n}.wav,{word}{n},a" for word in ("low", "high") for n in range(6)))]),
        "all gone": whole.replace("_", "-"),
        "some gone": whole.replace("ada_1", "eve_1"),
        "no groups": whole.replace(",ada", ",").replace(",bob", ","),
        "one group": whole.replace(",bob", ",ada"),
        "every row twice": "\n".join([whole, *rows]),
        "every row of both classes": "\n".join([whole, *both]),
        "names that cannot be": whole.replace("low/ada_0.wav", "x" * 5000),
        "a name with a zero": whole.replace("low/ada_0.wav", "a\0b.wav"),
        "a folder": whole.replace("low/ada_0.wav,", "low,"),
        "the same column twice": whole.replace("file,word,who", "file,word,word"),
    }  # fmt: skip
