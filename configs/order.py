"""Temporal order, T = 100: of two symbols far apart among distractors, which came first?

    lstm-jax train order

Was solved after 15,000 sequences (0 of 2,560 held-out ones wrong), and of 2,560 others, which
`lstm-jax evaluate runs/order` judges, 0 were wrong; seeds 1 and 2 took 10,000 and 15,000. It took
17 to 29 seconds with compilation on 2 cores of a shared x86-64 CPU that did other work beside it.
Hochreiter & Schmidhuber (1997) needed 31,390 sequences.
"""

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "which of two far symbols came first",
    "time": "30 seconds",
    "size": "5,380",
    "data": "made up as it goes",
}

config = MemoryConfig(
    problem="order",
    steps=100,
    model=SequenceModelConfig(hidden_features=32, max_timescale=100.0),
    optimizer=ADAM,
    epochs=40,
    health_every=100,  # more often than is thrifty: how far the gradient reaches is the point
)
