"""tinyshakespeare by character: a running text cut into rows, along which the state is carried.

    lstm-jax train shakespeare
    lstm-jax evaluate runs/shakespeare --split valid
    lstm-jax sample ROMEO: --model runs/shakespeare

The model reached 1.5227 nats per character on the last tenth of the text, after 1.8106 and 1.5785
in the first two epochs: 10.8 M parameters, three epochs, 3.0 M characters read, in hours on 2
shared x86-64 cores. (The run began with a schedule of five epochs, and was resumed from step 407
with a schedule of three.) nanoGPT's Transformer with 10.65 M parameters reaches 1.4697 after
reading 82 M characters on a GPU; it has as many parameters, but has read far more.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "Shakespeare's plays, by character",
    "time": "hours",
    "size": "10.8 M",
    "data": "1 MB, downloaded",
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
