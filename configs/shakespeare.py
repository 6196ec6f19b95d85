"""tinyshakespeare by character: a running text cut into rows, along which the state is carried.

    lstm-jax train shakespeare
    lstm-jax evaluate runs/shakespeare --split valid
    lstm-jax sample ROMEO: --model runs/shakespeare

The model has 2.0 M parameters and reached 1.4462 nats per character on the last tenth of the text,
the mean of seeds 0, 1 and 2 (1.4436 to 1.4479), after six epochs that took 17 minutes on one core
of a shared x86-64 CPU. nanoGPT's Transformer reaches 1.4697 with 10.65 M parameters, after 82 M
characters on a GPU; this model reads 6 M. Both figures are the best validation of a run, on the
part of the text that they report. With `lstm-jax evaluate --dynamic`, the model goes on learning
from what it has scored, and reaches 1.2837 (1.2814 to 1.2876). See
tests/benchmarks/shakespeare.py.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "Shakespeare's plays, by character",
    "time": "17 minutes",
    "size": "2.0 M",
    "data": "1 MB, downloaded",
}

config = TextConfig(
    data="shakespeare",
    model=CharLMConfig(
        embedding_features=128,
        hidden_features=384,
        num_layers=2,
        embedding_dropout=0.2,
        layer_dropout=0.3,
        output_dropout=0.4,
    ),
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=200, weight_decay=0.02),
    rows=16,
    window=64,
    min_count=1,
    epochs=6,
    checkpoint_every=200,
)
