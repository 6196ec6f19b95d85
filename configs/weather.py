"""Seattle's highest temperature tomorrow, from two weeks of temperature, rain and wind.

    pip install "lstm_jax[datasets]"
    lstm-jax train weather
    lstm-jax evaluate runs/weather --plot

The MAE in 2015 is 2.076 ± 0.018 °C, mean and standard deviation of seeds 0 to 4; persistence has
2.240, last year's value 3.770, and a linear model of the same inputs 2.182. Every seed was better
than these. The 90% interval contained 89 to 91% of the values. A run took 14 seconds of CPU time.
"""

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.series.config import SeriesConfig

about = {
    "what": "tomorrow's highest temperature in Seattle",
    "time": "14 seconds",
    "size": "5,109",
    "data": "in the extra",
    "extra": "datasets",
}

config = SeriesConfig(
    data="weather",
    target="temp_max",
    inputs=("temp_min", "precipitation", "wind"),
    calendar=(365.25,),
    predict="change",
    quantiles=(0.05, 0.5, 0.95),
    window=14,
    horizon=1,
    season=365,
    valid=0.15,
    test=0.25,  # 2015
    model=ForecasterConfig(hidden_features=32, output_dropout=0.3, linear=1),
    optimizer=OptimizerConfig(learning_rate=2e-2, warmup_steps=50, weight_decay=0.1),
    epochs=20,
    batch=16,
    checkpoint_every=0,
)
