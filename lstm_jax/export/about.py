"""The metadata of an exported model: how to prepare its inputs and interpret its outputs."""

from __future__ import annotations

import json
from typing import NamedTuple

from lstm_jax.files import encoded
from lstm_jax.models.base import Json
from lstm_jax.models.storage import Stored
from lstm_jax.models.vocabulary import END, UNKNOWN, Vocabulary

# These fields describe the model's own files, not the exported one.
LEFT_OUT = {"format", "sha256", "digest"}


class Meaning(NamedTuple):
    """Describe the computation of a kind of model, and the inputs and outputs of its graph."""

    computes: str
    inputs: dict[str, str]
    outputs: dict[str, str]


STATES = {
    "h_k": "(1, B, H): hidden state of layer k, zeros at the beginning",
    "c_k": "(1, B, H): cell state of layer k, zeros at the beginning",
}
LENGTHS = "(B,): number of valid steps in each row; later steps are not read"
MEANINGS = {
    "CharLM": Meaning(
        "xs = embedding[ids]; h = the top layer's hidden state; "
        "logits = (h @ projection) @ embedding.T + output_bias",
        {"ids": "(B, T): indices into `vocabulary`; a text begins with 0", **STATES},
        {
            "logits": "(B, T, V): for the symbol after each one; their softmax is the "
            "probabilities, in the order of `vocabulary`",
            "final_h_k, final_c_k": "(1, B, H): the state after the last symbol, to be passed as "
            "h_k and c_k with the symbols that follow",
        },
    ),
    "SequenceModel": Meaning(
        "h = the top layer's hidden state at each step; ys = h @ output_kernel + output_bias",
        {
            "xs": "(B, T, D): sequences",
            "sequence_lens": LENGTHS,
        },
        {"ys": "(B, T, O): the output after each valid step"},
    ),
    "SequenceClassifier": Meaning(
        "pooled = the top layer's hidden states, pooled over time by `config.pooling`, the forward "
        "direction followed by the backward one; logits = pooled @ output_kernel + output_bias",
        {
            "ids": "(B, T): indices into `vocabulary`, for a model of words. With `grams`, "
            "(B, T, 25): the index of the word, then for each part of <word> with 3 to 5 "
            "characters, the shortest first and each once, len(vocabulary) + CRC-32(part in "
            "UTF-8) % grams; cut after 25, or filled with -1",
            "xs": "(B, T, D): features, (value - mean) / scale, for a model of vectors",
            "sequence_lens": LENGTHS,
        },
        {
            "logits": "(B, C): their softmax is the probabilities, in the order of `classes`",
        },
    ),
    "Forecaster": Meaning(
        "h = the top layer's hidden state after the window; ys = h @ output_kernel + output_bias, "
        "plus the additions in `config`",
        {
            "xs": "(B, T, D): windows, with the columns of `read`, scaled by `scaler` as "
            "(value - mean) / scale, then the sines and the cosines of the `calendar`"
        },
        {
            "ys": "(B, horizon, outputs): value * scale + mean by `target_scaler` is the quantity "
            "`predict` at each step; several outputs are the quantiles, ascending"
        },
    ),
}


def about(stored: Stored, *, graph: bool) -> dict[str, str]:
    """Collect the metadata of an exported file.

    Args:
        stored: the model.
        graph: whether the file has inputs and outputs, or only arrays.

    Returns:
        Every part of the model's description as JSON, and a description of its computation.
        `vocabulary` is a list, in which the id of a symbol is its index.
    """
    description = {k: v for k, v in stored.description.items() if k not in LEFT_OUT}
    if "vocabulary" in description:
        characters = Vocabulary.restored(description["vocabulary"]).characters
        description["vocabulary"] = [END, UNKNOWN, *characters]
    meaning = meaning_of(description)._asdict()
    description |= meaning if graph else {"computes": meaning["computes"]}
    return {name: _json(value) for name, value in description.items()}


def meaning_of(description: Json) -> Meaning:
    """Return the meaning of a model, whose description may change that of its kind."""
    meaning = MEANINGS[description["kind"]]
    if description.get("quantiles") is False:
        likelihood = description["card"]["config"]["likelihood"]
        outputs = {
            "ys": "(B, horizon, outputs): at each step, unconstrained parameters of the "
            f"distribution {likelihood} (lstm_jax.train.forecasts.distributions) of the quantity "
            "`predict` in the scale of `target_scaler`; they are not quantiles"
        }
        return meaning._replace(outputs=outputs)
    connections = description["config"].get("connections")
    if connections is not None:
        computes = f"{meaning.computes}; the layers have {connections} connections"
        return meaning._replace(computes=computes)
    return meaning


def _json(value: object) -> str:
    """Write JSON with lone surrogates escaped, because both formats store UTF-8."""
    return encoded(json.dumps(value, ensure_ascii=False)).decode()
