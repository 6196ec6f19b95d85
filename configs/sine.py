"""A sine, step by step: read 50 values, say the next; then read what was said.

    lstm-jax train sine
    lstm-jax evaluate runs/sine --plot

RMSE on the test part, of an amplitude of 1, mean and standard deviation of seeds 0 to 4: one step
ahead 0.0004 ± 0.0002, and 0.0023 ± 0.0009 over 200 steps that read their own forecasts. It took 16
seconds of CPU time with compilation. A sine is a linear recurrence: the linear model is exact.

With `--noise 0.1` one step ahead is 0.104 ± 0.006 off the noisy values, whose noise alone is 0.1,
and 0.031 ± 0.004 off the clean wave; 200 steps are 0.053 ± 0.021 off the clean wave.
"""

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.series.config import SeriesConfig

about = {
    "what": "a sine, step by step",
    "time": "16 seconds",
    "size": "4,385",
    "data": "made up",
}

config = SeriesConfig(
    data="sine",
    target="wave",
    predict="level",
    window=50,
    horizon=1,
    roll=200,
    season=63,
    valid=0.15,
    test=0.2,
    model=ForecasterConfig(hidden_features=32),
    optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=50, weight_decay=0.0),
    epochs=20,
    batch=32,
    checkpoint_every=0,
)
