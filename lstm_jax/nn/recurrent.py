"""NNX module that stacks layers of one cell over batches of sequences, batch-major."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypedDict, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from lstm_jax import functional, stacks
from lstm_jax.cells import Cell, Step
from lstm_jax.engines.choose import Implementation
from lstm_jax.errors import warn
from lstm_jax.named import bind
from lstm_jax.nn import records
from lstm_jax.nn.held import Holder, Owner, check_init_options, hold, init_of
from lstm_jax.promotion import common
from lstm_jax.recurrence import StackState, initial_like, stack
from lstm_jax.remat import Remat
from lstm_jax.remat import check as check_remat
from lstm_jax.trees import Tree, replaced

T = TypeVar("T")


class LayerOptions(TypedDict, total=False):
    """Describe the options that all layers share; see `Recurrent`."""

    num_layers: int
    bidirectional: bool
    merge: stacks.Merge
    connections: stacks.Connections | None
    dropout: float
    input_dropout: float
    output_dropout: float
    variational: bool
    state_dropout: float
    weight_dropout: float
    zoneout: float
    cell_zoneout: float
    learned_initial: bool
    time_major: bool
    unroll: int | bool
    remat: Remat
    dtype: DTypeLike | None
    param_dtype: DTypeLike | None
    cell_dtype: DTypeLike | None
    implementation: Implementation | None
    params: Sequence[Tree] | None


class Recurrent(Owner):
    """Stack layers of any `Cell`, and own their parameters.

    `LSTM`, `GRU` and the others are this module with the package's cells.
    """

    def __init__(
        self,
        cell: Cell,
        in_features: int,
        hidden_features: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        merge: stacks.Merge = "concat",
        connections: stacks.Connections | None = None,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        variational: bool = False,
        state_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        zoneout: float = 0.0,
        cell_zoneout: float = 0.0,
        learned_initial: bool = False,
        time_major: bool = False,
        unroll: int | bool = 1,
        remat: Remat = None,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike | None = None,
        cell_dtype: DTypeLike | None = None,
        implementation: Implementation | None = None,
        params: Sequence[Tree] | None = None,
        rngs: nnx.Rngs,
        **init_options: object,
    ):
        """Build the layers.

        Args:
            cell: the recurrence of every layer, with an `init`.
            in_features, hidden_features: D and H.
            num_layers: number of stacked layers, each reading the h of the layer below.
            bidirectional: whether each layer runs in both directions of time.
            merge: how to combine the two directions: "concat" (2H wide) or "sum".
            connections: None, "residual" or "skip"; see `lstm_jax.run_layers`.
            dropout: dropout rate between layers. This and the rates below act only when a key is
                passed. With a single layer it has no effect, and a `UselessWarning` says so.
            input_dropout, output_dropout: dropout rates of the inputs of the first layer, and of
                the outputs of the top layer.
            variational: use one dropout mask for all time steps (Gal & Ghahramani 2016).
            state_dropout: dropout rate of h in the recurrent product, one mask for all time steps;
                not for the GRU.
            weight_dropout: dropout rate of the recurrent kernel (AWD-LSTM, Merity et al. 2018).
            zoneout, cell_zoneout: probabilities that a unit keeps its old h, and its old c
                (Krueger et al. 2017).
            learned_initial: make the state before a sequence, and after a reset, a parameter.
            time_major: take inputs and return outputs (T, B, ·) instead of (B, T, ·).
            unroll, remat: as in `lstm_jax.scan`.
            dtype: dtype of the computation; the promoted dtype of inputs and parameters if None.
            param_dtype: dtype of the parameters; float32 if None.
            cell_dtype: dtype of c; float32 at least if None.
            implementation: as in `lstm_jax.lstm`; if None, the fastest that can run the layer.
            params: initial parameters of every layer, bottom first; drawn at random if None.
                `from_params` reads the sizes from them.
            rngs: random numbers for the initial parameters; not kept.
            **init_options: options of the cell's `init`, such as `forget_bias`, `bias=False` or
                `peepholes=True`.

        Raises:
            ValueError: if there is not at least one layer, a rate is outside [0, 1), options cannot
                be combined, or the cell has no `init`.
            TypeError: if an option is unknown to the cell's `init`, or the parameters are those of
                another cell.
        """
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        check_init_options(type(self), cell, LayerOptions, init_options)
        make = partial(init_of(cell), dtype=param_dtype, **init_options)
        check_remat(remat)
        self.noise = stacks.Noise(
            dropout, input_dropout, output_dropout, variational, state_dropout, weight_dropout,
            zoneout, cell_zoneout,
        )  # fmt: skip
        if dropout and num_layers == 1:
            warn(
                f"dropout={dropout} acts between layers, so with num_layers=1 it does nothing; "
                "input_dropout and output_dropout act on the inputs and outputs of a single layer"
            )
        records.check_given(type(self).__name__, params, num_layers, bidirectional, init_options)
        self.base_cell = cell
        self.in_features = in_features
        self.hidden_features = hidden_features
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.merge: stacks.Merge = merge
        self.connections: stacks.Connections | None = connections
        self.time_major = time_major
        self.unroll = unroll
        self.remat: Remat = remat
        self.dtype = dtype
        self.cell_dtype = cell_dtype
        self.implementation: Implementation | None = implementation
        directions = 2 if bidirectional else 1
        width, layers = in_features, []
        for index in range(num_layers):
            reads = width + in_features if connections == "skip" and index else width
            if params is None:
                initial = [make(rngs.params(), reads, hidden_features) for _ in range(directions)]
            else:
                sides = params[index] if bidirectional else [params[index]]
                initial = [
                    records.fitting(
                        cell, init_of(cell), side, f"params[{index}]",
                        reads=reads, hidden_features=hidden_features, dtype=param_dtype,
                    )
                    for side in sides
                ]  # fmt: skip
            h = jax.eval_shape(self._zeros, initial[0]).h
            width = h.shape[-1] * (directions if merge == "concat" else 1)
            layers.append(hold(initial))
        self.layers = nnx.List(layers)
        self.out_features = width * num_layers if connections == "skip" else width
        xs = jax.ShapeDtypeStruct((1, in_features), jnp.float32)
        stacks.check(cell, self.params, xs, merge, connections, self.noise, implementation)
        zeros = [stacks.map_directions(self._zeros, params) for params in self.params]
        learned = zeros if learned_initial else []
        self.initial = nnx.List(
            [hold(state if isinstance(state, stacks.Directions) else [state]) for state in learned]
        )

    @property
    def cell(self) -> Cell:
        """Return the recurrence of every layer, with c in `cell_dtype` if that is set."""
        cell, dtype = self.base_cell, self.cell_dtype
        if dtype is None:
            return cell
        return cell._replace(zero=bind(_zero_of, zero=cell.zero, dtype=dtype))

    @property
    def step(self) -> Step[tuple[Tree, ...], StackState, Tree]:
        """Return one step of all layers together, without dropout, for diagnostics.

            spectrum = lyapunov_spectrum(layer.step, layer.params, xs, state)  # xs (T, D)

        The state is a `StackState`, such as `StackState(layer.initial_state())`.

        Raises:
            ValueError: if the layers are more than a stack of steps: bidirectional, with
                connections, or with zoneout, whose expectation acts without a key.
        """
        rates = self.noise.zoneout, self.noise.cell_zoneout
        if self.bidirectional or self.connections or any(rates):
            raise ValueError(
                "step needs layers in one direction, without connections or zoneout, got "
                f"bidirectional={self.bidirectional}, connections={self.connections!r}, "
                f"zoneout={rates[0]} and cell_zoneout={rates[1]}"
            )
        return stack(*[self.cell.step] * self.num_layers)

    @property
    def params(self) -> tuple[Tree, ...]:
        """Return the parameters of every layer, bottom first; `Directions` if bidirectional."""
        holders: list[Holder] = list(self.layers)
        return tuple(holder.record for holder in holders)

    @params.setter
    def params(self, params: Sequence[Tree]) -> None:
        params, current = records.check_layers(params), self.params
        if len(params) != len(current):
            raise ValueError(f"params must be a tuple of {len(current)}, got {len(params)}")
        for index, record in enumerate(params):  # check all of them before replacing any
            records.check_like(current[index], record, f"params[{index}]")
        holders: list[Holder] = list(self.layers)
        for index, holder in enumerate(holders):
            holder.take(params[index])

    @classmethod
    def from_params(cls, params: Sequence[Tree], **options: object) -> Self:
        """Build a layer with existing parameters, such as those of another framework.

            layers = lstm_jax.interop.from_torch(module.state_dict())
            layer = lstm_jax.LSTM.from_params(layers)

        Args:
            params: parameters of every layer, bottom first; `Directions` if bidirectional.
            **options: options of the class, such as `dropout`, except those that the parameters
                decide: sizes, numbers of layers and directions, biases, peepholes and the like.
                `Recurrent` itself also needs the `cell`.

        Returns:
            The layer. `layer.params` returns the parameters, and `layer.params = params` replaces
            them with others of the same shapes, cast to the dtypes of the layer.

        Raises:
            TypeError, ValueError: if the parameters are those of another cell, do not fit each
                other or have no kernels to read the sizes from, or an option is unknown or decided
                by the parameters.
        """
        layers = records.check_layers(params)
        both = isinstance(layers[0], stacks.Directions)
        decided = {**records.sizes_of(layers[0]), "num_layers": len(layers), "bidirectional": both}
        records.check_open(decided, options)
        make: Any = cls
        return make(**decided, params=layers, rngs=nnx.Rngs(0), **options)

    def __call__(
        self,
        xs: Array,
        state: tuple[Tree, ...] | None = None,
        *,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        key: Array | None = None,
        outputs: stacks.Outputs = "all",
        around: stacks.Around | None = None,
    ) -> tuple[tuple[Tree, ...], Array]:
        """Run the layers over a batch of sequences.

        Args:
            xs: inputs (B, T, D), or (T, B, D) if `time_major`.
            state: initial state, a tuple over layers, `Directions` if bidirectional; zeros or the
                learned state if None.
            lengths: (B,) valid steps per row; see `lstm_jax.scan`.
            mask, resets: (B, T) booleans, or (T, B) if `time_major`; see `lstm_jax.scan`.
            key: a `jax.random` key that turns dropout and zoneout on.
            outputs: "all", "last" or "none"; see `lstm_jax.run_layers`.
            around: as in `lstm_jax.run_layers`; its arrays are time-major.

        Returns:
            `(final_state, hs)`: a tuple over layers, and h of the top layer, (B, T, H) or
            (T, B, H); for outputs="last" (B, H), and for "none" None.

        Raises:
            TypeError, ValueError: if shapes or dtypes do not fit.
        """
        xs, mask, resets = self._time_major(xs, mask, resets)
        final_state, hs = stacks.run_layers(
            self.cell,
            self._cast(self.params),
            xs,
            state,
            initial=self._learned(),
            merge=self.merge,
            connections=self.connections,
            noise=self.noise,
            key=key,
            outputs=outputs,
            around=around,
            implementation=self.implementation,
            lengths=lengths,
            mask=mask,
            resets=resets,
            unroll=self.unroll,
            remat=self.remat,
        )
        return final_state, hs if self.time_major or outputs != "all" else _swap(hs)

    def trace(
        self,
        xs: Array,
        state: tuple[Tree, ...] | None = None,
        *,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
    ) -> tuple[tuple[Tree, ...], tuple[Tree, ...]]:
        """Run without noise and keep every state and, if the cell has `gates`, every gate.

        Args:
            xs, state, lengths, mask, resets: as in the call.

        Returns:
            `(final_state, traces)`: tuples over layers of the final state and of `lstm_jax.Trace`,
            leaves (B, T, H) or (T, B, H); `Directions` if bidirectional.

        Raises:
            TypeError, ValueError: if shapes or dtypes do not fit, or the layers have connections or
                zoneout, whose expectation acts without a key.
        """
        rates = self.noise.zoneout, self.noise.cell_zoneout
        if any(rates):
            raise ValueError(
                f"trace and zoneout={rates[0]}, cell_zoneout={rates[1]} cannot be combined"
            )
        if self.connections is not None:
            raise ValueError(f"trace and connections={self.connections!r} cannot be combined")
        xs, mask, resets = self._time_major(xs, mask, resets)
        final_state, traces = stacks.trace_layers(
            self.cell, self._cast(self.params), xs, state, merge=self.merge,
            initial=self._learned(),
            lengths=lengths, mask=mask, resets=resets,
        )  # fmt: skip
        return final_state, traces if self.time_major else jax.tree.map(_swap, traces)

    def explain(
        self,
        xs: Array,
        *,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
    ) -> stacks.Explanations:
        """Report how the layers would run, and why; `lstm_jax.explain(layer, xs)` is the same.

        Args:
            xs, lengths, mask, resets: as in the call, but without a key.

        Returns:
            An explanation for each layer and direction, to print.

        Raises:
            TypeError, ValueError: if shapes or dtypes do not fit.
        """
        xs, mask, resets = self._time_major(xs, mask, resets)
        return stacks.explain_layers(
            self.cell, self._cast(self.params), xs,
            merge=self.merge, connections=self.connections, noise=self.noise,
            implementation=self.implementation,
            lengths=lengths, mask=mask, resets=resets, unroll=self.unroll, remat=self.remat,
        )  # fmt: skip

    def initial_state(self, *batch: int) -> tuple[Tree, ...]:
        """Return the state before a sequence.

        Args:
            *batch: B, followed by the spatial axes of images.

        Returns:
            A tuple over layers, leaves (*batch, H).
        """
        params = self._cast(self.params)
        zeros = tuple(stacks.map_directions(partial(self._zeros, batch=batch), p) for p in params)
        learned = self._learned()
        return zeros if learned is None else initial_like(learned, zeros)

    def _zeros(self, params: Tree, batch: tuple[int, ...] = ()) -> Tree:
        dtype = self.dtype or common(*jax.tree.leaves(params))
        return self.cell.zero(params, jnp.zeros((1, *batch, self.in_features), dtype))

    def _learned(self) -> tuple[Tree, ...] | None:
        holders: list[Holder] = list(self.initial)
        return tuple(holder.record for holder in holders) or None

    def _cast(self, params: T) -> T:
        if self.dtype is None:
            return params
        return jax.tree.map(lambda a: a.astype(self.dtype), params)

    def _time_major(
        self, xs: Array, mask: ArrayLike | None, resets: ArrayLike | None
    ) -> tuple[Array, ArrayLike | None, ArrayLike | None]:
        """Check the shapes, and move the time axis to the front."""
        space = ", ".join("XYZ"[: self.base_cell.space])
        axes = ("(T, B, " if self.time_major else "(B, T, ") + (f"{space}, D)" if space else "D)")
        functional.check_array(xs, axes)
        if jnp.ndim(xs) != 3 + self.base_cell.space:
            raise ValueError(f"xs must be {axes}, got shape {jnp.shape(xs)}")
        if xs.shape[-1] != self.in_features:
            raise ValueError(f"xs must be {axes} with D={self.in_features}, got shape {xs.shape}")
        if self.dtype is not None:
            xs = xs.astype(self.dtype)
        if self.time_major:
            return xs, mask, resets
        for name, control in (("mask", mask), ("resets", resets)):
            if control is not None and np.shape(control) != xs.shape[:2]:
                raise ValueError(
                    f"{name} must be (B, T) = {xs.shape[:2]}, got shape {np.shape(control)}"
                )
        swapped = [None if c is None else _swap(jnp.asarray(c)) for c in (mask, resets)]
        return _swap(xs), swapped[0], swapped[1]


def _zero_of(
    params: Tree, xs: Array, *, zero: Callable[[Tree, Array], Tree], dtype: DTypeLike
) -> Tree:
    """Return the zero state of a cell, with c in the given dtype."""
    state = zero(params, xs)
    return replaced(state, c=state.c.astype(dtype)) if hasattr(state, "c") else state


def _swap(array: Array) -> Array:
    return jnp.swapaxes(array, 0, 1)
