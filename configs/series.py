"""Forecasts of your own table, which has a row for each time and one or more series.

    lstm-jax train series --file sales.csv --time date --target units --by store
    lstm-jax forecast runs/series --steps 24
    lstm-jax evaluate runs/series --backtest 5

The model starts as the linear forecast that best fits the training rows, to which its LSTM adds. It
reads the distance of the target from its last value, so that one model can serve series of any
magnitude. The table shows the MASE of the last horizon of each series, or of several origins at the
end of the two long ones, with the default settings (except that season and horizon were given, and
no data were held out for a test), and the training time on two CPU cores:

                                        LSTM           linear
    AirPassengers, and 300 more         0.609,   7 s   0.575
    M3, 1,428 monthly series            0.960,  18 s   1.012
    tourism, 366 monthly series         1.478,  11 s   1.505
    sea temperature, each half hour     0.452,  13 s   0.454
    Seattle's highest temperature       0.770,   5 s   0.775

The data sets are those of tests/benchmarks/own_series_sets.py. Intervals are too narrow if there is
little data: the 80% interval contained 71% of the passengers, 66% of the sea temperatures, and 77
to 80% of the others.
"""

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.series.config import SeriesConfig

about = {
    "what": "forecasts of your own table",
    "time": "seconds",
    "size": "from the data",
    "data": "yours",
}

config = SeriesConfig(
    data="own",
    target="",
    predict="",
    read="relative",
    quantiles=(0.1, 0.5, 0.9),
    window=0,
    horizon=0,
    season=0,
    valid=0.15,
    test=0.15,
    model=ForecasterConfig(hidden_features=0, output_dropout=0.2),
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=500, weight_decay=0.01),
    epochs=40,
    patience=8,
    batch=0,
    health_every=0,
    checkpoint_every=0,
)
