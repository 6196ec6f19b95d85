"""The choice of an implementation, its explanation, and cuDNN's conventions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax import functional
from lstm_jax.engines import choose, cudnn, fused
from lstm_jax.interop import to_cudnn

pytestmark = pytest.mark.usefixtures("compile_fast")

T, B, D, H = 5, 3, 2, 4
CELL = functional.lstm_cell()


def small(**options):
    params = lj.init_lstm(jax.random.key(0), D, H, **options)
    return params, make_xs((T, B, D), dtype=np.float32)


@pytest.fixture(autouse=True)
def no_native(monkeypatch):
    """Pretend that the native engine has not been compiled."""
    monkeypatch.setattr(choose.library, "obstacle", lambda: "it is missing")


@pytest.fixture
def on_gpu(monkeypatch):
    """Pretend that JAX's platform is a GPU; the CPU still computes everything."""
    monkeypatch.setattr(choose.jax, "default_backend", lambda: "gpu")


def test_an_explanation_names_the_choice_and_the_obstacles():
    params, xs = small()
    explanation = lj.explain(CELL, params, xs)
    assert explanation.implementation == "fused"
    assert explanation.plan == fused.choose(xs, params.recurrent_kernel)
    assert set(explanation.obstacles) == {"native", "cudnn"}
    assert "not native: the native engine is not available: it is missing" in str(explanation)
    assert "NVIDIA GPU" in str(explanation)
    assert 'implementation="fused"' in str(explanation)
    named = lj.explain(CELL, params, xs, implementation="scan")
    assert (named.implementation, named.plan) == ("scan", None)


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        (functional.rnn_cell(), {}, "fused"),
        (functional.gru_cell(), {}, "fused"),
        (functional.gru_cell(reset_after=False), {}, "scan"),
        (functional.mgu_cell(), {}, "scan"),
        (CELL, {"emit": None}, "scan"),
    ],
)
def test_the_best_is_the_fused_path_where_there_is_one(cell, options, expected):
    params, xs = small()
    assert choose.best(cell, params, xs, None, options) == expected


def test_a_gru_of_many_rows_takes_the_scan():
    params, xs = lj.init_gru(jax.random.key(0), D, H), jnp.zeros((T, 64, D))
    assert lj.explain(functional.gru_cell(), params, xs).implementation == "scan"


def test_the_obstacles_for_cudnn_are_explained(on_gpu):
    params, xs = small()
    state = CELL.zero(params, xs)
    mask = np.ones((T, B), bool)
    with jax.enable_x64(True):
        wide = jnp.asarray(xs, jnp.float64)
    for reason, cell, arguments, options in [
        ("only the LSTM", functional.rnn_cell(), (params, xs), {}),
        ("no peephole", CELL, small(peepholes=True), {}),
        ("no projection", CELL, small(projection_features=2), {}),
        ("no norm", CELL, small(layer_norm=True), {}),
        ("no coupled gates", CELL, small(coupled=True), {}),
        ("needs float32, got float32, float64", CELL, (params, wide), {}),
        ("xs (T, B, D)", CELL, (params, xs[:, 0]), {}),
        ("at least one step of one row", CELL, (params, xs[:0]), {}),
        ("not mask", CELL, (params, xs), {"mask": mask}),
        ("not resets", CELL, (params, xs), {"resets": mask}),
        ("not initial", CELL, (params, xs), {"initial": state}),
        ("not remat", CELL, (params, xs), {"remat": 2}),
        ("not per_row", CELL, (params, xs), {"per_row": True}),
        ("not support emit", CELL, (params, xs), {"emit": None}),
        ("in reverse only", CELL, (params, xs), {"lengths": np.full(B, 2), "reverse": True}),
    ]:
        obstacle = choose.obstacle("cudnn", cell, *arguments, state, options)
        assert obstacle is not None, reason
        assert reason in obstacle
    assert choose.obstacle("cudnn", CELL, params, xs, state, {"reverse": True}) is None
    assert "cudnn is available on request" in str(lj.explain(CELL, params, xs))


def test_without_an_nvidia_gpu_cudnn_is_refused_with_the_reason():
    params, xs = small()
    message = r'needs an NVIDIA GPU.*default device is a \w+; use implementation="scan"'
    with pytest.raises(ValueError, match=message):
        lj.lstm(params, xs, implementation="cudnn")
    with pytest.raises(ValueError, match='zoneout and implementation="cudnn" cannot be combined'):
        lj.run_layers(CELL, (params,), xs, noise=lj.Noise(zoneout=0.1), implementation="cudnn")


def reference(xs, h, c, weights, lengths, *, input_size, hidden_size, **rest):
    """Run JAX's slow reference of the kernel on the flat vector that the kernel reads."""
    sizes = input_size, hidden_size, rest["num_layers"], rest["bidirectional"]
    return rnn.lstm_ref(
        xs, h, c, *rnn.unpack_lstm_weights(weights, *sizes), lengths, *sizes[:3],
        rest["dropout"], rest["bidirectional"],
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"lengths": np.array([5, 2, 0])}, {"reverse": True}])
def test_the_kernels_conventions_are_ours(options, monkeypatch, on_gpu):
    """JAX's reference of the kernel computes our values from the kernel's arguments."""
    monkeypatch.setattr(rnn, "lstm", reference)
    params = make_params("lstm", D, H, dtype=np.float32)
    xs, state = make_xs((T, B, D), dtype=np.float32), make_state("lstm", (B,), H, dtype=np.float32)

    def loss(params, xs, state, name):
        final, hs = lj.lstm(params, xs, state, implementation=name, **options)
        return (hs**2 * (1 + hs)).sum() + (final.c**2).sum() + final.h.sum(), (final, hs)

    def both(name):
        return jax.value_and_grad(loss, (0, 1, 2), has_aux=True)(params, xs, state, name)

    for a, b in zip(*(jax.tree.leaves(both(n)) for n in ("cudnn", "scan")), strict=True):
        assert_close(a, np.asarray(b), 1e-5)


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs an NVIDIA GPU")
def test_the_real_kernel_on_a_gpu():
    params, xs = small()

    def loss(params, xs, name):
        with jax.default_matmul_precision("highest"):
            final, hs = lj.lstm(params, xs, implementation=name, lengths=np.array([5, 2, 1]))
        return (hs**2).sum() + final.c.sum()

    found = [jax.value_and_grad(loss, (0, 1))(params, xs, n) for n in ("cudnn", "scan")]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        assert_close(a, np.asarray(b), 1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_the_kernel_reads_the_vector_that_interop_writes(bias):
    params, _ = small(bias=bias)
    np.testing.assert_array_equal(cudnn.flat(params), to_cudnn((params,)))
