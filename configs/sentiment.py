"""Film reviews: does the writer like the film? A bidirectional LSTM over words, max-pooled.

    lstm-jax train sentiment
    lstm-jax evaluate runs/sentiment --plot
    lstm-jax predict sentiment "The first hour is dull, but the ending is wonderful and moving."

The model classifies 87.53% of the 1,821 test sentences of SST-2 correctly (227 wrong), and 87.06%
on average over seeds 0, 1 and 2 (86.66 to 87.53); the best of the eight validations of each was
86.31% of 872 sentences. Naive Bayes gets 81.7%, or 83.1% with the phrases. There are no pretrained
word vectors: the model learns from the sentences and from all phrases of the training trees, with
neutral phrases counted half as praise and half as criticism. It also reads words by their spelling,
because more than half of the validation sentences have a word that no training text has, and every
batch is read twice under different dropout and should be judged alike. A run took 16 minutes on one
core of a shared x86-64 CPU (AMD Zen 3).

Spelling and consistency were chosen by the validation sentences alone, and without them the three
seeds had 85.23% of the test sentences right. Three training sentences of the published split that
also occur in its test split are left out.
"""

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.classify.config import ClassifyConfig

about = {
    "what": "whether a film review is positive",
    "time": "16 minutes",
    "size": "6.9 M",
    "data": "6 MB, downloaded",
}

config = ClassifyConfig(
    data="sentiment",
    learn="neutral",
    grams=16_384,
    consistency=1.0,
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
