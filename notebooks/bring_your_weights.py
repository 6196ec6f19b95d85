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
# # Bring your weights
#
# A model that was trained with PyTorch, Keras or another framework can go on living here, and one
# that was trained here can leave. Weights travel as plain arrays, so the other framework need not
# be installed. Where it is installed, this notebook compares the outputs as well.

# %%
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from safetensors.numpy import load_file, save_file

import lstm_jax
from lstm_jax import plots
from lstm_jax.interop import (
    from_keras,
    from_torch,
    to_keras,
    to_torch,
)

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
folder = Path(tempfile.mkdtemp())


def can_import(name):
    """Return whether to use an optional package, and report where it is missing."""
    found = find_spec(name) is not None and not SHORT
    if not found:
        print(f"{name} is not installed, so this cell compares nothing")
    return found


# %% [markdown]
# ## From PyTorch
#
# A `state_dict()` is a dictionary of arrays. Here is that of `torch.nn.LSTM(3, 8, num_layers=2)`,
# drawn as PyTorch draws it. From a real model it is
# `{name: tensor.numpy() for name, tensor in model.lstm.state_dict().items()}`, or a safetensors
# file.

# %%
IN, HIDDEN = 3, 8
draw = np.random.default_rng(0)


def uniform(*shape):
    return draw.uniform(-(HIDDEN**-0.5), HIDDEN**-0.5, shape).astype(np.float32)


state_dict = {}
for layer, width in enumerate((IN, HIDDEN)):
    state_dict[f"weight_ih_l{layer}"] = uniform(4 * HIDDEN, width)
    state_dict[f"weight_hh_l{layer}"] = uniform(4 * HIDDEN, HIDDEN)
    state_dict[f"bias_ih_l{layer}"] = uniform(4 * HIDDEN)
    state_dict[f"bias_hh_l{layer}"] = uniform(4 * HIDDEN)

lstm = lstm_jax.LSTM.from_params(from_torch(state_dict))
xs = draw.normal(size=(4, 20, IN)).astype(np.float32)
state, hs = lstm(jnp.asarray(xs))
print(f"{lstm.num_layers} layers, {lstm.in_features} -> {lstm.out_features}; outputs {hs.shape}")

# %%
if can_import("torch"):
    import torch

    theirs = torch.nn.LSTM(IN, HIDDEN, num_layers=2, batch_first=True)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in state_dict.items()})
    with torch.no_grad():
        expected = theirs(torch.from_numpy(xs))[0].numpy()
    print(f"largest difference from torch.nn.LSTM: {np.abs(hs - expected).max():.1e}")

# %% [markdown]
# PyTorch has two biases where one is enough, so they are added on the way in. `from_params` reads
# the sizes, the layers and the directions off the arrays. To put other weights into a layer that
# exists, assign them: `layer.params = from_torch(state_dict)`.
#
# ## And back
#
# Export and import are exact: what comes back has the same bits.

# %%
exported = to_torch(lstm.params)
again = from_torch(exported)
same = jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), lstm.params, again)
print("the same bits:", all(jax.tree.leaves(same)))
print({name: array.shape for name, array in list(exported.items())[:3]})

# %% [markdown]
# ## Keras
#
# Keras calls the gates i, f, c, o and keeps a list of arrays for each layer, those of
# `layer.get_weights()`.

# %%
keras_weights = to_keras(lstm.params)
print([array.shape for array in keras_weights[0]])
back = lstm_jax.LSTM.from_params(from_keras(keras_weights))
print("the same outputs:", bool(jnp.array_equal(back(jnp.asarray(xs))[1], hs)))

# %%
if can_import("keras"):
    import keras

    theirs = keras.Sequential([keras.layers.LSTM(HIDDEN, return_sequences=True) for _ in range(2)])
    theirs.build(xs.shape)
    for their_layer, arrays in zip(theirs.layers, keras_weights, strict=True):
        their_layer.set_weights(arrays)
    print(f"largest difference from Keras: {np.abs(hs - np.asarray(theirs(xs))).max():.1e}")

# %% [markdown]
# `lstm_jax.interop` does the same for Flax linen and NNX, Haiku, Equinox and cuDNN's flat vector.
#
# ## ONNX
#
# Each layer becomes one standard `LSTM` operator, which ONNX Runtime and others execute. The model
# reads time first, `(T, B, D)`. Whole models are exported by `export_char_lm`,
# `export_forecaster` and others, or by `lstm-jax export`.

# %%
if find_spec("onnx"):
    from lstm_jax.interop import onnx

    model = onnx.export_layers(lstm)
    print([node.op_type for node in model.graph.node], f"{model.ByteSize() / 1024:.0f} KiB")
    (folder / "lstm.onnx").write_bytes(model.SerializeToString())
    loaded = onnx.load_layer(folder / "lstm.onnx")
    print("the same outputs:", bool(jnp.array_equal(loaded(jnp.asarray(xs))[1], hs)))

