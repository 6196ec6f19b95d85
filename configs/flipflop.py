"""Flip-flop of three bits, T = 100: hold the sign of the last pulse in each of three channels.

    lstm-jax train flipflop
    lstm-jax evaluate runs/flipflop --plot    # its fixed points, and a picture of them

The task of Sussillo & Barak (2013), who asked how a trained network stores three bits. The answer
is the same here: without input it has a stable fixed point for each of the 8 values of the bits,
and saddles between them. Seeds 0, 1 and 2 of the LSTM, seeds 0 and 1 of `--model.cell gru` and seed
0 of `--model.cell rnn` each had 0 of 2,560 test sequences wrong and rested at the 27 points of a
cube: 8 stable corners, 12 saddles on the edges with one unstable direction, 6 on the faces with two
and 1 in the middle with three. Training took 20 to 45 seconds with compilation on 2 cores of a
shared x86-64 CPU that did other work beside it.
"""

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.tasks.memory.config import ADAM, MemoryConfig

about = {
    "what": "three bits, each set by its last pulse",
    "time": "1 minute",
    "size": "1,331",
    "data": "generated",
}

config = MemoryConfig(
    problem="flipflop",
    steps=100,
    model=SequenceModelConfig(hidden_features=16),
    optimizer=ADAM,
    epochs=20,
    stop_wrong=None,  # right answers come long before the points of rest are sharp
)
