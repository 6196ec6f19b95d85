"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_python_blocks_run():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), namespace)
    assert namespace["hs"].shape == (100, 4, 32)  # read by weights that went to Keras and back
