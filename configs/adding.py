"""Adding, T = 100: two of a hundred numbers are marked, and their sum is asked for at the end.

    lstm-jax train adding

Was solved after 50,000 sequences (2 of 2,560 held-out ones wrong), and of 2,560 others, which
`lstm-jax evaluate runs/adding` judges, 0 were wrong; seeds 1 and 2 took 50,000 and 55,000, with 0
and 2 wrong. It took 30 to 60 seconds with compilation on 2 cores of a shared x86-64 CPU that did
other work beside it. Hochreiter & Schmidhuber (1997) needed 74,000 sequences, with 1 wrong.

To a longer lag belongs a longer timescale: `--steps 500 --model.max-timescale 500`.
"""

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "two marked numbers of a hundred, added",
    "time": "1 minute",
    "size": "4,513",
    "data": "made up as it goes",
}

config = MemoryConfig(
    problem="adding",
    steps=100,
    model=SequenceModelConfig(hidden_features=32, max_timescale=100.0),
    optimizer=ADAM,
    epochs=40,
    health_every=100,  # more often than is thrifty: how far the gradient reaches is the point
)
