"""Scores of many series equal those of loops over the series."""

import numpy as np
import pytest

from lstm_jax.train.forecasts.baselines import seasonal_or_last
from lstm_jax.train.forecasts.scores import by_series, interval, mean_over, naive_error

RNG = np.random.default_rng(0)


def test_mase_is_measured_in_the_mean_difference_to_a_season_before():
    values = np.array([1.0, 5.0, 2.0, 7.0, np.nan, 6.0])
    assert naive_error(values, 2) == pytest.approx(np.mean([1, 2, 1]))
    assert naive_error(values, 6) == pytest.approx(np.mean([4, 3, 5]))
    assert np.isnan(naive_error(np.ones(9), 3))


def test_scores_are_of_each_series_and_then_their_mean():
    truth, forecast = RNG.normal(size=(2, 6, 3))
    truth[0, 1] = truth[4] = np.nan
    owner = np.array([0, 0, 2, 2, 1, 2])
    naive = np.array([0.5, 1.0, np.nan])
    found = by_series(truth, forecast, owner, naive)
    for place in (0, 2):
        wrong = (forecast - truth)[owner == place]
        wrong = wrong[np.isfinite(wrong)]
        assert found["mae"][place] == pytest.approx(np.abs(wrong).mean())
        assert found["rmse"][place] == pytest.approx(np.sqrt((wrong**2).mean()))
    assert found["mase"][0] == pytest.approx(found["mae"][0] / 0.5)
    assert np.isnan(found["mae"][1])
    means = mean_over(found)
    assert means["mae"] == pytest.approx((found["mae"][0] + found["mae"][2]) / 2)
    assert means["mase"] == pytest.approx(found["mase"][0])


def test_an_interval_holds_what_is_known():
    truth = np.array([[0.0, np.nan], [5.0, 1.0]])
    forecasts = np.array([[[-1.0, 0.0, 1.0]] * 2] * 2)
    found = interval(truth, forecasts, (0.1, 0.5, 0.9))
    assert found["coverage"] == pytest.approx(2 / 3)
    assert found["nominal"] == 0.8
    assert found["mean_width"] == 2
    # 0.1, 0, 0.1 | 0.6, 2.5, 3.6 | 0.2, 0.5, 0
    assert found["pinball"] == pytest.approx((0.2 + 6.7 + 0.7) / 9)


def test_the_last_value_stands_where_a_series_has_no_season_yet():
    target = np.arange(20.0)
    found = seasonal_or_last(target, np.array([9, 12]), 3, 4, np.array([7, 7]))
    np.testing.assert_array_equal(found, [[9, 7, 8], [9, 10, 11]])
