"""Malicious files with false headers, which try to cost a reader its time or its memory.

Run as a program, this file writes them to a folder and reads them one by one:

    python tests/hostile.py FOLDER [NAME ...]

For each file it prints a line of JSON: its name, the error, the CPU seconds spent on it, and how
many megabytes the process has grown by.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from onnx import TensorProto, helper

from lstm_jax.errors import UserError
from lstm_jax.interop import load_safetensors
from lstm_jax.interop import onnx as our_onnx
from lstm_jax.models import storage
from lstm_jax.train import problems
from lstm_jax.train.data import audio, download
from lstm_jax.train.data.tables import read_table


def wav(rate: int = 8000, channels: int = 1, size: int = 2000) -> bytes:
    """Return a wav file of 2,000 bytes of noise with the given claims in its header."""
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 % 2**32, 2, 16)
    noise = np.random.default_rng(0).bytes(2000)
    head = b"RIFF" + struct.pack("<I", 2036) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", size) + noise


def flac(rate: int = 8000, channels: int = 1, frames: int = 1000) -> bytes:
    """Return a flac file of 1,000 samples whose STREAMINFO claims something else."""
    file = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).normal(size=1000)
    soundfile.write(file, samples, 8000, format="FLAC")
    content = bytearray(file.getvalue())
    # 20 bits for the rate, 3 for channels - 1, 5 for bits per sample - 1, 36 for the frames.
    content[18:26] = ((rate << 44) | (channels - 1 << 41) | (15 << 36) | frames).to_bytes(8, "big")
    return bytes(content)


def ogg(rate: int) -> bytes:
    """Return an ogg file whose header claims another rate, with a correct checksum."""
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.random.default_rng(0).normal(size=4000), 8000, format="OGG")
    content = bytearray(file.getvalue())
    content[40:44] = struct.pack(
        "<I", rate
    )  # after the page's 28 bytes: 1vorbis, version, channels
    size = 27 + content[26] + sum(content[27 : 27 + content[26]])
    content[22:26] = bytes(4)
    content[22:26] = struct.pack("<I", _checksum(content[:size]))
    return bytes(content)


def _checksum(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def tensors(count: int) -> bytes:
    """Return a safetensors file with a huge number of empty arrays."""
    entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(f'"{i}":{entry}' for i in range(count)) + "}").encode()
    return len(header).to_bytes(8, "little") + header


def onnx_of(nodes: int = 0, dims: tuple[int, ...] = ()) -> bytes:
    """Return a model with a long chain of nodes, or with an array of a false size."""
    chain = [helper.make_node("Identity", [str(i)], [str(i + 1)]) for i in range(nodes)]
    array = TensorProto(name="0", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(16))
    lstm = helper.make_node("LSTM", ["x", str(nodes), str(nodes)], ["y"], hidden_size=10**9)
    graph = helper.make_graph([*chain, lstm], "hostile", [], [], [array])
    return helper.make_model(graph).SerializeToString()


def archive(size: int) -> bytes:
    """Return a gzipped tar with one member of a claimed size, of which 300 MB are there."""
    info = tarfile.TarInfo("toy/a.txt")
    info.size = size
    zeros = zlib.compressobj(1, wbits=31)
    parts = [zeros.compress(info.tobuf())]
    parts += [zeros.compress(bytes(2**20)) for _ in range(300)]
    return b"".join([*parts, zeros.flush()])


def _read_sound(path: Path) -> None:
    audio.read(path, longest=60.0)


def _unpack(path: Path) -> None:
    download._unpack(path, {"toy/b.txt": ("b.txt", "0" * 64)}, path.parent, str(path))


def _read_model(path: Path) -> None:
    path.rename(path.with_name("model.json"))
    storage.load(path.parent)


NESTED = b'{"a":' * 200_000
SOUNDS: dict[str, Callable[[], bytes]] = {
    "60 MHz.wav": lambda: wav(60_000_000),
    "0 Hz.wav": lambda: wav(0),
    "4 GHz.wav": lambda: wav(2**32 - 1),
    "65,535 channels.wav": lambda: wav(channels=2**16 - 1),
    "no channels.wav": lambda: wav(channels=0),
    "2 GB of one channel at 1 MHz.wav": lambda: wav(1_000_000, size=2**31),
    "2^36 frames.flac": lambda: flac(655_350, 8, 2**36 - 1),
    "0 Hz.flac": lambda: flac(0),
    "8 channels.flac": lambda: flac(655_350, 8),
    "60 MHz.ogg": lambda: ogg(60_000_000),
    "0 Hz.ogg": lambda: ogg(0),
}
CASES: dict[str, tuple[Callable[[], bytes], Callable[[Path], object]]] = {
    **{name: (make, _read_sound) for name, make in SOUNDS.items()},
    "200,000 arrays.safetensors": (lambda: tensors(200_000), load_safetensors),
    "20,000 arrays.safetensors": (lambda: tensors(20_000), load_safetensors),
    "a header of 2^63.safetensors": (lambda: b"\xff" * 7 + b"\x7f{}", load_safetensors),
    "garbage.onnx": (lambda: np.random.default_rng(0).bytes(2**20), our_onnx.load),
    "cut.onnx": (lambda: onnx_of(9, (2, 2))[:150], our_onnx.load),
    "100,000 nodes.onnx": (lambda: onnx_of(100_000, (2, 2)), our_onnx.load),
    "10^18 numbers.onnx": (lambda: onnx_of(1, (10**9, 10**9)), our_onnx.load),
    "10^9 units.onnx": (lambda: onnx_of(1, (1, 2, 2)), our_onnx.load),
    "a member of 3 GB.tar.gz": (lambda: archive(3 * 2**30), _unpack),
    "nested.jsonl": (lambda: NESTED, read_table),
    "nested.config.json": (lambda: NESTED, problems.load),
    "nested.model.json": (lambda: NESTED, _read_model),
}


def _main() -> None:
    folder = Path(sys.argv[1])
    for number, name in enumerate(sys.argv[2:] or CASES):
        make, read = CASES[name]
        place = folder / str(number)
        place.mkdir()
        path = place / name
        path.write_bytes(make())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, said, kind = time.process_time(), None, None
        try:
            read(path)
        except (UserError, ValueError) as error:
            said, kind = str(error), type(error).__name__
        seconds = time.process_time() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        line = {"name": name, "error": kind, "said": said, "seconds": seconds, "megabytes": grown}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    _main()
