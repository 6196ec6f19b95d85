"""Pictures of diagnostics and of models' predictions, drawn with matplotlib.

Every function takes arrays, or results of `lstm_jax.diagnostics`, and returns a `Figure`; pass
`axes` to draw into an existing one. Nothing goes through pyplot, so there is no current figure and
no window: name a figure in a notebook to show it, and save it with `figure.savefig`. Import this
module by name, because `import lstm_jax` does not.

The functions take natural logarithms, as the diagnostics return them. They draw powers of ten, or
decimal logarithms where floats would overflow, and label the axis accordingly.
"""

from lstm_jax.plots.drawing import (
    BOUND,
    COLORS,
    FAINT,
    GRID,
    INK,
    SIZE,
    SOFT,
    default_style,
    new_figure,
)
from lstm_jax.plots.dynamics import (
    exponents_over_training,
    fixed_points,
    lyapunov_convergence,
    lyapunov_exponents,
)
from lstm_jax.plots.forecast import forecast_line, gains
from lstm_jax.plots.gates import gate_histograms, saturation, timescales
from lstm_jax.plots.gradients import adjoint_norms, gradient_decay, influence, roads, unit_adjoints
from lstm_jax.plots.jacobians import product_bound, product_spectrum, step_norms
from lstm_jax.plots.judgements import confusion, frame_by_frame, reliability, word_by_word
from lstm_jax.plots.memory import context_gap, context_loss
from lstm_jax.plots.portrait import fixed_point_portrait

__all__ = [
    "BOUND",
    "COLORS",
    "FAINT",
    "GRID",
    "INK",
    "SIZE",
    "SOFT",
    "adjoint_norms",
    "confusion",
    "context_gap",
    "context_loss",
    "default_style",
    "exponents_over_training",
    "fixed_point_portrait",
    "fixed_points",
    "forecast_line",
    "frame_by_frame",
    "gains",
    "gate_histograms",
    "gradient_decay",
    "influence",
    "lyapunov_convergence",
    "lyapunov_exponents",
    "new_figure",
    "product_bound",
    "product_spectrum",
    "reliability",
    "roads",
    "saturation",
    "step_norms",
    "timescales",
    "unit_adjoints",
    "word_by_word",
]
