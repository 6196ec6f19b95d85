"""The core of the package at the smallest sizes, for tests that run all of it under a JAX setting.

`CORE` maps a name to a function without arguments that returns a pytree of results.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import lstm_jax as lj
from lstm_jax import diagnostics, regularize
from lstm_jax.cells import split_named
from lstm_jax.diagnostics.health import update_health
from lstm_jax.engines.fused import Plan, affine_scan
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.losses import tied_cross_entropy
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text import forms, sampling
from lstm_jax.text.forms.plan import Rhymes, Tones
from lstm_jax.train.batch import Batch
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.data.memory import puzzle
from lstm_jax.train.run.health import make_health
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.tasks.memory.task import judge
from lstm_jax.train.tasks.series.outputs import loss_of
from lstm_jax.train.tasks.text.task import window_loss

T, B, D, H, V = 3, 2, 2, 2, 5
LENGTHS = np.array([3, 1], np.int32)
MASK = np.array([[1, 1], [0, 1], [1, 1]], bool)
RESETS = np.array([[0, 1], [1, 0], [0, 1]], bool)
EVERYTHING = {"lengths": LENGTHS, "mask": MASK, "resets": RESETS}
CORE = {}


def core(*arguments, **options):
    """Add a function, bound to arguments, to `CORE`."""

    def register(function):
        values = [str(value) for value in (*arguments, *options.values())]
        CORE[" ".join([function.__name__, *values])] = partial(function, *arguments, **options)
        return function

    return register


def numbers(*shape, dtype=jnp.float32, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def gradients(function, *arguments):
    """Return the gradients of the sum of the function's results, and the results."""

    def total(*arguments):
        out = function(*arguments)
        leaves = jax.tree.leaves(out)
        return sum((leaf.astype(jnp.float32).sum() for leaf in leaves), jnp.float32(0)), out

    return jax.grad(total, tuple(range(len(arguments))), has_aux=True)(*arguments)


# --- recurrences and layers ----------------------------------------------------------------------

CELLS = {
    "lstm": (lj.lstm, lj.init_lstm),
    "rnn": (lj.rnn, lj.init_rnn),
    "gru": (lj.gru, lj.init_gru),
    "gru of the paper": (
        partial(lj.gru, reset_after=False), partial(lj.init_gru, recurrent_bias=False),
    ),
    "mgu": (lj.mgu, lj.init_mgu),
    "peepholes": (lj.lstm, partial(lj.init_lstm, peepholes=True)),
    "coupled": (lj.lstm, partial(lj.init_lstm, coupled=True, peepholes=True)),
    "projected": (lj.lstm, partial(lj.init_lstm, projection_features=1)),
    "normalized": (lj.lstm, partial(lj.init_lstm, layer_norm=True)),
}  # fmt: skip
FUSED = ("lstm", "rnn", "gru", "peepholes", "coupled", "projected")


@core("lstm", "fused", jnp.bfloat16)
@core("lstm", "scan", jnp.bfloat16)
@core("gru", "fused", jnp.bfloat16)
@core("peepholes", "scan", jnp.bfloat16)
@core("peepholes", "fused", jnp.bfloat16)
@core("projected", "fused", jnp.bfloat16)
@core("normalized", "scan", jnp.bfloat16)
def recurrence(cell, implementation, dtype=jnp.float32):
    run, init = CELLS[cell]
    params = jax.tree.map(lambda a: a.astype(dtype), init(jax.random.key(0), D, H))
    return gradients(
        lambda params, xs: run(params, xs, implementation=implementation, remat=2, **EVERYTHING),
        params, numbers(T, B, D, dtype=dtype),
    )  # fmt: skip


for name in CELLS:
    core(name, "scan")(recurrence)
    if name in FUSED:
        core(name, "fused")(recurrence)


@core(Plan(hoisted=False, columns=True))
@core(Plan(hoisted=True, columns=True))
@core(Plan(hoisted=False, columns=False))
@core(Plan(hoisted=True, columns=False))
def planned(how):
    params = lj.init_lstm(jax.random.key(0), D, H)
    state = lj.LSTMState(numbers(B, H), numbers(B, H, seed=1))

    def run(kernels, xs):
        return affine_scan(
            lj.lstm_cell().affine.pointwise, kernels, split_named(params)[1], xs, state, state,
            jnp.asarray(MASK), jnp.asarray(RESETS), how=how,
        )  # fmt: skip

    return gradients(run, split_named(params)[0], numbers(T, B, D))


@core(np.uint8)
@core(np.int64)
def lengths_of_other_integers(dtype):
    params = lj.init_lstm(jax.random.key(0), D, H)
    return lj.lstm(params, numbers(T, B, D), lengths=LENGTHS.astype(dtype))


