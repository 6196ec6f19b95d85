"""Time drawing characters from the Tang model's architecture, against PyTorch and ONNX Runtime.

    python tests/benchmarks/sample.py [--quick] [--only NAME ...]

The model has an embedding of 384, two LSTM layers of 512, a projection to 384, and a softmax tied
to the embedding over 7,038 symbols. It computes in float32 with weights that are exact in float16,
like those of a released model. Each row gets 64 characters, one at a time, from
softmax(logits / 0.8), and a call returns when they are in the host's memory. lstm_jax is the
function that `LanguageModel` calls. PyTorch is a loop over nn.LSTM and torch.multinomial. ONNX
Runtime is a loop over this package's export of the model, and draws in NumPy.

The share of peak is relative to the rate at which this machine reads memory. It counts one read of
the weights for each character, shared by all rows, and may exceed 100% if caches hold some of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from alternate import Work, main, serve

V, E, H, LAYERS = 7038, 384, 512, 2
TEMPERATURE = 0.8
CHARACTERS = 64


def weight_bytes(case: Mapping[str, Any], work: str) -> float:
    """Return the bytes of the float32 weights, which are read once for each character."""
    widths = [E, *[H] * (LAYERS - 1)]
    recurrent = sum(4 * H * (width + H + 1) for width in widths)
    return 4.0 * case["characters"] * (recurrent + H * E + E * V + V)


def _network() -> Any:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from lstm_jax.models.char_lm import CharLM, CharLMConfig

    network = CharLM(V, CharLMConfig(E, H, LAYERS), rngs=nnx.Rngs(0))
    halves = jax.tree.map(lambda x: x.astype(jnp.float16).astype(x.dtype), nnx.state(network))
    nnx.update(network, halves)
    return network


def lstm_jax_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of `lstm_jax.text.sampling.decode`, which is a single program."""
    import jax

    from lstm_jax.text import sampling
    from lstm_jax.text.steps import writer

    network = _network()
    state = network.initial_state(case["rows"])
    step, params = writer(network, 1, state)
    ids = np.ones((case["rows"], 8), np.int32)
    lengths = np.full(case["rows"], 8, np.int32)
    start = sampling.prefill(step, params, state, ids, lengths)

    def draw():
        _, new = sampling.decode(
            step,
            params,
            start,
            key=jax.random.key(0),
            num_steps=case["characters"],
            eos_id=-1,
            temperature=np.float32(TEMPERATURE),
        )
        return np.asarray(new)

    return {"sample": draw}


def torch_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of eager PyTorch, one character at a time."""
    import os

    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    embed, bias = nn.Embedding(V, E, device=device), torch.zeros(V, device=device)
    lstm = nn.LSTM(E, H, LAYERS, batch_first=True, device=device)
    projection = nn.Linear(H, E, bias=False, device=device)

    @torch.inference_mode()
    def draw():
        ids = torch.ones(case["rows"], 1, dtype=torch.long, device=device)
        state = tuple(torch.zeros(LAYERS, case["rows"], H, device=device) for _ in range(2))
        drawn = []
        for _ in range(case["characters"]):
            hs, state = lstm(embed(ids), state)
            logits = functional.linear(projection(hs[:, 0]), embed.weight, bias)
            ids = torch.multinomial(torch.softmax(logits / TEMPERATURE, -1), 1)
            drawn.append(ids)
        return torch.cat(drawn, 1).cpu().numpy()

    return {"sample": draw}


def onnxruntime_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of ONNX Runtime with the exported model, with draws in NumPy."""
    import os

    import onnxruntime

    from lstm_jax.interop import onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    model = onnx.export_char_lm(_network()).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows = np.arange(case["rows"])
    ids_name, *state_names = (each.name for each in session.get_inputs())
    shapes = [each.shape for each in session.get_inputs()[1:]]
    generator = np.random.default_rng(0)

    def draw():
        ids = np.ones((case["rows"], 1), np.int64)
        sizes = [[n if isinstance(n, int) else case["rows"] for n in shape] for shape in shapes]
        state = [np.zeros(size, np.float32) for size in sizes]
        drawn = []
        for _ in range(case["characters"]):
            feed = {ids_name: ids, **dict(zip(state_names, state, strict=True))}
            logits, *state = session.run(None, feed)
            logits = logits[:, -1] / TEMPERATURE
            mass = np.cumsum(np.exp(logits - logits.max(-1, keepdims=True)), -1)
            goal = generator.random(len(rows), np.float32) * mass[:, -1]
            ids = np.array([[np.searchsorted(mass[row], goal[row])] for row in rows])
            drawn.append(ids)
        return np.concatenate(drawn, 1)

    return {"sample": draw}


PEERS = {"lstm_jax": lstm_jax_works, "torch": torch_works, "onnxruntime": onnxruntime_works}
CASES = [{"rows": rows, "characters": CHARACTERS} for rows in (1, 64)]

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(PEERS[sys.argv[2]])
    else:
        main(__file__, __doc__, PEERS, {"tang": CASES}, CASES, weight_bytes, rate="read")
