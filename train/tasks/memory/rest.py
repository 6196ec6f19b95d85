"""The fixed points of a trained flip-flop: where it rests between pulses, and what separates them.

Sussillo & Barak (2013) found one stable point for each of the 8 values of three bits, and saddles
between them, over which the state passes when a pulse flips a bit.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.diagnostics import FixedPoints, distinct, fixed_points
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.recurrence import StackState, scan
from lstm_jax.trees import Tree

STARTS = 512  # states of each of the two searches
ITERATIONS = 60
AT_REST = 1e-5  # the largest speed ‖F(s) - s‖ of a fixed point, in float32
APART = 1e-2  # states nearer to each other than this are the same point

T = TypeVar("T")


class Rest(NamedTuple):
    """Store what a trained network does without input.

    Attributes:
        points: its distinct fixed points, by their number of unstable directions: stable ones
            first.
        outputs: what it reads out there, (N, O).
        trajectories: the states that it visited while it read, as vectors, (B, T, n).
    """

    points: FixedPoints[StackState]
    outputs: np.ndarray
    trajectories: np.ndarray


def find_rest(network: SequenceModel, inputs: np.ndarray, *, seed: int = 0) -> Rest:
    """Search for the fixed points of a network at zero input.

    The first search begins at states that the network visits and leads to the stable points. The
    second begins at random weighted means of those, because saddles lie between them.

    Args:
        network: a trained network.
        inputs: the sequences that it reads, (B, T, D).
        seed: the seed of the states and the weights.

    Returns:
        The points, and what else a picture of them needs.
    """
    layer, rng = network.recurrent, np.random.default_rng(seed)
    step, params = layer.step, layer.params
    xs = jnp.swapaxes(jnp.asarray(inputs), 0, 1)
    zero = StackState(layer.initial_state(len(inputs)))
    states = scan(step, params, xs, zero, emit=lambda params, old, x, new: new)[1]

    @jax.jit
    def search(starts: StackState) -> FixedPoints[StackState]:
        no_input = jnp.zeros_like(xs[0, 0])
        return fixed_points(step, params, no_input, starts, iterations=ITERATIONS)

    visited = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1]), states)
    found = search(_rows(visited, rng.integers(0, xs.shape[0] * xs.shape[1], STARTS)))
    rested = _distinct(found)
    stable = _rows(rested.states, np.flatnonzero(np.asarray(rested.stable)))
    if count := len(jax.tree.leaves(stable)[0]):
        weights = jnp.asarray(rng.dirichlet(np.full(count, 2 / count), STARTS), xs.dtype)
        between = search(jax.tree.map(lambda leaf: weights @ leaf, stable))
        rested = _distinct(jax.tree.map(lambda *leaves: jnp.concatenate(leaves), found, between))
    points = _rows(rested, np.argsort(np.asarray(rested.unstable), kind="stable"))
    outputs = np.asarray(network.readout(points.states.h))
    return Rest(points, outputs, np.asarray(jnp.swapaxes(vectors(states), 0, 1)))


def kinds(points: FixedPoints[Tree]) -> dict[int, int]:
    """Count fixed points by their number of unstable directions, 0 for stable points.

    Args:
        points: distinct points at rest.
    """
    return dict(sorted(Counter(np.asarray(points.unstable).tolist()).items()))


def corners(rest: Rest) -> int:
    """Count the values of the bits at which the network has a stable point.

    Args:
        rest: the result of `find_rest`.
    """
    stable = rest.outputs[np.asarray(rest.points.stable)]
    return len({tuple(row) for row in np.sign(stable).tolist()})


def figures(rest: Rest) -> dict[str, object]:
    """Return what JSON holds of the fixed points.

    Args:
        rest: the result of `find_rest`.
    """
    saddles = {str(count): n for count, n in kinds(rest.points).items() if count}
    stable = int(np.asarray(rest.points.stable).sum())
    return {"stable": stable, "corners": corners(rest), "saddles": saddles}


def describe(rest: Rest) -> str:
    """Describe the fixed points in a line.

    Args:
        rest: the result of `find_rest`.
    """
    counted = kinds(rest.points)
    stable, bits = counted.pop(0, 0), rest.outputs.shape[-1]
    line = f"fixed points: {stable} stable, at {corners(rest)} of the {2**bits} values of the bits"
    saddles = [f"{n} with {count}" for count, n in counted.items()]
    if saddles:
        line += f"; {sum(counted.values())} saddles, {', '.join(saddles)} unstable directions"
    return line


def vectors(states: Tree) -> jax.Array:
    """Join the leaves of states, (..., H) each, to vectors (..., n).

    Args:
        states: a pytree of states.
    """
    return jnp.concatenate(jax.tree.leaves(states), axis=-1)


def _distinct(found: FixedPoints[StackState]) -> FixedPoints[StackState]:
    rested = _rows(found, np.flatnonzero(np.asarray(found.speeds) <= AT_REST))
    return _rows(rested, np.asarray(distinct(rested, tolerance=APART), int))


def _rows(tree: T, chosen: np.ndarray) -> T:
    return jax.tree.map(lambda leaf: leaf[chosen], tree)
