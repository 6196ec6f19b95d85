"""A user's own texts, as the configuration of a run says to read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_jax.train.data import corpus
from lstm_jax.train.data.corpus import Documents, Splits
from lstm_jax.train.data.download import DataError
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import Texts


def read_documents(config: TextConfig, given: object = None) -> Documents:
    """Read the files of a configuration, or take the texts that were given.

    Args:
        config: of a run on texts of one's own.
        given: texts from Python, or None.

    Raises:
        DataError: neither files nor texts, or both; other texts than the run learned from.
        TextFileError: a file that cannot be read as text.
    """
    if config.file and given is not None:
        raise DataError("files and texts were given: give one or the other")
    if given is not None:
        documents = corpus.take_texts(given)
    elif config.file:
        documents = corpus.read_files(corpus.find_files(config.file), config.encoding)
    elif config.data_sha256:
        raise DataError(
            "the run learned from texts that were given in Python and are in no file: give them "
            "again, or others with --file"
        )
    else:
        raise DataError("there are no texts to learn from: give some with --file 'novels/*.txt'")
    check_unchanged(config, documents.sha256)
    return documents


def check_unchanged(config: TextConfig, sha256: str) -> None:
    """Refuse other texts than a run learned from.

    Args:
        config: of the run.
        sha256: of the texts.

    Raises:
        DataError: they have changed.
    """
    if config.data_sha256 not in (None, sha256):
        raise DataError(
            "the texts have changed since the run learned from them (their sha256 differs): "
            "restore them, or give others with --file"
        )


def split_documents(config: TextConfig, documents: Documents) -> Texts:
    """Cut documents into texts and hold some of them out.

    Args:
        config: with a value in every field that says how.
        documents: what `read_documents` gives.

    Raises:
        DataError: too little text for something to be in each part.
    """
    texts = cut_documents(config, documents)
    return as_texts(config, documents, texts, hold_out(config, texts))


def hold_out(config: TextConfig, texts: Sequence[str]) -> Splits:
    """Hold out some of the texts, or the end of each.

    Args:
        config: with its shares.
        texts: that the documents were cut into.

    Raises:
        DataError: too little text for something to be in each part.
    """
    whole = is_whole(config, texts)
    return corpus.split(texts, whole=whole, valid=config.valid or 0.0, test=config.test or 0.0)


def as_texts(
    config: TextConfig, documents: Documents, texts: Sequence[str], splits: Splits
) -> Texts:
    """Say of texts whether they run on, and what the card is to know of them.

    Args:
        config: with the rows of a batch.
        documents: that they were cut from.
        texts: all of them.
        splits: what `hold_out` gives.
    """
    runs_on = not is_whole(config, texts) or corpus.runs_on(splits["train"], config.rows)
    running = config.texts == "file" and runs_on
    return Texts(splits, facts_of(config, documents.sha256, running=running), running)


def facts_of(config: TextConfig, sha256: str, *, running: bool) -> dict[str, object]:
    """Give what a model's card says of its texts.

    Args:
        config: of the run.
        sha256: of the texts.
        running: whether they run on.
    """
    return {
        "data": "own",
        "data_sha256": sha256,
        "unit": config.unit,
        "texts": config.texts,
        "running": running,
    }


def cut_documents(config: TextConfig, documents: Documents) -> tuple[str, ...]:
    """Cut documents into texts.

    Args:
        config: says what a text is.
        documents: to be cut.
    """
    return tuple(
        text for document in documents.texts for text in corpus.cut(document, config.texts)
    )


def is_whole(config: TextConfig, texts: Sequence[str]) -> bool:
    """Say whether whole texts are held out, and not the end of each.

    Args:
        config: says what a text is.
        texts: that the documents were cut into.
    """
    return config.texts != "file" or len(texts) >= corpus.MANY


def read_others(config: TextConfig, file: Path) -> tuple[str, ...]:
    """Read another file as a run read its own.

    Args:
        config: of the run.
        file: to be cut into the same kind of texts.

    Raises:
        DataError, TextFileError: as in `read_documents`.
    """
    files = corpus.find_files([str(file)])
    return cut_documents(config, corpus.read_files(files, config.encoding))
