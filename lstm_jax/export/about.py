"""What a user must know of an exported model to feed it and to read what it says."""

from __future__ import annotations

import json
from typing import NamedTuple

from lstm_jax.files import encoded
from lstm_jax.models.storage import Stored
from lstm_jax.models.vocabulary import END, UNKNOWN, Vocabulary

# Of the model's own files; they say nothing about this one.
LEFT_OUT = {"format", "sha256", "digest"}


class Meaning(NamedTuple):
    """Say what a kind of model computes, and what goes in and comes out of its graph, by name."""

    computes: str
    inputs: dict[str, str]
    outputs: dict[str, str]


STATES = {
    "h_k": "(1, B, H): hidden state of layer k, zeros at the beginning",
    "c_k": "(1, B, H): cell state of layer k, zeros at the beginning",
}
LENGTHS = "(B,): how many steps of each row are valid; those after are not read"
MEANINGS = {
    "CharLM": Meaning(
        "xs = embedding[ids]; h = the top layer's hidden state; "
        "logits = (h @ projection) @ embedding.T + output_bias",
        {"ids": "(B, T): places in `vocabulary`, a text opened by 0", **STATES},
        {
            "logits": "(B, T, V): of the symbol that comes after each one; the softmax gives "
            "probabilities, in the order of `vocabulary`",
            "final_h_k, final_c_k": "(1, B, H): the state after the last symbol, to be given as "
            "h_k and c_k with the symbols that follow",
        },
    ),
    "SequenceModel": Meaning(
        "h = the top layer's hidden state at each step; ys = h @ output_kernel + output_bias",
        {
            "xs": "(B, T, D): sequences",
            "sequence_lens": LENGTHS,
        },
        {"ys": "(B, T, O): what is said after each step that is valid"},
    ),
    "SequenceClassifier": Meaning(
        "pooled = the top layer's hidden states over time, as `config.pooling` says, the backward "
        "direction beside the forward one; logits = pooled @ output_kernel + output_bias",
        {
            "ids": "(B, T): places in `vocabulary`; of a model of words",
            "xs": "(B, T, D): features, (value - mean) / scale; of a model of vectors",
            "sequence_lens": LENGTHS,
        },
        {
            "logits": "(B, C): the softmax gives the probabilities, in the order of `classes`",
        },
    ),
    "Forecaster": Meaning(
        "h = the top layer's hidden state after the window; ys = h @ output_kernel + output_bias, "
        "and what `config` adds to it",
        {
            "xs": "(B, T, D): windows, the columns as `read` says, (value - mean) / scale by "
            "`scaler`, then the sines and the cosines of the `calendar`"
        },
        {
            "ys": "(B, horizon, outputs): value * scale + mean by `target_scaler` gives what "
            "`predict` says of each step; several outputs are the quantiles, ascending"
        },
    ),
}


def about(stored: Stored, *, graph: bool) -> dict[str, str]:
    """Gather what stands in an exported file beside the numbers.

    Args:
        stored: the model.
        graph: whether the file has inputs and outputs, or holds arrays alone.

    Returns:
        Each part of the model's description as JSON, and what the model computes. `vocabulary` is a
        list: the id of a symbol is its place.
    """
    description = {k: v for k, v in stored.description.items() if k not in LEFT_OUT}
    if "vocabulary" in description:
        characters = Vocabulary.restored(description["vocabulary"]).characters
        description["vocabulary"] = [END, UNKNOWN, *characters]
    meaning = MEANINGS[description["kind"]]._asdict()
    description |= meaning if graph else {"computes": meaning["computes"]}
    return {name: _json(value) for name, value in description.items()}


def _json(value: object) -> str:
    """Write JSON, lone surrogates escaped: both formats keep UTF-8."""
    return encoded(json.dumps(value, ensure_ascii=False)).decode()
