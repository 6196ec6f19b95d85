"""The command `lstm-jax native`, which compiles the engine and prints a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lstm_jax.engines.native.compiler import build


@dataclass(frozen=True)
class NativeOptions:
    """Configure `lstm-jax native`."""

    again: bool = False
    """Compile even if the kernels have been compiled before."""
    json: bool = False
    """Print JSON."""


def run(options: NativeOptions) -> tuple[dict[str, object], str]:
    """Build the engine.

    Args:
        options: options of the command line.

    Returns:
        `(figures, text)`: figures for JSON, and lines to print.

    Raises:
        NativeError: if there is no compiler, it fails, or the kernels compute wrong results.
    """
    built = build(again=options.again)
    record, path = built.library.record, built.library.path
    action = f"compiled in {built.seconds:.1f} s" if built.seconds else "already compiled"
    lines = [
        f"the native engine: {action}, with {path} instructions",
        f"  compiler   {record.compiler}",
        f"  command    {record.command}",
        f"  kept in    {built.folder / record.file}",
        f"  checked    differs from the plain loop by at most {built.error:.1e}, relative",
    ]
    figures = {"path": path, "seconds": built.seconds, "error": built.error,
               "folder": str(built.folder), **asdict(record)}  # fmt: skip
    return figures, "\n".join(lines)
