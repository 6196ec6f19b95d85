"""Tang poems: two layers of 704 units, tied softmax over 7,038 symbols, 10.4 million parameters.

    lstm-jax train tang

The model reached validation perplexities of 154.9, 113.4, 96.8, 87.8, 81.7, 74.3, 72.3 and 71.9
after its eight epochs, and a test perplexity of 70.36 (weights of 8 bits), in 2.9 hours on 2 cores
of a shared x86-64 CPU (AMD Zen 4) with the native engine, at 2,600 characters per second when it
had the cores to itself. The first 6,617 of its 9,496 steps ran with the schedule of twelve epochs,
so the learning rate before that step is up to 2.5 times that of this recipe, and the same after it.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "Tang poems: the released poet",
    "time": "2.9 hours",
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
    epochs=8,
    rows=48,
    window=48,
)
