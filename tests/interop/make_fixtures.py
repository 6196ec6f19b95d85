"""Make `fixtures/*.npz` by running the peers: `python tests/interop/make_fixtures.py`.

Needs the extra `interop`. Each file says which versions made it, under "versions".
"""

import os
from importlib.metadata import version

import jax
from interop.cases import FIXTURES, save
from interop.peers import equinox_case, haiku_case, keras_case, torch_case

LENGTHS = [2, 4, 1]

MAKERS = {
    "torch_lstm": lambda: torch_case("LSTM", 2, 3, num_layers=2, lengths=LENGTHS),
    "torch_lstm_projected": lambda: torch_case(
        "LSTM", 2, 3, num_layers=2, bidirectional=True, proj=2, lengths=LENGTHS
    ),
    "torch_lstm_unbiased": lambda: torch_case("LSTM", 3, 2, bias=False),
    "torch_gru": lambda: torch_case("GRU", 2, 3, num_layers=2, bidirectional=True, lengths=LENGTHS),
    "torch_rnn": lambda: torch_case("RNN", 2, 3, num_layers=2, bidirectional=True),
    "torch_rnn_relu": lambda: torch_case("RNN", 3, 2, activation="relu"),
    "keras_lstm": lambda: keras_case("LSTM", 2, 3, bidirectional=(True, False)),
    "keras_lstm_unbiased": lambda: keras_case("LSTM", 3, 2, bias=False),
    "keras_gru": lambda: keras_case("GRU", 2, 3, bidirectional=(False, True), reset_after=True),
    "keras_gru_reset_before": lambda: keras_case("GRU", 2, 3, reset_after=False),
    "keras_rnn": lambda: keras_case("SimpleRNN", 2, 3, bidirectional=(True,)),
    "haiku_lstm": lambda: haiku_case("LSTM", 2, 3),
    "haiku_gru": lambda: haiku_case("GRU", 2, 3),
    "haiku_rnn": lambda: haiku_case("VanillaRNN", 2, 3),
    "equinox_lstm": lambda: equinox_case("LSTMCell", 2, 3),
    "equinox_gru": lambda: equinox_case("GRUCell", 2, 3),
}

PACKAGES = {"torch": "torch", "keras": "keras", "haiku": "dm-haiku", "equinox": "equinox"}


def main():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    jax.config.update("jax_platforms", "cpu")
    FIXTURES.mkdir(exist_ok=True)
    for name, make in MAKERS.items():
        package = PACKAGES[name.split("_")[0]]
        save(FIXTURES / f"{name}.npz", make(), {p: version(p) for p in (package, "jax", "numpy")})


if __name__ == "__main__":
    main()
