"""The mogrifier LSTM: input and state gate each other in turn before the LSTM reads them."""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.cells import LSTMParams, LSTMState, check_features, lstm_step
from lstm_jax.initializers import init_lstm
from lstm_jax.promotion import matmul, multiply


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MogrifierParams:
    """Store the parameters of an LSTM, and a matrix for every round of gating.

    Attributes:
        input_kernel, recurrent_kernel, bias: as in `LSTMParams`, (D, 4H), (H, 4H), (4H,).
        input_gates: (rounds / 2 rounded up, H, D), by which h gates x in the odd rounds.
        state_gates: (rounds / 2 rounded down, D, H), by which x gates h in the even rounds.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    input_gates: Array
    state_gates: Array

    @property
    def hidden_features(self) -> int:
        """Return H, the width of h and c."""
        return self.recurrent_kernel.shape[0]


def mogrify(params: MogrifierParams, h: Array, x: Array) -> tuple[Array, Array]:
    """Gate x by h and h by x in turn, x first (Melis et al. 2020, equations 1 and 2).

        x ← 2σ(h Q_i) ⊙ x     h ← 2σ(x R_i) ⊙ h     in turn

    Args:
        params: parameters with one gate matrix for each round.
        h: (..., H).
        x: (..., D).

    Returns:
        `(h, x)` for the LSTM to read.
    """
    for index, input_gate in enumerate(params.input_gates):
        x = multiply(2 * jax.nn.sigmoid(matmul(h, input_gate)), x)
        if index < len(params.state_gates):
            h = multiply(2 * jax.nn.sigmoid(matmul(x, params.state_gates[index])), h)
    return h, x


def mogrifier_step(params: MogrifierParams, state: LSTMState, x: Array) -> LSTMState:
    """Take one step of the mogrifier LSTM: `mogrify`, then `lstm_step`.

    Args:
        params: parameters of the LSTM and of the rounds.
        state: h and c, each (..., H).
        x: input, (..., D).

    Returns:
        The new state, with the shapes and dtypes of the old one.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, state.h, x)
    h, x = mogrify(params, state.h, x)
    lstm = LSTMParams(params.input_kernel, params.recurrent_kernel, params.bias)
    new = lstm_step(lstm, LSTMState(h, state.c), x)
    return LSTMState(new.h.astype(state.h.dtype), new.c)


def init_mogrifier(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    rounds: int = 5,
    forget_bias: float = 1.0,
    bias: bool = True,
    dtype: DTypeLike | None = None,
) -> MogrifierParams:
    """Initialize the parameters of `mogrifier_step`: those of an LSTM, and LeCun-normal gates.

    Args:
        key: a `jax.random` key.
        in_features, hidden_features: D and H.
        rounds: number of rounds, in which x and h are gated in turn; 5 in the paper, at least 2.
        forget_bias, bias: as in `init_lstm`.
        dtype: dtype of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: if the features are below 1, or there are fewer than 2 rounds.
    """
    if rounds < 2:
        raise ValueError(f"rounds must be at least 2, got {rounds}")
    lstm_key, input_key, state_key = jax.random.split(key, 3)
    lstm = init_lstm(
        lstm_key, in_features, hidden_features, forget_bias=forget_bias, bias=bias, dtype=dtype
    )
    dtype = lstm.input_kernel.dtype
    draw = jax.nn.initializers.lecun_normal(batch_axis=0)
    input_gates = draw(input_key, (-(-rounds // 2), hidden_features, in_features), dtype)
    state_gates = draw(state_key, (rounds // 2, in_features, hidden_features), dtype)
    kernels = lstm.input_kernel, lstm.recurrent_kernel, lstm.bias
    return MogrifierParams(*kernels, input_gates, state_gates)
