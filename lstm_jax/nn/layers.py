"""NNX layers: they own the parameters and call the functions. Batch-major, keys passed."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax import cells, functional, initializers, stacks
from lstm_jax.recurrence import initial_like
from lstm_jax.remat import Remat
from lstm_jax.remat import check as check_remat


class _Layer(nnx.Module):
    """One layer's arrays, one `nnx.Param` each, and `params`, the dataclass that holds them."""

    def __init__(self, params: Any):
        self.params_type = type(params)
        given = {name: value for name, value in vars(params).items() if value is not None}
        self.names = tuple(given)
        for name, value in given.items():
            setattr(self, name, _Layer(value) if is_dataclass(value) else nnx.Param(value))

    @property
    def params(self) -> Any:
        held = {name: getattr(self, name) for name in self.names}
        return self.params_type(
            **{name: v.params if isinstance(v, _Layer) else v[...] for name, v in held.items()}
        )


class _State(nnx.Module):
    """A state that is learned: an `nnx.Param` for each leaf, and `state`, their NamedTuple."""

    def __init__(self, state: Any):
        self.state_type = type(state)
        for name, value in state._asdict().items():
            setattr(self, name, nnx.Param(value))

    @property
    def state(self) -> Any:
        return self.state_type(*(getattr(self, name)[...] for name in self.state_type._fields))


class _Both(nnx.Module):
    """The two directions of a layer."""

    def __init__(self, forward: Any, backward: Any):
        self.forward = forward
        self.backward = backward

    @property
    def params(self) -> stacks.Directions:
        return stacks.Directions(self.forward.params, self.backward.params)

    @property
    def state(self) -> stacks.Directions:
        return stacks.Directions(self.forward.state, self.backward.state)


