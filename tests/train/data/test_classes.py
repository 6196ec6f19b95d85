"""Classes come in order, and every part has some of each."""

from collections import Counter

import numpy as np
import pytest

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.classes import (
    balanced,
    check_classes,
    counted,
    in_order,
    split,
    together,
)


def test_classes_are_in_numeric_order_where_all_are_numbers():
    assert in_order(["10", "9", "-1", "9", "1.5"]) == ("-1", "1.5", "9", "10")
    assert in_order(["b", "10", "9"]) == ("10", "9", "b")
    assert in_order(["inf", "2", "10"]) == ("10", "2", "inf")


def test_classes_are_counted():
    assert counted(["a", "b", "a"], ["a", "b"]) == "2 classes: a 2, b 1"
    many = [str(i) for i in range(10)]
    assert counted(many, many).endswith("7 1 and 2 more")
    with pytest.raises(DataError, match=r"^x\.csv has only one class, 'a', but a classifier"):
        check_classes("x.csv", ["a"])


def test_rows_are_joined_by_any_column_and_through_others():
    units = together(["x", "y", "x", "z", "w"], ["1", "2", None, "2", None])
    assert units[0] == units[2]
    assert units[1] == units[3]
    assert len({units[0], units[1], units[4]}) == 3
    units = together(["x", "y", "y"], ["1", "1", "2"])
    assert len(set(units)) == 1


def test_each_part_has_its_share_of_every_class():
    labels = ["a"] * 600 + ["b"] * 100 + ["c"] * 10
    parts = split(labels, range(710), valid=0.1, test=0.2, seed=0)
    counts = {name: Counter(labels[i] for i in rows) for name, rows in parts.items()}
    assert counts["test"] == {"a": 120, "b": 20, "c": 2}
    assert counts["valid"] == {"a": 60, "b": 10, "c": 1}
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(710))
    again = split(labels, range(710), valid=0.1, test=0.2, seed=0)
    other = split(labels, range(710), valid=0.1, test=0.2, seed=1)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)
    assert not np.array_equal(parts["test"], other["test"])


def test_what_belongs_together_is_in_one_part():
    rng = np.random.default_rng(0)
    units, labels = rng.integers(0, 30, 300).tolist(), rng.choice(["a", "b"], 300).tolist()
    parts = split(labels, units, valid=0.2, test=0.2, seed=3)
    found = [{units[i] for i in rows} for rows in parts.values()]
    assert sum(map(len, found)) == len(set.union(*found)) == len(set(units))
    assert all(found)


@pytest.mark.parametrize("speakers", [3, 4, 20])
def test_speakers_of_every_class_are_dealt_out_by_their_number(speakers):
    rng = np.random.default_rng(speakers)
    units = np.repeat(range(speakers), 30).tolist()
    labels = rng.choice(list("abcdefgh"), 30 * speakers).tolist()
    parts = split(labels, units, valid=0.1, test=0.1, seed=0)
    wanted = max(1, round(0.1 * speakers))
    found = {name: len({units[row] for row in rows}) for name, rows in parts.items()}
    assert found == {"train": speakers - 2 * wanted, "valid": wanted, "test": wanted}


def test_the_larger_of_two_groups_is_learned_from():
    for seed in range(9):
        units, labels = [0] * 30 + [1] * 20 + [2] * 4, ["a", "b"] * 27
        parts = split(labels, units, valid=0.1, test=0.1, seed=seed)
        assert 0 in parts["train"]
        assert all(len(rows) for rows in parts.values())


def test_a_class_that_one_group_has_alone_is_learned_from():
    labels, units = ["a", "b"] * 10, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, *range(5, 15)]
    labels += ["a", "c"]
    units += [99, 99]
    for seed in range(9):
        parts = split(labels, units, valid=0.2, test=0.2, seed=seed)
        assert 21 in parts["train"]
        assert all(len(rows) for rows in parts.values())


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_class_of_a_few_is_learned_first(count):
    parts = split(["a"] * count + ["b"] * 50, range(count + 50), valid=0.1, test=0.1, seed=0)
    own = {name: int((rows < count).sum()) for name, rows in parts.items()}
    assert own["train"] == max(1, count - 2) if count > 2 else own["train"] == 2
    assert sum(own.values()) == count


def test_no_share_takes_no_rows():
    parts = split(["a", "b"] * 50, range(100), valid=0.1, test=0.0, seed=0)
    assert [len(parts[name]) for name in ("train", "valid", "test")] == [90, 10, 0]


def test_weights_make_every_class_count_the_same():
    truth = np.array([0, 0, 0, 1])
    weights = balanced(truth, 3)
    assert weights.mean() == pytest.approx(1)
    assert weights[:3].sum() == pytest.approx(weights[3])
