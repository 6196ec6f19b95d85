"""`lstm-jax native`: compile the engine and say what was done."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lstm_jax.engines.native.compiler import build


@dataclass(frozen=True)
class NativeOptions:
    """Whether to compile once more, and how to say what was done."""

    again: bool = False
    """Compile even where it has been done."""
    json: bool = False
    """Print JSON."""


def run(options: NativeOptions) -> tuple[dict[str, object], str]:
    """Build the engine.

    Args:
        options: as on the command line.

    Returns:
        `(figures, said)`: for JSON, and some lines for a person.

    Raises:
        NativeError: one line: no compiler, one that fails, or kernels that compute wrongly.
    """
    built = build(again=options.again)
    record, path = built.library.record, built.library.path
    did = f"compiled in {built.seconds:.1f} s" if built.seconds else "there already"
    lines = [
        f"the native engine: {did}, with {path} instructions",
        f"  compiler   {record.compiler}",
        f"  command    {record.command}",
        f"  kept in    {built.folder / record.file}",
        f"  checked    {built.error:.1e} off the plain loop at most, relative",
    ]
    figures = {"path": path, "seconds": built.seconds, "error": built.error,
               "folder": str(built.folder), **asdict(record)}  # fmt: skip
    return figures, "\n".join(lines)