@core(True)
@core(False)
def states_and_gates(reverse):
    params = lj.init_lstm(jax.random.key(0), D, H)
    state = lj.LSTMState(numbers(B, H), numbers(B, H, seed=1))
    options = {"reverse": reverse, "initial": state, **EVERYTHING}
    return lj.trace(lj.lstm_step, params, numbers(T, B, D), state, gates=lj.lstm_gates, **options)


@core()
def forwards_and_again():
    params = lj.init_lstm(jax.random.key(0), D, H)

    def loss(xs):
        return lj.lstm(params, xs)[1].sum()

    return jax.jvp(jax.grad(loss), (numbers(T, D),), (numbers(T, D),))


@core()
def images():
    params = lj.init_conv_lstm(jax.random.key(0), 1, H, window=(2,), peepholes=True)
    return gradients(
        lambda p, xs: lj.run(lj.conv_lstm_cell((2,)), p, xs, **EVERYTHING),
        params, numbers(T, B, 3, 1),
    )  # fmt: skip


LAYERS = {
    "plain": (lj.LSTM, {}),
    "all dropouts": (lj.LSTM, {"num_layers": 2, "dropout": 0.5, "input_dropout": 0.5,
                               "output_dropout": 0.5, "variational": True}),
    "inside": (lj.LSTM, {"state_dropout": 0.5, "weight_dropout": 0.5, "zoneout": 0.5,
                         "cell_zoneout": 0.5}),
    "residual": (lj.GRU, {"num_layers": 2, "connections": "residual"}),
    "skip": (lj.RNN, {"num_layers": 2, "connections": "skip", "bidirectional": True}),
    "sum": (lj.MGU, {"bidirectional": True, "merge": "sum", "learned_initial": True}),
    "narrow": (lj.LSTM, {"num_layers": 2, "dtype": jnp.bfloat16, "learned_initial": True,
                         "zoneout": 0.5, "layer_norm": True}),
    "all narrow": (lj.LSTM, {"dtype": jnp.bfloat16, "cell_dtype": jnp.bfloat16}),
    "mixed": (lj.LSTM, {"param_dtype": jnp.bfloat16, "dtype": jnp.float32}),
}  # fmt: skip


@core("plain")
@core("all dropouts")
@core("inside")
@core("residual")
@core("skip")
@core("sum")
@core("narrow")
@core("all narrow")
@core("mixed")
def layers(name):
    made, options = LAYERS[name]
    layer = made(D, H, rngs=nnx.Rngs(0), **options)
    graph, params = nnx.split(layer)
    controls = {"lengths": LENGTHS, "mask": MASK.T, "resets": RESETS.T}

    def run(params, key=None, outputs="all"):
        return nnx.merge(graph, params)(numbers(B, T, D), key=key, outputs=outputs, **controls)

    last, _ = run(params, outputs="last")
    return gradients(run, params), last, run(params, jax.random.key(0))


