"""The pages of the API reference, as Markdown for mkdocstrings.

Every public name has one entry: the names of `lstm_jax` are sorted into topics below, and those of
other modules come from their `__all__`. A name that a module shares with `lstm_jax` is a link.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import lstm_jax
from lstm_jax.initializers import init_gru, init_lstm, init_mgu, init_rnn


class Topic(NamedTuple):
    """A page: its title and introduction, names of `lstm_jax`, and modules with an `__all__`."""

    title: str
    about: str
    names: str = ""
    modules: str = ""


TOPICS = {
    "layers": Topic(
        "Layers",
        "Flax NNX modules that own their parameters. Layers read whole sequences, `(B, T, D)`; "
        "the cells below them take one step.",
        "LSTM GRU RNN MGU ConvLSTM Recurrent LSTMCell GRUCell RNNCell MGUCell ConvLSTMCell "
        "StepCell",
    ),
    "functions": Topic(
        "Functions",
        "Pure functions over time-major sequences, `(T, B, D)`, and helpers for ragged batches "
        "and regularization.",
        "lstm gru rnn mgu run explain scan trace Trace stack StackState run_layers trace_layers "
        "Directions Around Noise pad unpad mask_of bucket zoneout drop_state drop_weights "
        "activation_penalty temporal_activation_penalty keep_memory",
    ),
    "cells": Topic(
        "Cells",
        "A cell is a pure function `new_state = step(params, state, x)`. Here are the equations, "
        "the parameters, the states and their initialization.",
        "Cell lstm_cell gru_cell rnn_cell mgu_cell conv_lstm_cell mogrifier_cell lstm_step "
        "gru_step rnn_step mgu_step conv_lstm_step mogrifier_step lstm_gates init_lstm init_gru "
        "init_rnn init_mgu init_conv_lstm init_mogrifier chrono LSTMParams GRUParams RNNParams "
        "MGUParams ConvLSTMParams MogrifierParams LSTMNorm Affine LSTMActivations LSTMGates "
        "LSTMState GRUState RNNState zero_h zero_hc zeros",
    ),
    "models": Topic(
        "Models",
        "Networks with a loss, their configurations and their files.",
        "CharLM CharLMConfig SequenceModel SequenceModelConfig SequenceClassifier "
        "SequenceClassifierConfig Forecaster ForecasterConfig Vocabulary ModelError UserError",
        modules="lstm_jax.models",
    ),
    "text": Topic(
        "Text",
        "A language model with its vocabulary, samplers, and verse to order.",
        "load LanguageModel sample",
        modules="lstm_jax.text lstm_jax.text.forms",
    ),
    "train": Topic(
        "Training",
        "Train on your own data from Python. Every function returns a run, and every field of a "
        "configuration is both a keyword here and an option of `lstm-jax train`.",
        modules="lstm_jax.train.fit",
    ),
    "diagnostics": Topic(
        "Diagnostics",
        "What researchers ask of a recurrent network: arrays in, arrays out.",
        modules="lstm_jax.diagnostics",
    ),
    "report": Topic(
        "Reports",
        "The questions of `lstm-jax diagnose`, from Python, and the animation of the gates.",
        modules="lstm_jax.report lstm_jax.animation",
    ),
    "plots": Topic(
        "Plots",
        "Figures of the diagnostics and of predictions. They need matplotlib: "
        '`pip install "lstm_jax[viz]"`.',
        modules="lstm_jax.plots",
    ),
    "interop": Topic(
        "Other frameworks",
        "Weights to and from PyTorch, Keras, Flax, Haiku, Equinox and cuDNN, as plain arrays.",
        modules="lstm_jax.interop",
    ),
    "onnx": Topic(
        "ONNX",
        'Layers and whole models as ONNX graphs: `pip install "lstm_jax[onnx]"`.',
        modules="lstm_jax.interop.onnx",
    ),
    "native": Topic(
        "Native engine",
        "Kernels in C++ for CPUs, compiled once on the machine that runs them.",
        modules="lstm_jax.engines.native",
    ),
}
"""By the name of the page."""

RUNS = """
lstm_jax.train.runs.Run
lstm_jax.train.tasks.series.run.SeriesRun
lstm_jax.train.tasks.text.run.TextRun
lstm_jax.train.tasks.classify.run.ClassifierRun
lstm_jax.train.tasks.classify.run.ClassifyRun
lstm_jax.train.tasks.sounds.run.SoundsRun
lstm_jax.train.tasks.classify.answers.Prediction
lstm_jax.train.tasks.series.config.SeriesConfig
lstm_jax.train.tasks.text.config.TextConfig
lstm_jax.train.tasks.classify.config.ClassifyConfig
lstm_jax.train.tasks.sounds.config.SoundsConfig
lstm_jax.train.run.writers.Writer
"""
"""What `fit` returns, and the options that it takes; these have no `__all__` of their own."""

INITS = {"LSTM": init_lstm, "GRU": init_gru, "RNN": init_rnn, "MGU": init_mgu}


def pages() -> dict[str, str]:
    """Generate the reference.

    Returns:
        Path of a page -> its Markdown.
    """
    made = {f"reference/{name}.md": _page(topic) for name, topic in TOPICS.items()}
    rows = [f"| [{topic.title}]({name}.md) | {topic.about} |" for name, topic in TOPICS.items()]
    index = ["# API reference", _notation(), "| page | what is there |\n|---|---|", *rows]
    return {"reference/index.md": "\n\n".join(index[:2]) + "\n\n" + "\n".join(index[2:]), **made}


def public_names(module: str) -> dict[str, str]:
    """Read a module's `__all__`, without importing what the module needs.

    Returns:
        Name -> where it is defined, as far as the module's own imports tell.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    origins, names = {}, []
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if alias.asname == alias.name:  # `import x as x` makes a name public too
                    names.append(alias.name)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
    return {name: origins.get(name, f"{module}.{name}") for name in names}


