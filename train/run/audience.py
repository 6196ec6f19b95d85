"""Output that may go away while a run goes on: a closed pipe, a full disk, a lost terminal."""

from __future__ import annotations

from typing import IO, Any, cast

from rich.console import Console


class _Forgiving:
    """A stream that drops what it cannot write, from the first failure on."""

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
    """Let a console go silent, and not raise, when its stream goes away.

    `train | head -1` is over for the reader after one line; the run is not.

    Args:
        console: as it is; it is changed in place.

    Returns:
        The same.
    """
    if not isinstance(console.file, _Forgiving):
        console.file = cast(IO[str], _Forgiving(console.file))
    return console
