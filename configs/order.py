"""Temporal order, T = 100: which of two symbols came first, far apart among distractors?

    lstm-jax train order

The problem was solved after 15,000 sequences, with 0 of 2,560 held-out sequences wrong; on another
2,560, which `lstm-jax evaluate runs/order` uses, 0 were wrong as well. Seeds 1 and 2 took 10,000
and 15,000 sequences. A run took 17 to 29 seconds including compilation, on 2 cores of a shared
x86-64 CPU with other work. Hochreiter & Schmidhuber (1997) needed 31,390 sequences.
"""

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "which of two distant symbols came first",
    "time": "30 seconds",
    "size": "5,380",
    "data": "generated",
}

config = MemoryConfig(
    problem="order",
    steps=100,
    model=SequenceModelConfig(hidden_features=32, max_timescale=100.0),
    optimizer=ADAM,
    epochs=40,
    health_every=100,  # frequent, because the reach of the gradient is the point
)
