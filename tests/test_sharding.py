import os
import subprocess
import sys
from pathlib import Path


def test_a_mesh_of_eight_devices_gives_the_numbers_of_one():
    script = Path(__file__).parent / "sharded.py"
    run = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True,
        env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    # Two kinds of axes; explicit ones with sharded columns have no fused path.
    assert run.stdout.count("same:") == 1 + 6 + 5 + 2
