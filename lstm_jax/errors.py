"""Errors that a user can cause and fix, and the warning for an option that has no effect."""

import sys
import warnings

INSIDE = ("lstm_jax.", "flax.")  # packages whose frames lie between a mistake and its caller


class UselessWarning(UserWarning):
    """Report that an option the user set has no effect."""


def warn(message: str) -> None:
    """Raise a `UselessWarning` at the line that called the package.

    Args:
        message: text that names the option and explains why it has no effect.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UselessWarning, stacklevel=level)


class UserError(Exception):
    """Report in one line what was wrong, what was expected, and what to do.

    Such an error ends a command with that line and the exit code `code`, which is 2 unless a
    script needs to tell it apart from a mistake. Any other exception is a bug in the package and
    shows its traceback. Each kind of mistake has its own subclass, which also inherits from
    `ValueError` or `RuntimeError`, so that Python code can catch it as such.
    """

    code = 2

    def __init__(self, message: object):
        lines = (line.strip() for line in str(message).splitlines())
        super().__init__(" ".join(line for line in lines if line))
