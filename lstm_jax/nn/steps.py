"""NNX cells that take one step, for loops of your own: `state, h = cell(state, x)`."""

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
    """Describe the options that all cells of one step share; see `StepCell`."""

    dtype: DTypeLike | None
    param_dtype: DTypeLike | None
    params: Tree | None


OF_SEQUENCES = LayerOptions.__optional_keys__ - StepOptions.__optional_keys__


class StepCell(Owner):
    """Take one step of any `Cell`, and own its parameters.

    `LSTMCell`, `GRUCell` and the others are this module with the package's cells.
    """

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
        """Initialize the parameters.

        Args:
            cell: the recurrence, with an `init`.
            in_features, hidden_features: D and H.
            dtype: dtype of the computation; the promoted dtype of inputs and parameters if None.
            param_dtype: dtype of the parameters; float32 if None.
            params: initial parameters; drawn at random if None. `from_params` reads the sizes from
                them.
            rngs: random numbers for the initial parameters; not kept.
            **init_options: options of the cell's `init`, such as `forget_bias` or `peepholes`.

        Raises:
            ValueError: if the cell has no `init`, an option applies to whole sequences, or options
                cannot be combined.
            TypeError: if an option is unknown to the cell's `init`, or the parameters are those of
                another cell.
        """
        of_sequences = sorted(init_options.keys() & OF_SEQUENCES)
        if of_sequences:
            layer = type(self).__name__.removesuffix("Cell")
            raise ValueError(f"{', '.join(of_sequences)}: not for a single step; use {layer}")
        check_init_options(type(self), cell, StepOptions, init_options)
        make = partial(init_of(cell), dtype=param_dtype, **init_options)
        if params is None:
            initialized = make(rngs.params(), in_features, hidden_features)
        else:
            records.check_given(type(self).__name__, (params,), 1, False, init_options)
            initialized = records.fitting(
                cell, init_of(cell), params, "params",
                reads=in_features, hidden_features=hidden_features, dtype=param_dtype,
            )  # fmt: skip
        self.in_features, self.hidden_features = in_features, hidden_features
        self.dtype = dtype
        self.cell = cell
        self.weights = Held(initialized)

    @property
    def params(self) -> Tree:
        """Return the parameters of the step."""
        return self.weights.record

    @params.setter
    def params(self, params: Tree) -> None:
        records.check_like(self.params, params, "params")
        self.weights.take(params)

    @classmethod
    def from_params(cls, params: Tree, **options: object) -> Self:
        """Build a cell with existing parameters, such as those of another framework.

        Args:
            params: parameters of the step.
            **options: options of the class, except those that the parameters decide: sizes,
                biases, peepholes and the like. `StepCell` itself also needs the `cell`.

        Returns:
            The cell. `cell.params` returns the parameters, and `cell.params = params` replaces
            them with others of the same shapes, cast to the dtypes of the cell.

        Raises:
            TypeError, ValueError: as in `Recurrent.from_params`.
        """
        decided = records.sizes_of(params)
        records.check_open(decided, options)
        make: Any = cls
        return make(**decided, params=params, rngs=nnx.Rngs(0), **options)

    def __call__(self, state: Tree, x: Array) -> tuple[Tree, Array]:
        """Take one step.

        Args:
            state: a state as `initial_state` returns it, leaves (..., H).
            x: input (..., D).

        Returns:
            `(new_state, h)`.

        Raises:
            TypeError: if the state has another type.
            ValueError: if the features do not fit the parameters.
        """
        if not hasattr(state, "h"):
            raise TypeError(
                f"state must be as initial_state returns it, got a {type(state).__name__}"
            )
        x = x if self.dtype is None else x.astype(self.dtype)
        new = self.cell.step(self._computed(), state, x)
        return new, new.h

    def initial_state(self, *batch: int) -> Tree:
        """Return the zero state, leaves (*batch, H); for images, their axes follow the batch."""
        params = self._computed()
        dtype = common(*jax.tree.leaves(params))
        return self.cell.zero(params, jnp.zeros((1, *batch, self.in_features), dtype))

    def _computed(self) -> Tree:
        """Return the parameters in the dtype of the computation."""
        if self.dtype is None:
            return self.params
        return jax.tree.map(lambda a: a.astype(self.dtype), self.params)
