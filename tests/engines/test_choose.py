"""Which implementation a call takes, what it says of the others, and cuDNN's conventions."""

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
    """As on a machine on which it has not been compiled."""
    monkeypatch.setattr(choose.library, "obstacle", lambda: "it is not there")


@pytest.fixture
def on_gpu(monkeypatch):
    """JAX's platform as it would be; what is computed stays on the CPU."""
    monkeypatch.setattr(choose.jax, "default_backend", lambda: "gpu")


def test_an_explanation_says_what_is_taken_and_why_not_the_others():
    params, xs = small()
    told = lj.explain(CELL, params, xs)
    assert told.implementation == "fused"
    assert told.plan == fused.choose(xs, params.recurrent_kernel)
    assert set(told.obstacles) == {"native", "cudnn"}
    assert "not native: there is no native engine: it is not there" in str(told)
    assert "NVIDIA GPU" in str(told)
    assert 'implementation="fused"' in str(told)
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


def test_what_cudnn_cannot_do_is_said(on_gpu):
    params, xs = small()
    state = CELL.zero(params, xs)
    mask = np.ones((T, B), bool)
    with jax.enable_x64(True):
        wide = jnp.asarray(xs, jnp.float64)
    for said, cell, given, options in [
        ("the LSTM's alone", functional.rnn_cell(), (params, xs), {}),
        ("no peephole", CELL, small(peepholes=True), {}),
        ("no projection", CELL, small(projection_features=2), {}),
        ("no norm", CELL, small(layer_norm=True), {}),
        ("no coupled gates", CELL, small(coupled=True), {}),
        ("is float32, and these are float32, float64", CELL, (params, wide), {}),
        ("xs (T, B, D)", CELL, (params, xs[:, 0]), {}),
        ("one step of one row at least", CELL, (params, xs[:0]), {}),
        ("no mask", CELL, (params, xs), {"mask": mask}),
        ("no resets", CELL, (params, xs), {"resets": mask}),
        ("no initial", CELL, (params, xs), {"initial": state}),
        ("no remat", CELL, (params, xs), {"remat": 2}),
        ("no per_row", CELL, (params, xs), {"per_row": True}),
        ("emit asks for more", CELL, (params, xs), {"emit": None}),
        ("backwards", CELL, (params, xs), {"lengths": np.full(B, 2), "reverse": True}),
    ]:
        obstacle = choose.obstacle("cudnn", cell, *given, state, options)
        assert obstacle is not None, said
        assert said in obstacle
    assert choose.obstacle("cudnn", CELL, params, xs, state, {"reverse": True}) is None
    assert "cudnn can be named" in str(lj.explain(CELL, params, xs))


def test_without_an_nvidia_gpu_cudnn_is_refused_with_the_reason():
    params, xs = small()
    said = r'needs an NVIDIA GPU.*default device is a \w+; use implementation="scan"'
    with pytest.raises(ValueError, match=said):
        lj.lstm(params, xs, implementation="cudnn")
    with pytest.raises(ValueError, match='zoneout and implementation="cudnn" do not go together'):
        lj.run_layers(CELL, (params,), xs, noise=lj.Noise(zoneout=0.1), implementation="cudnn")


def reference(xs, h, c, weights, lengths, *, input_size, hidden_size, **rest):
    """JAX's own slow reference of the kernel, from the flat vector that the kernel reads."""
    sizes = input_size, hidden_size, rest["num_layers"], rest["bidirectional"]
    return rnn.lstm_ref(
        xs, h, c, *rnn.unpack_lstm_weights(weights, *sizes), lengths, *sizes[:3],
        rest["dropout"], rest["bidirectional"],
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"lengths": np.array([5, 2, 0])}, {"reverse": True}])
def test_the_kernels_conventions_are_ours(options, monkeypatch, on_gpu):
    """What is given to the kernel, computed by JAX's reference of it, makes our values."""
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
