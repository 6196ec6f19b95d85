"""Copy, T = 100: ten symbols are read, and given again a hundred steps later.

    lstm-jax train copy

Is learned but not solved: after 200,000 sequences the loss was 0.099 of that of knowing nothing,
and 1,475 of 2,560 held-out sequences had one of their ten symbols wrong. The best model, of
180,000 sequences, had 1,432 of 2,560 others wrong (`lstm-jax evaluate runs/copy`). Twice as many,
`--epochs 20`, brought 0.038 and 691. It took 3 minutes (5 with 20 epochs) on 2 cores of a shared
x86-64 CPU that did other work beside it.

The gradient must be clipped hard, and the steps be many and small of batch: with --batch 100 and
--optimizer.clip-norm 1 the loss was still that of knowing nothing after 100,000 sequences.
"""

from dataclasses import replace

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "ten symbols, repeated after a hundred steps",
    "time": "3 minutes",
    "size": "19,785",
    "data": "made up as it goes",
}

config = MemoryConfig(
    problem="copy",
    steps=100,
    model=SequenceModelConfig(hidden_features=64, max_timescale=150.0),
    optimizer=replace(ADAM, clip_norm=0.1),
    batch=20,
    sequences=20_000,
    epochs=10,
    log_every=100,
    health_every=500,
    checkpoint_every=0,
)
