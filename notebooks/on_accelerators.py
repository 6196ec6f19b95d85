# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # On accelerators, and on the CPU you have
#
# The same program runs on one CPU, on a GPU, and on a mesh of devices. This notebook shows how to
# spread a batch over devices in ten lines, what bfloat16 costs and what protects against it, and
# which kernels compute the loop. It pretends that your CPU is four devices, so that everything runs
# anywhere.

# %%
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

import lstm_jax
from lstm_jax import plots
from lstm_jax.engines import native

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
jax.config.update("jax_num_cpu_devices", 4)
print(jax.devices())

# %% [markdown]
# ## A mesh in ten lines
#
# Data parallelism needs no change to the model. Put the parameters on every device and a share of
# the rows on each, and call the same jitted function. XLA sees where the arrays are, computes each
# share where it lies, and adds up the gradients.

# %%
STEPS, BATCH, IN, HIDDEN = (20, 8, 8, 16) if SHORT else (100, 64, 32, 128)
layer = lstm_jax.LSTM(IN, HIDDEN, num_layers=2, rngs=nnx.Rngs(0))
graph, params = nnx.split(layer)
batch = jax.random.normal(jax.random.key(0), (BATCH, STEPS, IN))


@jax.jit
def gradients(params, batch):
    return jax.grad(lambda params: (nnx.merge(graph, params)(batch)[1] ** 2).mean())(params)


mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
everywhere, by_row = (
    NamedSharding(mesh, PartitionSpec()),
    NamedSharding(mesh, PartitionSpec("data")),
)
spread = gradients(jax.device_put(params, everywhere), jax.device_put(batch, by_row))

alone = gradients(params, batch)
difference = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), alone, spread)
print(f"largest difference from one device: {max(jax.tree.leaves(difference)):.1e}")

# %% [markdown]
# The recipes do this for you, and also split the matrices if you ask:
#
#     lstm-jax train tang --mesh data=8
#     lstm-jax train tang --mesh data=4 model=2
#
# Several machines run the same command, one process each. The others need the address of the
# first; on Slurm, Kubernetes and TPU pods they find it themselves. Each process reads its own rows,
# and all must see the same output folder.
#
#     lstm-jax train tang --distributed --coordinator HOST:PORT --processes 2 --process 0
#     lstm-jax train tang --distributed --coordinator HOST:PORT --processes 2 --process 1
#
# A run that was saved on one mesh continues on another. [at_scale](at_scale.ipynb) works out how
# far this goes, and [What you can rely on](trust.md) says what happens when a process dies.
#
# ## bfloat16
#
# `dtype=jnp.bfloat16` computes in sixteen bits; the parameters stay float32. A bfloat16 has eight
# significant bits, so a sum stops growing once the next term is below half of the last bit. An
# LSTM's cell is such a sum. The layers therefore keep c in float32 unless you say otherwise. Here
# is a cell that counts: its gates are open, and 0.003 is added in every step.

# %%
LONG = 50 if SHORT else 1000
counter = lstm_jax.LSTMParams(
    jnp.array([[0.0, 0.0, 1.0, 0.0]]),  # i, f, g, o: the input reaches g alone
    jnp.zeros((1, 4)),
    jnp.array([20.0, 20.0, 0.0, 20.0]),  # every gate is open
)
kinds = {
    "float32": {},
    "bfloat16, c in float32 (the default)": {"dtype": jnp.bfloat16},
    "bfloat16, c too": {"dtype": jnp.bfloat16, "cell_dtype": jnp.bfloat16},
}
counts = {}
for name, options in kinds.items():
    layer = lstm_jax.LSTM.from_params((counter,), **options)
    _, [kept] = layer.trace(jnp.full((1, LONG, 1), 0.003))
    counts[name] = np.asarray(kept.states.c[0, :, 0], np.float32)
    print(f"{name:37} c = {counts[name][-1]:.3f} after {LONG} steps")


# %%
def counting(counts):
    """Draw what each cell has counted."""
    figure = plots.new_figure(size=(6.0, 3.5))
    axes = figure.axes[0]
    styles = (("#211f1b", "-"), ("#1f5fa8", "--"), ("#d5762c", "-"))
    for (name, values), (color, style) in zip(counts.items(), styles, strict=True):
        axes.plot(np.arange(1, len(values) + 1), values, style, color=color, label=name)
    axes.set(xlabel="step", ylabel="c", title="Adding 0.003 in every step")
    axes.legend()
    return figure


counting(counts)

# %% [markdown]
# `lstm-jax train --precision bfloat16` does the same to whole models, and keeps parameters,
# optimizer, softmaxes, sums and validation in float32.
#
# ## Which kernels compute the loop
#
# | `implementation` | what it is | where |
# |---|---|---|
# | `"scan"` | the equations under `jax.lax.scan`: the reference | everywhere, every cell |
# | `"fused"` | input products outside the loop, a backward pass of its own | affine cells |
# | `"native"` | C++ kernels, compiled once on your machine | LSTMs in float32 on CPUs |
# | `"cudnn"` | NVIDIA's kernels | LSTMs in float32 on NVIDIA GPUs |
#
# With `None`, the default, the package takes the fastest of the first three that can compute your
# call. `"cudnn"` has to be asked for, because forward-mode derivatives do not go through it.
# `explain` reports the choice, and why the others were not taken:

# %%
params = lstm_jax.init_lstm(jax.random.key(0), IN, HIDDEN)
xs = jax.random.normal(jax.random.key(1), (STEPS, BATCH, IN))
print(lstm_jax.explain(lstm_jax.lstm_cell(), params, xs))

# %% [markdown]
# The native engine has to be compiled once, in a few seconds, if there is a C++ compiler:
# `lstm-jax native` on the command line, or from Python. From then on it is chosen by itself.

# %%
engines = ["scan", "fused"]
if not SHORT:
    try:
        native.build()
        engines.append("native")
    except native.NativeError as error:
        print(error)
if jax.default_backend() == "gpu":
    engines.append("cudnn")


def milliseconds(engine, repeats=1 if SHORT else 7):
    """Measure a loss and its gradient with one engine, the median of a few calls."""

    @jax.jit
    def gradient(params, xs):
        def loss(params):
            return (lstm_jax.lstm(params, xs, implementation=engine)[1] ** 2).mean()

        return jax.grad(loss)(params)

    times = []
    jax.block_until_ready(gradient(params, xs))
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(gradient(params, xs))
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


for engine in engines:
    print(f"{engine:7} {milliseconds(engine):7.1f} ms for {STEPS} steps, {BATCH} rows, "
          f"{HIDDEN} units")  # fmt: skip

# %% [markdown]
# `tests/benchmarks/results/layer.md` compares the engines with PyTorch, Flax, Keras and Equinox
# over many sizes. cuDNN computes the plain LSTM only, without peepholes, projection, layer
# normalization or masks; `tests/benchmarks/on_gpu.sh` checks its values and gradients on your card.
