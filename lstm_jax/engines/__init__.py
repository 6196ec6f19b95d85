"""Implementations of a recurrence: fused, native and cuDNN, and the choice among them."""