@core(lj.LSTMCell)
@core(lj.GRUCell)
@core(lj.RNNCell)
@core(lj.MGUCell)
def one_step(made):
    cell = made(D, H, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    return cell(cell.initial_state(B), numbers(B, D))


@core()
def penalties():
    def both(hs):
        ar = regularize.activation_penalty(hs, mask=jnp.asarray(MASK))
        return ar, regularize.temporal_activation_penalty(hs, mask=jnp.asarray(MASK))

    return gradients(both, numbers(T, B, H)), gradients(both, numbers(T, B, H, dtype=jnp.bfloat16))


@core("orthogonal")
@core("chrono")
def starts(which):
    params = lj.init_lstm(jax.random.key(0), D, H)
    if which == "chrono":
        return lj.chrono(jax.random.key(1), params, 9.0)
    return [lj.init_lstm(jax.random.key(0), D, H, preset=p) for p in ("torch", "keras")]


# --- models, sampling, training ------------------------------------------------------------------


def language_model(**options):
    return CharLM(V, CharLMConfig(D, H, 2, **options), rngs=nnx.Rngs(0))


IDS = np.array([[1, 2, 3], [4, 1, 0]], np.int32)


@core()
def a_language_model():
    model = language_model(embedding_dropout=0.2, layer_dropout=0.2, output_dropout=0.2)
    graph, params = nnx.split(model)
    options = {"key": jax.random.key(0), "lengths": jnp.asarray(LENGTHS), "resets": RESETS.T}

    def loss(params):
        weights = jnp.ones(IDS.shape)
        return nnx.merge(graph, params).loss(jnp.asarray(IDS), IDS, weights, **options)[1]

    return gradients(loss, params), model.log_probabilities(jnp.asarray(IDS), IDS)


@core()
def a_narrow_language_model():
    table, features = numbers(V, D, dtype=jnp.bfloat16), numbers(B, T, D, dtype=jnp.bfloat16)
    bias, weights = numbers(V, dtype=jnp.bfloat16), jnp.ones((B, T))
    return gradients(lambda *tied: tied_cross_entropy(*tied, IDS, weights), features, table, bias)


@core()
@core(0.1, 0.9)
def losses_of_forecasts(*quantiles):
    outputs, targets = numbers(B, T, max(len(quantiles), 1)), numbers(B, T)
    return gradients(lambda outputs: loss_of(outputs, targets, quantiles), outputs)


@core("adding", 1)
@core("order", 4)
@core("copy", 9)
@core("flipflop", 3)
def losses_of_puzzles(name, says):
    batch = puzzle(name).generate(np.random.default_rng(0), B, 24)
    model = SequenceModel(batch.inputs.shape[-1], says, SequenceModelConfig(), rngs=nnx.Rngs(0))
    return judge(name, model, batch)


@core("max")
@core("mean")
@core("last")
@core("attention")
def a_classifier(pooling):
    config = SequenceClassifierConfig(
        D, H, pooling=pooling, word_dropout=0.3, input_dropout=0.3, output_dropout=0.3
    )
    words = SequenceClassifier(2, config, vocabulary_size=V, rngs=nnx.Rngs(0))
    vectors = SequenceClassifier(2, config, in_features=D, rngs=nnx.Rngs(0))
    options = {"lengths": jnp.asarray(LENGTHS), "key": jax.random.key(0)}
    return words(IDS, **options), vectors(numbers(B, T, D), **options), words(IDS)


@core()
def a_forecaster():
    config = ForecasterConfig(H, output_dropout=0.2, linear=2, odd=True)
    return Forecaster(D, T, 2, 2, config, rngs=nnx.Rngs(0))(numbers(B, T, D))


@core("lstm")
@core("gru")
def a_sequence_model(cell):
    model = SequenceModel(D, 2, SequenceModelConfig(cell, H), rngs=nnx.Rngs(0))
    return model(numbers(B, T, D), lengths=LENGTHS), model.last(numbers(B, T, D), lengths=LENGTHS)


@core()
@core(top_k=2)
@core(top_p=0.7)
@core(top_k=2, top_p=0.7)
def drawing(**filters):
    graph, params = nnx.split(language_model())

    def step(params, state, ids):
        return nnx.merge(graph, params).step(state, ids)

    return lj.sample(
        step, params, language_model().initial_state(B), IDS, LENGTHS,
        key=jax.random.key(0), max_length=2, eos_id=0, temperature=0.8, **filters,
    )  # fmt: skip


@core()
def verse_to_order():
    """Draw two lines of two characters, with a pattern of tones and two rhymes."""
    some, places = np.arange(8) % 2 == 0, np.zeros((3, 3), np.int32)
    tables = forms.make_plan(forms.Order("2x2", acrostic="天"), Vocabulary(tuple("天地人，。？")))
    tables = tables._replace(
        tones=Tones(np.stack([places + 1, places]), np.stack([some, some, ~some])),
        rhymes=Rhymes(places + 1, np.stack([some, ~some], 1), some),
    )
    place = forms.start(tables, np.ones(B, np.int32), np.ones((B, 2), bool))

    def step(params, state, ids):
        return state + 1, params[ids]

    masked, params = forms.ruled(step), numbers(8, 8)
    lengths = np.full(B, 2, np.int32)
    drawn = sampling.sample(
        masked, (params, tables), (jnp.zeros(B), place), IDS[:, :2], lengths,
        key=jax.random.key(0), max_length=2, eos_id=0,
    )  # fmt: skip
    left = forms.masses_left(step, params, jnp.zeros(B), tables, place, IDS[:, :2])
    return drawn, left


@core(jnp.bfloat16)
def drawing_from_narrow_logits(dtype):
    def step(params, state, ids):
        return state + 1, params[ids]

    table = numbers(V, V, dtype=dtype)
    given = {"key": jax.random.key(0), "max_length": 2, "eos_id": 0, "top_k": 2, "top_p": 0.9}
    return sampling.sample(step, table, jnp.zeros(B), IDS, LENGTHS, **given)


@core()
def one_symbol():
    """Decode symbol by symbol, as `LanguageModel.generate` does."""

    def step(params, state, ids):
        return state + 1, params[ids]

    table, state = numbers(V, V), jnp.zeros(1)
    decoding = sampling.prefill(step, table, state, IDS[:1, :1], np.ones(1, np.int32))
    options = {"num_steps": 1, "eos_id": 0, "temperature": np.float32(0.8)}
    return sampling.decode(step, table, decoding, key=jax.random.key(0), **options)


def training():
    model = language_model(layer_dropout=0.2)
    optimizer, _ = make_optimizer(OptimizerConfig(learning_rate=0.1, warmup_steps=1), 4)
    state = make_state(model, optimizer, model.initial_state(B))
    batch = Batch(IDS, IDS[:, ::-1], RESETS.T, np.ones(IDS.shape, np.float32))
    return model, optimizer, state, batch


@core()
def an_update():
    model, optimizer, state, batch = training()
    state, metrics = make_update(window_loss, model, optimizer, 0)(state, batch)
    return state.params, state.carry, metrics


@core()
@core(exponents=1)
def the_health_of_an_update(exponents=0):
    model, optimizer, state, batch = training()
    look = make_health(
        window_loss, model, optimizer, 0,
        initial_state=CharLM.initial_state, clip_norm=1.0, exponents=exponents,
    )  # fmt: skip
    found = look(state, batch)
    return found.adjoint, found.update.grad_norm, found.growth


# --- diagnostics ---------------------------------------------------------------------------------


def recurrence_of_one():
    params = lj.init_lstm(jax.random.key(0), D, H)
    return lj.lstm_step, params, numbers(T, D), lj.LSTMState(numbers(H), numbers(H, seed=1))


def recurrence_of_many(size):
    """Return a recurrence that is wide enough for the matrix-free methods."""

    def move(params, state, x):
        return jnp.tanh(params @ state + x)

    matrix = numbers(size, size, seed=3) / math.sqrt(size)
    return move, matrix, numbers(2, size), numbers(size, seed=2)


def last(states):
    return states.h[-1].sum()


DIAGNOSTICS = {
    "dense spectrum": lambda: (
        diagnostics.product_spectrum(
            *recurrence_of_one(), k=2, method="dense", qr_every=2
        ).log_singular_values
    ),
    "matrix-free spectrum": lambda: (
        diagnostics.product_spectrum(
            *recurrence_of_one(), k=2, lags=[1, 3], method="matrix-free"
        ).log_singular_values
    ),
    "matrix-free spectrum of many": lambda: (
        diagnostics.product_spectrum(
            *recurrence_of_many(25), k=1, lags=[1], method="matrix-free"
        ).log_singular_values
    ),
    "spectrum by steepness": lambda: (
        diagnostics.product_spectrum(*recurrence_of_many(50), k=1, lags=[2]).log_singular_values
    ),
    "jacobians": lambda: diagnostics.step_jacobians(*recurrence_of_one()),
    "norms": lambda: diagnostics.step_norms(*recurrence_of_one()),
    "norms of many": lambda: diagnostics.step_norms(*recurrence_of_many(49)).log_spectral,
    "bound": lambda: diagnostics.log_bound(numbers(T)),
    "lyapunov": lambda: diagnostics.lyapunov_spectrum(*recurrence_of_one(), burn_in=1).exponents,
    "flossing": lambda: gradients(
        lambda params: diagnostics.flossing(
            lj.lstm_step, params, recurrence_of_one()[2], recurrence_of_one()[3], k=2
        ),
        recurrence_of_one()[1],
    ),
    "adjoints": lambda: diagnostics.adjoints(*recurrence_of_one(), last, mask=MASK[:, 1]),
    "roads": lambda: diagnostics.cell_and_hidden(*recurrence_of_one(), last),
    "norms by lag": lambda: [
        diagnostics.norms_by_lag(numbers(T, B, H), per=per) for per in ("batch", "sequence", "unit")
    ],
    "influence": lambda: diagnostics.influence_lag(numbers(T) ** 2, 0.5),
    "cell": lambda: diagnostics.cell_jacobian(jax.nn.sigmoid(numbers(T, H))),
    "context": lambda: diagnostics.loss_by_context(
        *recurrence_of_one(), lambda state, t: state.h.sum() * t.astype(jnp.float32), [1, 2]
    ),
    "memory": lambda: diagnostics.memory_length(jnp.arange(T), numbers(T)),
    "histogram": lambda: diagnostics.histogram(jax.nn.sigmoid(numbers(T, H)), bins=3),
    "saturation": lambda: diagnostics.saturation(jax.nn.sigmoid(numbers(T, H))),
    "timescales": lambda: diagnostics.order_by_timescale(jax.nn.sigmoid(numbers(T, H))),
    "horizon": lambda: diagnostics.memory_horizon(jax.nn.sigmoid(numbers(T, H))),
    "health": lambda: update_health(numbers(B), numbers(B), numbers(B), clip_norm=1.0),
}


def fixed_points():
    step, params, xs, _ = recurrence_of_one()
    states = lj.LSTMState(numbers(B, H), numbers(B, H, seed=1))
    found = diagnostics.fixed_points(step, params, xs[0], states, iterations=3)
    return (
        found.states,
        found.speeds,
        len(diagnostics.distinct(found)),
        found.stable,
        found.unstable,
    )


DIAGNOSTICS["fixed points"] = fixed_points
CORE |= {f"diagnostics: {name}": run for name, run in DIAGNOSTICS.items()}
