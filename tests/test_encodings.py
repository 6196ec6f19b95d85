"""The command line in terminals of every encoding, and with arguments that are any bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flax import nnx

import lstm_jax
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import TextError, text_of

ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # file names, too
LATIN = {"PYTHONIOENCODING": "latin-1"}
ENVIRONMENTS = [ASCII, NARROW, LATIN]
HAN = "牀前明月光"
NO_UTF8 = b"\xe4\xff"


# Runs the commands that it reads, words in hexadecimal; the first two name files for what is said.
SHELL = """
import os, sys
from lstm_jax import cli

codes = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    out, err, *arguments = (os.fsdecode(bytes.fromhex(word)) for word in line.split())
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["lstm-jax", *arguments]
    try:
        cli.main()
    except SystemExit as exit:
        print(exit.code, file=codes, flush=True)
"""


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Exit code, stdout and stderr, as bytes, of a command in a process with an environment.

    Each environment has one process, since to start and to import JAX takes longer than a command.
    """
    folder, shells = tmp_path_factory.mktemp("said"), {}
    out, err = folder / "out", folder / "err"

    def run(*arguments, **environment):
        key = tuple(environment.items())
        if key not in shells:
            shells[key] = subprocess.Popen(
                [sys.executable, "-c", SHELL], env={**os.environ, **environment},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        words = [os.fsencode(word).hex() for word in (out, err, *arguments)]
        shells[key].stdin.write(" ".join(words) + "\n")
        shells[key].stdin.flush()
        code = shells[key].stdout.readline()
        assert code, err.read_text(errors="replace")
        return int(code), out.read_bytes(), err.read_bytes()

    yield run
    for shell in shells.values():
        shell.communicate()


@pytest.fixture(scope="module")
def poet(tmp_path_factory):
    """The bytes of the path of a model of a few characters; no UTF-8."""
    folder = tmp_path_factory.mktemp("models") / os.fsdecode(NO_UTF8)
    vocabulary = Vocabulary(tuple(HAN + "\U0001f319"))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    LanguageModel(network, vocabulary, {"data": "made up"}).save(folder)
    return os.fsencode(folder)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_poems_are_written_in_any_encoding(poet, environment, call):
    options = ["sample", HAN, "--model", poet, "--seed", "1", "--max-length", "30"]
    code, out, err = call(*options, **environment)
    assert (code, err) == (0, b"")
    text = out.decode("ascii").encode().decode("unicode_escape").strip()
    assert text.startswith(HAN)
    code, out, err = call(*options, "--json", **environment)
    assert (code, err) == (0, b"")
    assert json.loads(out.decode("ascii"))["texts"] == [text]


@pytest.mark.parametrize("environment", [{}, NARROW], ids=str)
def test_a_prompt_that_is_no_text_is_one_line(poet, environment, call):
    for prompt in (NO_UTF8, b"a" + NO_UTF8):
        code, out, err = call("sample", prompt, "--model", poet, **environment)
        assert (code, out) == (2, b"")
        assert err.startswith(b"lstm-jax: the prompt ")
        assert b"is not UTF-8 text" in err
        assert err.count(b"\n") == 1
    judge = Path(__file__).parent / "before" / "sentiment"
    code, out, err = call("predict", str(judge), NO_UTF8, **environment)
    assert (code, out, err.count(b"\n")) == (2, b"", 1)
    assert b"the text '" in err


@pytest.mark.parametrize("environment", [NARROW], ids=str)
def test_other_mistakes_in_bytes_that_are_no_text_are_one_line(poet, environment, call):
    for arguments in (
        [NO_UTF8],
        ["train", "smoke", "--data", NO_UTF8],
        ["sample", "--model", NO_UTF8],
        ["sample", "\U0001f40e", "--model", poet],
        ["evaluate", poet, "--file", NO_UTF8],
        ["predict", "speech", NO_UTF8 + b".raw"],
        ["data", NO_UTF8],
    ):
        code, out, err = call(*arguments, **environment)
        assert (code, out) == (2, b""), (arguments, err)
        assert err.startswith(b"lstm-jax: ")
        assert err.count(b"\n") == 1


TINY = [
    "--model.embedding-features", "4", "--model.hidden-features", "5", "--model.num-layers", "1",
    "--rows", "300", "--window", "48", "--epochs", "1",
]  # fmt: skip


@pytest.mark.parametrize("environment", [NARROW], ids=str)
def test_a_run_ends_well_whatever_its_folder_is_called(environment, call, tmp_path):
    folder = os.fsencode(tmp_path) + b"/" + HAN.encode() + NO_UTF8
    code, out, err = call("train", "smoke", *TINY, "--out", folder, **environment)
    assert (code, err) == (0, b"")
    assert b" steps: /" in out.splitlines()[-1]
    card = lstm_jax.load(os.fsdecode(folder)).card
    assert card["command"].startswith("lstm-jax train smoke")
    code, out, err = call("train", "smoke", *TINY, "--out", folder, **environment)
    assert (code, out, err.count(b"\n")) == (2, b"", 1)
    texts = os.fsencode(tmp_path) + b"/" + NO_UTF8
    with open(texts, "wb") as file:
        file.write(HAN.encode())
    code, out, err = call("evaluate", folder, "--file", texts, **environment)
    assert (code, err) == (0, b"")
    assert b"perplexity" in out


def test_bytes_of_a_narrow_locale_are_read_as_utf8():
    arguments = HAN.encode().decode("ascii", "surrogateescape")
    assert text_of(arguments, "the prompt") == text_of(HAN, "the prompt") == HAN
    for bad in ("\udcff", "a\ud800", HAN + "\udce5"):
        with pytest.raises(TextError, match=r"the prompt .* is not UTF-8 text"):
            text_of(bad, "the prompt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line():
    program = [sys.executable, "-c", "from lstm_jax import cli; cli.main()", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == ("lstm-jax: the output cannot be written: No space left on device\n")


def test_a_reader_that_goes_away_ends_a_command_quietly():
    program = [sys.executable, "-c", "from lstm_jax import cli; cli.main()", "--help"]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_output_ends_a_command_quietly():
    command = f"'{sys.executable}' -c 'from lstm_jax import cli; cli.main()' --help >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
