"""Reading, cutting and splitting of a user's own texts, by the configuration of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_jax.train.data import corpus
from lstm_jax.train.data.corpus import Documents, Splits
from lstm_jax.train.data.download import DataError
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.task import Texts


def read_documents(config: TextConfig, given: object = None) -> Documents:
    """Read the files that a configuration names, or texts from Python.

    Args:
        config: configuration of a run on texts of one's own.
        given: texts from Python, or None.

    Raises:
        DataError: if there are neither files nor texts, or both, or they are not the texts that the
            run was trained on.
        TextFileError: if a file cannot be read as text.
    """
    if config.file and given is not None:
        raise DataError("files and texts cannot be combined: pass one or the other")
    if given is not None:
        documents = corpus.take_texts(given)
    elif config.file:
        documents = corpus.read_files(corpus.find_files(config.file), config.encoding)
    elif config.data_sha256:
        raise DataError(
            "the run was trained on texts from Python, which are not saved: pass them again, or "
            "use --file for other texts"
        )
    else:
        raise DataError("there are no texts to learn from: use --file, such as 'novels/*.txt'")
    check_unchanged(config, documents.sha256)
    return documents


def check_unchanged(config: TextConfig, sha256: str) -> None:
    """Raise an error if texts are not those that a run was trained on.

    Args:
        config: configuration of the run.
        sha256: digest of the texts.

    Raises:
        DataError: if the texts have changed.
    """
    if config.data_sha256 not in (None, sha256):
        raise DataError(
            "the texts have changed since the run was trained on them (their sha256 differs): "
            "restore them, or use --file for other texts"
        )


def split_documents(config: TextConfig, documents: Documents) -> Texts:
    """Cut documents into texts, and split them into parts.

    Args:
        config: configuration of a run, without open choices.
        documents: the documents.

    Raises:
        DataError: if there is too little text to fill every part.
    """
    texts = cut_documents(config, documents)
    return as_texts(config, documents, texts, hold_out(config, texts))


def hold_out(config: TextConfig, texts: Sequence[str]) -> Splits:
    """Split texts into parts, either whole texts or the end of each.

    Args:
        config: configuration with the shares of the parts.
        texts: the texts that the documents were cut into.

    Raises:
        DataError: if there is too little text to fill every part.
    """
    whole = is_whole(config, texts)
    return corpus.split(texts, whole=whole, valid=config.valid or 0.0, test=config.test or 0.0)


def as_texts(
    config: TextConfig, documents: Documents, texts: Sequence[str], splits: Splits
) -> Texts:
    """Collect split texts, facts for the card, and whether the texts are continuous.

    Args:
        config: configuration with the rows of a batch.
        documents: the documents that the texts were cut from.
        texts: all texts.
        splits: the result of `hold_out`.
    """
    runs_on = not is_whole(config, texts) or corpus.runs_on(splits["train"], config.rows)
    running = config.texts == "file" and runs_on
    return Texts(splits, facts_of(config, documents.sha256, running=running), running)


def facts_of(config: TextConfig, sha256: str, *, running: bool) -> dict[str, object]:
    """Return the facts about texts for a model's card.

    Args:
        config: configuration of the run.
        sha256: digest of the texts.
        running: whether the texts are continuous.
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
        config: configuration with the extent of a text.
        documents: the documents.
    """
    return tuple(
        text for document in documents.texts for text in corpus.cut(document, config.texts)
    )


def is_whole(config: TextConfig, texts: Sequence[str]) -> bool:
    """Return whether whole texts are held out, instead of the end of each text.

    Args:
        config: configuration with the extent of a text.
        texts: the texts that the documents were cut into.
    """
    return config.texts != "file" or len(texts) >= corpus.MANY


def read_others(config: TextConfig, file: Path) -> tuple[str, ...]:
    """Read another file in the same way as a run read its own files.

    Args:
        config: configuration of the run.
        file: the file to read, which is cut into the same kind of texts.

    Raises:
        DataError, TextFileError: as in `read_documents`.
    """
    files = corpus.find_files([str(file)])
    return cut_documents(config, corpus.read_files(files, config.encoding))
