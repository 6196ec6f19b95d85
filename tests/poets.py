"""Tiny language models in files."""

from flax import nnx

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel

HAN = "，。看著山水雲乾坤風馬車門見長東飛鳥語學"


def save_poet(folder, characters, data, seed=0):
    """Save a tiny model of some characters, whose card names its data, and return the folder."""
    vocabulary = Vocabulary(tuple(characters))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(seed))
    # Sharper than at its start, so that greedy and sampled texts differ and texts vary.
    network.embedding[...] = 6 * network.embedding[...]
    LanguageModel(network, vocabulary, {"data": data}).save(folder)
    return folder
