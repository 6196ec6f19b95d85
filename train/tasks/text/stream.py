"""The task of language modeling on texts that are larger than memory."""

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

# Bytes of files above which texts are streamed by default: in memory, as Python and NumPy objects,
# texts take a hundred times their size.
LARGE = 2**26


@dataclass(frozen=True)
class StreamTask(TextTask):
    """Train on texts that stay on disk: `train` is empty, and `blocks` holds the texts."""

    blocks: Blocks = field(kw_only=True)

    @property
    def description(self) -> str:
        blocks, symbols = len(self.blocks.lengths), len(self.vocabulary)
        return f"{self.config.data}: {blocks:,} blocks on disk, vocabulary {symbols:,}"

    @property
    def parts(self) -> int:
        """Return the number of epochs that read all texts once."""
        symbols = int(self.blocks.lengths.sum())
        return count_parts(symbols, rows=self.config.rows, length=self.config.window)

    def epoch(self, number: int) -> Epoch:
        done, part = divmod(number, self.parts)
        order = epoch_order(self.config.seed, done, len(self.blocks.lengths))
        rows, length = self.config.rows, self.config.window
        return windows(self.blocks, order, rows=rows, length=length, parts=self.parts, part=part)

    def _five_grams(self) -> None:
        """Return None, because the number of n-grams grows with the text."""


def choose_to_stream(config: TextConfig, given: object) -> tuple[TextConfig, tuple[Choice, ...]]:
    """Choose whether files are read from disk as needed.

    Args:
        config: configuration of a run on texts of one's own.
        given: texts from Python, or None.

    Raises:
        DataError: if files are missing, or `stream` is set for texts from Python.
    """
    if given is not None and config.stream:
        raise DataError("texts from Python are already in memory: leave out stream")
    if given is not None or not config.file:
        return replace(config, stream=None), ()
    size = sum(path.stat().st_size for path in corpus.find_files(config.file))
    if config.stream is not None or size <= LARGE:
        return config, ()
    why = f"{size:,} bytes are read from disk as needed"
    return replace(config, stream=True), (Choice("stream", True, why),)


def read_prepared(config: TextConfig) -> Prepared:
    """Prepare the files of a run, or find them in the cache.

    Args:
        config: configuration of a run that streams its files, without open choices.

    Raises:
        DataError: if files are missing, changed or too few, or a package is missing.
        TextFileError: if a file has another encoding; the message names the byte.
    """
    paths = corpus.find_files(config.file)
    sha256 = sha256_of(paths)
    check_unchanged(config, sha256)
    valid, test = config.valid or 0.0, config.test or 0.0
    return prepare(Files(paths, config.encoding, config.texts, config.unit, valid, test), sha256)


def make_stream_task(config: TextConfig, prepared: Prepared) -> StreamTask:
    """Build the task for prepared texts.

    Args:
        config: configuration of the run.
        prepared: the texts.
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
    """Read the texts of a run, split into parts.

    Args:
        config: configuration of a run, without open choices.
        given: texts from Python, instead of files.

    Returns:
        The texts; only the held-out texts if the run streams its files.

    Raises:
        DataError, TextFileError: if texts are missing, altered or empty.
    """
    if not config.stream:
        return split_documents(config, read_documents(config, given))
    prepared = read_prepared(config)
    return Texts(prepared.held_out, facts_of(config, prepared.sha256, running=False))
