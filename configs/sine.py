"""A sine, step by step: the model reads 50 values, predicts the next, then reads its own forecasts.

    lstm-jax train sine
    lstm-jax evaluate runs/sine --plot

RMSE on the test split for an amplitude of 1, mean and standard deviation of seeds 0 to 4: 0.0004 ±
0.0002 one step ahead, and 0.0023 ± 0.0009 over 200 steps in which the model reads its own
forecasts. A run took 16 seconds of CPU time including compilation. A sine satisfies a linear
recurrence, so the linear model is exact.

With `--noise 0.1`, forecasts one step ahead have an RMSE of 0.104 ± 0.006 against the noisy values,
whose noise alone is 0.1, and of 0.031 ± 0.004 against the clean wave; over 200 steps it is 0.053 ±
0.021 against the clean wave.
"""

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.series.config import SeriesConfig

about = {
    "what": "a sine, step by step",
    "time": "16 seconds",
    "size": "4,385",
    "data": "generated",
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
