import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax import bucket, mask_of, pad, unpad

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(LENGTHS, st.booleans(), st.integers(0, 3))
def test_there_and_back(lengths, left, extra):
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
            r"alike .* shapes \[\(2, 3\), \(2, 4",
        ),
        (lambda: pad([1, 2]), "alike but for their first axis"),
        (lambda: pad([[1, 2, 3]], to=2), "3 steps, more than to=2"),
        (lambda: unpad(np.ones((2, 3)), [1, 4]), r"2 numbers in \[0, T=3\], got \[1, 4\]"),
        (lambda: unpad(np.ones((2, 3)), [1]), r"2 numbers in \[0, T=3\], got \[1\]"),
        (lambda: list(bucket([1], 0)), "batch_size must be at least 1, got 0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
