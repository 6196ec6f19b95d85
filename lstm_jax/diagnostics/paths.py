"""The two paths of the gradient through time: along the cell, or through the hidden state.

Every gradient that crosses a step goes through c_{t-1} (the additive cell path, with diag(f)) or
through h_{t-1} (the gates of the next step). Cutting one of them in the backward pass shows what
the other carries (Kanuparthi et al. 2019, "h-detach").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import P, S, Step, X
from lstm_jax.diagnostics.adjoints import Controls, adjoints
from lstm_jax.recurrence import StackState
from lstm_jax.spelling import named_options
from lstm_jax.trees import Tree, widened

Road = Literal["h", "c"]


class Roads(NamedTuple, Generic[S]):
    """Store adjoints by path, each a pytree like the state with leaves (T + 1, ..., H).

    Attributes:
        total: dL/ds_t.
        through_cell: dL/ds_t with every h detached where it enters a step.
        through_hidden: dL/ds_t with every c detached where it enters a step.
    """

    total: S
    through_cell: S
    through_hidden: S


def detach(step: Step[P, S, X], road: Road) -> Step[P, S, X]:
    """Wrap a step so that no gradient flows from the new state to the old h (or c).

    Args:
        step: step of a state with fields h and c, or of a stack of such states.
        road: the field to cut, "h" or "c".

    Returns:
        The step, which computes the same values.

    Raises:
        ValueError: if the field is neither "h" nor "c".
        TypeError: when called, if the state has no such field.
    """
    if road not in ("h", "c"):
        raise ValueError(f'road must be "h" or "c", got {road!r}')

    def detached(params: P, state: S, x: X) -> S:
        return step(params, _cut(state, road), x)

    return detached


@named_options(Controls)
def cell_and_hidden(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    loss: Callable[[S], Array],
    **controls: Unpack[Controls],
) -> Roads[S]:
    """Compute dL/ds_t in total, along the cell alone, and through the hidden state alone.

    The two do not add up to the total, because neither contains the paths that switch between them.

    Args:
        step, params, xs, state, loss, **controls: as in `adjoints`; the state has h and c, or is
            a stack of such states.

    Returns:
        `Roads`.

    Raises:
        TypeError: if the state has no h and c.
        TypeError, ValueError: as in `adjoints`.
    """
    steps = (step, detach(step, "h"), detach(step, "c"))
    return Roads(*(adjoints(each, params, xs, state, loss, **controls)[1] for each in steps))


def cell_jacobian(forget: Array) -> Array:
    """Compute ∂c_T/∂c_{T-lag} along the cell alone, diag(∏ f_t), as ln of its diagonal.

    Args:
        forget: f_t of every step, (T, ..., H).

    Returns:
        By lag, (T + 1, ..., H), float32 at least.
    """
    logs = jnp.cumsum(jnp.log(widened(forget))[::-1], axis=0)
    return jnp.concatenate([jnp.zeros_like(logs[:1]), logs])


def _cut(state: Tree, road: Road) -> Tree:
    if isinstance(state, StackState):
        return StackState(_cut(layer, road) for layer in state)
    if not (hasattr(state, "_replace") and hasattr(state, road)):
        raise TypeError(
            "the state must be a NamedTuple with fields h and c, such as LSTMState, or a stack of "
            f"such states, got a {type(state).__name__}"
        )
    return state._replace(**{road: jax.lax.stop_gradient(getattr(state, road))})
