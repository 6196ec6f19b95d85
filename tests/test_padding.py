import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax import bucket, mask_of, pad, unpad

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(LENGTHS, st.booleans(), st.integers(0, 3))
def test_a_round_trip(lengths, left, extra):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 2)) for n in lengths]
    batch, found = pad(sequences, to=max(lengths) + extra, value=np.nan, left=left)
    assert batch.shape == (len(lengths), max(lengths) + extra, 2)
    np.testing.assert_array_equal(found, lengths)
    mask = mask_of(found, batch.shape[1], left=left)
    np.testing.assert_array_equal(np.isnan(batch[..., 0]), ~mask)
    for one, same in zip(sequences, unpad(batch, found, left=left), strict=True):
        np.testing.assert_array_equal(one, same)


def test_ids_stay_integers():
    batch, lengths = pad([[3, 1], [2]], value=9)
    np.testing.assert_array_equal(batch, [[3, 1], [2, 9]])
    assert np.issubdtype(batch.dtype, np.integer)
    assert lengths.dtype == np.int32


@given(LENGTHS, st.integers(1, 4), st.booleans())
def test_buckets_hold_every_sequence_once(lengths, size, shuffled):
    rng = np.random.default_rng(1) if shuffled else None
    batches = list(bucket(lengths, size, rng=rng))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)
    padded = sum(max(lengths[i] for i in batch) - lengths[j] for batch in batches for j in batch)
    in_order = [sorted(lengths)[i : i + size] for i in range(0, len(lengths), size)]
    assert padded == sum(max(batch) - n for batch in in_order for n in batch)


def test_buckets_are_shuffled_by_their_generator():
    lengths = np.repeat(np.arange(10), 10)
    one, same, other = (
        np.concatenate(list(bucket(lengths, 10, rng=np.random.default_rng(s)))) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pad([]), "there are no sequences"),
        (
            lambda: pad([np.ones((2, 3)), np.ones((2, 4))]),
            r"differ only .* shapes \[\(2, 3\), \(2, 4",
        ),
        (lambda: pad([1, 2]), "differ only in their first axis"),
        (lambda: pad([[1, 2, 3]], to=2), "3 steps, more than to=2"),
        (lambda: unpad(np.ones((2, 3)), [1, 4]), r"2 numbers in \[0, T=3\], got \[1, 4\]"),
        (lambda: unpad(np.ones((2, 3)), [1]), r"2 numbers in \[0, T=3\], got \[1\]"),
        (lambda: list(bucket([1], 0)), "batch_size must be at least 1, got 0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


INTEGERS = ("bool", "int8", "uint8", "int32", "uint32", "int64")
FLOATS = ("float16", "float32", "float64")


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("empty", [[], (), np.zeros(0), np.zeros(0, np.float32)], ids=repr)
def test_a_sequence_without_steps_does_not_make_floats(dtype, empty):
    full = np.ones(2, dtype)
    for sequences in ([full, empty], [empty, full]):
        batch, lengths = pad(sequences)
        assert batch.dtype == dtype
        assert sorted(lengths.tolist()) == [0, 2]
        assert batch.sum() == 2


def test_without_any_steps_an_explicit_dtype_is_kept():
    assert pad([np.zeros(0, np.int32), []])[0].dtype == np.int32
    assert pad([np.zeros((0, 3), np.float32)] * 2, to=2)[0].shape == (2, 2, 3)
    batch, lengths = pad([[], []], to=3, value=7)
    np.testing.assert_array_equal(batch, np.full((2, 3), 7))
    assert np.issubdtype(batch.dtype, np.integer)
    np.testing.assert_array_equal(lengths, 0)


def test_an_empty_list_has_no_steps_and_any_features():
    batch, lengths = pad([[], np.ones((2, 3), np.float32)])
    assert (batch.shape, batch.dtype) == ((2, 2, 3), np.float32)
    np.testing.assert_array_equal(lengths, [0, 2])
    assert [row.shape for row in unpad(batch, lengths)] == [(0, 3), (2, 3)]


VALUES = [0, 1, 2, -1, 127, 300, -100, 2**31, 2**40, 2**63, 0.5, 1e5, 1e300, np.nan, np.inf]


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("value", [*VALUES, np.float32(0.1), np.int64(-5), np.uint8(200)])
def test_a_value_is_exact_or_refused(value, dtype):
    """A float may be rounded, but a value never silently becomes another number."""
    sequences = [np.ones(2, dtype), np.ones(1, dtype)]
    number, floating = float(value), dtype in FLOATS
    if floating:
        held = not np.isfinite(number) or abs(number) <= float(np.finfo(dtype).max)
    else:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        held = number.is_integer() and low <= int(value) <= high
    if not held:
        with pytest.raises(ValueError, match=f"value must be a number that {dtype} can hold"):
            pad(sequences, value=value)
        return
    batch, _ = pad(sequences, value=value)
    assert batch.dtype == dtype
    tolerance = np.finfo(dtype).eps if floating else 0
    np.testing.assert_allclose(float(batch[1, 1]), number, rtol=tolerance)


def test_a_value_for_each_feature_is_checked():
    sequences = [np.ones((2, 2), np.int32), np.ones((1, 2), np.int32)]
    np.testing.assert_array_equal(pad(sequences, value=[3, 4])[0][1, 1], [3, 4])
    with pytest.raises(ValueError, match=r"number that int32 can hold, got \[0, nan\]"):
        pad(sequences, value=[0, np.nan])
