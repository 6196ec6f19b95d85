"""Errors that a user can cause, and mend."""


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
