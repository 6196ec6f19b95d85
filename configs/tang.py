"""Tang poems: two layers of 704 units, tied softmax over 7,038 symbols, 10.4 million parameters.

    lstm-jax train tang

The model reached validation perplexities of 154.9, 113.4, 96.8, 87.8, 81.7, 77.3, 73.4, 70.6, 68.5,
67.5, 67.1 and 67.0 after its twelve epochs, and a test perplexity of 65.52 (weights of 8 bits). It
took about 3.6 hours on 2 cores of a shared x86-64 CPU (AMD Zen 4) with the native engine, at 2,500
characters per second when it had the cores to itself.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "Tang poems: the released poet",
    "time": "3.6 hours",
    "size": "10.4 M",
    "data": "20 MB, downloaded",
}

config = TextConfig(
    data="tang",
    model=CharLMConfig(
        embedding_features=416,
        hidden_features=704,
        num_layers=2,
        embedding_dropout=0.2,
        layer_dropout=0.35,
        output_dropout=0.35,
        weight_dropout=0.2,
    ),
    optimizer=OptimizerConfig(
        learning_rate=4e-3, warmup_steps=200, weight_decay=0.02, clip_norm=1.0
    ),
    epochs=12,
    rows=48,
    window=48,
)
