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
# # A billion parameters on 256 accelerators, on paper
#
# How many tokens a second could a large LSTM learn from on a large machine, and what would slow it
# down? This notebook works it out from a few numbers: the size of the model, how fast one device
# multiplies and reads memory, and how fast devices communicate. Some of the numbers are measured
# here. Those of the accelerators come from data sheets, **and we have measured none of them**. To
# show how far such arithmetic can be trusted, the notebook first predicts the time of a training
# step on the machine that runs it, and then takes that step.

# %%
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import lstm_jax
from lstm_jax import plots
from lstm_jax.models.char_lm import CharLM, CharLMConfig

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
jax.config.update("jax_num_cpu_devices", 4)  # to compile for several; only one does work

# %% [markdown]
# ## The model
#
# This is the package's character model with eight layers of 4,096 units. Nothing is allocated; JAX
# only works out the shapes. Data-parallel training sums the gradients over all devices in float32,
# even if `--precision bfloat16` computes them, so the parameter tree tells how many bytes are
# summed.


# %%
@dataclass(frozen=True)
class Sizes:
    """Store the sizes: V symbols of width E, L layers of H units, windows of T steps."""

    vocabulary: int = 32_768
    embedding: int = 1024
    hidden: int = 4096
    layers: int = 8
    steps: int = 128


@cache
def parameter_tree(sizes):
    """Return the shape of every parameter."""
    config = CharLMConfig(sizes.embedding, sizes.hidden, sizes.layers)
    model = nnx.eval_shape(lambda: CharLM(sizes.vocabulary, config, rngs=nnx.Rngs(0)))
    return nnx.state(model, nnx.Param)


