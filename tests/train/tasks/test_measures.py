"""Figures of classifiers against slow references; the temperature; and what costs nothing."""

import numpy as np
import pytest

from lstm_jax.train.tasks.classify.baselines import majority, naive_bayes, nearest_mean, profile
from lstm_jax.train.tasks.classify.calibration import (
    calibration_error,
    fit_temperature,
    reliability,
    tempered,
)
from lstm_jax.train.tasks.classify.measures import (
    confused,
    confusion,
    macro_f1,
    measure,
    report,
    verdict,
)


def judgements(count=400, classes=3, sharp=1.0, seed=0):
    """ln p that are right as often as they say, made surer or less sure by `sharp`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    truth = np.array([rng.choice(classes, p=np.exp(row)) for row in logs])
    return tempered(logs, 1 / sharp), truth


def test_figures_against_a_slow_reference():
    logs, truth = judgements()
    found = measure(logs, truth)
    answers = [int(np.argmax(row)) for row in logs]
    pairs = list(zip(answers, truth.tolist(), strict=True))
    assert found["wrong"] == sum(a != t for a, t in pairs)
    assert found["accuracy"] == pytest.approx(sum(a == t for a, t in pairs) / 400)
    f1 = []
    for label in range(3):
        hits = sum(a == t == label for a, t in pairs)
        precision = hits / sum(a == label for a in answers)
        recall = hits / sum(t == label for t in truth)
        f1.append(2 * precision * recall / (precision + recall))
    assert found["macro_f1"] == pytest.approx(np.mean(f1))
    assert found["nats"] == pytest.approx(
        -np.mean([row[t] for row, t in zip(logs, truth, strict=True)])
    )
    off = 0.0
    for low in np.arange(10) / 10:
        sure = [np.exp(row.max()) for row in logs]
        own = [i for i, p in enumerate(sure) if low <= p < low + 0.1]
        if own:
            right = np.mean([answers[i] == truth[i] for i in own])
            off += len(own) / 400 * abs(right - np.mean([sure[i] for i in own]))
    assert found["calibration_error"] == pytest.approx(off)
    assert sum(one.size for one in reliability(logs, truth)) == 400


def test_a_class_that_is_not_there_counts_for_nothing():
    assert macro_f1(np.array([[2, 0, 0], [0, 2, 0], [0, 0, 0]])) == 1


@pytest.mark.parametrize("sharp", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_it_surer(sharp):
    logs, truth = judgements(4000, sharp=sharp)
    temperature = fit_temperature(logs, truth)
    assert temperature == pytest.approx(sharp, rel=0.1)
    cooler, hotter = temperature * 0.95, temperature * 1.05
    nats = [measure(tempered(logs, t), truth)["nats"] for t in (cooler, temperature, hotter)]
    assert nats[1] < min(nats[0], nats[2])
    assert calibration_error(tempered(logs, temperature), truth) < 0.03


def test_a_temperature_changes_no_answer():
    logs, _ = judgements()
    hot = tempered(logs, 2.5)
    np.testing.assert_array_equal(hot.argmax(1), logs.argmax(1))
    np.testing.assert_allclose(np.exp(hot).sum(1), 1)
    np.testing.assert_allclose(hot - hot[:, :1], (logs - logs[:, :1]) / 2.5, atol=1e-12)
    assert tempered(logs, 1.0) is logs


@pytest.mark.parametrize("count", [1, 8, 100])
def test_what_is_always_right_is_not_believed_for_ever(count):
    logs = np.tile(np.log([0.999, 0.001]), (count, 1))
    sure = np.exp(tempered(logs, fit_temperature(logs, np.zeros(count, int))))[0, 0]
    assert sure == pytest.approx(1 - 0.5 / (count + 1), abs=1e-3)
    impossible = np.array([[0.0, -np.inf]])
    assert np.isfinite(fit_temperature(impossible, np.array([1])))


def test_the_majority_is_the_most_frequent_class():
    logs = majority(np.array([1, 1, 0]), 2, 3)
    np.testing.assert_allclose(np.exp(logs), [[2 / 6, 3 / 6, 1 / 6]] * 2)


def test_naive_bayes_against_a_slow_reference():
    train = [["good", "film"], ["good"], ["bad", "film", "film"], ["bad"]]
    truth = np.array([1, 1, 0, 0])
    found = naive_bayes(train, truth, [["good", "film", "new"], [], ["bad"]], 2)
    # 3 known words; class 0 has bad 2, film 2; class 1 has good 2, film 1.
    zero, one = 0.5 * (1 / 7) * (3 / 7), 0.5 * (3 / 6) * (2 / 6)
    assert np.exp(found[0]) == pytest.approx([zero / (zero + one), one / (zero + one)])
    assert np.exp(found[1]) == pytest.approx([0.5, 0.5])
    assert found[2].argmax() == 0


def test_the_nearest_mean_is_of_the_parts_of_a_sequence():
    rising, falling = np.arange(8.0)[:, None], np.arange(8.0)[::-1, None]
    np.testing.assert_allclose(profile(rising), [0.5, 2.5, 4.5, 6.5])
    np.testing.assert_allclose(profile(rising[:1]), [0, 0, 0, 0])
    np.testing.assert_allclose(profile(rising[:3]), [0, 0.5, 1.5, 2])
    train = [rising, rising + 1, falling, falling + 1]
    found = nearest_mean(train, np.array([0, 0, 1, 1]), [rising[:6], falling[2:]], 3)
    assert found[0].argmax() == 0
    assert found[1].argmax() == 1
    assert np.isfinite(found).all()


def test_a_verdict_is_in_words():
    good, bad = {"accuracy": 0.9}, {"accuracy": 0.5}
    assert verdict(bad, {"majority": bad, "naive Bayes": good}) == (
        "the LSTM is less accurate than naive Bayes"
    )
    assert verdict(good, {"majority": bad, "naive Bayes": good}) == (
        "the LSTM is only as accurate as naive Bayes"
    )
    assert verdict(good, {"majority": bad, "naive Bayes": bad}) == (
        "the LSTM is more accurate than majority and naive Bayes"
    )


def test_a_confusion_is_aligned():
    counts = np.array([[1000, 2], [3, 40]])
    assert confused(counts, ["yes", "no"]).splitlines() == [
        "true  predicted",
        "        yes  no",
        " yes  1,000   2",
        "  no      3  40",
    ]
    many = np.eye(20, dtype=int) * 5
    many[3, 7], many[1, 2] = 9, 4
    said = confused(many, [f"class {i}" for i in range(20)])
    assert said.splitlines()[1:] == [
        "     9   class 3 taken for class 7",
        "     4   class 1 taken for class 2",
    ]
    assert confused(np.eye(20, dtype=int), [str(i) for i in range(20)]) == ""


def test_what_is_told_has_both_calibrations_and_a_picture(tmp_path):
    logs, truth = judgements(sharp=3.0)
    others = {"majority": majority(truth, len(truth), 3)}
    figures, said = report(
        logs, truth, "abc", others,
        what="x.csv test", unit="texts", temperature=3.0, picture=tmp_path / "reliability.png",
    )  # fmt: skip
    assert figures["on"] == "x.csv test"
    assert figures["texts"] == 400
    assert figures["calibration_error_before"] > 0.1 > figures["calibration_error"]
    assert figures["baselines"]["majority"]["accuracy"] < figures["accuracy"]
    assert np.sum(figures["confusion"]) == 400
    assert np.array_equal(figures["confusion"], confusion(logs, truth))
    assert "calibrated by temperature 3.00, fitted to the validation part" in said
    assert "the LSTM is more accurate than majority" in said
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")
