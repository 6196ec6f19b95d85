"""Tomorrow's close of a stock from the daily returns of three, which cannot be predicted.

    pip install "lstm_jax[datasets]"
    lstm-jax train stocks
    lstm-jax evaluate runs/stocks --plot

MAE of the last 20% of the days, mean and standard deviation of seeds 0 to 4, in dollars:

            LSTM               persistence   linear    skill of the LSTM, 1 - MAE / persistence's
    AAPL    0.7385 ± 0.0017    0.7375        0.7367    -0.001
    IBM     1.237  ± 0.003     1.237         1.233     -0.000
    MSFT    0.2338 ± 0.0005    0.2341        0.2337    +0.001
    GOOG    3.622  ± 0.005     3.631         3.639     +0.003

The model is no better than persistence: it gains three thousandths for GOOG, whose seeds share one
test split, and nothing for the others. The interval is worth more than the forecast: the 90%
interval contained 83 to 96% of the values. For other stocks use `--target GOOG --inputs AAPL IBM
MSFT`. A run took 11 seconds of CPU time.
"""

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.series.config import SeriesConfig

about = {
    "what": "tomorrow's close of a stock",
    "time": "11 seconds",
    "size": "1,331",
    "data": "in the extra",
    "extra": "datasets",
}

config = SeriesConfig(
    data="stocks",
    target="AAPL",
    inputs=("IBM", "MSFT"),
    predict="return",
    read="change",
    quantiles=(0.05, 0.5, 0.95),
    window=20,
    horizon=1,
    season=5,
    valid=0.1,
    test=0.2,
    model=ForecasterConfig(hidden_features=16, output_dropout=0.5),
    optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=50, weight_decay=0.1),
    epochs=15,
    patience=5,
    batch=64,
    checkpoint_every=0,
)
