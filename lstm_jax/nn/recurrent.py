"""Layers of one cell over a batch of sequences, as an NNX module. Batch-major, keys passed."""

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
from lstm_jax.cells import Cell
from lstm_jax.engines.choose import Implementation
from lstm_jax.errors import warn
from lstm_jax.named import bind
from lstm_jax.nn import records
from lstm_jax.nn.held import Holder, Owner, check_init_options, hold, init_of
from lstm_jax.promotion import common
from lstm_jax.recurrence import initial_like
from lstm_jax.remat import Remat
from lstm_jax.remat import check as check_remat
from lstm_jax.trees import Tree, replaced

T = TypeVar("T")


class LayerOptions(TypedDict, total=False):
    """What every layer takes besides its sizes and its cell's own options; see `Recurrent`."""

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
    """Layers of any `Cell` over a batch of sequences; `LSTM`, `GRU` and the others name theirs."""

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
        """Make the layers.

        Args:
            cell: the recurrence of every layer, with an `init`.
            in_features, hidden_features: D and H.
            num_layers: layers above one another, each reading the hidden states below.
            bidirectional: each layer in both directions of time.
            merge: of the two directions: "concat" (2H wide) or "sum".
            connections: None, "residual" or "skip"; see `lstm_jax.run_layers`.
            dropout: rate between layers, as all that follow active when a key is passed; a single
                layer has none, and a rate then gives a `UselessWarning`.
            input_dropout, output_dropout: of what the first layer reads and the top one gives.
            variational: one dropout mask over all time steps (Gal & Ghahramani 2016).
            state_dropout: of h in the recurrent product, one mask over time; not for the GRU.
            weight_dropout: of the recurrent kernel (AWD-LSTM, Merity et al. 2018).
            zoneout, cell_zoneout: of h and of c (Krueger et al. 2017).
            learned_initial: the state before a sequence, and after a reset, is a parameter.
            time_major: inputs and outputs (T, B, ·) instead of (B, T, ·).
            unroll, remat: as in `lstm_jax.scan`.
            dtype: of the computation; that of inputs and parameters promoted if None.
            param_dtype: of the parameters; float32 if None.
            cell_dtype: of c; float32 at least if None.
            implementation: as in `lstm_jax.lstm`; None is "fused" where the cell has it.
            params: of every layer, bottom first, to begin with; drawn at random if None.
                `from_params` reads the sizes off them.
            rngs: only read here; nothing random is kept.
            **init_options: for the cell's `init`, such as `forget_bias`, `bias=False`,
                `peepholes=True`.

        Raises:
            ValueError: fewer than one layer, a rate outside [0, 1), options that do not go
                together, or a cell without `init`.
            TypeError: an option that the cell's `init` does not have, or parameters of another
                cell.
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
                "input_dropout and output_dropout act on what a single layer reads and gives"
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
                made = [make(rngs.params(), reads, hidden_features) for _ in range(directions)]
            else:
                sides = params[index] if bidirectional else [params[index]]
                made = [
                    records.fitting(
                        cell, init_of(cell), side, f"params[{index}]",
                        reads=reads, hidden_features=hidden_features, dtype=param_dtype,
                    )
                    for side in sides
                ]  # fmt: skip
            h = jax.eval_shape(self._zeros, made[0]).h
            width = h.shape[-1] * (directions if merge == "concat" else 1)
            layers.append(hold(made))
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
        """The recurrence of every layer, its c in `cell_dtype` where that is given."""
        cell, dtype = self.base_cell, self.cell_dtype
        if dtype is None:
            return cell
        return cell._replace(zero=bind(_zero_of, zero=cell.zero, dtype=dtype))

    @property
    def params(self) -> tuple[Tree, ...]:
        """Parameters of every layer, bottom first; `Directions` of two where bidirectional."""
        holders: list[Holder] = list(self.layers)
        return tuple(holder.record for holder in holders)

    @params.setter
    def params(self, params: Sequence[Tree]) -> None:
        params, held = records.check_layers(params), self.params
        if len(params) != len(held):
            raise ValueError(f"params must be a tuple of {len(held)}, got {len(params)}")
        for index, record in enumerate(params):  # all of them are checked before any is taken
            records.check_like(held[index], record, f"params[{index}]")
        holders: list[Holder] = list(self.layers)
        for index, holder in enumerate(holders):
            holder.take(params[index])

    @classmethod
    def from_params(cls, params: Sequence[Tree], **options: object) -> Self:
        """Make a layer of parameters, such as another framework's.

            layers = lstm_jax.interop.from_torch(module.state_dict())
            layer = lstm_jax.LSTM.from_params(layers)

        Args:
            params: of every layer, bottom first; `Directions` of two where bidirectional.
            **options: as the class takes them, such as `dropout`, but for what the parameters
                decide: sizes, numbers of layers and directions, biases, peepholes and the like.
                `Recurrent` itself needs the `cell` too.

        Returns:
            The layer. `layer.params` gives the parameters back, and `layer.params = params` puts
            others of the same shapes in their place, in the dtypes that the layer has.

        Raises:
            TypeError, ValueError: parameters of another cell, that do not fit one another, or
                have no kernels to read the sizes off; an option that is not one, or is decided.
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
        """Run over a batch of sequences.

        Args:
            xs: (B, T, D), or (T, B, D) if `time_major`.
            state: a tuple over layers, `Directions` of two where bidirectional; zeros, or what
                was learned, if None.
            lengths: (B,) valid steps per row. mask, resets: (B, T) booleans, or (T, B); see
                `lstm_jax.scan` for what they do.
            key: turns dropout and zoneout on.
            outputs: "all", "last" or "none"; see `lstm_jax.run_layers`.
            around: as in `lstm_jax.run_layers`; what it holds is time-major.

        Returns:
            `(final_state, hs)`: a tuple over layers, and the top layer's h, (B, T, H) or (T, B, H);
            (B, H) of the last valid steps; None of "none".

        Raises:
            TypeError, ValueError: shapes and dtypes that do not fit.
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
        """Keep every state of every layer, and every gate where the cell has `gates`; no noise.

        Args:
            xs, state, lengths, mask, resets: as in the call.

        Returns:
            `(final_state, traces)`: tuples over layers of the final state and of `lstm_jax.Trace`,
            leaves (B, T, H) or (T, B, H); `Directions` of two where bidirectional.

        Raises:
            TypeError, ValueError: shapes and dtypes that do not fit, or connections, which are
                not traced.
        """
        if self.connections is not None:
            raise ValueError(f"trace and connections={self.connections!r} do not go together")
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
        """Say how the layers would run, and why; `lstm_jax.explain(layer, xs)` is the same.

        Args:
            xs, lengths, mask, resets: as in the call, here without a key.

        Returns:
            An explanation for each layer and direction; printed, they say everything.

        Raises:
            TypeError, ValueError: shapes and dtypes that do not fit.
        """
        xs, mask, resets = self._time_major(xs, mask, resets)
        return stacks.explain_layers(
            self.cell, self._cast(self.params), xs,
            merge=self.merge, connections=self.connections, noise=self.noise,
            implementation=self.implementation,
            lengths=lengths, mask=mask, resets=resets, unroll=self.unroll, remat=self.remat,
        )  # fmt: skip

    def initial_state(self, *batch: int) -> tuple[Tree, ...]:
        """Give the state before a sequence.

        Args:
            *batch: B; of images, their axes after it.

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
        """Check the shapes, and put time first."""
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
    """Give a cell's zero state, its c in a dtype of its own."""
    state = zero(params, xs)
    return replaced(state, c=state.c.astype(dtype)) if hasattr(state, "c") else state


def _swap(array: Array) -> Array:
    return jnp.swapaxes(array, 0, 1)
