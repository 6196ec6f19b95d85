"""Language models that read and write text.

    load, LanguageModel              text in, text out: generate, stream, score
    prefill, decode, sample          ids in, ids out: pure, jitted samplers for any recurrence
    filter_logits                    temperature, top-k, nucleus
    to_simplified, to_traditional    the two scripts of Chinese
    read_lines                       the texts in a file, one per line

`lstm_jax.text.verse` splits poems into lines, and `lstm_jax.text.forms` writes verse to order.
"""

from lstm_jax.text.filters import filter_logits
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.lines import TextFileError, read_lines
from lstm_jax.text.sampling import Decoding, NextLogits, decode, prefill, sample
from lstm_jax.text.script import to_simplified, to_traditional

__all__ = [
    "Decoding",
    "LanguageModel",
    "NextLogits",
    "TextFileError",
    "decode",
    "filter_logits",
    "load",
    "prefill",
    "read_lines",
    "sample",
    "to_simplified",
    "to_traditional",
]