def options(layer: type) -> Iterator[tuple[str, str, str]]:
    """Yield the options of a layer that its constructor takes as `**options`.

    Args:
        layer: one of `INITS`.

    Yields:
        The name, the default as code, and the description.
    """
    kinds: list[Callable[..., Any]] = [lstm_jax.Recurrent.__init__, INITS[layer.__name__]]
    [typed] = get_args(get_type_hints(layer.__init__)["options"])
    for name in typed.__annotations__:
        kind = next(kind for kind in kinds if name in inspect.signature(kind).parameters)
        default = inspect.signature(kind).parameters[name].default
        yield name, repr(default), described(kind)[name]


def described(function: Callable[..., Any]) -> dict[str, str]:
    """Parse the section Args of a docstring: name -> description; shared entries are repeated."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.M | re.S)
    found = {}
    for entry in re.split(r"\n(?=    [\w*])", section[1].rstrip() if section else ""):
        names, _, text = entry.strip().partition(": ")
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def _page(topic: Topic) -> str:
    parts = [f"# {topic.title}", topic.about]
    for name in topic.names.split():
        parts.append(f"::: lstm_jax.{name}")
        if name in INITS:
            parts.append(_options_table(name))
    for module in topic.modules.split():
        parts += _of_module(module, titled=" " in topic.modules)
    if topic.title == "Training":
        parts += ["## Runs and configurations", *(f"::: {path}" for path in RUNS.split())]
    return "\n\n".join(parts) + "\n"


def _of_module(module: str, titled: bool) -> Iterator[str]:
    """Yield a module's own names as entries, and links to those that `lstm_jax` has too."""
    shared = {origin: name for name, origin in public_names("lstm_jax").items()}
    names = public_names(module)
    if titled:
        yield f"## {module}"
    links = [f"[`{name}`][lstm_jax.{shared[at]}]" for name, at in names.items() if at in shared]
    if links:
        yield f"`{module}` also has " + ", ".join(links) + "."
    yield from (f"::: {module}.{name}" for name, at in names.items() if at not in shared)


def _options_table(name: str) -> str:
    about = "The call, `trace`, `explain` and `from_params` are those of [`Recurrent`]"
    about += f"[lstm_jax.Recurrent]. Options of `{name}`:"
    rows = [f"| `{option}` | `{default}` | {text} |"
            for option, default, text in options(getattr(lstm_jax, name))]  # fmt: skip
    return "\n".join([about, "", "| option | default | |", "|---|---|---|", *rows])


def _notation() -> str:
    return (inspect.getdoc(lstm_jax) or "").replace("\n\n    ", "\n\n        ").strip()
