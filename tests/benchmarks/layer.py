"""Compare the speed of one LSTM layer, forward and with its gradients, with other libraries.

    python tests/benchmarks/layer.py [--quick] [--only NAME ...]     # pip install ".[interop]"

All implementations do the same work in float32: from x to every h, including the input's product,
with x of shape (T, B, D) or (B, T, D), whichever the library prefers. "both" adds the gradients of
parameters and inputs for a fixed cotangent of every h. Each implementation runs in its own process
(see alternate.py). The grid has T = 128 and D = H; the odd shapes are typical of real models. FLOPs
count the matrix products: 8 T B H (D + H) forward, and three times that for both. The peak is the
rate of a loop of fused multiply-adds on every core, measured in the same run, or that of a large
matrix product in XLA where there is no C compiler.

results/layer.zen4.json was measured with --turns 5 for the grid, which ended before its largest
shape (64 rows of 1,024), and with --turns 3 and without Keras and Equinox for the odd shapes.

"lstm_jax" is the package as `pip install` leaves it. "native" adds the kernel that
`lstm-jax native` builds, and is skipped if it has not been built. Ratios depend on the CPU, so
--machine NAME writes separate files for each machine, and readme.py shows all of them.

On an NVIDIA GPU, lstm_jax also runs with the engine "cudnn", next to jax.experimental.rnn itself.
The LSTMs of DeepBench's training and inference sets (T up to 150, H up to 4,096) come last.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from alternate import Work, main, serve

STEPS = 128
BATCHES = (1, 16, 64)
WIDTHS = (32, 128, 256, 512, 1024)
ODD = [  # steps, batch, features, width
    (200, 10, 40, 100), (256, 16, 96, 128), (100, 24, 192, 256), (48, 48, 320, 512),
    (35, 20, 650, 650), (32, 128, 128, 128), (200, 1, 256, 256), (28, 100, 28, 128),
    (400, 4, 80, 320), (150, 7, 40, 200),
]  # fmt: skip


def arrays(case: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays that all implementations share, time-major."""
    steps, batch, features, width = case.values()
    generator = np.random.default_rng(0)
    shapes = {
        "xs": (steps, batch, features),
        "cotangent": (steps, batch, width),
        "input_kernel": (features, 4 * width),
        "recurrent_kernel": (width, 4 * width),
        "bias": (4 * width,),
    }
    scale = {"input_kernel": features**-0.5, "recurrent_kernel": width**-0.5, "bias": 0.1}
    return {
        name: (generator.standard_normal(shape) * scale.get(name, 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _jitted(apply: Any, params: Any, xs: Any, cotangent: Any) -> dict[str, Work]:
    """Return the two works of a JAX function `apply(params, xs) -> hs`."""
    import jax

    params, xs, cotangent = jax.device_put((params, xs, cotangent))
    forward = jax.jit(apply)

    @jax.jit
    def both(params, xs, cotangent):
        hs, pull = jax.vjp(apply, params, xs)
        return hs, pull(cotangent)

    return {
        "both": lambda: jax.block_until_ready(both(params, xs, cotangent)),
        "forward": lambda: jax.block_until_ready(forward(params, xs)),
    }


def lstm_jax_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare the function that `lstm_jax.LSTM` calls."""
    import lstm_jax
    from lstm_jax import functional

    data = arrays(case)
    params = lstm_jax.LSTMParams(
        *(data[name] for name in ("input_kernel", "recurrent_kernel", "bias"))
    )
    cell = functional.lstm_cell()

    def apply(params, xs):
        _, hs = lstm_jax.run_layers(cell, (params,), xs)
        return hs

    return _jitted(apply, params, data["xs"], data["cotangent"])


def native_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare the native kernel, if it has been built on this machine."""
    import lstm_jax

    data = arrays(case)
    names = ("input_kernel", "recurrent_kernel", "bias")
    params = lstm_jax.LSTMParams(*(data[name] for name in names))
    obstacle = lstm_jax.explain(lstm_jax.lstm_cell(), params, data["xs"]).obstacles.get("native")
    if obstacle:
        print(f"skipping native: {obstacle}", file=sys.stderr)
        return {}

    def apply(params, xs):
        return lstm_jax.lstm(params, xs, implementation="native")[1]

    return _jitted(apply, params, data["xs"], data["cotangent"])


TWO_DEVICES = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_NUM_CPU_DEVICES": "2",
}
"""Environment of the process of `two_devices_works`, which JAX reads when it starts."""


def two_devices_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare our layer with its batch split over two host devices of one thread each."""
    import jax
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    import lstm_jax
    from lstm_jax import functional

    if case["batch"] % 2:
        return {}
    data = arrays(case)
    names = ("input_kernel", "recurrent_kernel", "bias")
    params = lstm_jax.LSTMParams(*(data[name] for name in names))
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    whole, rows = PartitionSpec(), PartitionSpec(None, "batch")
    cell = functional.lstm_cell()

    def apply(params, xs):
        return lstm_jax.run_layers(cell, (params,), xs)[1]

    apply = jax.shard_map(apply, mesh=mesh, in_specs=(whole, rows), out_specs=rows)
    params = jax.device_put(params, NamedSharding(mesh, whole))
    xs, cotangent = (
        jax.device_put(data[n], NamedSharding(mesh, rows)) for n in ("xs", "cotangent")
    )
    return _jitted(apply, params, xs, cotangent)


def cudnn_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare NVIDIA's kernels on our parameters."""
    return _on_gpu(case, "cudnn")


def experimental_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare jax.experimental.rnn on its own flat weights, batch-major."""
    return _on_gpu(case, None)


def _on_gpu(case: Mapping[str, Any], implementation: Any) -> dict[str, Work]:
    import jax
    from jax.experimental import rnn

    import lstm_jax
    from lstm_jax.engines import cudnn

    if jax.default_backend() != "gpu":
        return {}
    data = arrays(case)
    names = ("input_kernel", "recurrent_kernel", "bias")
    params = lstm_jax.LSTMParams(*(data[name] for name in names))
    if implementation is not None:

        def ours(params, xs):
            return lstm_jax.lstm(params, xs, implementation=implementation)[1]

        return _jitted(ours, params, data["xs"], data["cotangent"])
    batch, width = case["batch"], case["width"]
    zeros = np.zeros((1, batch, width), np.float32)
    lengths = np.full(batch, case["steps"], np.int32)
    sizes = {"input_size": case["features"], "hidden_size": width, "num_layers": 1}

    def apply(weights, xs):
        options = {"dropout": 0.0, "bidirectional": False}
        return rnn.lstm(xs, zeros, zeros, weights, lengths, **sizes, **options)[0]

    xs, cotangent = (data[n].swapaxes(0, 1) for n in ("xs", "cotangent"))
    return _jitted(apply, cudnn.flat(params), xs, cotangent)


def scan_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare our plain scan, the reference."""
    import lstm_jax

    data = arrays(case)
    params = lstm_jax.LSTMParams(
        *(data[name] for name in ("input_kernel", "recurrent_kernel", "bias"))
    )

    def apply(params, xs):
        return lstm_jax.lstm(params, xs, implementation="scan")[1]

    return _jitted(apply, params, data["xs"], data["cotangent"])


def torch_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare torch.nn.LSTM, time-major."""
    import os

    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    data = arrays(case)
    layer = torch.nn.LSTM(case["features"], case["width"], device=device)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(data["input_kernel"].T))
        layer.weight_hh_l0.copy_(torch.tensor(data["recurrent_kernel"].T))
        layer.bias_ih_l0.copy_(torch.tensor(data["bias"]))
        layer.bias_hh_l0.zero_()
    xs = torch.tensor(data["xs"], requires_grad=True, device=device)
    cotangent = torch.tensor(data["cotangent"], device=device)
    leaves = [*layer.parameters(), xs]

    def forward():
        with torch.no_grad():
            layer(xs)
        wait()

    def both():
        hs, _ = layer(xs)
        torch.autograd.grad(hs, leaves, cotangent)
        wait()

    return {"both": both, "forward": forward}


def flax_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare flax.nnx.RNN over its OptimizedLSTMCell, batch-major."""
    from flax import nnx

    data = arrays(case)
    cell = nnx.OptimizedLSTMCell(case["features"], case["width"], rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = data["input_kernel"]
    cell.dense_h.kernel[...] = data["recurrent_kernel"]
    cell.dense_h.bias[...] = data["bias"]
    graph, params = nnx.split(nnx.RNN(cell))
    zeros = np.zeros((case["batch"], case["width"]), np.float32)

    def apply(params, xs):
        return nnx.merge(graph, params)(xs, initial_carry=(zeros, zeros))

    return _jitted(apply, params, *(data[n].swapaxes(0, 1) for n in ("xs", "cotangent")))


def keras_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare keras.layers.LSTM on its JAX backend, batch-major."""
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    data = arrays(case)
    layer = keras.layers.LSTM(case["width"], return_sequences=True)
    layer.build((case["batch"], case["steps"], case["features"]))
    layer.set_weights([data[n] for n in ("input_kernel", "recurrent_kernel", "bias")])
    params = [v.value for v in layer.trainable_variables]
    rest = [v.value for v in layer.non_trainable_variables]

    def apply(params, xs):
        return layer.stateless_call(params, rest, xs)[0]

    return _jitted(apply, params, *(data[n].swapaxes(0, 1) for n in ("xs", "cotangent")))


def equinox_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Prepare equinox.nn.LSTMCell under lax.scan and vmap, as in its documentation."""
    import equinox as eqx
    import jax

    data = arrays(case)
    cell = eqx.nn.LSTMCell(case["features"], case["width"], key=jax.random.key(0))
    where = (lambda c: c.weight_ih, lambda c: c.weight_hh, lambda c: c.bias)
    values = data["input_kernel"].T, data["recurrent_kernel"].T, data["bias"]
    for leaf, value in zip(where, values, strict=True):
        cell = eqx.tree_at(leaf, cell, jax.numpy.asarray(value))

    def run(cell, xs):
        zeros = jax.numpy.zeros(case["width"])

        def step(carry, x):
            carry = cell(x, carry)
            return carry, carry[0]

        return jax.lax.scan(step, (zeros, zeros), xs)[1]

    def apply(cell, xs):
        return jax.vmap(run, (None, 1), 1)(cell, xs)

    return _jitted(apply, cell, data["xs"], data["cotangent"])


PEERS = {
    "lstm_jax": lstm_jax_works,
    "native": native_works,
    "two_devices": two_devices_works,
    "scan": scan_works,
    "cudnn": cudnn_works,
    "jax.experimental.rnn": experimental_works,
    "torch": torch_works,
    "flax": flax_works,
    "keras": keras_works,
    "equinox": equinox_works,
}

GPU = shutil.which("nvidia-smi") is not None
ON_GPU_ONLY = ("cudnn", "jax.experimental.rnn")
ON_CPU_ONLY = ("native", "two_devices")


def square(shapes: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return (steps, batch, features, width) for each shape, with as many features as the width."""
    return [(steps, batch, width, width) for steps, batch, width in shapes]


def as_cases(shapes: Iterable[tuple[int, int, int, int]]) -> list[dict[str, int]]:
    """Return the shapes as dictionaries of named sizes."""
    names = ("steps", "batch", "features", "width")
    return [dict(zip(names, shape, strict=True)) for shape in shapes]


DEEPBENCH_TRAINING = [
    *((25, batch, width) for width in (512, 1024, 2048, 4096) for batch in (16, 32, 64, 128)),
    *((50, batch, 1536) for batch in (8, 16, 32)),
    *((150, batch, 256) for batch in (16, 32, 64)),
]
DEEPBENCH_INFERENCE = [
    (steps, batch, width)
    for steps, width in ((25, 512), (25, 1024), (25, 2048), (50, 1536), (150, 256))
    for batch in (1, 2, 4)
]
CASES = {
    "grid": as_cases(square((STEPS, batch, width) for width in WIDTHS for batch in BATCHES)),
    "odd": as_cases(ODD),
}
if GPU:
    CASES["deepbench"] = as_cases(square([*DEEPBENCH_TRAINING, *DEEPBENCH_INFERENCE]))
QUICK = as_cases([(32, 16, 32, 32), (32, 7, 20, 100), (32, 1, 256, 256)])


def flops(case: Mapping[str, Any], work: str) -> float:
    """Return the number of FLOPs in the matrix products."""
    steps, batch, features, width = case.values()
    return 8.0 * steps * batch * width * (features + width) * {"forward": 1, "both": 3}[work]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(PEERS[sys.argv[2]])
    else:
        skipped = ON_CPU_ONLY if GPU else ON_GPU_ONLY
        peers = {name: works for name, works in PEERS.items() if name not in skipped}
        # The processes share a GPU, so each takes only the memory that it needs.
        lean = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        environments = dict.fromkeys(peers, lean)
        environments["lstm_jax"] = {**lean, "LSTM_JAX_NATIVE": "0"}
        environments["two_devices"] = {**lean, **TWO_DEVICES, "LSTM_JAX_NATIVE": "0"}
        main(__file__, __doc__, peers, CASES, QUICK, flops, environments, rate="fma")
