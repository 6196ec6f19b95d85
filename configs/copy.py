"""Copy, T = 100: ten symbols are read and must be repeated a hundred steps later.

    lstm-jax train copy
    lstm-jax train copy --steps 200

The LSTM begins as an orthogonal recurrence (`--model.unitary`, on here), and the lag grows from 20
to T over the first 8 epochs. Of 2,560 test sequences, seeds 0, 1 and 2 had 0, 1 and 2 wrong at T =
100, after 70,000 to 105,000 training sequences, and 1, 1 and 2 at T = 200, after 130,000 to
220,000. The settings were chosen at T = 200 with those test sequences in view; seed 3, which came
later, had none wrong after 95,000. T = 500 was not learned in 220,000. A run took one and a half to
two minutes at T = 100, and two and a half to six at T = 200, on one core of a shared x86-64 CPU
(tests/benchmarks/copying.py).

The learning rate matters most. With 1e-3 the lag of 20 is learned within 250 updates, but at T =
200 learning is slower than with 4e-4. A moving average of the weights is validated and kept.

Without growing lags (`--grow-epochs 0`), seed 0 had 28 wrong at T = 200 after 220,000 sequences.
With growing lags, but chrono initialization instead of the orthogonal one (`--model.no-unitary
--model.max-timescale 300`), it had every test sequence wrong. A chrono LSTM needs other settings,
and does not get as far: with 64 units, a timescale of 150, a rate of 1e-2 and gradients clipped to
norm 0.1, it had 691 wrong at T = 100 after 400,000 sequences, and 777 with a cosine to 1% of that
rate.
"""

from dataclasses import replace

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "ten symbols, repeated after a hundred steps",
    "time": "2 minutes",
    "size": "72,329",
    "data": "generated",
}

config = MemoryConfig(
    problem="copy",
    steps=100,
    model=SequenceModelConfig(hidden_features=128, unitary=True),
    optimizer=replace(ADAM, learning_rate=4e-4, final_fraction=0.4, ema=0.99),
    batch=20,
    sequences=5000,
    short_steps=20,
    grow_epochs=8,
    epochs=44,
    stop_wrong=0,
    log_every=50,
    health_every=0,
    checkpoint_every=0,
)