class Recurrent(nnx.Module):
    """What `LSTM`, `GRU`, `RNN` and `MGU` share: layers of one kind over a batch of sequences.

    Subclasses name their initialiser, `init`, and their `Cell`.
    """

    init: Any

    def __init__(
        self,
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
        dtype: Any = None,
        param_dtype: Any = None,
        cell_dtype: Any = None,
        implementation: functional.Implementation | None = None,
        rngs: nnx.Rngs,
        **init_options: Any,
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            num_layers: layers above one another, each reading the hidden states below.
            bidirectional: each layer in both directions of time.
            merge: of the two directions: "concat" (2H wide) or "sum".
            connections: None, "residual" or "skip"; see `lstm_jax.run_layers`.
            dropout: rate between layers, as all that follow active when a key is passed.
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
            implementation: as in `lstm_jax.lstm`; None is "fused" where the cell has it. For
                forward-mode differentiation (`jax.jvp`, `jax.jacfwd`) ask for "scan".
            rngs: only read here; nothing random is kept.
            **init_options: for the cell's initialiser, such as `forget_bias`, `bias=False`,
                `peepholes=True`.

        Raises:
            ValueError: fewer than one layer, a rate outside [0, 1), or options that do not go
                together.
        """
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        check_remat(remat)
        self.noise = stacks.Noise(
            dropout, input_dropout, output_dropout, variational, state_dropout, weight_dropout,
            zoneout, cell_zoneout,
        )  # fmt: skip
        self.in_features = in_features
        self.hidden_features = hidden_features
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.merge: stacks.Merge = merge
        self.connections: stacks.Connections | None = connections
        self.time_major = time_major
        self.unroll = unroll
        self.remat = remat
        self.dtype = dtype
        self.cell_dtype = cell_dtype
        self.implementation: functional.Implementation | None = implementation
        directions = 2 if bidirectional else 1
        width, layers = in_features, []
        for index in range(num_layers):
            reads = width + in_features if connections == "skip" and index else width
            made = [
                type(self).init(
                    rngs.params(), reads, hidden_features, dtype=param_dtype, **init_options
                )
                for _ in range(directions)
            ]
            width = made[0].recurrent_kernel.shape[0] * (directions if merge == "concat" else 1)
            layers.append(_pack(_Layer, made))
        self.layers = nnx.List(layers)
        self.out_features = width * num_layers if connections == "skip" else width
        stacks.check(self.cell, self.params, merge, connections, self.noise, implementation)
        zeros = [stacks.map_directions(lambda p: self._zeros(p, ()), p) for p in self.params]
        learned = zeros if learned_initial else []
        self.initial = nnx.List(
            [_pack(_State, s if isinstance(s, stacks.Directions) else [s]) for s in learned]
        )

    @property
    def cell(self) -> functional.Cell:
        """The recurrence of every layer."""
        raise NotImplementedError

    @property
    def params(self) -> tuple[Any, ...]:
        """Parameters of every layer, bottom first; `Directions` of two where bidirectional."""
        return tuple(layer.params for layer in self.layers)

    def __call__(
        self,
        xs: Array,
        state: tuple[Any, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
        outputs: stacks.Outputs = "all",
    ) -> tuple[tuple[Any, ...], Array]:
        """Run over a batch of sequences.

        Args:
            xs: (B, T, D), or (T, B, D) if `time_major`.
            state: a tuple over layers, `Directions` of two where bidirectional; zeros, or what
                was learned, if None.
            lengths: (B,) valid steps per row. mask, resets: (B, T) booleans, or (T, B); see
                `lstm_jax.scan` for what they do.
            key: turns dropout and zoneout on.
            outputs: "all", "last" or "none"; see `lstm_jax.run_layers`.

        Returns:
            `(final_state, hs)`: a tuple over layers, and the top layer's h, (B, T, H) or (T, B, H);
            (B, H) of the last valid steps.

        Raises:
            ValueError: shapes that do not fit.
        """
        xs, mask, resets = self._time_major(xs, mask, resets)
        params = self._cast(self.params)
        final_state, hs = stacks.run_layers(
            self.cell,
            params,
            xs,
            self._start(state, params, xs),
            initial=self._learned(),
            merge=self.merge,
            connections=self.connections,
            noise=self.noise,
            key=key,
            outputs=outputs,
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
        state: tuple[Any, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Every state of every layer, and of the LSTM every gate, without noise.

        Returns:
            `(final_state, traces)`: tuples over layers of the final state and of `lstm_jax.Trace`,
            leaves (B, T, H) or (T, B, H); `Directions` of two where bidirectional.

        Raises:
            ValueError: shapes that do not fit, or connections, which are not traced.
        """
        if self.connections is not None:
            raise ValueError(f"trace and connections={self.connections!r} do not go together")
        xs, mask, resets = self._time_major(xs, mask, resets)
        params = self._cast(self.params)
        final_state, traces = stacks.trace_layers(
            self.cell, params, xs, self._start(state, params, xs), merge=self.merge,
            initial=self._learned(),
            lengths=lengths, mask=mask, resets=resets,
        )  # fmt: skip
        return final_state, traces if self.time_major else jax.tree.map(_swap, traces)

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """The state before a sequence: a tuple over layers, leaves (B, H)."""
        params = self._cast(self.params)
        zeros = [stacks.map_directions(lambda p: self._zeros(p, (batch_size,)), p) for p in params]
        learned = self._learned()
        if learned is None:
            return tuple(zeros)
        return initial_like(learned, tuple(zeros))

    def _zeros(self, params: Any, batch: tuple[int, ...]) -> Any:
        dtype = self.dtype or params.input_kernel.dtype
        like = jnp.zeros((1, *batch, self.in_features), dtype)
        return self._with_cell_dtype(functional.zero_state(self.cell, params, like))

    def _with_cell_dtype(self, state: Any) -> Any:
        if self.cell_dtype is None or "c" not in state._fields:
            return state
        return state._replace(c=state.c.astype(self.cell_dtype))

    def _start(self, state: Any, params: tuple[Any, ...], xs: Array) -> Any:
        if state is not None or self.cell_dtype is None:
            return state
        if self.initial:
            return self.initial_state(xs.shape[1])

        def zeros(params):
            return self._with_cell_dtype(functional.zero_state(self.cell, params, xs))

        return tuple(stacks.map_directions(zeros, p) for p in params)

    def _learned(self) -> tuple[Any, ...] | None:
        learned: list[Any] = list(self.initial)
        return tuple(initial.state for initial in learned) or None

    def _cast(self, params: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.dtype is None:
            return params
        return jax.tree.map(lambda a: a.astype(self.dtype), params)

    def _time_major(self, xs: Array, mask: Any, resets: Any) -> tuple[Array, Any, Any]:
        axes = "(T, B, D)" if self.time_major else "(B, T, D)"
        if jnp.ndim(xs) != 3:
            raise ValueError(f"xs must be {axes}, got shape {jnp.shape(xs)}")
        if xs.shape[-1] != self.in_features:
            raise ValueError(f"xs must be {axes} with D={self.in_features}, got shape {xs.shape}")
        if self.dtype is not None:
            xs = xs.astype(self.dtype)
        if self.time_major:
            return xs, mask, resets
        for name, control in (("mask", mask), ("resets", resets)):
            if control is not None and jnp.shape(control) != xs.shape[:2]:
                raise ValueError(
                    f"{name} must be (B, T) = {xs.shape[:2]}, got shape {jnp.shape(control)}"
                )
        mask, resets = (None if c is None else _swap(c) for c in (mask, resets))
        return _swap(xs), mask, resets


class LSTM(Recurrent):
    """Stacked LSTM. Equations in `lstm_jax.lstm_step`; options of `init_lstm` go to it.

    `activations`, a `LSTMActivations`, stand in place of σ and tanh.
    """

    init = staticmethod(initializers.init_lstm)

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activations: cells.LSTMActivations = cells.TEXTBOOK,
        **options: Any,
    ):
        self.activations = activations
        super().__init__(in_features, hidden_features, **options)

    @property
    def cell(self) -> functional.Cell:
        return functional.lstm_cell(self.activations)


class GRU(Recurrent):
    """Stacked GRU. Equations in `lstm_jax.gru_step`; `reset_after` chooses between its variants."""

    init = staticmethod(initializers.init_gru)

    def __init__(
        self, in_features: int, hidden_features: int, *, reset_after: bool = True, **options: Any
    ):
        self.reset_after = reset_after
        if not reset_after:
            options = {"recurrent_bias": False} | options
        super().__init__(in_features, hidden_features, **options)

    @property
    def cell(self) -> functional.Cell:
        return functional.gru_cell(self.reset_after)


class RNN(Recurrent):
    """Stacked vanilla RNN. Equation in `lstm_jax.rnn_step`; `activation` in place of tanh."""

    init = staticmethod(initializers.init_rnn)

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: cells.Activation = jnp.tanh,
        **options: Any,
    ):
        self.activation = activation
        super().__init__(in_features, hidden_features, **options)

    @property
    def cell(self) -> functional.Cell:
        return functional.rnn_cell(self.activation)


class MGU(Recurrent):
    """Stacked minimal gated unit. Equations in `lstm_jax.mgu_step`."""

    init = staticmethod(initializers.init_mgu)

    @property
    def cell(self) -> functional.Cell:
        return functional.mgu_cell()


def _pack(kind: Any, of: Any) -> Any:
    """A module of each direction: one, or a `_Both` of two."""
    made = [kind(one) for one in of]
    return _Both(*made) if len(made) == 2 else made[0]


def _swap(array: Array) -> Array:
    return jnp.swapaxes(array, 0, 1)
