"""A look at the data before training: what was seen in them, and what was chosen because of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from lstm_jax.train.config import TrainConfig
from lstm_jax.train.task import Task

C = TypeVar("C", bound=TrainConfig)


class Choice(NamedTuple):
    """Describe the value that was chosen for an open field, and why.

    `field` is the dotted name of the field, such as "model.hidden_features".
    """

    field: str
    value: Any
    why: str


@dataclass(frozen=True)
class Look(Generic[C]):
    """Store a data set that is ready for training, with everything that was chosen for it.

    Attributes:
        config: the run's configuration, in which no field is open any more.
        task: the task to learn.
        saw: lines that describe the data, including warnings.
        chose: the choices that were made for open fields.
    """

    config: C
    task: Task[Any]
    saw: tuple[str, ...] = ()
    chose: tuple[Choice, ...] = ()

    def say(self) -> str:
        """Return a report: what was seen, then each choice as the option that would change it."""
        options = [f"--{c.field.replace('_', '-')} {_shown(c.value)}" for c in self.chose]
        width = max(map(len, options), default=0)
        lines = [
            f"  {option:{width}}  {choice.why}"
            for option, choice in zip(options, self.chose, strict=True)
        ]
        return "\n".join([*self.saw, *(["chosen:"] if lines else []), *lines])


def is_open(value: object) -> bool:
    """Return whether a field was left open: 0, None, "" or (), but neither False nor 0.0."""
    return value is None or value == () or value == "" or (type(value) is int and value == 0)


def choose(config: C, choices: Iterable[Choice]) -> tuple[C, tuple[Choice, ...]]:
    """Fill in the fields that were left open.

    Args:
        config: the configuration of a run.
        choices: a value for each field that may be open; choices for fields that already have a
            value are dropped.

    Returns:
        The configuration, and the choices that were used.
    """
    made = tuple(choice for choice in choices if is_open(value_of(config, choice.field)))
    for choice in made:
        config = _with(config, choice.field.split("."), choice.value)
    return config, made


def as_before(config: C, made: Iterable[Choice], saved: object) -> C:
    """Give fields that were chosen the values of the run that is resumed.

    Choices depend on other fields, such as the warm-up on the epochs, which a user may change.

    Args:
        config: a configuration with open fields.
        made: the choices that were made for them.
        saved: the configuration of the run.

    Returns:
        The configuration, in which fields are no longer open if the run has another value.
    """
    if type(saved) is type(config):
        for choice in made:
            value = value_of(saved, choice.field)
            if value != choice.value:
                config = _with(config, choice.field.split("."), value)
    return config


def value_of(config: object, field: str) -> Any:
    """Return the value of a field by its dotted name."""
    for name in field.split("."):
        config = getattr(config, name)
    return config


def without_choice(make_task: Callable[[C], Task[Any]]) -> Callable[[C, object], Look[C]]:
    """Build a problem's `look` for data that leave nothing to choose.

    Args:
        make_task: a function that loads the data of a configuration.
    """

    def look(config: C, given: object = None) -> Look[C]:
        del given
        return Look(config, make_task(config))

    return look


def _with(config: Any, names: list[str], value: object) -> Any:
    first, *rest = names
    return replace(config, **{first: _with(getattr(config, first), rest, value) if rest else value})


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