# %%
if can_import("onnxruntime"):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "lstm.onnx")
    expected = session.run(["hs"], {"xs": xs.swapaxes(0, 1)})[0].swapaxes(0, 1)
    print(f"largest difference from ONNX Runtime: {np.abs(hs - expected).max():.1e}")

# %% [markdown]
# ## Fine-tune
#
# Weights are worth importing if they already know something. Suppose that a colleague has trained
# an LSTM in PyTorch to predict the next value of smooth waves, sums of two sines, and has sent you
# the file. (In this notebook we play the colleague ourselves.)

# %%
WIDTH, STEPS = 32, 60
UPDATES = 10 if SHORT else 300


class Predictor(nnx.Module):
    """Predict each next value, (B, T - 1), of waves (B, T)."""

    def __init__(self, lstm):
        self.lstm = lstm
        self.readout = nnx.Linear(WIDTH, 1, rngs=nnx.Rngs(1))

    def __call__(self, waves):
        return self.readout(self.lstm(waves[:, :-1, None])[1])[..., 0]


def smooth(key, rows):
    """Draw sums of two sines, (B, T)."""
    keys = jax.random.split(key)
    speed = jax.random.uniform(keys[0], (2, rows, 1), minval=0.1, maxval=0.6)
    phase = jax.random.uniform(keys[1], (2, rows, 1), maxval=2 * jnp.pi)
    return jnp.sin(speed * jnp.arange(STEPS) + phase).sum(0) / 2


def train(model, batch_of, learning_rate, updates, test):
    """Train with Adam; return the model and its error on test waves after every update."""
    graph, params = nnx.split(model)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(learning_rate))

    def error(params, waves):
        return jnp.mean((nnx.merge(graph, params)(waves) - waves[:, 1:]) ** 2)

    @jax.jit
    def update(carry, key):
        params, state = carry
        gradient = jax.grad(error)(params, batch_of(key))
        changes, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, changes), state), error(params, test)

    keys = jax.random.split(jax.random.key(0), updates)
    (params, _), errors = jax.lax.scan(update, (params, optimizer.init(params)), keys)
    return nnx.merge(graph, params), np.asarray(errors)


fresh = Predictor(lstm_jax.LSTM(1, WIDTH, rngs=nnx.Rngs(0)))
theirs, errors = train(
    fresh, lambda key: smooth(key, 32), 5e-3, UPDATES, smooth(jax.random.key(9), 64)
)
save_file(to_torch(theirs.lstm.params), folder / "theirs.safetensors")
print(f"the colleague's error on smooth waves: {errors[-1]:.4f}")

# %% [markdown]
# You need to predict waves that die away, and you have only four of them. The LSTM from the file
# starts with an idea of what a wave is; the readout is new. Beside it, the same network from
# scratch. Each gets the learning rate that suits it best of 1, 3 and 10 thousandths.


# %%
def damped(key, rows):
    """Draw damped waves of random speed and phase, (B, T)."""
    keys = jax.random.split(key)
    speed = jax.random.uniform(keys[0], (rows, 1), minval=0.1, maxval=0.6)
    phase = jax.random.uniform(keys[1], (rows, 1), maxval=2 * jnp.pi)
    steps = jnp.arange(STEPS)
    return jnp.exp(-steps / 20) * jnp.sin(speed * steps + phase)


mine = damped(jax.random.key(1), 4)  # all there is to learn from
test = damped(jax.random.key(2), 128)


def imported():
    layers = from_torch(load_file(folder / "theirs.safetensors"))
    return Predictor(lstm_jax.LSTM.from_params(layers))


def scratch():
    return Predictor(lstm_jax.LSTM(1, WIDTH, rngs=nnx.Rngs(0)))


curves = {}
for name, make in {"from scratch": scratch, "fine-tuned": imported}.items():
    tried = [train(make(), lambda key: mine, rate, UPDATES, test)[1]
             for rate in ((3e-3,) if SHORT else (1e-3, 3e-3, 1e-2))]  # fmt: skip
    curves[name] = min(tried, key=np.min)
    print(f"{name}: error at best {curves[name].min():.4f}, "
          f"after {curves[name].argmin() + 1} updates")  # fmt: skip


# %%
def fine_tuning(curves):
    """Draw the error on waves that neither network has seen."""
    figure = plots.new_figure(size=(6.0, 3.7))
    axes = figure.axes[0]
    for (name, errors), color in zip(curves.items(), ("#d5762c", "#1f5fa8"), strict=True):
        axes.plot(np.arange(1, len(errors) + 1), errors, color=color, label=name)
    axes.set(xscale="log", yscale="log", xlabel="updates", ylabel="mean squared error",
             title="Damped waves, after learning from four of them")  # fmt: skip
    axes.legend()
    return figure


fine_tuning(curves)
