"""Copy, T = 100: ten symbols are read and must be repeated a hundred steps later.

    lstm-jax train copy

The problem is learned but not solved: after 200,000 sequences the loss was 0.099 of the loss of
guessing, and 1,475 of 2,560 held-out sequences had at least one of their ten symbols wrong. The
best model, after 180,000 sequences, had 1,432 of another 2,560 wrong (`lstm-jax evaluate
runs/copy`). Twice the training, `--epochs 20`, gave 0.038 and 691. A run took 3 minutes (5 with 20
epochs) on 2 cores of a shared x86-64 CPU with other work.

The gradient must be clipped hard, and many steps with small batches are needed: with --batch 100
and --optimizer.clip-norm 1 the loss was still that of guessing after 100,000 sequences.
"""

from dataclasses import replace

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "ten symbols, repeated after a hundred steps",
    "time": "3 minutes",
    "size": "19,785",
    "data": "generated",
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
