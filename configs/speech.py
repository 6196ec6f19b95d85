"""Spoken digits: two bidirectional LSTM layers over log-mel features, 20 ms per step.

    lstm-jax train speech
    lstm-jax evaluate runs/speech
    lstm-jax predict speech seven.wav

The model got 97.67% of the official test right (7 of 300 recordings wrong), and 98.67% on average
over seeds 0, 1 and 2 (97.67 to 99.33); the best of the twelve validations of each, on takes 5 to 9
of the training part, was 99.33, 97.67 and 99.00%. Test and training have the same six speakers.
On a speaker who was left out of training (`--left-out theo`), six models, one for each speaker, got
72.8% on average (58.2 to 87.8). A run took 3 to 20 minutes on 2 cores of a shared x86-64 CPU with
much other work.

Subtracting the mean of each band from every recording was tried with one speaker left out: it gave
67.4% instead of 61.8% on that speaker, but 94.8% instead of 98.4% on the held-out takes of the
others.

It needs librosa: `pip install "lstm_jax[speech]"`.
"""

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.sounds.config import SoundsConfig

about = {
    "what": "which digit someone speaks",
    "time": "3 to 20 minutes",
    "size": "153,866",
    "data": "16 MB, downloaded",
    "extra": "speech",
}

config = SoundsConfig(
    data="speech",
    batch=64,
    masks=2,
    model=SequenceClassifierConfig(
        hidden_features=64,
        num_layers=2,
        pooling="max",
        input_dropout=0.1,
        layer_dropout=0.2,
        output_dropout=0.3,
    ),
    optimizer=OptimizerConfig(learning_rate=5e-3, warmup_steps=40, final_fraction=0.02),
    epochs=12,
    health_every=0,
    checkpoint_every=0,
)
