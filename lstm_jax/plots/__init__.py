"""Pictures of what `lstm_jax.diagnostics` finds and of what models say, by matplotlib.

Every function takes arrays, or results of that package, and returns the `Figure`; given `axes`, it
draws there. Nothing goes through pyplot, so that there is no current figure and no window: show a
figure in a notebook by naming it, and keep it with `figure.savefig`. `import lstm_jax` does not
bring this module: ask for it by name.

Natural logarithms come in, as the diagnostics give them; what is drawn are powers of ten, or
decimal logarithms where floats would not hold them, and the axis says which.
"""

from lstm_jax.plots.drawing import (
    BOUND,
    COLOURS,
    FAINT,
    GRID,
    INK,
    SIZE,
    SOFT,
    default_style,
    new_figure,
)
from lstm_jax.plots.dynamics import fixed_points, lyapunov_convergence, lyapunov_exponents
from lstm_jax.plots.forecast import forecast_line, gains
from lstm_jax.plots.gates import gate_histograms, saturation, timescales
from lstm_jax.plots.gradients import adjoint_norms, gradient_decay, influence, roads, unit_adjoints
from lstm_jax.plots.jacobians import product_bound, product_spectrum, step_norms
from lstm_jax.plots.judgements import confusion, frame_by_frame, reliability, word_by_word
from lstm_jax.plots.memory import context_gap, context_loss

__all__ = [
    "BOUND",
    "COLOURS",
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
