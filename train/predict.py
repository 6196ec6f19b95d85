"""`lstm-jax predict`: what a trained model says of what a user gives it."""

from typing import Any

from lstm_jax.train.problem import Prediction
from lstm_jax.train.problems import PROBLEMS

PREDICTORS: dict[str, Prediction[Any]] = {
    problem.name: problem.predict for problem in PROBLEMS.values() if problem.predict
}
"""What can be asked: a problem's name -> its options, and what answers."""
