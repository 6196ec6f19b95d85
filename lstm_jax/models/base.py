"""What the models share: a configuration, a starting state, and the way back from a file."""

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
"""An object of JSON, such as what `model.json` holds, or the card in it."""


class Configuration(Protocol):
    """An instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Config = TypeVar("Config", bound=Configuration)


class Model(nnx.Module, Generic[Config]):
    """Have an architecture, `config`, and be built from what `model.json` holds.

    A subclass names its configuration's class and says `build` and `initial_state`; one line in
    `lstm_jax.models.storage` makes it loadable.
    """

    config_type: ClassVar[type[Any]]
    config: Config

    @classmethod
    def build(cls, config: Config, description: Json) -> Self:
        """Make a model with any parameters, to be replaced by those in its file.

        Args:
            config: the architecture.
            description: what `model.json` holds; sizes that are not in the configuration.

        Returns:
            The model.

        Raises:
            KeyError, TypeError, ValueError: for a description that does not fit.
        """
        raise NotImplementedError

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        """Give the state before a sequence.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers.
        """
        raise NotImplementedError


class ReadoutModel(Model[Config]):
    """End in a linear readout: y = h W + b."""

    output_kernel: nnx.Param[Array]
    output_bias: nnx.Param[Array]

    def set_readout(self, kernel: Array) -> None:
        """Begin with a kernel, and a bias of zeros.

        Args:
            kernel: (H, O).
        """
        self.output_kernel = nnx.Param(kernel)
        self.output_bias = nnx.Param(jnp.zeros(kernel.shape[1]))

    def readout(self, h: Array) -> Array:
        """Read hidden states.

        Args:
            h: (..., H).

        Returns:
            h W + b, (..., O).
        """
        return add(h @ self.output_kernel[...], self.output_bias[...])


def lecun(rngs: nnx.Rngs, *shape: int) -> Array:
    """Draw a kernel whose products have the variance of what they read (LeCun et al. 1998).

    Args:
        rngs: one key of its `params` is used.
        shape: (D, H).

    Returns:
        The kernel, float32.
    """
    return jax.nn.initializers.lecun_normal()(rngs.params(), shape)


def check_rates(config: Configuration) -> None:
    """Refuse a dropout rate that is none.

    Args:
        config: its fields called `..._dropout` are looked at.

    Raises:
        ValueError: one lies outside [0, 1); it is named.
    """
    for field in fields(config):
        if field.name.endswith("_dropout"):
            check_rate(field.name, getattr(config, field.name))


def between_layers(layer_dropout: float, num_layers: int) -> float:
    """Give the dropout rate between layers, and warn where there is nothing between them.

    Args:
        layer_dropout, num_layers: as a model's configuration has them.

    Returns:
        The rate, 0 of a single layer.
    """
    if layer_dropout and num_layers == 1:
        warn(
            f"layer_dropout={layer_dropout:g} acts between layers, so with num_layers=1 it does "
            "nothing"
        )
        return 0.0
    return layer_dropout


def split(key: Array | None, count: int) -> Array | tuple[None, ...]:
    """Split a key that may be none.

    Args:
        key: a key of `jax.random`; None where nothing is to be random.
        count: of places that want one.

    Returns:
        A key for each place, or None for each.
    """
    return (None,) * count if key is None else jax.random.split(key, count)
