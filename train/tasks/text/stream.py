"""Texts of one's own that are larger than memory: which they are, and a task that reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lstm_jax.text.units import UNITS
from lstm_jax.train.batch import Epoch
from lstm_jax.train.data import corpus
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.shards.count import Files, sha256_of
from lstm_jax.train.data.shards.prepare import Prepared, prepare
from lstm_jax.train.data.shards.rows import count_parts, windows
from lstm_jax.train.data.shards.store import Blocks
from lstm_jax.train.data.text import epoch_order
from lstm_jax.train.look import Choice
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.own import (
    check_unchanged,
    facts_of,
    read_documents,
    split_documents,
)
from lstm_jax.train.tasks.text.task import Texts, TextTask, make_vocabulary

# Bytes of files that are read from the disk if nothing else is said: in memory, where they are
# lists of Python's and of NumPy's, texts take a hundred times their size.
LARGE = 2**26


@dataclass(frozen=True)
class StreamTask(TextTask):
    """Texts that stay on the disk: `train` is empty, and `blocks` has them."""

    blocks: Blocks = field(kw_only=True)

    @property
    def description(self) -> str:
        blocks, symbols = len(self.blocks.lengths), len(self.vocabulary)
        return f"{self.config.data}: {blocks:,} blocks on the disk, vocabulary {symbols:,}"

    @property
    def parts(self) -> int:
        """Give the number of epochs that read all texts once."""
        symbols = int(self.blocks.lengths.sum())
        return count_parts(symbols, rows=self.config.rows, length=self.config.window)

    def epoch(self, number: int) -> Epoch:
        done, part = divmod(number, self.parts)
        order = epoch_order(self.config.seed, done, len(self.blocks.lengths))
        rows, length = self.config.rows, self.config.window
        return windows(self.blocks, order, rows=rows, length=length, parts=self.parts, part=part)

    def _five_grams(self) -> None:
        """Count none: their number grows with the text."""


def choose_to_stream(config: TextConfig, given: object) -> tuple[TextConfig, tuple[Choice, ...]]:
    """Choose whether files are read from the disk as they are needed.

    Args:
        config: of a run on texts of one's own.
        given: texts from Python, or None.

    Raises:
        DataError: files that are not there, or texts from Python that were to be read from files.
    """
    if given is not None and config.stream:
        raise DataError("texts from Python are in memory already: leave out stream")
    if given is not None or not config.file:
        return replace(config, stream=None), ()
    size = sum(path.stat().st_size for path in corpus.find_files(config.file))
    if config.stream is not None or size <= LARGE:
        return config, ()
    why = f"{size:,} bytes are read from the disk as they are needed"
    return replace(config, stream=True), (Choice("stream", True, why),)


def read_prepared(config: TextConfig) -> Prepared:
    """Prepare the files of a run, or find them prepared.

    Args:
        config: of a run that streams them, with a value in every field that says how.

    Raises:
        DataError: files that are missing, changed, or too few; a package that is missing.
        TextFileError: a file that is of another encoding; it says at which byte.
    """
    paths = corpus.find_files(config.file)
    sha256 = sha256_of(paths)
    check_unchanged(config, sha256)
    valid, test = config.valid or 0.0, config.test or 0.0
    return prepare(Files(paths, config.encoding, config.texts, config.unit, valid, test), sha256)


def make_stream_task(config: TextConfig, prepared: Prepared) -> StreamTask:
    """Make the task of texts that were prepared.

    Args:
        config: of the run.
        prepared: its texts.
    """
    vocabulary = make_vocabulary(prepared.counts.symbols, config)
    valid = prepared.held_out["valid"]
    return StreamTask(
        config,
        facts_of(config, prepared.sha256, running=False),
        vocabulary,
        train=[],
        valid=[vocabulary.encode(UNITS[config.unit].split(text)) for text in valid],
        characters=sum(map(len, valid)),
        blocks=prepared.blocks(len(vocabulary)),
    )


def own_texts(config: TextConfig, given: object = None) -> Texts:
    """Read the texts of a run by their splits.

    Args:
        config: of a run that was looked at.
        given: texts from Python, in place of files.

    Returns:
        The texts; where they are streamed, those alone that are held out.

    Raises:
        DataError, TextFileError: texts that are missing, altered or none.
    """
    if not config.stream:
        return split_documents(config, read_documents(config, given))
    prepared = read_prepared(config)
    return Texts(prepared.held_out, facts_of(config, prepared.sha256, running=False))
