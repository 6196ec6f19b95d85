"""Classification of your own texts or sequences of numbers.

    lstm-jax train classify --file reviews.csv --text review --label stars
    lstm-jax train classify --file steps.csv --by walk --time t --label activity
    lstm-jax train classify --file JapaneseVowels_TRAIN.ts --test-file JapaneseVowels_TEST.ts
    lstm-jax evaluate runs/classify --plot
    lstm-jax predict runs/classify "A text."
    lstm-jax predict runs/classify --file new.csv --out predicted.csv

Sizes, splits, class weights and epochs are chosen from the data, and printed before training
starts. With these defaults, on 2 cores of a shared x86-64 CPU:

    JapaneseVowels, 370 to test      9, 8 and 8 wrong, seeds 0 to 2    29 s    nearest mean 19 wrong
    BasicMotions, 40 to test         1, 1 and 0 wrong, seeds 0 to 2    22 s    nearest mean 0 wrong
    Reuters R8, 2,189 to test        77 wrong                  285 s   naive Bayes 102 wrong
    SST-2 as three CSV files         82.65% right                              naive Bayes 81.99%

On BasicMotions the model loses to the nearest mean, which makes no mistakes there. On SST-2 it
learns only from sentences; the recipe `sentiment`, which also learns from the phrases of their
trees, gets 85.2%.
"""

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.classify.config import ClassifyConfig

about = {
    "what": "classes of your own texts or sequences",
    "time": "minutes",
    "size": "from the data",
    "data": "yours",
}

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