def size_of(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


large = Sizes()
parameters = size_of(parameter_tree(large))
gradient_bytes = 4 * parameters
state_bytes = 4 * gradient_bytes  # parameters, gradients and AdamW's two moments, float32
print(f"{parameters / 1e9:.2f} billion parameters, {gradient_bytes / 1e9:.1f} GB of gradients, "
      f"{state_bytes / 1e9:.0f} GB with parameters and optimizer")  # fmt: skip

# %% [markdown]
# ## The work for one token
#
# A layer multiplies $x_t$ by $W_x$ and $h_{t-1}$ by $W_h$, both with $4H$ columns. The forward pass
# computes each product once. The backward pass needs two for each, one for the gradient of the
# vector and one for the gradient of the matrix. Only two of these six products have to wait for the
# previous time step: $h_{t-1} W_h$ in the forward pass, and the product that takes $dz_t$ to
# $dh_{t-1}$ in the backward pass. All others are large products over the whole window, outside the
# loop (`lstm_jax/engines/fused.py`).


# %%
def flops_in_loop(sizes):
    """Count one layer and token in one direction: h W_h forward, dz W_hᵀ backward."""
    return 2 * sizes.hidden * 4 * sizes.hidden


def flops_outside(sizes, layer):
    """Count one layer and token: the three products with W_x, and the gradient of W_h."""
    reads = sizes.embedding if layer == 0 else sizes.hidden
    return 3 * 2 * reads * 4 * sizes.hidden + 2 * sizes.hidden * 4 * sizes.hidden


def flops_of_softmax(sizes):
    """Count one token: the projection and the tied softmax, each three times."""
    return 6 * sizes.embedding * (sizes.hidden + sizes.vocabulary)


def flops_of_token(sizes):
    layers = [2 * flops_in_loop(sizes) + flops_outside(sizes, n) for n in range(sizes.layers)]
    return sum(layers) + flops_of_softmax(sizes)


sequential = 2 * large.layers * large.steps
share = 2 * large.layers * flops_in_loop(large) / flops_of_token(large)
print(f"{flops_of_token(large) / 1e9:.2f} GFLOP a token, {share:.0%} of it inside the loops; "
      f"{sequential:,} sequential steps in each update")  # fmt: skip

# %% [markdown]
# ## How long a device takes
#
# A step of the loop multiplies a few rows by all of $W_h$. It takes as long as the arithmetic or as
# reading $W_h$ from memory, whichever is longer, and on top of that the fixed cost of launching
# kernels. The products outside the loop have many rows and run at some share of the device's best
# rate. At the end AdamW reads and writes the numbers of every parameter.


# %%
@dataclass(frozen=True)
class Device:
    """Describe a device: its rates, and the time of a step that does almost nothing."""

    name: str
    flops: float  # of large products
    read: float  # bytes of its memory
    per_step: float  # seconds
    number_bytes: int = 2  # bfloat16


def time_of_loop_step(device, sizes, rows, split=1):
    """Time one step of one layer in one direction; `split` devices share W_h."""
    kernel_bytes = sizes.hidden * 4 * sizes.hidden * device.number_bytes / split
    # Four gates, h, and c in float32 are written in one pass and read in the other.
    state_bytes = rows * sizes.hidden * (5 * device.number_bytes + 4) / split
    computing = rows * flops_in_loop(sizes) / split / device.flops
    return max(computing, kernel_bytes / device.read) + state_bytes / device.read + device.per_step


def time_outside(device, sizes, rows, layer, split=1):
    """Time the large products of a layer for a whole window."""
    return rows * sizes.steps * flops_outside(sizes, layer) / split / device.flops


def time_of_softmax(device, sizes, rows, split=1):
    return rows * sizes.steps * flops_of_softmax(sizes) / split / device.flops


def time_of_optimizer(device, count):
    """Time AdamW: it reads four arrays and writes all of them but the gradient."""
    return count * 7 * 4 / device.read


def time_of_update(device, sizes, rows, count):
    """Time one update of one device with its rows, without communication."""
    loops = 2 * sizes.layers * sizes.steps * time_of_loop_step(device, sizes, rows)
    outside = sum(time_outside(device, sizes, rows, layer) for layer in range(sizes.layers))
    softmax = time_of_softmax(device, sizes, rows)
    return loops + outside + softmax + time_of_optimizer(device, count)


# %% [markdown]
# ## Does the arithmetic hold here?
#
# Three numbers are measured on this machine: how fast it multiplies large matrices, how fast it
# reads memory, and how long a step takes in a loop that does next to nothing. From them the same
# functions predict the time of a training step of a small model, which is then measured.


# %%
def least_seconds(function, *arguments, times=3):
    """Return the shortest of a few calls, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measured_device():
    """Measure this machine in float32."""
    side = 512 if SHORT else 2048
    square = jnp.ones((side, side))
    multiply = jax.jit(lambda a: a @ a)
    many = jnp.ones(2**20 if SHORT else 2**26)
    read = jax.jit(jnp.max)
    count, width = 1000, 4
    params = lstm_jax.init_lstm(jax.random.key(0), width, width)
    loop = jax.jit(jax.grad(lambda p, xs: lstm_jax.lstm(p, xs)[1].sum()))
    idle = least_seconds(loop, params, jnp.ones((count, 1, width))) / (2 * count)
    return Device(
        "this machine",
        2 * side**3 / least_seconds(multiply, square),
        many.nbytes / least_seconds(read, many),
        idle,
        number_bytes=4,
    )


def measured_step(sizes, rows):
    """Measure the seconds of a loss and its gradients, without AdamW."""
    config = CharLMConfig(sizes.embedding, sizes.hidden, sizes.layers)
    model = CharLM(sizes.vocabulary, config, rngs=nnx.Rngs(0))
    graph, params = nnx.split(model)
    shape = rows, sizes.steps
    ids = jnp.asarray(np.random.default_rng(0).integers(2, sizes.vocabulary, shape))

    @jax.jit
    def gradients(params, ids):
        return jax.grad(lambda p: nnx.merge(graph, p).loss(ids, ids, jnp.ones(shape))[1])(params)

    return least_seconds(gradients, params, ids)


small = Sizes(512, 64, 64, 2, 16) if SHORT else Sizes(4096, 256, 512, 2, 48)
small_rows = 8 if SHORT else 48
here = measured_device()
predicted = time_of_update(here, small, small_rows, 0)
measured = measured_step(small, small_rows)
print(f"here: {here.flops / 1e9:.0f} GFLOP/s, {here.read / 1e9:.1f} GB/s, "
      f"{here.per_step * 1e6:.1f} µs for a step that does almost nothing")  # fmt: skip
print(f"a step of {small_rows} rows: {predicted * 1e3:.1f} ms predicted, {measured * 1e3:.1f} ms "
      f"measured, {measured / predicted:.2f} times as long")  # fmt: skip

# %% [markdown]
# The ratio stands for everything that the arithmetic leaves out: gates, copies, softmaxes, products
# that do not reach the best rate, and whatever else the machine was doing. Below, it slows down
# everything that a device computes and reads. That it is the same on an accelerator is an
# assumption.

# %%
left_out = max(measured / predicted, 1.0)

# %% [markdown]
# ## The accelerators
#
# We take 256 NVIDIA H100 SXM, in 32 machines of eight. These figures are from NVIDIA's data sheets
# of the H100 and the DGX H100, **not measured by us**: 989 TFLOP/s in bfloat16 (dense), 3.35 TB/s
# and 80 GB of memory, 900 GB/s of NVLink inside a machine, which is 450 GB/s in each direction, and
# for each accelerator a network card of 400 Gb/s, 50 GB/s in each direction, to the other machines.
#
# Data sheets do not give latencies, so these are **assumptions**: 10 µs for launching the
# kernels of a time step, and 10 µs for a collective of a few hundred kilobytes among eight devices
# (about 6 µs among two were reported in https://github.com/NVIDIA/nccl/issues/1259).


# %%
@dataclass(frozen=True)
class Cluster:
    """Describe `count` devices in machines of `inside`."""

    device: Device
    count: int
    inside: int
    near: float  # bytes a second in each direction, within a machine
    far: float  # and to other machines
    latency: float  # seconds of a collective within a machine
    memory: float


cluster = Cluster(
    Device("H100", 989e12, 3.35e12, 10e-6), 256, 8, near=450e9, far=50e9, latency=10e-6, memory=80e9
)
slowed = replace(
    cluster.device, flops=cluster.device.flops / left_out, read=cluster.device.read / left_out
)
cluster = replace(cluster, device=slowed)
full_rate = cluster.count * 989e12 / flops_of_token(large)
print(f"if only the products took time: {full_rate / 1e6:.1f} million tokens a second")

# %% [markdown]
# ## Data parallel: data=256
#
# Every device has the whole model and its own rows, and the gradients are summed over all devices
# once in each update. A ring that sums B bytes over n devices moves $2 (n - 1) / n \cdot B$ through
# each of them. Here the sum has two levels: within a machine each device first gets the sum of its
# eighth, and only that crosses the network. We assume that none of it overlaps with computation,
# which makes the time an upper bound.


# %%
def time_of_sum(cluster, bytes_each, inside=None):
    """Time the sum of an array over all machines, and over `inside` devices within each."""
    inside = cluster.inside if inside is None else inside
    machines = cluster.count // cluster.inside
    near = 2 * (inside - 1) / inside * bytes_each / cluster.near
    far = 2 * (machines - 1) / machines * bytes_each / inside / cluster.far
    return near + far


def data_parallel(cluster, sizes, rows):
    """Time an update with `rows` on each device."""
    count = size_of(parameter_tree(sizes))
    return time_of_update(cluster.device, sizes, rows, count) + time_of_sum(cluster, 4 * count)


def bytes_held(sizes, rows, device):
    """Count the bytes on a device: 16 for each parameter, and the kept activations."""
    kept = 5 * device.number_bytes + 4
    tokens = rows * sizes.steps
    return 16 * size_of(parameter_tree(sizes)) + tokens * sizes.layers * sizes.hidden * kept


one_ring = 2 * (cluster.count - 1) / cluster.count * gradient_bytes / cluster.far
print(f"summing the gradients: {time_of_sum(cluster, gradient_bytes) * 1e3:.0f} ms in two levels, "
      f"{one_ring * 1e3:.0f} ms in one ring at the network's rate")  # fmt: skip
enough = cluster.device.flops / cluster.device.read * cluster.device.number_bytes / 2
print(f"a loop step reads W_h for as long as it multiplies at {enough:.0f} rows to a device")

# %% [markdown]
# That last number is the crux. A Transformer multiplies its matrices by every token of the window
# at once. A recurrence reads $W_h$ again in each of T steps, for the rows of the batch alone, and
# with fewer than some hundreds of rows the accelerator waits for its memory.
#
# ## Tensor parallel: data=32, model=8
#
# Splitting the columns of $W_h$ over the eight devices of a machine makes the reading eight times
# shorter. But each device then has an eighth of $h_t$, and the next step needs all of it. We need
# not guess how much communication that is: JAX compiles it for four of this machine's virtual
# devices, and the collectives can be counted in the loops of the compiled program.


# %%
def collectives_in_loops(devices=4, width=16):
    """Count collectives by kind in the forward and backward loops of a split layer."""
    mesh = jax.make_mesh((devices,), ("model",), axis_types=(AxisType.Auto,))

    def shaped(leaf, *axes):
        sharding = NamedSharding(mesh, PartitionSpec(*axes))
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    def total(params, xs):
        return (lstm_jax.lstm(params, xs)[1] ** 2).sum()

    params = jax.eval_shape(lambda: lstm_jax.init_lstm(jax.random.key(0), width, width))
    params = jax.tree.map(lambda leaf: shaped(leaf, *[None] * (leaf.ndim - 1), "model"), params)
    xs = shaped(jax.ShapeDtypeStruct((8, 4, width), jnp.float32))
    text = jax.jit(jax.grad(total)).lower(params, xs).compile().as_text()
    kinds = "all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"
    bodies = set(re.findall(r"body=(%[\w.\-]+)", text))
    computations = re.split(r"\n(?=%|ENTRY)", text)
    loops = [text for text in computations if text.split(" ", 1)[0] in bodies]
    return [Counter(re.findall(rf"= \S+ ({kinds})(?:-start)?\(", loop)) for loop in loops]


counted = [dict(loop) for loop in collectives_in_loops() if loop]
print("in each time step:", *counted, sep="\n  ")

# %% [markdown]
# The all-gather collects h in the forward pass, and the all-reduce sums $dh$ in the backward pass:
# two collectives for each of T steps, in every layer, each waiting for the previous one. They carry
# little, so with few rows latency is most of their time. The permutations are needed because the
# columns of the package's kernels are ordered gate by gate, (i, f, g, o): cut into equal parts, no
# device has all four gates of a unit. Kernels ordered unit by unit would not need them. Both orders
# are worked out below, and only the latency of the permutations is counted.


# %%
def time_to_gather(cluster, sizes, rows):
    """Time moving one step's h from each device of a machine to all others, without latency."""
    h_bytes = rows * sizes.hidden * cluster.device.number_bytes
    return (cluster.inside - 1) / cluster.inside * h_bytes / cluster.near


def tensor_parallel(cluster, sizes, rows, permutations=0):
    """Time an update with `rows` on each device; the devices of a machine share all their rows.

    `permutations` are counted for each time step of each direction.
    """
    split = cluster.inside
    together = rows * split
    step = time_of_loop_step(cluster.device, sizes, together, split)
    # An all-reduce moves twice what an all-gather does.
    talking = 3 * time_to_gather(cluster, sizes, together)
    talking += 2 * (1 + permutations) * cluster.latency
    loops = sizes.layers * sizes.steps * (2 * step + talking)
    outside = sum(
        time_outside(cluster.device, sizes, together, layer, split)
        for layer in range(sizes.layers)
    )  # fmt: skip
    softmax = time_of_softmax(cluster.device, sizes, together, split)
    count = size_of(parameter_tree(sizes)) / split
    summed = time_of_sum(cluster, 4 * count, inside=1)
    return loops + outside + softmax + time_of_optimizer(cluster.device, count) + summed


SHOWN = (16, 64, 256)
for rows in SHOWN:
    moved = time_to_gather(cluster, large, rows * cluster.inside)
    print(f"{rows:4} rows on each device: a gather starts in {cluster.latency * 1e6:.0f} µs and "
          f"moves h in {moved * 1e6:.1f} µs")  # fmt: skip

# %% [markdown]
# ## A pipeline over the layers
#
# Each device of a machine has one layer. As soon as the lowest layer has read a chunk of the
# window, the next layer can start on it: the chunks are pieces of time, so no extra rows are needed
# to fill the pipeline. With S stages and M chunks, a stage is idle for $S - 1$ of $M + S - 1$
# turns, in both passes. The devices of a machine share the rows, so each reads its $W_h$ for eight
# times as many rows, and there are no collectives inside a time step. The slowest stage, the one
# with the softmax, sets the pace. **The package has no such pipeline**; this estimates what it
# would bring.


# %%
def pipeline(cluster, sizes, rows, chunks):
    """Time an update with `rows` on each device, and one layer on each device of a machine."""
    stages = sizes.layers
    together = rows * stages
    loop = 2 * sizes.steps * time_of_loop_step(cluster.device, sizes, together)
    stage = [loop + time_outside(cluster.device, sizes, together, n) for n in range(stages)]
    stage[-1] += time_of_softmax(cluster.device, sizes, together)
    turns = chunks + stages - 1
    hidden_bytes = together * sizes.steps / chunks * sizes.hidden * cluster.device.number_bytes
    sending = 2 * turns * (hidden_bytes / cluster.near + cluster.latency)
    tree = parameter_tree(sizes)
    top = tree["lstm"]["layers"][stages - 1], tree["projection"], tree["output_bias"]
    largest = size_of((*top, tree["embedding"]))
    summed = time_of_sum(cluster, 4 * largest, inside=1)
    summed += time_of_optimizer(cluster.device, largest)
    return max(stage) * turns / chunks + sending + summed


CHUNKS = (1, 2, 4, 8, 16, 32, 64)
best_chunks = min(CHUNKS, key=lambda chunks: pipeline(cluster, large, 64, chunks))
idle = (large.layers - 1) / (best_chunks + large.layers - 1)
print(f"64 rows on each device: {best_chunks} chunks are the best of {CHUNKS}; {idle:.0%} idle")

# %% [markdown]
# ## Tokens a second


# %%
permutations = max(loop.get("collective-permute", 0) for loop in counted)
WAYS = {
    "data=256": data_parallel,
    "data=32, model=8, columns by unit": tensor_parallel,
    f"data=32, model=8, columns by gate ({permutations} permutations)": (
        lambda *setting: tensor_parallel(*setting, permutations=permutations)
    ),
    "data=32, 8 pipeline stages": lambda *setting: min(pipeline(*setting, n) for n in CHUNKS),
}


def tokens_per_second(way, rows, cluster=cluster):
    return rows * cluster.count * large.steps / way(cluster, large, rows)


def table(cluster=cluster):
    print(f"{'rows on each device':>60}" + "".join(f"{rows:>9}" for rows in SHOWN))
    for name, way in WAYS.items():
        figures = [tokens_per_second(way, rows, cluster) / 1e6 for rows in SHOWN]
        print(f"{name:>60}" + "".join(f"{figure:8.2f}M" for figure in figures))


table()
print(f"{'GB on each device, data=256':>60}" + "".join(
    f"{bytes_held(large, rows, cluster.device) / 1e9:9.0f}" for rows in SHOWN
))  # fmt: skip
print(f"{'tokens in an update':>60}" + "".join(
    f"{rows * cluster.count * large.steps / 1e6:8.1f}M" for rows in SHOWN
))  # fmt: skip


# %%
def throughput():
    """Draw tokens a second against the rows on each device."""
    figure = plots.new_figure(size=(6.4, 4.2))
    axes = figure.axes[0]
    rows = 2 ** np.arange(3, 10)
    colors = ("#1f5fa8", "#d5762c", "#211f1b", "#74b3dd")
    for color, (name, way) in zip(colors, WAYS.items(), strict=True):
        speeds = [tokens_per_second(way, int(count)) / 1e6 for count in rows]
        axes.plot(rows, speeds, color=color, marker="o", ms=4, label=name.split(" (")[0])
    axes.axhline(full_rate / 1e6, color=colors[0], lw=1, ls="--", label="products at full rate")
    axes.set_xscale("log", base=2)
    axes.set_xticks(rows, [str(count) for count in rows])
    axes.set(yscale="log", xlabel="rows on each device", ylabel="million tokens a second",
             title="1 billion parameters on 256 H100, on paper")  # fmt: skip
    axes.legend(fontsize=8, loc="lower right")
    return figure


throughput()

# %% [markdown]
# ## How much depends on the assumptions?
#
# The two latencies are the least certain numbers. Here they are halved, and three times as long:

# %%
for factor in (0.5, 3):
    device = replace(cluster.device, per_step=factor * cluster.device.per_step)
    print(f"latencies times {factor}:")
    table(replace(cluster, device=device, latency=factor * cluster.latency))

# %% [markdown]
# ## What the code would choose
#
# The package can split the batch (`data=`) and the columns (`model=`). The choice is the faster of
# these two with the columns ordered gate by gate.


# %%
def choose(rows):
    """Return the fastest way that the package has, its speed, and that of a pipeline."""
    ways = [name for name in WAYS if "pipeline" not in name and "by unit" not in name]
    chosen = max(ways, key=lambda name: tokens_per_second(WAYS[name], rows))
    pipelined = tokens_per_second(WAYS["data=32, 8 pipeline stages"], rows)
    return chosen, tokens_per_second(WAYS[chosen], rows), pipelined


for rows in SHOWN:
    chosen, speed, pipelined = choose(rows)
    print(f"{rows:4} rows on each device: {chosen}, {speed / 1e6:.2f} million tokens a second, "
          f"{speed / full_rate:.0%} of the full rate; a pipeline would be {pipelined / speed:.1f} "
          "times as fast")  # fmt: skip

# %% [markdown]
# The batch decides. With few rows on each device every way but the pipeline waits, for memory or
# for latency. With enough rows to cover the reading of $W_h$, splitting the batch alone is as good
# as anything else, and the simplest. More rows make updates larger, and fewer for the same data.
# Short windows, with the state carried from one to the next, let a recurrence have many rows
# without more tokens in each update.
