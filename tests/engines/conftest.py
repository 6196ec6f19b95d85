"""The native engine for the tests of its kernels."""

import pytest

from lstm_jax.engines import native
from lstm_jax.engines.native import library


@pytest.fixture(scope="module")
def built():
    """The compiled kernels; where they cannot be compiled, these tests are skipped and say why."""
    try:
        return native.build()
    except native.NativeError as error:
        pytest.skip(str(error))


@pytest.fixture(params=library.PATHS)
def path(request, built):
    """Run the kernels with one set of instructions."""
    usual = built.library.path
    try:
        taken = built.library.take(request.param)
        if taken != request.param:  # it took another one, which no other test may inherit
            pytest.skip(f"this processor has no {request.param}")
        yield taken
    finally:
        built.library.take(usual)
