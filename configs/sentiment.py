"""Film reviews: does the writer like the film? A bidirectional LSTM over words, max-pooled.

    lstm-jax train sentiment
    lstm-jax evaluate runs/sentiment --plot
    lstm-jax predict sentiment "The first hour is dull, but the ending is wonderful and moving."

The model classifies 85.34% of the 1,821 test sentences of SST-2 correctly (267 wrong), and 85.23%
on average over seeds 0, 1 and 2 (85.01 to 85.34); the best of the eight validations of each was
84.40% of 872 sentences. Naive Bayes gets 81.7%, or 83.1% with the phrases. There are no pretrained
word vectors: the model learns from the sentences and from all phrases of the training trees, with
neutral phrases counted half as praise and half as criticism. A run took 4.5 minutes of CPU time, or
4 to 9 minutes by the clock, on 2 cores of a shared x86-64 CPU.

Three training sentences of the published split that also occur in its test split are left out. With
them, the three seeds got 84.95, 86.38 and 86.49%, which shows how much is due to chance.
"""

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.classify.config import ClassifyConfig

about = {
    "what": "whether a film review is positive",
    "time": "5 minutes",
    "size": "3.7 M",
    "data": "6 MB, downloaded",
}

config = ClassifyConfig(
    data="sentiment",
    learn="neutral",
    words=1024,
    model=SequenceClassifierConfig(
        embedding_features=200,
        hidden_features=128,
        pooling="max",
        word_dropout=0.1,
        input_dropout=0.3,
        output_dropout=0.3,
    ),
    optimizer=OptimizerConfig(learning_rate=2e-3, warmup_steps=200, final_fraction=0.02),
    epochs=8,  # two passes
    validations=4,
    health_every=1000,
    checkpoint_every=500,
)
