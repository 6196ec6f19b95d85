"""NNX cells of one step, for those who write their own loop: `state, h = cell(state, x)`."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, TypedDict

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import Cell
from lstm_jax.nn import records
from lstm_jax.nn.held import Held, Owner, check_init_options, init_of
from lstm_jax.nn.recurrent import LayerOptions
from lstm_jax.promotion import common
from lstm_jax.trees import Tree


class StepOptions(TypedDict, total=False):
    """What every cell of one step takes besides its sizes and its own options; see `StepCell`."""

    dtype: DTypeLike | None
    param_dtype: DTypeLike | None
    params: Tree | None


OF_SEQUENCES = LayerOptions.__optional_keys__ - StepOptions.__optional_keys__


class StepCell(Owner):
    """One step of any `Cell`, with its parameters; `LSTMCell`, `GRUCell`, ... name theirs."""

    def __init__(
        self,
        cell: Cell,
        in_features: int,
        hidden_features: int,
        *,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike | None = None,
        params: Tree | None = None,
        rngs: nnx.Rngs,
        **init_options: object,
    ):
        """Make the parameters.

        Args:
            cell: with an `init`.
            in_features, hidden_features: D and H.
            dtype: of the computation; that of inputs and parameters promoted if None.
            param_dtype: of the parameters; float32 if None.
            params: to begin with; drawn at random if None. `from_params` reads the sizes off them.
            rngs: only read here.
            **init_options: for the cell's `init`, such as `forget_bias`, `peepholes`.

        Raises:
            ValueError: a cell without `init`, options of a whole sequence, named, or options that
                do not go together.
            TypeError: an option that the cell's `init` does not have, or parameters of another
                cell.
        """
        of_sequences = sorted(init_options.keys() & OF_SEQUENCES)
        if of_sequences:
            layer = type(self).__name__.removesuffix("Cell")
            raise ValueError(f"{', '.join(of_sequences)}: not of a single step; use {layer}")
        check_init_options(type(self), cell, StepOptions, init_options)
        make = partial(init_of(cell), dtype=param_dtype, **init_options)
        if params is None:
            made = make(rngs.params(), in_features, hidden_features)
        else:
            records.check_given(type(self).__name__, (params,), 1, False, init_options)
            made = records.fitting(
                cell, init_of(cell), params, "params",
                reads=in_features, hidden_features=hidden_features, dtype=param_dtype,
            )  # fmt: skip
        self.in_features, self.hidden_features = in_features, hidden_features
        self.dtype = dtype
        self.cell = cell
        self.weights = Held(made)

    @property
    def params(self) -> Tree:
        """The parameters, as the step takes them."""
        return self.weights.record

    @params.setter
    def params(self, params: Tree) -> None:
        records.check_like(self.params, params, "params")
        self.weights.take(params)

    @classmethod
    def from_params(cls, params: Tree, **options: object) -> Self:
        """Make a cell of parameters, such as another framework's.

        Args:
            params: as the step takes them.
            **options: as the class takes them, but for what the parameters decide: sizes, biases,
                peepholes and the like. `StepCell` itself needs the `cell` too.

        Returns:
            The cell. `cell.params` gives the parameters back, and `cell.params = params` puts
            others of the same shapes in their place, in the dtypes that the cell has.

        Raises:
            TypeError, ValueError: as `Recurrent.from_params`.
        """
        decided = records.sizes_of(params)
        records.check_open(decided, options)
        make: Any = cls
        return make(**decided, params=params, rngs=nnx.Rngs(0), **options)

    def __call__(self, state: Tree, x: Array) -> tuple[Tree, Array]:
        """Take one step.

        Args:
            state: as `initial_state` gives it, leaves (..., H).
            x: (..., D).

        Returns:
            `(new_state, h)`.

        Raises:
            TypeError: a state of another type.
            ValueError: features that do not fit.
        """
        if not hasattr(state, "h"):
            raise TypeError(
                f"state must be as initial_state gives it, got a {type(state).__name__}"
            )
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
