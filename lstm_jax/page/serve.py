"""A folder shown on 127.0.0.1, by the server of Python's standard library."""

from __future__ import annotations

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lstm_jax.models.storage import ModelError

HOST = "127.0.0.1"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Make a server of a folder that this machine alone can reach.

    Args:
        folder: what it shows.
        port: to listen at; 0 takes a free one.

    Returns:
        The server; `serve_forever` starts it, and `server_port` is its port.

    Raises:
        ModelError: the port is taken, not ours to take, or no port.
    """
    if not 0 <= port < 2**16:
        raise ModelError(f"a port is a number from 0 to 65,535, got {port}")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ModelError(
            f"port {port} of {HOST} cannot be had: {error.strerror}; give another as --port, or "
            "--port 0 for any that is free"
        ) from None
