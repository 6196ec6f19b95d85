"""Functions that answer a researcher's questions about a recurrence, one file for each question.

Every function takes any `step(params, state, x)`, its params and inputs: RNN, GRU, LSTM, stacks
of them, or a cell of your own. All are pure, run under `jax.jit`, loop over time inside XLA, and
work in the dtype of their arguments. For long products of small numbers, that should be float64
(`jax.enable_x64`), although logarithms keep float32 from under- and overflowing.

    adjoints.py      how much does the loss depend on each past state?
    jacobians.py     what does one step do to a perturbation,
    products.py      and what does a product of steps do?
    lyapunov.py      is it chaotic, contracting, or on the edge?
    paths.py         which path does the gradient take, cell or hidden state?
    gates.py         what do the gates do?
    context.py       how long does the trained model remember?
    fixed_points.py  where does it rest?
    flossing.py      how can training keep exponents near 0?
    health.py        is training healthy?

They are built on linear.py (a recurrence as a chain of linear maps), graded.py (products as
logarithms and a triangle) and krylov.py (the largest singular values of a linear map).
"""

from lstm_jax.diagnostics.adjoints import adjoints, influence_lag, norms_by_lag
from lstm_jax.diagnostics.context import ContextLoss, loss_by_context, memory_length
from lstm_jax.diagnostics.fixed_points import FixedPoints, distinct, fixed_points
from lstm_jax.diagnostics.flossing import flossing
from lstm_jax.diagnostics.gates import (
    GateHistogram,
    Saturation,
    histogram,
    memory_horizon,
    order_by_timescale,
    saturation,
    timescales,
)
from lstm_jax.diagnostics.jacobians import StepNorms, log_bound, step_jacobians, step_norms
from lstm_jax.diagnostics.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from lstm_jax.diagnostics.paths import Roads, cell_and_hidden, cell_jacobian, detach
from lstm_jax.diagnostics.products import ProductSpectrum, product_spectrum

__all__ = [
    "ContextLoss",
    "FixedPoints",
    "GateHistogram",
    "LyapunovSpectrum",
    "ProductSpectrum",
    "Roads",
    "Saturation",
    "StepNorms",
    "adjoints",
    "cell_and_hidden",
    "cell_jacobian",
    "detach",
    "distinct",
    "fixed_points",
    "flossing",
    "histogram",
    "influence_lag",
    "log_bound",
    "loss_by_context",
    "lyapunov_spectrum",
    "memory_horizon",
    "memory_length",
    "norms_by_lag",
    "order_by_timescale",
    "product_spectrum",
    "saturation",
    "step_jacobians",
    "step_norms",
    "timescales",
]
