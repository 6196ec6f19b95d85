"""Tang poems: two layers of 512 units, tied softmax over 7,038 symbols, 6.8 million parameters.

    lstm-jax train tang

The model reached validation perplexities of 161.3, 112.3 and 103.9 after its three epochs, and a
test perplexity of 101.5 (float16 weights), in 83 minutes on 2 cores of a shared x86-64 CPU with
other work; it read 1,900 to 2,200 characters per second when it had the cores to itself. The first
1,370 of its 3,561 steps ran with the schedule of four epochs.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "Tang poems: the released poet",
    "time": "83 minutes",
    "size": "6.8 M",
    "data": "20 MB, downloaded",
}

config = TextConfig(
    data="tang",
    model=CharLMConfig(
        embedding_features=384,
        hidden_features=512,
        num_layers=2,
        embedding_dropout=0.1,
        layer_dropout=0.2,
        output_dropout=0.2,
    ),
    optimizer=OptimizerConfig(
        learning_rate=2.5e-3, warmup_steps=200, weight_decay=0.02, clip_norm=1.0
    ),
    epochs=3,
    rows=48,
    window=48,
)
