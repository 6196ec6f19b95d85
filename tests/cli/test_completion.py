"""A shell completes the whole program."""

import shutil
import subprocess

import pytest
from folders import RECIPES

from lstm_jax import cli, completion

pytestmark = pytest.mark.usefixtures("compile_fast")


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """What bash completes at the end of a line."""
    path = tmp_path_factory.mktemp("shell") / "completion.bash"
    path.write_text(cli.completion_script("bash"))
    program = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lstm_jax; echo "${COMPREPLY[@]}"'
    )

    def completed(*words):
        done = subprocess.run(
            ["bash", "-c", program, path, "lstm-jax", *words], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return completed


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_shell_completes_the_whole_program(completed):
    assert completed("") == list(cli.COMMANDS)
    assert completed("tr") == ["train"]
    assert completed("train", "") == RECIPES.split(", ")
    assert completed("train", "smoke", "--model.h") == ["--model.hidden-features"]
    assert completed("train", "smoke", "--precision", "b") == ["bfloat16"]
    assert completed("train", "smoke", "--epochs", "3", "--over") == ["--overwrite"]
    assert completed("sample", "春", "--rank", "") == ["probability", "rhyme"]
    assert completed("release", "report", "--o") == ["--out"]
    assert completed("doctor", "--") == ["--help", "--json"]
    assert completed("nothing", "--") == []


def test_zsh_reads_the_same_through_its_own_functions():
    bash, zsh = (completion.script(shell, {}, {"train": ["smoke"]}) for shell in ("bash", "zsh"))
    assert zsh.endswith(bash)
    assert "bashcompinit" in zsh
