"""NNX cells of one step, for those who write their own loop: `state, h = cell(state, x)`."""

from __future__ import annotations

from functools import partial
from typing import TypedDict

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import Cell
from lstm_jax.nn.held import Held, init_of
from lstm_jax.nn.recurrent import LayerOptions
from lstm_jax.promotion import common
from lstm_jax.trees import Tree


class StepOptions(TypedDict, total=False):
    """What every cell of one step takes besides its sizes and its own options; see `StepCell`."""

    dtype: DTypeLike | None
    param_dtype: DTypeLike | None


OF_SEQUENCES = LayerOptions.__optional_keys__ - StepOptions.__optional_keys__


class StepCell(nnx.Module):
    """One step of any `Cell`, with its parameters; `LSTMCell`, `GRUCell`, ... name theirs."""

    def __init__(
        self,
        cell: Cell,
        in_features: int,
        hidden_features: int,
        *,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
        **init_options: object,
    ):
        """Make the parameters.

        Args:
            cell: with an `init`.
            in_features, hidden_features: D and H.
            dtype: of the computation; that of inputs and parameters promoted if None.
            param_dtype: of the parameters; float32 if None.
            rngs: only read here.
            **init_options: for the cell's `init`, such as `forget_bias`, `peepholes`.

        Raises:
            ValueError: a cell without `init`, options of a whole sequence, named, or options that
                do not go together.
            TypeError: an option that the cell's `init` does not have.
        """
        of_sequences = sorted(init_options.keys() & OF_SEQUENCES)
        if of_sequences:
            layer = type(self).__name__.removesuffix("Cell")
            raise ValueError(f"{', '.join(of_sequences)}: not of a single step; use {layer}")
        make = partial(init_of(cell), dtype=param_dtype, **init_options)
        made = make(rngs.params(), in_features, hidden_features)
        self.in_features, self.hidden_features = in_features, hidden_features
        self.dtype = dtype
        self.cell = cell
        self.weights = Held(made)

    @property
    def params(self) -> Tree:
        """The parameters, as the step takes them."""
        return self.weights.record

    def __call__(self, state: Tree, x: Array) -> tuple[Tree, Array]:
        """Take one step.

        Args:
            state: as `initial_state` gives it, leaves (..., H).
            x: (..., D).

        Returns:
            `(new_state, h)`.

        Raises:
            ValueError: features that do not fit.
        """
        x = x if self.dtype is None else x.astype(self.dtype)
        new = self.cell.step(self._computed(), state, x)
        return new, new.h

    def initial_state(self, *batch: int) -> Tree:
        """Give the zero state, leaves (*batch, H); of images, their axes come after the batch's."""
        params = self._computed()
        dtype = common(*jax.tree.leaves(params))
        return self.cell.zero(params, jnp.zeros((1, *batch, self.in_features), dtype))

    def _computed(self) -> Tree:
        """Give the parameters in the dtype of the computation."""
        if self.dtype is None:
            return self.params
        return jax.tree.map(lambda a: a.astype(self.dtype), self.params)
