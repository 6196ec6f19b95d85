"""The mogrifier LSTM: input and state gate one another in turn before the LSTM reads them."""

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
    """Those of an LSTM, and a matrix for every round in which one side gates the other.

    Attributes:
        input_kernel, recurrent_kernel, bias: as in `LSTMParams`, (D, 4H), (H, 4H), (4H,).
        input_gates: (rounds // 2 rounded up, H, D): h gates x, in the odd rounds.
        state_gates: (rounds // 2, D, H): x gates h, in the even ones.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    input_gates: Array
    state_gates: Array

    @property
    def hidden_features(self) -> int:
        """H."""
        return self.recurrent_kernel.shape[0]


def mogrify(params: MogrifierParams, h: Array, x: Array) -> tuple[Array, Array]:
    """Let x and h gate one another, x first (Melis et al. 2020, equations 1 and 2).

        x ← 2σ(h Q_i) ⊙ x     h ← 2σ(x R_i) ⊙ h     in turn

    Args:
        params: whose gates there are as many of as rounds.
        h: (..., H).
        x: (..., D).

    Returns:
        `(h, x)`, as the LSTM is to read them.
    """
    for index, input_gate in enumerate(params.input_gates):
        x = multiply(2 * jax.nn.sigmoid(matmul(h, input_gate)), x)
        if index < len(params.state_gates):
            h = multiply(2 * jax.nn.sigmoid(matmul(x, params.state_gates[index])), h)
    return h, x


def mogrifier_step(params: MogrifierParams, state: LSTMState, x: Array) -> LSTMState:
    """One step of the mogrifier LSTM: `mogrify`, then `lstm_step`.

    Args:
        params: of the LSTM and of the rounds.
        state: h and c, each (..., H).
        x: input, (..., D).

    Returns:
        The new state, in the shapes and dtypes of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
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
    """Make the parameters: an LSTM's, and LeCun-normal gates.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        rounds: of gating, of x and of h in turn; 5 in the paper, and 2 at least.
        forget_bias, bias: as in `init_lstm`.
        dtype: of the parameters; float32 if None.

    Returns:
        The parameters.

    Raises:
        ValueError: for features below 1, or fewer than 2 rounds.
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
