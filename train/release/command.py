"""`lstm-jax release`: measure a model of Tang poems, and make a release of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from lstm_jax.arguments import PROGRAM, choose, parse
from lstm_jax.train.release import export, form, report


@dataclass(frozen=True)
class FormOptions:
    """Configure `lstm-jax release form`."""

    model: tyro.conf.Positional[str] = "tang"
    """Name of a released model, or folder of a run."""


USAGE = f"""usage: {PROGRAM} release COMMAND [OPTIONS]

  form      Measure how often samples keep the form of regulated verse.
  report    Measure what a model of Tang poems has learned, and what it merely remembers.
  export    Release a finished run: weights of 16 or 8 bits, figures and a card.

{PROGRAM} release COMMAND --help lists the options of a command."""


def run(words: Sequence[str]) -> str:
    """Run a release command.

    Args:
        words: the words of the command line after `release`.

    Returns:
        The text to print.

    Raises:
        UserError: in one line, if the options, the model or the data are the problem.
        SystemExit: with code 0, after printing help.
    """
    name, rest = choose(words, ("form", "report", "export"), usage=USAGE, kind="release command")
    program = f"{PROGRAM} release {name}"
    if name == "form":
        return form.run(parse(FormOptions, rest, program, description=form.run.__doc__).model)
    if name == "report":
        options = parse(report.Options, rest, program, description=report.__doc__)
        return report.run(options)
    return export.run(parse(export.Options, rest, program, description=export.__doc__))
