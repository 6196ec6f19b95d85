"""The native engine against the plain loop and the oracle, and its build."""

import functools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cells as oracle

import lstm_jax as lj
from lstm_jax import cli, functional
from lstm_jax.cells import LSTMState
from lstm_jax.engines import native
from lstm_jax.engines.native import compiler, library

pytestmark = pytest.mark.usefixtures("compile_fast", "built")

T = 6
# Rows, features, units: threads share rows or units, and the last vector is full or not.
SIZES = [(1, 1, 1), (1, 4, 33), (7, 2, 16), (19, 5, 21), (26, 3, 70)]
OPTIONS = ["plain", "reverse", "masked", "reset", "all"]


def problem(rows, features, width, options="plain", bias=True):
    rng = np.random.default_rng(rows + width)
    params = lj.init_lstm(jax.random.key(1), features, width, bias=bias)
    xs, h, c, initial_h, initial_c = (
        jnp.asarray(rng.normal(size=size), jnp.float32)
        for size in [(T, rows, features), *[(rows, width)] * 4]
    )
    asked = {"reverse": options in ("reverse", "all")}
    if options in ("masked", "all"):
        asked["mask"] = rng.random((T, rows)) < 0.6
        xs = jnp.where(asked["mask"][..., None], xs, jnp.nan)  # padding may have any content
    if options in ("reset", "all"):
        asked["resets"] = rng.random((T, rows)) < 0.3
    return (params, xs, LSTMState(h, c), LSTMState(initial_h, initial_c)), asked


def loss(implementation, asked):
    def of(params, xs, state, initial):
        final, hs = lj.lstm(
            params, xs, state, initial=initial, implementation=implementation, **asked
        )
        return (hs * jnp.sin(hs)).sum() + (final.h * final.c).sum(), (final, hs)

    return of


def derivatives(implementation, asked):
    return jax.jit(jax.value_and_grad(loss(implementation, asked), (0, 1, 2, 3), has_aux=True))


@functools.cache
def prepared(size, options):
    """The arguments, a compiled native function of them, and the result of the plain loop."""
    arguments, asked = problem(*size, options, bias=size[2] != 33)
    return arguments, derivatives("native", asked), derivatives("scan", asked)(*arguments)


def assert_near(found, wanted, tolerance):
    """Within a tolerance of the largest value of each array."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        scale = float(jnp.abs(b).max()) if b.size else 0.0
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("options", OPTIONS)
def test_values_and_gradients_are_those_of_the_plain_loop(path, options):
    for size in SIZES:
        arguments, native_run, wanted = prepared(size, options)
        found = native_run(*arguments)
        assert_near(found[0], wanted[0], 1e-6)
        assert_near(found[1], wanted[1], 1e-5)


def test_it_is_as_exact_as_the_plain_loop(path):
    """Against the oracle in float64, with gates from 0 to 1 inclusive."""
    (params, xs, state, _), _ = problem(3, 4, 18)
    for scale in (
        1e-30,
        1.0,
        30.0,
    ):  # tiny weights, and gates that are shut or open
        params = jax.tree.map(lambda a, s=scale: a * s, params)
        with jax.enable_x64(True):
            wide = jax.tree.map(lambda a: np.asarray(a, np.float64), (params, xs, state))
        rows = []
        for b in range(3):
            h, c = (np.asarray(a[b]) for a in wide[2])
            for t in range(T):
                weights = oracle.as_params(wide[0])
                h, c = oracle.lstm_step(weights, (h, c), wide[1][t, b])
                rows.append(h)
        wanted = np.asarray(rows).reshape(3, T, -1).swapaxes(0, 1)
        errors = {
            name: np.abs(lj.lstm(params, xs, state, implementation=name)[1] - wanted).max()
            for name in ("native", "scan")
        }
        assert errors["native"] <= 1e-6 * np.abs(wanted).max()
        assert errors["native"] <= 2 * errors["scan"] + 1e-7 * np.abs(wanted).max()


def test_a_nan_stays_in_its_row(path):
    (params, xs, state, _), _ = problem(7, 2, 16)
    final, hs = lj.lstm(params, xs.at[2, 3, 0].set(jnp.nan), state, implementation="native")
    wrong = np.isnan(hs).any(-1)
    assert wrong[2:, 3].all()
    assert wrong.sum() == T - 2
    assert np.isnan(final.c[3]).all()


def transformed():
    """JAX's transformations of a function of a sequence, by name, applied to `run(xs, name)`."""
    (params, xs, state, _), asked = problem(3, 2, 5, "masked")
    xs = jnp.nan_to_num(xs)
    also = jnp.stack([xs, 1 + xs])

    def run(xs, name, params=params):
        return lj.lstm(params, xs, state, implementation=name, **asked)[1]

    def total(xs, name):
        return (run(xs, name) ** 3).sum()

    several = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), params)
    weighted = jax.grad(lambda p, x, name: (run(x, name, p) ** 2).sum())
    return xs, {
        "jvp": lambda x, n: jax.jvp(lambda x: run(x, n), (x,), (also[1],))[1],
        "jacfwd": lambda x, n: jax.jacfwd(lambda s: run(s * x, n))(1.0),
        "forward over reverse": lambda x, n: jax.jvp(
            lambda x: jax.grad(total)(x, n), (x,), (also[1],)
        )[1],
        "reverse over reverse": lambda x, n: jax.grad(lambda x: (jax.grad(total)(x, n) ** 2).sum())(
            x
        ),
        "reverse over forward": lambda x, n: jax.grad(
            lambda x: jax.jvp(lambda x: total(x, n), (x,), (also[1],))[1]
        )(x),
        "vmap": lambda x, n: jax.vmap(lambda x: run(x, n))(also * x),
        "vmap of a gradient": lambda x, n: jax.vmap(lambda x: jax.grad(total)(x, n))(also * x),
        "vmap over weights": lambda x, n: jax.vmap(lambda p: weighted(p, x, n))(several),
        "gradient of a vmap": lambda x, n: jax.grad(
            lambda x: jax.vmap(lambda s: total(s * x, n))(jnp.arange(3.0)).sum()
        )(x),
        "checkpoint": lambda x, n: jax.grad(jax.checkpoint(lambda x: total(x, n)))(x),
        "remat in chunks": lambda x, n: jax.grad(
            lambda x: (lj.lstm(params, x, implementation=n, remat=2)[1] ** 2).sum()
        )(x),
        "linearize": lambda x, n: jax.linearize(lambda x: run(x, n), x)[1](also[1]),
        "linear_transpose": lambda x, n: jax.linear_transpose(
            jax.linearize(lambda x: run(x, n), x)[1], x
        )(also[1][..., :1] + jnp.zeros(5)),
    }


