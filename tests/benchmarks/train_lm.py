"""Time a training step of the Tang character model against the same model in PyTorch and Flax.

    python tests/benchmarks/train_lm.py [--quick] [--only NAME ...]

The model has an embedding of 384, two LSTM layers of 512, a projection to 384, and a softmax with a
bias over 7,036 symbols, tied to the embedding. A step reads B = 48 rows of T = 48 characters in
float32, and carries the state between windows. It clips by the global norm and updates with AdamW;
there is no dropout. The peers are written as their documentation recommends. lstm_jax is the
recipe's own update, which also resets the state at the start of a poem. The FLOPs are those of the
matrix products, counted as three times those of the forward pass.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from alternate import Work, main, serve

V, E, H, LAYERS = 7036, 384, 512, 2
RATE, CLIP = 2e-3, 1.0


def window(case: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Draw random inputs and targets, (B, T)."""
    shape = case["rows"], case["window"] + 1
    ids = np.random.default_rng(0).integers(2, V, shape).astype(np.int32)
    return ids[:, :-1], ids[:, 1:]


def flops(case: Mapping[str, Any], work: str) -> float:
    """Return the FLOPs of a step's matrix products."""
    widths = [E, *[H] * (LAYERS - 1)]
    recurrent = sum(4 * H * (width + H) for width in widths)
    return 6.0 * case["rows"] * case["window"] * (recurrent + H * E + E * V)


def lstm_jax_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of the update of `lstm-jax train tang`."""
    import jax
    from flax import nnx

    from lstm_jax.models.char_lm import CharLM, CharLMConfig
    from lstm_jax.train.batch import Batch
    from lstm_jax.train.config import OptimizerConfig
    from lstm_jax.train.run.state import make_optimizer, make_state
    from lstm_jax.train.run.update import make_update
    from lstm_jax.train.tasks.text.task import window_loss

    inputs, targets = window(case)
    model = CharLM(V, CharLMConfig(E, H, LAYERS), rngs=nnx.Rngs(0))
    optimizer, _ = make_optimizer(OptimizerConfig(RATE, warmup_steps=0, clip_norm=CLIP), 10**6)
    state = make_state(model, optimizer, model.initial_state(case["rows"]))
    update = make_update(window_loss, model, optimizer, 0)
    resets = np.random.default_rng(1).random(inputs.shape) < 1 / 60
    batch = Batch(inputs, targets, resets, np.ones(inputs.shape, np.float32))

    def step():
        nonlocal state
        state, metrics = update(state, batch)
        return jax.block_until_ready(metrics)

    return {"step": step}


def flax_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of Flax NNX: Embed, RNN of OptimizedLSTMCell, attend, Optimizer in nnx.jit."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.embed = nnx.Embed(V, E, rngs=rngs)
            widths = [E, *[H] * (LAYERS - 1)]
            self.layers = nnx.List(
                [nnx.RNN(nnx.OptimizedLSTMCell(w, H, rngs=rngs)) for w in widths]
            )
            self.projection = nnx.Linear(H, E, use_bias=False, rngs=rngs)
            self.bias = nnx.Param(jnp.zeros(V))

        def __call__(self, ids, carries):
            xs, new = self.embed(ids), []
            for layer, carry in zip(self.layers, carries, strict=True):
                carry, xs = layer(xs, initial_carry=carry, return_carry=True)
                new.append(carry)
            return self.embed.attend(self.projection(xs)) + self.bias[...], new

    inputs, targets = window(case)
    model = Model(nnx.Rngs(0))
    transform = optax.chain(optax.clip_by_global_norm(CLIP), optax.adamw(RATE))
    optimizer = nnx.Optimizer(model, transform, wrt=nnx.Param)
    zeros = jnp.zeros((case["rows"], H))
    carries = [(zeros, zeros)] * LAYERS

    @nnx.jit
    def update(model, optimizer, carries, inputs, targets):
        def loss(model):
            logits, new = model(inputs, carries)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return losses.mean(), new

        (value, new), gradients = nnx.value_and_grad(loss, has_aux=True)(model)
        optimizer.update(model, gradients)
        return value, new

    def step():
        nonlocal carries
        value, carries = update(model, optimizer, carries, inputs, targets)
        return jax.block_until_ready(value)

    return {"step": step}


def torch_works(case: Mapping[str, Any]) -> dict[str, Work]:
    """Build the work of PyTorch: nn.Embedding, nn.LSTM, tied F.linear, F.cross_entropy, AdamW."""
    import os

    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(V, E)
            self.lstm = nn.LSTM(E, H, LAYERS, batch_first=True)
            self.projection = nn.Linear(H, E, bias=False)
            self.bias = nn.Parameter(torch.zeros(V))

        def forward(self, ids, state):
            hs, state = self.lstm(self.embed(ids), state)
            return functional.linear(self.projection(hs), self.embed.weight, self.bias), state

    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs, targets = (torch.tensor(a, device=device).long() for a in window(case))
    model = Model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, foreach=True)
    state = tuple(torch.zeros(LAYERS, case["rows"], H, device=device) for _ in range(2))

    def step():
        nonlocal state
        logits, state = model(inputs, tuple(s.detach() for s in state))
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        return loss.item()

    return {"step": step}


PEERS = {"lstm_jax": lstm_jax_works, "flax": flax_works, "torch": torch_works}
CASES = [{"rows": 48, "window": 48}]

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(PEERS[sys.argv[2]])
    else:
        main(__file__, __doc__, PEERS, {"tang": CASES}, CASES, flops)
