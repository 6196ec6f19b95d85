"""Parsing of a command line, independent of any command."""

from dataclasses import dataclass

import pytest

from lstm_jax.arguments import UsageError, choose, parse, parse_both, to_go_on


@dataclass(frozen=True)
class Where:
    """Where to go."""

    out: str | None = None
    """A folder."""


@dataclass(frozen=True)
class What:
    """What to do."""

    epochs: int = 1
    """How often."""


def chosen(*arguments):
    return choose(arguments, ["one", "two"], usage="take one", kind="number")


def test_a_name_is_chosen_and_the_rest_is_returned():
    assert chosen("two", "--help", "one") == ("two", ["--help", "one"])
    with pytest.raises(UsageError, match=r"^there is no number 'three'; there are one, two$"):
        chosen("three")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help", "one"]])
def test_without_arguments_the_choices_are_printed(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        chosen(*arguments)
    assert caught.value.code == 0
    assert capsys.readouterr() == ("take one\n", "")


def test_options_without_arguments_have_defaults():
    assert parse(What, [], "p", description=None) == What(1)
    assert parse(What, [], "p", description=None, default=What(5)) == What(5)
    assert parse(What, ["--epochs", "2"], "p", description=None, default=What(5)) == What(2)
    both = parse_both(Where("a"), What(5), ["--epochs", "2"], "p", description=None)
    assert both == (Where("a"), What(2))


def test_a_mistake_is_one_line_and_points_to_the_help(capsys):
    with pytest.raises(UsageError, match=r"epochs: .*'many' .*\(see p q --help\)$") as caught:
        parse_both(Where(), What(), ["--epochs", "many"], "p q", description="D")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


def test_help_contains_the_description_and_every_field(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_both(Where(), What(5), ["--help"], "p q", description="What it is for.")
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: p q ")
    for words in ("What it is for.", "--out ", "--epochs ", "(default: 5)"):
        assert words in out


def test_options_that_start_a_run_are_dropped_to_resume():
    given = ["--max-steps", "9", "--overwrite", "--out", "a b", "--resume", "--max_steps=9"]
    assert to_go_on(given, reached=True) == ["--out", "a b", "--resume"]
    assert to_go_on([], reached=True) == ["--resume"]
    # Going back to the best checkpoint again would undo what was trained since.
    for best in (["--resume-from", "best"], ["--resume-from=best"], ["--resume_from", "best"]):
        assert to_go_on(["--rows", "4", *best], reached=False) == ["--rows", "4", "--resume"]


def test_a_limit_that_was_not_reached_is_kept():
    given = ["--max-steps", "9", "--overwrite", "--out", "a b", "--resume", "--max_steps=9"]
    assert to_go_on(given, reached=False) == [
        "--max-steps", "9", "--out", "a b", "--max_steps=9", "--resume"
    ]  # fmt: skip