def test_every_transformation_works():
    xs, every = transformed()

    def all_of(xs, name):
        return {kind: made(xs, name) for kind, made in every.items()}

    found, wanted = (jax.jit(all_of, static_argnums=1)(xs, name) for name in ("native", "scan"))
    for kind in every:
        assert_near(found[kind], wanted[kind], 1e-5)


def test_any_number_of_batch_axes():
    params = lj.init_lstm(jax.random.key(1), 2, 5)
    for batch in ((), (2, 3), (2, 1, 2)):
        xs = jax.random.normal(jax.random.key(2), (T, *batch, 2))
        mask = jax.random.bernoulli(jax.random.key(3), 0.7, (T, *batch))
        found, wanted = (
            jax.value_and_grad(lambda x, n=name, m=mask: (
                lj.lstm(params, x, implementation=n, mask=m)[1] ** 2
            ).sum())(xs)
            for name in ("native", "scan")
        )  # fmt: skip
        assert_near(found, wanted, 1e-5)


def test_an_exported_program_runs_without_kernels():
    (params, xs, state, _), _ = problem(3, 2, 5)

    def run(xs):
        return lj.lstm(params, xs, state, implementation="native")[1]

    for platforms in (["cpu"], ["tpu"], ["cpu", "cuda"]):
        exported = jax.export.export(jax.jit(run), platforms=platforms)(xs)
        assert "lstm_jax_forward" not in exported.mlir_module()
    assert "lstm_jax_forward" in jax.jit(run).lower(xs).as_text()


def test_the_same_input_gives_the_same_bits_however_busy_the_machine():
    (params, xs, state, initial), asked = problem(26, 3, 70)
    one_row = (params, xs[:, :1], *(jax.tree.map(lambda a: a[:1], s) for s in (state, initial)))

    run = derivatives("native", asked)

    def bits(arguments):
        return [np.asarray(a).tobytes() for a in jax.tree.leaves(run(*arguments))]

    alone = bits((params, xs, state, initial)), bits(one_row)
    with ThreadPoolExecutor(6) as threads:  # more callers than cores, by rows and by units
        many = list(threads.map(bits, [(params, xs, state, initial), one_row] * 12))
    assert all(found == alone[i % 2] for i, found in enumerate(many))


# --- when it is taken ----------------------------------------------------------------------------


