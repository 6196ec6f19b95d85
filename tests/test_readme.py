"""The README's Python runs as it stands, block after block."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_python_blocks_run():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), namespace)
    assert namespace["hs"].shape == (100, 4, 32)  # read by weights that went to Keras and back


def test_the_table_of_speed_is_that_of_the_results():
    script = README.parent / "tests" / "benchmarks" / "readme.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
