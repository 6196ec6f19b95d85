"""Adding, T = 100: two of a hundred numbers are marked, and the target is their sum.

    lstm-jax train adding

The problem was solved after 50,000 sequences, with 2 of 2,560 held-out sequences wrong; on another
2,560, which `lstm-jax evaluate runs/adding` uses, 0 were wrong. Seeds 1 and 2 took 50,000 and
55,000 sequences, with 0 and 2 wrong. A run took 30 to 60 seconds including compilation, on 2 cores
of a shared x86-64 CPU with other work. Hochreiter & Schmidhuber (1997) needed 74,000 sequences,
with 1 wrong.

Longer lags need longer timescales: `--steps 500 --model.max-timescale 500`.
"""

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "the sum of two marked numbers",
    "time": "1 minute",
    "size": "4,513",
    "data": "generated",
}

config = MemoryConfig(
    problem="adding",
    steps=100,
    model=SequenceModelConfig(hidden_features=32, max_timescale=100.0),
    optimizer=ADAM,
    epochs=40,
    health_every=100,  # frequent, because the reach of the gradient is the point
)
