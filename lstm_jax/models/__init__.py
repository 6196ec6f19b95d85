"""NNX models, with their configurations, losses, vocabulary and files.

    CharLM                predicts the next character after each one
    SequenceModel         computes a vector for each step, or for the last step
    SequenceClassifier    predicts one class for a whole sequence
    Forecaster            predicts the steps that follow a window

`lstm_jax.models.storage` saves and loads any of them.
"""

from lstm_jax.models.base import Model
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.losses import logits_of, tied_cross_entropy, tied_log_probabilities
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary

__all__ = [
    "CharLM",
    "CharLMConfig",
    "Forecaster",
    "ForecasterConfig",
    "Model",
    "ModelError",
    "SequenceClassifier",
    "SequenceClassifierConfig",
    "SequenceModel",
    "SequenceModelConfig",
    "Stored",
    "Vocabulary",
    "logits_of",
    "tied_cross_entropy",
    "tied_log_probabilities",
]
