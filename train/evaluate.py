"""`lstm-jax evaluate`: what a trained model is worth on data that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

import tyro
from flax import nnx
from rich.console import Console
from rich.progress import track

from lstm_jax.models import storage as model_files
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import read_lines
from lstm_jax.train import config as configs
from lstm_jax.train.config import (
    MemoryConfig,
    SentimentConfig,
    SeriesConfig,
    SpeechConfig,
    TextConfig,
    TrainConfig,
)
from lstm_jax.train.data import sentiment, speech
from lstm_jax.train.data.audio import Scaler
from lstm_jax.train.forecasts import verdict as series_verdict
from lstm_jax.train.tasks import classify as classify_tasks
from lstm_jax.train.tasks.classify import Examples
from lstm_jax.train.tasks.memory import task as memory_tasks
from lstm_jax.train.tasks.sentiment import task as sentiment_tasks
from lstm_jax.train.tasks.speech import task as speech_tasks
from lstm_jax.train.tasks.text.score import score_texts
from lstm_jax.train.tasks.text.task import load_texts


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure, and on what."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""
    split: Literal["train", "valid", "test"] = "test"
    """The split of the data that the model was trained on."""
    file: Path | None = None
    """Instead of a split, a UTF-8 file with one text a line; for language models."""
    rows: int = 48
    """Texts read side by side; it does not change the figure."""
    plot: bool = False
    """Draw a forecaster's picture, forecast.png, in the run's folder."""
    json: bool = False
    """Print JSON."""


Verdict = tuple[dict[str, Any], str]
"""Figures, and what to say of them: one line, or a table."""


class Judge(NamedTuple):
    """Who judges the runs of a kind, and which options are for them.

    `network` is the class in model.json; `judge(stored, config, options)` may raise a ModelError
    or DataError; `reads_files` says that `--file` is for it, `draws` that `--plot` is.
    """

    network: str
    judge: Callable[[Stored, Any, EvaluateOptions], Verdict]
    reads_files: bool = False
    draws: bool = False


def evaluate(options: EvaluateOptions) -> Verdict:
    """The figures of the model in a run's folder, or of a released one, and what to say of them.

    Raises:
        ModelError, ConfigError: no such model, an altered one, or options that are not for it.
        DataError: data that is missing or altered.
    """
    if options.rows < 1:
        raise ModelError(f"--rows must be at least 1, got {options.rows}")
    stored = model_files.load(options.model)
    config = configs.from_dict(stored.card.get("config", {}))
    network, judge, reads_files, draws = JUDGES[type(config)]
    if stored.description["kind"] != network:
        raise ModelError(f"the card of {options.model} names no problem of this package")
    if options.file is not None and not reads_files:
        raise ModelError(f"--file is for language models, and {options.model} holds none")
    if options.plot and not draws:
        raise ModelError(f"--plot draws forecasts, and {options.model} makes none")
    figures, said = judge(stored, config, options)
    return {"model": options.model, **figures}, said


def perplexity(stored: Stored, config: TextConfig, options: EvaluateOptions) -> Verdict:
    """A language model's figures on the texts of its card's data, or of a file."""
    del config  # a released model need not have one
    vocabulary = Vocabulary(tuple(stored.description["vocabulary"]))
    model = LanguageModel(stored.network, vocabulary, stored.card)
    if options.file is None:
        name = model.card.get("data")
        if name not in get_args(get_type_hints(TextConfig)["data"]):
            raise ModelError(
                f"the card of {options.model} names no data of this package, got {name!r}: "
                "give texts with --file"
            )
        splits = load_texts(name).splits
        if options.split not in splits:
            raise ModelError(
                f"{name} has no {options.split} split; --split is {' or '.join(splits)}"
            )
        texts = splits[options.split]
        what = f"{name} {options.split}"
    else:
        texts, what = read_lines(options.file), str(options.file)
    errors = Console(stderr=True)
    score = score_texts(
        model,
        texts,
        rows=options.rows,
        progress=lambda indices: track(
            indices, f"{what}", console=errors, transient=True, disable=not errors.is_terminal
        ),
    )
    figures = {
        "on": what,
        "texts": len(texts),
        "symbols": score.symbols,
        "unknown": score.unknown,
        "nats_per_symbol": score.nats_per_symbol,
        "perplexity": score.perplexity,
    }
    said = (
        f"{what}: perplexity {score.perplexity:.2f} ({score.nats_per_symbol:.4f} nats a "
        f"symbol) over {score.symbols:,} symbols of {len(texts):,} texts"
    )
    return figures, said + (
        f", {score.unknown:,} of them unknown characters" if score.unknown else ""
    )


def sequences_wrong(stored: Stored, config: MemoryConfig, options: EvaluateOptions) -> Verdict:
    """A sequence model's figures on the problem that it learned."""
    if options.split not in memory_tasks.HELD_OUT:
        splits = " or ".join(memory_tasks.HELD_OUT)
        raise ModelError(f"of generated sequences --split is {splits}, got {options.split}")
    judge = memory_tasks.make_judge(config.problem, stored.network)
    batches = memory_tasks.held_out(config, options.split)
    params = nnx.state(stored.network, nnx.Param)
    loss, wrong = memory_tasks.verdict(judge, params, batches)
    what = f"{config.problem} {options.split}"
    figures = {
        "on": what,
        "steps": config.steps,
        "sequences": memory_tasks.TESTED,
        "wrong": wrong,
        "loss": loss,
    }
    return figures, f"{what}, T = {config.steps:,}: {memory_tasks.say(config, loss, wrong)}"


