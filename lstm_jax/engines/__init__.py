"""How a recurrence runs: the fast path, NVIDIA's kernels, and the choice among them."""
