"""Output that may be cut off while a run goes on: a closed pipe, a full disk, a lost terminal."""

from __future__ import annotations

from typing import IO, Any, cast

from rich.console import Console


class _Forgiving:
    """Wrap a stream so that it silently drops all output after the first failure."""

    def __init__(self, stream: IO[str]):
        self._stream = stream
        self._gone = False

    def write(self, text: str) -> int:
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, name: str, *arguments: str) -> None:
        if self._gone:
            return
        try:
            getattr(self._stream, name)(*arguments)
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._gone = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def quiet_where_nobody_listens(console: Console) -> Console:
    """Silence a console, instead of raising, once its stream is closed.

    In `train | head -1` the reader is done after one line, but the run is not.

    Args:
        console: the console, which is changed in place.

    Returns:
        The same console.
    """
    if not isinstance(console.file, _Forgiving):
        console.file = cast(IO[str], _Forgiving(console.file))
    return console
