"""Compare results on a mesh with those on one device; test_sharding runs it on eight devices."""

import sys
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import lstm_jax as lj

T, B, D, H = 5, 8, 4, 8


def put(mesh, tree, *spec):
    """Place a tree on a mesh; `spec` counts from the last axis backward."""

    def one(array):
        padded = [None] * array.ndim
        for i, name in enumerate(reversed(spec)):
            padded[-1 - i] = name
        return jax.device_put(array, NamedSharding(mesh, PartitionSpec(*padded)))

    return jax.tree.map(one, tree)


def compare(name, function, expected, sharded):
    actual = jax.jit(function)(*sharded)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)
    print("same:", name)


def by_hand(params, xs):
    """Split the rows by hand with `shard_map`, without specifying the initial state."""
    mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec(None, "rows")

    def run(params, xs):
        return lj.lstm(params, xs)[1]

    split = jax.shard_map(run, mesh=mesh, in_specs=(PartitionSpec(), spec), out_specs=spec)
    losses = [lambda *of, function=f: (function(*of) ** 2).sum() for f in (run, split)]
    expected, actual = (jax.jit(jax.value_and_grad(f, (0, 1)))(params, xs) for f in losses)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    print("same: by hand")


def main():
    assert jax.device_count() == 8
    cells = {"lstm": (lj.lstm, lj.init_lstm), "gru": (lj.gru, lj.init_gru)}
    xs = jax.random.normal(jax.random.key(1), (T, B, D))
    lengths = jnp.array([5, 3, 0, 1, 5, 2, 4, 5])
    resets = jax.random.bernoulli(jax.random.key(2), 0.3, (T, B))
    layer = lj.LSTM(D, H, num_layers=2, bidirectional=True, time_major=True, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    by_hand(lj.init_lstm(jax.random.key(0), D, H), xs)

    def layered(state, xs, lengths):
        return nnx.merge(graph, state)(xs, lengths=lengths)

    def gradient_of(cell, implementation):
        def loss(params, xs, lengths, resets):
            final, hs = cells[cell][0](params, xs, lengths=lengths, resets=resets, remat=2,
                                       implementation=implementation)  # fmt: skip
            return (hs**2).sum() + final.h.sum()

        return jax.value_and_grad(loss, (0, 1))

    # Computed on a single device, once for every mesh.
    params = {cell: cells[cell][1](jax.random.key(0), D, H) for cell in cells}
    alone = {
        (cell, how): jax.jit(gradient_of(cell, how))(params[cell], xs, lengths, resets)
        for cell, how in (("lstm", "scan"), ("lstm", "fused"), ("gru", "scan"))
    }
    layers_alone = jax.jit(layered)(state, xs, lengths)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((4, 2), ("batch", "hidden"), axis_types=(kind, kind))
        for cell, implementation, columns in product(cells, ("scan", "fused"), (None, "hidden")):
            explicit_columns = kind == AxisType.Explicit and columns
            if implementation == "fused" and (cell == "gru" or explicit_columns):
                continue
            with jax.set_mesh(mesh):
                sharded = (put(mesh, params[cell], columns), put(mesh, xs, "batch", None),
                           put(mesh, lengths, "batch"), put(mesh, resets, "batch"))  # fmt: skip
                name = f"{kind} {cell} {implementation} {columns}"
                gradient = gradient_of(cell, implementation)
                compare(name, gradient, alone[cell, implementation], sharded)
        with jax.set_mesh(mesh):
            sharded = put(mesh, state), put(mesh, xs, "batch", None), put(mesh, lengths, "batch")
            compare(f"{kind} layers", layered, layers_alone, sharded)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
    sys.exit(0)
