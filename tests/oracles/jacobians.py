"""Jacobians by complex steps, adjoints by the chain rule, singular values to hundreds of digits.

Everything is NumPy and Python's decimals, one step at a time. A step is `step(leaves, x) ->
leaves`, where leaves is a list of arrays in the order in which the package ravels a state.
"""

from decimal import Decimal, localcontext

import numpy as np

TINY = 1e-150  # a complex step subtracts nothing, so its only error is rounding


def split(vector, leaves):
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = np.split(vector, ends[:-1])
    return [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]


def ravel(leaves):
    return np.concatenate([np.ravel(leaf) for leaf in leaves])


def jacobian(step, leaves, x):
    """Compute d new / d old, (n, n)."""
    vector = ravel(leaves)
    columns = []
    for k in range(vector.size):
        moved = vector.astype(complex)
        moved[k] += TINY * 1j
        columns.append(ravel(step(split(moved, leaves), x)).imag / TINY)
    return np.array(columns).T


def chain(step, leaves, xs):
    """Compute the states as vectors, (T + 1, n), and the Jacobian of every step, (T, n, n)."""
    states, jacobians = [ravel(leaves)], []
    for x in xs:
        jacobians.append(jacobian(step, leaves, x))
        leaves = step(leaves, x)
        states.append(ravel(leaves))
    return np.array(states), np.array(jacobians)


def adjoints(jacobians, direct, *, links=None, valid=None):
    """Compute dL/ds_0 ... dL/ds_T, (T + 1, n).

    `direct` (T, n) is the derivative with respect to each new state, other than through later
    states. `links[t]` is 0 where a reset discards the state before step t; `valid[t]` is 0 where
    step t copies the state, whose adjoint is then 0 and passes to the state before.
    """
    steps, size = direct.shape
    result = np.zeros((steps + 1, size))
    after = np.zeros(size, np.longdouble)
    for t in reversed(range(steps)):
        total = direct[t] + after
        if valid is None or valid[t]:
            result[t + 1] = total
            total = total @ jacobians[t].astype(np.longdouble)
        after = total if links is None else total * links[t]
    result[0] = after
    return result


def lyapunov(jacobians, *, burn_in, k=None):
    """Compute the mean ln|R_ii| after a burn-in that is long enough to forget the start."""
    size = jacobians.shape[1]
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(size, k or size)))[0]
    logs = []
    for jacobian in jacobians:
        q, r = np.linalg.qr(jacobian @ q)
        logs.append(np.log(np.abs(np.diagonal(r))))
    return np.mean(logs[burn_in:], axis=0)


def log_singular_values(matrices, digits=None):
    """Compute ln σ of matrices[-1] @ ... @ matrices[0], descending, to all digits of float64.

    The product and a one-sided Jacobi iteration (Hestenes 1958) use decimals, by default with 40
    digits more than the condition number has. Entries are floats or Decimals; the logarithm of
    zero is -inf.
    """
    if digits is None:
        digits = int(np.log10(np.linalg.cond(np.asarray(matrices))).sum()) + 40
    with localcontext() as context:
        context.prec = digits
        product = _decimals(matrices[0])
        for matrix in matrices[1:]:
            product = _product(_decimals(matrix), product)
        columns = [list(column) for column in zip(*product, strict=True)]
        columns.sort(key=lambda c: _dot(c, c), reverse=True)
        while _sweep(columns, Decimal(10) ** -20):
            pass
        squares = sorted((_dot(c, c) for c in columns), reverse=True)
        context.prec = 30
        return np.array([float(s.ln() / 2) if s else -np.inf for s in squares])


def scaled_rows(logs, matrix, digits=40):
    """Compute diag(e^logs) · matrix in decimals, for logarithms of any size."""
    with localcontext() as context:
        context.prec = digits
        sizes = [Decimal(float(log)).exp() for log in logs]
        return [[s * a for a in row] for s, row in zip(sizes, _decimals(matrix), strict=True)]


def _decimals(matrix):
    return [[a if isinstance(a, Decimal) else Decimal(float(a)) for a in row] for row in matrix]


def _product(a, b):
    columns = list(zip(*b, strict=True))
    return [[_dot(row, column) for column in columns] for row in a]


def _dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Decimal(0))


def _sweep(columns, tolerance):
    """Rotate every pair of columns to be orthogonal, and return whether any pair was not."""
    rotated = False
    for p in range(len(columns)):
        for q in range(p + 1, len(columns)):
            a, b = columns[p], columns[q]
            aa, bb, ab = _dot(a, a), _dot(b, b), _dot(a, b)
            if abs(ab) <= tolerance * (aa * bb).sqrt():
                continue
            rotated = True
            zeta = (bb - aa) / (2 * ab)
            tangent = (1 if zeta >= 0 else -1) / (abs(zeta) + (1 + zeta * zeta).sqrt())
            cosine = 1 / (1 + tangent * tangent).sqrt()
            sine = cosine * tangent
            columns[p] = [cosine * x - sine * y for x, y in zip(a, b, strict=True)]
            columns[q] = [sine * x + cosine * y for x, y in zip(a, b, strict=True)]
    return rotated
