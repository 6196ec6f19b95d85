"""The files of the page, made from what lies in this package and the released model."""

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
    """Make the files of the page.

    Args:
        model: a released model of verse, or a run's folder.

    Returns:
        Text by the file's name. They need no server: a browser may open index.html from a disk.
        Without the extra `verse` the page offers no rhyme and no tones, and says why.

    Raises:
        ModelError: there is no such model.
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
    held = {
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
        "data.js": _assigned("PAGE", held),
        "page.js": bundle(modules, "main.mjs"),
        "weights.js": _assigned("WEIGHTS", _base64((folder / WEIGHTS).read_bytes())),
    }


def write(out: Path, model: str = "tang") -> None:
    """Write the page.

    Args:
        out: a folder; made if it does not exist. Files of the page's names are replaced.
        model: see `files`.

    Raises:
        ModelError: there is no such model.
    """
    made = files(model)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        write_whole(out / name, text)


def _json(path: Traversable) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _assigned(name: str, held: object) -> str:
    """Write a script that holds something for another one."""
    return f"self.{name} = {json.dumps(held, ensure_ascii=False, separators=(',', ':'))};\n"
