"""The folder of the repository, and what a folder holds, to see that a test leaves it alone."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPES = ", ".join(sorted(p.stem for p in ROOT.glob("configs/*.py") if p.stem != "__init__"))


def digest(folder, *, times=True):
    """Hash the files of a folder with their names, and when each was last changed."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        changed = path.stat().st_mtime_ns if times else ""
        found.update(f"{path.relative_to(folder)} {changed}".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()
