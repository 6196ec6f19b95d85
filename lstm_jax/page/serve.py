"""A server for a folder on 127.0.0.1, from Python's standard library."""

from __future__ import annotations

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lstm_jax.models.storage import ModelError

HOST = "127.0.0.1"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the terminal."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Create a server for a folder that only this machine can reach.

    Args:
        folder: the folder to show.
        port: to listen on; 0 chooses a free one.

    Returns:
        The server; `serve_forever` starts it, and `server_port` is its port.

    Raises:
        ModelError: if the port is out of range, taken or not allowed.
    """
    if not 0 <= port < 2**16:
        raise ModelError(f"the port must be a number from 0 to 65,535, got {port}")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ModelError(
            f"port {port} of {HOST} cannot be used: {error.strerror}; choose another --port, or "
            "--port 0 for a free one"
        ) from None
