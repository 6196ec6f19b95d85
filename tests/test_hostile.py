"""Whatever a file claims, it costs its reader no time and no memory: it is refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import hostile
import pytest

SAID = {
    "60 MHz.wav": "claims a rate of 60,000,000 samples per second",
    "60 MHz.ogg": "claims a rate of 60,000,000 samples per second",
    "2 GB of one channel at 1 MHz.wav": "has 1,000 samples at 1,000,000 Hz, too few",
    "200,000 arrays.safetensors": "bytes, but at most 10,000,000 are read",
    "20,000 arrays.safetensors": "it holds 20,000 arrays, but at most 10,000 are read",
    "a member of 3 GB.tar.gz": "claims 3,221,225,472 bytes",
    "10^9 units.onnx": "hidden_size of the LSTM is 1000000000",
    "nested.config.json": "cannot be read as a run's configuration",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What became of each file, read in a process of its own, whose memory can be watched."""
    process = subprocess.run(
        [sys.executable, hostile.__file__, str(tmp_path_factory.mktemp("hostile"))],
        capture_output=True, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    lines = map(json.loads, process.stdout.splitlines())
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", hostile.CASES)
def test_a_hostile_file_is_refused_in_a_line_soon_and_cheaply(name, refusals):
    found = refusals[name]
    assert found["said"], "it was read"
    assert "\n" not in found["said"]
    assert SAID.get(name, "") in found["said"]
    assert found["seconds"] < 1
    assert found["megabytes"] < 200
