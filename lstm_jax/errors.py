"""Errors that a user can cause, and mend; and what is said of an option that does nothing."""

import sys
import warnings

INSIDE = ("lstm_jax.", "flax.")  # whose frames lie between a mistake and whoever made it


class UselessWarning(UserWarning):
    """Say that something a user asked for does nothing."""


def warn(message: str) -> None:
    """Warn whoever called the package, however deep inside it the mistake is noticed.

    Args:
        message: what was asked for, and why it does nothing.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UselessWarning, stacklevel=level)


class UserError(Exception):
    """Say in one line what was wrong, what was expected, and what to do.

    Everything of this kind ends a command with that line and the exit code `code`, 2 unless a
    script must tell it from a mistake; anything else is a fault of the package and shows its
    trace. Each kind of mistake has a class of its own, which also inherits from `ValueError` or
    `RuntimeError`, for those who catch it in Python.
    """

    code = 2

    def __init__(self, message: object):
        lines = (line.strip() for line in str(message).splitlines())
        super().__init__(" ".join(line for line in lines if line))
