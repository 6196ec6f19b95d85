"""The other frameworks: each function runs one on random weights and returns a `Case`.

Frameworks are imported inside, so that a test needs only its own.
"""

import jax
import jax.numpy as jnp
import numpy as np
from interop.cases import Case

T, B = 4, 3


def random(rng, *shape):
    return rng.normal(scale=0.7, size=shape).astype(np.float32)


def randomised(rng, tree):
    """The same tree with random numbers, including biases, which frameworks start at zero."""
    return jax.tree.map(lambda a: random(rng, *a.shape), tree)


def torch_case(
    cell, D, H, *, seed=0, num_layers=1, bidirectional=False, proj=0, bias=True, lengths=None,
    activation="tanh",
):  # fmt: skip
    """`cell` is "LSTM", "GRU" or "RNN"; with lengths as a packed sequence."""
    import torch

    rng = np.random.default_rng(seed)
    options = {"proj_size": proj} if proj else {}
    if cell == "RNN":
        options["nonlinearity"] = activation
    module = getattr(torch.nn, cell)(
        D, H, num_layers=num_layers, bidirectional=bidirectional, bias=bias, **options
    )
    weights = {name: random(rng, *value.shape) for name, value in module.state_dict().items()}
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    xs = random(rng, T, B, D)
    N = num_layers * (1 + bidirectional)
    widths = [proj or H, H] if cell == "LSTM" else [H]
    initial = [random(rng, N, B, width) for width in widths]
    state = tuple(map(torch.from_numpy, initial)) if len(initial) == 2 else torch.tensor(initial[0])
    inputs = torch.from_numpy(xs)
    with torch.no_grad():
        if lengths is None:
            hs, final = module(inputs, state)
        else:
            lengths = np.asarray(lengths, np.int32)
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                inputs, torch.from_numpy(lengths).long(), enforce_sorted=False
            )
            packed, final = module(packed, state)
            hs, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, total_length=T)
    final = [f.numpy() for f in (final if isinstance(final, tuple) else (final,))]
    return Case(weights, xs, initial, hs.numpy(), final, lengths, {"activation": activation})


def keras_case(cell, D, H, *, seed=0, bidirectional=(False,), bias=True, given=None, **options):
    """`cell` is "LSTM", "GRU" or "SimpleRNN"; one flag for each layer; random weights, or given."""
    import keras

    rng = np.random.default_rng(seed)
    xs = random(rng, T, B, D)
    N, fields = sum(1 + both for both in bidirectional), 2 if cell == "LSTM" else 1
    initial = [random(rng, N, B, H) for _ in range(fields)]
    hs, weights, finals, n = np.swapaxes(xs, 0, 1), [], [], 0
    for both in bidirectional:
        layer = getattr(keras.layers, cell)(
            H, return_sequences=True, return_state=True, use_bias=bias, **options
        )
        if both:
            layer = keras.layers.Bidirectional(layer)
        layer.build(hs.shape)
        # Not get_weights(), whose call of NumPy warns.
        own = [random(rng, *variable.shape) for variable in layer.weights]
        own = own if given is None else given[len(weights)]
        layer.set_weights(own)
        weights.append(own)
        state = [initial[f][n + side] for side in range(1 + both) for f in range(fields)]
        hs, *final = layer(hs, initial_state=state)
        hs = np.asarray(hs)
        finals += [final[:fields], final[fields:]][: 1 + both]
        n += 1 + both
    final = [np.stack([np.asarray(f[k]) for f in finals]) for k in range(fields)]
    return Case(
        weights, xs, initial, np.swapaxes(hs, 0, 1), final, None, {"activation": "tanh", **options}
    )


def steps(step, xs, initial):
    """Run a cell over time: `step(state, x)` returns the new state, a list with h first."""
    state, hs, step = [a[0] for a in initial], [], jax.jit(step)
    for x in xs:
        state = step(state, x)
        hs.append(np.asarray(state[0]))
    return np.stack(hs), [np.asarray(s)[None] for s in state]


def states(rng, fields, H):
    return [random(rng, 1, B, H) for _ in range(fields)]


def haiku_case(cell, D, H, *, seed=0, **options):
    """`cell` is "LSTM", "GRU" or "VanillaRNN"."""
    import haiku as hk

    rng = np.random.default_rng(seed)
    xs, initial = random(rng, T, B, D), states(rng, 2 if cell == "LSTM" else 1, H)

    def forward(x, state):
        state = hk.LSTMState(*state) if cell == "LSTM" else state[0]
        return getattr(hk, cell)(H, **options)(x, state)[1]

    module = hk.without_apply_rng(hk.transform(forward))
    like = jax.eval_shape(module.init, jax.random.key(0), xs[0], [a[0] for a in initial])
    weights = randomised(rng, {path: dict(own) for path, own in like.items()})

    def step(state, x):
        new = module.apply(weights, x, state)
        return [new.hidden, new.cell] if cell == "LSTM" else [new]

    hs, final = steps(step, xs, initial)
    ours = {"activation": "relu", "reset_after": cell != "GRU"}
    return Case(weights, xs, initial, hs, final, None, ours)


