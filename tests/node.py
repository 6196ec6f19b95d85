"""The page's modules asked from Python, in Node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node to run the page's modules")
SCRIPT = Path(__file__).parent / "page" / "engine.mjs"


def ask(question, **facts):
    """What engine.mjs answers."""
    answered = subprocess.run(
        [NODE, str(SCRIPT)],
        input=json.dumps({"ask": question, **facts}),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)
