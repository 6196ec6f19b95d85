import jax
import pytest


@pytest.fixture
def x64():
    """float64 for the length of one test; the others run in JAX's default mode."""
    with jax.enable_x64(True):
        yield