def equinox_case(cell, D, H, *, seed=0, bias=True):
    """`cell` is "LSTMCell" or "GRUCell"."""
    import equinox as eqx

    rng = np.random.default_rng(seed)
    xs, initial = random(rng, T, B, D), states(rng, 2 if cell == "LSTMCell" else 1, H)
    module = getattr(eqx.nn, cell)(D, H, use_bias=bias, key=jax.random.key(0))
    names = ["weight_ih", "weight_hh"] + ["bias"] * bias
    names += ["bias_n"] * (bias and cell == "GRUCell")
    weights = randomised(rng, {name: getattr(module, name) for name in names})
    module = with_equinox_weights(module, weights)

    def step(state, x):
        carry = tuple(state) if len(state) == 2 else state[0]
        new = jax.vmap(module)(x, carry)
        return list(new) if len(state) == 2 else [new]

    hs, final = steps(step, xs, initial)
    return Case(weights, xs, initial, hs, final)


def with_equinox_weights(module, weights):
    """As the docstring of `to_equinox` says."""
    import equinox as eqx

    arrays = [jnp.asarray(array) for array in weights.values()]
    return eqx.tree_at(lambda cell: [getattr(cell, name) for name in weights], module, arrays)


def carried(state):
    """Flax's carry is (c, h)."""
    return (state[1], state[0]) if len(state) == 2 else state[0]


def linen_case(cell, D, H, *, seed=0):
    """`cell` is "LSTMCell", "OptimizedLSTMCell", "GRUCell" or "SimpleCell"."""
    from flax import linen

    rng = np.random.default_rng(seed)
    xs, initial = random(rng, T, B, D), states(rng, 2 if "LSTM" in cell else 1, H)
    module = getattr(linen, cell)(H)
    carry = carried([a[0] for a in initial])
    weights = randomised(rng, jax.eval_shape(module.init, jax.random.key(0), carry, xs[0]))[
        "params"
    ]

    def step(state, x):
        carry, _ = module.apply({"params": weights}, carried(state), x)
        return [carry[1], carry[0]] if len(state) == 2 else [carry]

    hs, final = steps(step, xs, initial)
    return Case(weights, xs, initial, hs, final, None, {"activation": "tanh"})


def nnx_case(cell, D, H, *, seed=0):
    """`cell` is as in `linen_case`."""
    from flax import nnx

    rng = np.random.default_rng(seed)
    xs, initial = random(rng, T, B, D), states(rng, 2 if "LSTM" in cell else 1, H)
    module = nnx.eval_shape(lambda: getattr(nnx, cell)(D, H, rngs=nnx.Rngs(0)))
    graph, params = nnx.split(module)
    weights = randomised(rng, nnx.to_pure_dict(params))
    nnx.replace_by_pure_dict(params, weights)

    def step(state, x):
        carry, _ = nnx.merge(graph, params)(carried(state), x)
        return [carry[1], carry[0]] if len(state) == 2 else [carry]

    hs, final = steps(step, xs, initial)
    return Case(weights, xs, initial, hs, final, None, {"activation": "tanh"})


def cudnn_case(D, H, *, seed=0, num_layers=1, bidirectional=False, lengths=None):
    """JAX's own reference of its cuDNN call, over the same flat vector."""
    from jax.experimental import rnn

    rng = np.random.default_rng(seed)
    sizes = {
        "input_size": D, "hidden_size": H, "num_layers": num_layers,
        "bidirectional": bidirectional,
    }  # fmt: skip
    weights = random(rng, rnn.get_num_params_in_lstm(*sizes.values()))
    xs = random(rng, T, B, D)
    initial = [random(rng, num_layers * (1 + bidirectional), B, H) for _ in range(2)]
    kept = np.full(B, T, np.int32) if lengths is None else np.asarray(lengths, np.int32)

    @jax.jit
    def reference(xs, initial, weights, kept):
        unpacked = rnn.unpack_lstm_weights(weights, *sizes.values())
        xs = jnp.swapaxes(xs, 0, 1)
        ys, *final = rnn.lstm_ref(xs, *initial, *unpacked, kept, dropout=0.0, **sizes)
        return jnp.swapaxes(ys, 0, 1), final

    hs, final = jax.tree.map(np.asarray, reference(xs, initial, weights, kept))
    return Case(weights, xs, initial, hs, final, kept, {"sizes": sizes})
