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
    """Configure where the page is written or shown."""

    out: Path | None = None
    """Folder to write the page to; open its index.html, or put it on any web server."""
    port: int = 8000
    """Port of 127.0.0.1 at which the page is shown without --out; 0 chooses a free one."""


def run(options: PageOptions) -> None:
    """Write the page, or show it until Ctrl-C.

    Args:
        options: as on the command line.

    Raises:
        ModelError: if the folder cannot be written, or the port cannot be used.
    """
    if not installed():
        hint = 'pip install "lstm_jax[verse]"'
        print(f"the page will offer neither rhyme nor tones; for these: {hint}", file=sys.stderr)
    if options.out is not None:
        try:
            write(options.out)
        except OSError as error:
            raise ModelError(f"{options.out} cannot be written: {error.strerror}") from None
        print(f"wrote the page to {options.out / 'index.html'}")
        return
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), options.port) as shown:
        write(Path(folder))
        url = f"http://{HOST}:{shown.server_port}"
        print(f"showing the page at {url} (press Ctrl-C to stop)", flush=True)
        shown.serve_forever()
