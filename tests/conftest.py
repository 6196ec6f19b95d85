import jax
import pytest


@pytest.fixture(scope="module")
def compile_fast():
    """For modules whose programs run once and are small: to compile them well takes longer."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64():
    """float64 for the length of one test; the others run in JAX's default mode."""
    with jax.enable_x64(True):
        yield


def pytest_collection_modifyitems(items):
    """The longest file first, lest one worker is left with it when the others are done."""
    items.sort(key=lambda item: item.path.name != "test_sharding.py")
