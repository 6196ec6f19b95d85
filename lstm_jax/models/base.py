"""The base classes of the models: configuration, initial state, and construction from a file."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, ClassVar, Generic, Protocol, Self, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.errors import warn
from lstm_jax.promotion import add
from lstm_jax.regularize import check_rate
from lstm_jax.trees import Tree

Json: TypeAlias = dict[str, Any]
"""A JSON object, such as the content of `model.json` or its card."""


class Configuration(Protocol):
    """Describe an instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Config = TypeVar("Config", bound=Configuration)


class Model(nnx.Module, Generic[Config]):
    """Base of all models, which have a `config` and can be built from a `model.json`.

    A subclass sets `config_type` and defines `build` and `initial_state`; one line in
    `lstm_jax.models.storage` makes it loadable.
    """

    config_type: ClassVar[type[Any]]
    config: Config

    @classmethod
    def build(cls, config: Config, description: Json) -> Self:
        """Build a model with arbitrary parameters, which those of its file will replace.

        Args:
            config: the architecture.
            description: content of `model.json`, with sizes that are not in the configuration.

        Returns:
            The model.

        Raises:
            KeyError, TypeError, ValueError: if the description does not fit.
        """
        raise NotImplementedError

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        """Return the state before a sequence.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers.
        """
        raise NotImplementedError


class ReadoutModel(Model[Config]):
    """Base of models that end in a linear readout, y = h W + b."""

    output_kernel: nnx.Param[Array]
    output_bias: nnx.Param[Array]

    def set_readout(self, kernel: Array) -> None:
        """Initialize the readout with a kernel, and a bias of zeros.

        Args:
            kernel: (H, O).
        """
        self.output_kernel = nnx.Param(kernel)
        self.output_bias = nnx.Param(jnp.zeros(kernel.shape[1]))

    def readout(self, h: Array) -> Array:
        """Compute the readout of hidden states.

        Args:
            h: (..., H).

        Returns:
            h W + b, (..., O).
        """
        return add(h @ self.output_kernel[...], self.output_bias[...])


def lecun(rngs: nnx.Rngs, *shape: int) -> Array:
    """Draw a kernel whose products have the variance of their inputs (LeCun et al. 1998).

    Args:
        rngs: random numbers; one key of its `params` is used.
        shape: (D, H).

    Returns:
        The kernel, float32.
    """
    return jax.nn.initializers.lecun_normal()(rngs.params(), shape)


def check_rates(config: Configuration) -> None:
    """Check the dropout rates of a configuration.

    Args:
        config: configuration whose fields called `..._dropout` are checked.

    Raises:
        ValueError: if a rate is outside [0, 1); the message names it.
    """
    for field in fields(config):
        if field.name.endswith("_dropout"):
            check_rate(field.name, getattr(config, field.name))


def between_layers(layer_dropout: float, num_layers: int) -> float:
    """Return the dropout rate between layers, and warn if there is only one layer.

    Args:
        layer_dropout, num_layers: fields of a model's configuration.

    Returns:
        The rate; 0 for a single layer.
    """
    if layer_dropout and num_layers == 1:
        warn(
            f"layer_dropout={layer_dropout:g} acts between layers, so with num_layers=1 it does "
            "nothing"
        )
        return 0.0
    return layer_dropout


def split(key: Array | None, count: int) -> Array | tuple[None, ...]:
    """Split a key that may be None.

    Args:
        key: a `jax.random` key, or None for no randomness.
        count: number of keys.

    Returns:
        `count` keys, or `count` times None.
    """
    return (None,) * count if key is None else jax.random.split(key, count)
