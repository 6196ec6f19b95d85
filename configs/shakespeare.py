"""tinyshakespeare, character by character: a running text cut into rows, the state carried along.

    lstm-jax train shakespeare
    lstm-jax evaluate runs/shakespeare --split valid
    lstm-jax sample ROMEO: --model runs/shakespeare

Reached 1.5227 nats a character on the last tenth of the text, after epochs of 1.8106 and 1.5785:
10.8 M parameters, three epochs, 3.0 M characters read, in hours of 2 shared x86-64 cores. (The run
began with a schedule of five epochs, and went on from step 407 with that of three.) nanoGPT's
Transformer of 10.65 M parameters has 1.4697, after reading 82 M characters on a GPU: equal
parameters, not equal reading.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "a running English text, by character",
    "time": "hours",
    "size": "10.8 M",
    "data": "1 MB, fetched",
}

config = TextConfig(
    data="shakespeare",
    model=CharLMConfig(
        embedding_features=256,
        hidden_features=896,
        num_layers=2,
        embedding_dropout=0.1,
        layer_dropout=0.4,
        output_dropout=0.4,
    ),
    optimizer=OptimizerConfig(learning_rate=2e-3, warmup_steps=100, weight_decay=0.05),
    rows=32,
    window=96,
    min_count=1,
    epochs=3,
    checkpoint_every=50,
)