def test_it_is_chosen_where_it_can_run_and_explained_where_not(monkeypatch):
    cell = functional.lstm_cell()
    (params, xs, state, _), _ = problem(3, 2, 5)
    assert lj.explain(cell, params, xs, state).implementation == "native"
    half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (params, xs, state))
    for why, explained in [
        ("needs float32, got bfloat16", lj.explain(cell, *half)),
        ("fixed sizes of at least 1", lj.explain(cell, params, xs[:0], state)),
        ("has no peephole", lj.explain(cell, replace(params, peephole=jnp.zeros((3, 5))), xs)),
        ("only the LSTM", lj.explain(functional.rnn_cell(), lj.init_rnn(jax.random.key(0), 2, 5),
                                     xs)),
        ("emit", lj.explain(cell, params, xs, emit=None)),
    ]:  # fmt: skip
        assert explained.implementation != "native"
        assert why in explained.obstacles["native"]
    monkeypatch.setenv(library.VARIABLE, "0")
    library.forget()
    assert "LSTM_JAX_NATIVE is 0" in lj.explain(cell, params, xs, state).obstacles["native"]
    with pytest.raises(ValueError, match='LSTM_JAX_NATIVE is 0; use implementation="scan"'):
        lj.lstm(params, xs, state, implementation="native")
    with pytest.raises(native.NativeError, match="turned off"):
        native.build()


@pytest.fixture
def elsewhere(monkeypatch, tmp_path, built):
    """A copy of the built library, in a folder that tests may damage."""
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path))
    place = library.folder()
    place.mkdir(mode=0o700)
    record = built.library.record
    (place / record.file).write_bytes((built.folder / record.file).read_bytes())
    (place / record.file).chmod(0o700)
    library.write_record(record, place)
    yield place
    monkeypatch.undo()
    library.forget()


def rewrite(place, **changes):
    record = json.loads((place / library.RECORD).read_text())
    library.write_record(library.Record(**record | changes), place)


def test_only_a_library_built_here_is_loaded(elsewhere):
    record = library.Record(**json.loads((elsewhere / library.RECORD).read_text()))
    rewrite(elsewhere, jaxlib="0.0.1")
    assert library.obstacle() == "it was compiled for another jaxlib; run lstm-jax native"
    rewrite(elsewhere, **asdict(record) | {"cpu": "z80"})
    assert "another cpu" in library.obstacle()
    rewrite(elsewhere, **asdict(record) | {"sha256": "0" * 64})
    assert "has changed since it was built" in library.obstacle()
    (elsewhere / library.RECORD).write_text("[]")
    library.forget()
    assert "cannot be read" in library.obstacle()
    library.write_record(record, elsewhere)
    elsewhere.chmod(0o777)
    library.forget()
    assert "writable by nobody else" in library.obstacle()
    (elsewhere / library.RECORD).unlink()
    library.forget()
    assert library.obstacle() == "its kernels have not been compiled; run lstm-jax native"


def test_without_a_compiler_training_continues_with_a_message(
    elsewhere, monkeypatch, tmp_path, capsys
):
    (elsewhere / library.RECORD).unlink()
    library.forget()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["native"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(
        "lstm-jax: no C++ compiler was found (c++, g++, clang++); install g++"
    )
    lines = []
    native.build_once(lines.append)
    assert lines[1].startswith("continuing without it: no C++ compiler")
    (params, xs, state, _), _ = problem(3, 2, 5)
    assert lj.explain(functional.lstm_cell(), params, xs, state).implementation == "fused"


def test_a_failing_compiler_is_reported_in_one_line(elsewhere, monkeypatch, tmp_path):
    broken = tmp_path / "c++"
    broken.write_text(
        "#!/bin/sh\n[ $1 = --version ] && exit\necho 'x.cc:1: error: no' >&2; exit 1\n"
    )
    broken.chmod(0o700)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(native.NativeError, match=r"failed to compile the kernels: x\.cc:1: error"):
        native.build(again=True)
    assert library.loaded() is not None  # the earlier library is kept


def test_kernels_with_wrong_results_are_not_kept(elsewhere, monkeypatch):
    def wrong():
        raise native.NativeError("off by 1")

    monkeypatch.setattr(compiler, "check", wrong)
    monkeypatch.setattr(compiler, "_compile", lambda *_: library.loaded().record)
    with pytest.raises(native.NativeError, match="off by 1"):
        native.build(again=True)
    assert not (elsewhere / library.RECORD).exists()
    assert library.loaded() is None


def test_the_command_reports_the_build(built, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["native", "--json"])
    assert ended.value.code == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["path"] == built.library.path
    assert figures["error"] < 1e-5
    assert Path(figures["folder"], figures["file"]).is_file()


def test_nothing_is_built_on_import_and_the_environment_chooses():
    program = (
        "import sys, lstm_jax, subprocess; from lstm_jax.engines.native import library; "
        "print(library.loaded().path if library.loaded() else library.obstacle())"
    )
    for value, wanted in (("portable", "portable"), ("0", "LSTM_JAX_NATIVE is 0")):
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"LSTM_JAX_NATIVE": value},
        )  # fmt: skip
        assert run.stdout.strip() == wanted
