"""The files of the page, built from this package and the released model."""

from __future__ import annotations

import base64
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from lstm_jax.files import write_whole
from lstm_jax.models.storage import DESCRIPTION, WEIGHTS, Json, describe, find
from lstm_jax.page.bundle import bundle
from lstm_jax.page.words import readings, words
from lstm_jax.text.forms.readings import installed

LANGUAGES = ("en", "zh")
DECAY = "gradient_decay.json"


def files(model: str = "tang") -> dict[str, str]:
    """Build the files of the page.

    Args:
        model: a released model of verse, or a run's folder.

    Returns:
        File name -> text. The files need no server: a browser can open index.html from a disk.
        Without the extra `verse` the page offers neither rhyme nor tones, and explains why.

    Raises:
        ModelError: if there is no such model.
    """
    room = resources.files("lstm_jax.page")
    modules = {
        item.name: item.read_text(encoding="utf-8")
        for item in (room / "js").iterdir()
        if item.name.endswith(".mjs")
    }
    folder = find(model)
    description = describe(model)
    characters = description["vocabulary"]
    data = {
        "config": description["config"],
        "words": {
            **words(characters),
            "readings": readings(characters) if installed() else None,
        },
        "texts": {name: _json(room / "texts" / f"{name}.json") for name in LANGUAGES},
        "decay": _json(room / DECAY),
        "sine": {
            **_json(room / "sine" / DESCRIPTION),
            "weights": _base64((room / "sine" / WEIGHTS).read_bytes()),
        },
        "worker": bundle(modules, "worker.mjs"),
    }
    return {
        "index.html": (room / "index.html").read_text(encoding="utf-8"),
        "style.css": (room / "style.css").read_text(encoding="utf-8"),
        "data.js": _assigned("PAGE", data),
        "page.js": bundle(modules, "main.mjs"),
        "weights.js": _assigned("WEIGHTS", _base64((folder / WEIGHTS).read_bytes())),
    }


def write(out: Path, model: str = "tang") -> None:
    """Write the page.

    Args:
        out: a folder, created if it does not exist. Files with the names of the page's are
            replaced.
        model: see `files`.

    Raises:
        ModelError: if there is no such model.
    """
    texts = files(model)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(out / name, text)


def _json(path: Traversable) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _assigned(name: str, value: object) -> str:
    """Return a script that sets a global name, for another script to read."""
    return f"self.{name} = {json.dumps(value, ensure_ascii=False, separators=(',', ':'))};\n"
