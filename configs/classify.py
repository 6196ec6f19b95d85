"""Your own texts, or sequences of numbers, and the class that each is of.

lstm-jax train classify --file reviews.csv --text review --label stars
lstm-jax train classify --file steps.csv --by walk --time t --label activity
lstm-jax train classify --file JapaneseVowels_TRAIN.ts --test-file JapaneseVowels_TEST.ts
lstm-jax evaluate runs/classify --plot
lstm-jax predict runs/classify "A text."
lstm-jax predict runs/classify --file new.csv --out predicted.csv
"""

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.classify.config import ClassifyConfig

config = ClassifyConfig(
    data="own",
    model=SequenceClassifierConfig(
        embedding_features=0,
        hidden_features=0,
        num_layers=0,
        pooling="max",
        word_dropout=0.3,
        input_dropout=0.5,
        output_dropout=0.5,
    ),
    optimizer=OptimizerConfig(learning_rate=2e-3, warmup_steps=0, final_fraction=0.02),
    epochs=0,
    validations=0,
    words=0,
    min_count=0,
    health_every=0,
    checkpoint_every=500,
)
