"""Two small models, a diagnosis of one of them, and the report that was written of it."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import jax
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report import Diagnosis, command
from lstm_jax.report.command import DiagnoseOptions
from lstm_jax.report.folder import PICTURES
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.reading import Settings
from lstm_jax.text.language import LanguageModel

# Small in place of QUICK: programs of few lags compile faster. All 20 exponents of the state.
TINY = Settings(steps=24, streams=3, lags=4, ends=2, exponents=20, burn_in=4, singular_values=3)
PNG = b"\x89PNG\r\n\x1a\n"


class Report(NamedTuple):
    """What was found, where it was written, and its figures as the file has them."""

    diagnosis: Diagnosis
    folder: Path
    figures: dict


@contextlib.contextmanager
def compiled_fast():
    """As the fixture `compile_fast` of a module, for what is made once for all of them."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def make_model(folder, characters, data):
    vocabulary = Vocabulary(tuple(characters))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 2), rngs=nnx.Rngs(0))
    # Sharper than at its start, so that gates move and losses differ.
    network.embedding[...] = 6 * network.embedding[...]
    LanguageModel(network, vocabulary, {"data": data}).save(folder)
    return folder


@pytest.fixture(scope="session")
def poet(tmp_path_factory):
    """The folder of a model whose card says that it learned Tang poems."""
    characters = dict.fromkeys("".join(HELD_OUT))
    return make_model(tmp_path_factory.mktemp("models") / "poet", characters, "tang")


@pytest.fixture(scope="session")
def prose(tmp_path_factory):
    """The folder of a model of letters."""
    return make_model(tmp_path_factory.mktemp("models") / "prose", "abcdefgh", "verses")


@pytest.fixture(scope="session")
def made(poet, tmp_path_factory):
    """A report: its programs run once and are small, and to compile them well takes longer."""
    pictures = pytest.importorskip("lstm_jax.report.pictures", exc_type=ImportError)
    saved = pictures._saved

    def only_pixels(figure, kind):
        """Half of the time to write a report goes into SVG; one test is enough for that."""
        return saved(figure, kind) if kind == "png" else b"<svg/>"

    folder = tmp_path_factory.mktemp("reports") / "deep" / "poet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "QUICK", TINY)
        patch.setattr(command, "QUICK_QUESTIONS", QUESTIONS)
        patch.setattr(pictures, "DPI", 50)
        patch.setattr(pictures, "_saved", only_pixels)
        options = DiagnoseOptions(str(poet), out=folder, quick=True)
        with compiled_fast():
            diagnosis = command.run(options, Console(file=io.StringIO()))
    return Report(diagnosis, folder, diagnosis.figures())


@pytest.fixture
def undrawn(monkeypatch):
    """Reports with pictures of nothing, which take no time."""
    pictures = pytest.importorskip("lstm_jax.report.pictures", exc_type=ImportError)
    images = {f"{name}.png": PNG for name in PICTURES}
    monkeypatch.setattr(pictures, "files", lambda answers: dict(images))
