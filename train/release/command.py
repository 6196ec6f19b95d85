"""`lstm-jax release`: measure a model of Tang poems, and make a release of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from lstm_jax.arguments import PROGRAM, choose, parse
from lstm_jax.train.release import export, form, report


@dataclass(frozen=True)
class FormOptions:
    """Which model."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""


USAGE = f"""usage: {PROGRAM} release WHAT [OPTIONS]

  form      How often samples keep the form of regulated verse.
  report    What a model of Tang poems has learned, and what it only remembers.
  export    Make a release of a finished run: float16 weights, figures, card.

{PROGRAM} release WHAT --help tells its options."""


def run(words: Sequence[str]) -> str:
    """Do what is asked for.

    Args:
        words: of the command line, after `release`.

    Returns:
        What to print.

    Raises:
        UserError: one line: of the options, the model or the data.
        SystemExit: with code 0, after help was printed.
    """
    name, rest = choose(words, ("form", "report", "export"), usage=USAGE, kind="release command")
    program = f"{PROGRAM} release {name}"
    if name == "form":
        return form.told(parse(FormOptions, rest, program, description=form.told.__doc__).model)
    if name == "report":
        asked = parse(report.Options, rest, program, description=report.__doc__)
        return report.told(asked)
    return export.told(parse(export.Options, rest, program, description=export.__doc__))
