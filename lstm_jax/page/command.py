"""`lstm-jax page`: write the page to a folder, or show it."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lstm_jax.models.storage import ModelError
from lstm_jax.page.build import write
from lstm_jax.page.serve import HOST, server
from lstm_jax.text.forms.readings import installed


@dataclass(frozen=True)
class PageOptions:
    """Where the page goes."""

    out: Path | None = None
    """Write the page to this folder and stop: open its index.html, or put it on any web server."""
    port: int = 8000
    """Without --out, show the page at this port of 127.0.0.1; 0 takes a free one."""


def run(options: PageOptions) -> None:
    """Write the page, or show it until Ctrl-C.

    Args:
        options: where it goes.

    Raises:
        ModelError: a folder that cannot be written, or a port that cannot be had.
    """
    if not installed():
        hint = 'pip install "lstm_jax[verse]"'
        print(f"the page will offer no rhyme and no tones; for these: {hint}", file=sys.stderr)
    if options.out is not None:
        try:
            write(options.out)
        except OSError as error:
            raise ModelError(f"{options.out} cannot be written: {error.strerror}") from None
        print(f"the page: {options.out / 'index.html'}")
        return
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), options.port) as shown:
        write(Path(folder))
        print(f"the page: http://{HOST}:{shown.server_port} (Ctrl-C ends it)", flush=True)
        shown.serve_forever()