def sentences_right(stored: Stored, config: SentimentConfig, options: EvaluateOptions) -> Verdict:
    """How many sentences a judge of sentiment gets right."""
    del config
    vocabulary = Vocabulary(tuple(stored.description["vocabulary"]))
    texts = sentiment.load().splits[options.split]
    examples = sentiment_tasks.examples(texts, vocabulary)
    return _classified(stored, examples, f"sentiment {options.split}", "sentences")


def recordings_right(stored: Stored, config: SpeechConfig, options: EvaluateOptions) -> Verdict:
    """How many recordings a listener gets right; of the speaker who was left out, if one was."""
    recordings = speech.load().splits(config.left_out)[options.split]
    scaler = Scaler(stored.description["mean"], stored.description["scale"])
    found = speech_tasks.features(recordings, options.split)
    examples = speech_tasks.examples(recordings, found, scaler)
    who = f", {config.left_out} alone" if config.left_out and options.split == "test" else ""
    return _classified(stored, examples, f"speech {options.split}{who}", "recordings")


def _classified(stored: Stored, examples: Examples, what: str, unit: str) -> Verdict:
    params = nnx.state(stored.network, nnx.Param)
    found = classify_tasks.score(classify_tasks.make_reader(stored.network), params, examples)
    figures = {
        "on": what,
        unit: found.count,
        "wrong": found.wrong,
        "accuracy": found.accuracy,
        "nats": found.nats,
    }
    return figures, f"{what}: {classify_tasks.say(found, unit)}"


def forecasts(stored: Stored, config: SeriesConfig, options: EvaluateOptions) -> Verdict:
    """A forecaster's errors beside those of the baselines."""
    found = series_verdict.forecast(stored, config, options.split)
    figures = series_verdict.measure(found)
    said = series_verdict.say(figures)
    if options.plot:
        path = model_files.find(options.model) / "forecast.png"
        series_verdict.draw(found, path)
        said += f"\nthe picture: {path}"
    return figures, said


JUDGES: dict[type[TrainConfig], Judge] = {
    TextConfig: Judge("CharLM", perplexity, reads_files=True),
    MemoryConfig: Judge("SequenceModel", sequences_wrong),
    SentimentConfig: Judge("SequenceClassifier", sentences_right),
    SpeechConfig: Judge("SequenceClassifier", recordings_right),
    SeriesConfig: Judge("Forecaster", forecasts, draws=True),
}
"""A configuration's class -> who judges its runs."""
