"""tinyshakespeare, character by character."""

from lstm_jax.models import CharLMConfig
from lstm_jax.train.config import OptimizerConfig, TextConfig

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
    epochs=5,
    checkpoint_every=50,
)
