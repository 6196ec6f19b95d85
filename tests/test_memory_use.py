"""Unused results take no memory, by XLA's account of a program."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from problems import make_params

import lstm_jax as lj

B, D, H = 3, 2, 3


def test_chunks_keep_less_for_the_gradient():
    params = make_params("lstm", D, 16, dtype=np.float32)
    xs = jnp.ones((1024, 8, D))

    def bytes_of(remat, implementation):
        def loss(params, xs):
            return lj.lstm(params, xs, remat=remat, implementation=implementation)[0].h.sum()

        compiled = jax.jit(jax.grad(loss)).lower(params, xs).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    for implementation in ("scan", "fused"):
        everything, roots = (bytes_of(r, implementation) for r in (None, "sqrt"))
        assert roots < everything / 8


def test_only_the_last_output_is_held_if_only_it_is_wanted():
    layers = (make_params("lstm", D, H, dtype=np.float32),)
    xs = jnp.ones((2000, B, D))

    def bytes_of(outputs):
        run = partial(lj.run_layers, lj.lstm_cell(), layers, outputs=outputs, implementation="scan")
        memory = jax.jit(run).lower(xs).compile().memory_analysis()
        return memory.temp_size_in_bytes + memory.output_size_in_bytes

    assert bytes_of("all") > bytes_of("last") + 2000 * B * H * 3
