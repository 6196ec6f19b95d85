"""Help lists every command, recipe and option."""

import re
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass

import pytest
from folders import RECIPES, ROOT

from lstm_jax import cli
from lstm_jax.configs import copy, smoke
from lstm_jax.errors import UserError
from lstm_jax.page.command import PageOptions
from lstm_jax.recipes import recipes, table
from lstm_jax.text import command as sampling
from lstm_jax.text.forms import Order
from lstm_jax.train import sets
from lstm_jax.train.evaluate import EvaluateOptions
from lstm_jax.train.run.meter import DivergedError
from lstm_jax.train.run.processes import PeerError

pytestmark = pytest.mark.usefixtures("compile_fast")


def test_the_commands(call):
    for arguments in ([], ["-h"], ["--help"]):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        for command in cli.COMMANDS:
            assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("sample", [field for field in fields(sampling.SampleOptions) if field.name != "order"]),
        ("sample", [None, *fields(Order)]),
        ("evaluate", fields(EvaluateOptions)),
        ("data", fields(sets.DataOptions)),
        ("page", fields(PageOptions)),
    ],
)
def test_help_lists_the_options(command, options, call):
    code, out, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert f"usage: lstm-jax {command}" in out
    # The first field is positional.
    for field in options[1:]:
        assert f"--{field.name.replace('_', '-')} " in out


def test_help_of_train_lists_recipes(call):
    for arguments in (["train"], ["train", "--help"]):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        listed = re.findall(r"^  (\w+) .*\S", out, re.MULTILINE)
        assert listed == ["recipe", *RECIPES.split(", ")]


def test_every_recipe_says_what_it_takes():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, about in recipes().items():
        assert all(about[:4]), name
        assert about.extra in ("", *extras["optional-dependencies"]), name
        assert max(map(len, about)) < 50, name
    assert [len(line) for line in table(recipes()).splitlines() if len(line) > 120] == []


def flags(config, prefix=""):
    for field in fields(config):
        value = getattr(config, field.name)
        name = field.name.replace("_", "-")
        yield from flags(value, f"{prefix}{name}.") if is_dataclass(value) else [f"{prefix}{name}"]


FILLED_IN = {"data-sha256"}  # by the look at the data: no option


@pytest.mark.parametrize(("recipe", "default"), [(smoke, "96"), (copy, "128")])
def test_help_of_a_recipe_lists_every_field(recipe, default, call):
    code, out, err = call("train", recipe.__name__.split(".")[-1], "--help")
    assert (code, err) == (0, "")
    for name in [*(set(flags(recipe.config)) - FILLED_IN), "out", "resume", "overwrite"]:
        room, _, last = name.rpartition(".")
        off = f"{room}.no-{last}" if room else f"no-{last}"  # of a switch that is on
        assert f" --{name} " in out or f" --{off} " in out, name
    assert f"(default: {default})" in out, "defaults are the recipe's"


def test_version(call):
    from importlib.metadata import version

    assert call("--version") == (0, version("lstm_jax") + "\n", "")
    assert call("version") == (0, version("lstm_jax") + "\n", "")


def test_help_tells_the_exit_codes(call):
    _, out, _ = call("--help")
    codes = [int(code) for code in re.findall(r"^  (\d+) ", out, re.MULTILINE)]
    assert {0, 1, 130, 141} | {error.code for error in (UserError, DivergedError, PeerError)} == {
        *codes
    }


def test_a_checkout_runs_where_it_lies():
    """Python finds the folder lstm_jax/ there first, which has neither train/ nor configs/."""
    program = (
        "import runpy, sys\n"
        "sys.meta_path[:] = [one for one in sys.meta_path if 'editable' not in one.__module__]\n"
        "sys.argv[1:] = ['train']\n"
        "runpy.run_module('lstm_jax', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  smoke " in done.stdout
