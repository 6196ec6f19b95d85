"""Phrases come from training trees alone, and typed sentences become the treebank's words."""

import hashlib
from dataclasses import replace

import pytest

from lstm_jax.train import sets
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.sentiment import Text, phrases_of, read_sentences, subtrees, words_of
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.sentiment import learned, make_sentiment_task

TREES = [
    "(4 (3 (2 A) (4 Fine)) (2 film))",
    "(1 (2 a) (0 (1 bad\\/dull) (2 film)))",
    "(2 (2 8\u00a01\\/2) (2 M\\*A))",
]
FILES = {
    "train": "1 a Fine film\n0 a bad\\/dull film\n0 8\u00a01\\/2 Bad\n",
    "dev": "1 fine\n",
    "test": "0 8\u00a01\\/2 bad\n1 unseen wonder\n",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Puts made-up files where a mirror is, as the pinned ones."""
    monkeypatch.setenv("LSTM_JAX_DATA", str(tmp_path))
    monkeypatch.setattr(sentiment, "TRAINING_TREES", len(TREES))

    def write(trees=TREES, **changed):
        contents = {
            "SENTENCES": {f"stsa.binary.{k}": v for k, v in {**FILES, **changed}.items()},
            "TREES": {"train.txt": "\n".join(trees) + "\n"},
        }
        for name, files in contents.items():
            source, digests = getattr(sentiment, name), {}
            (tmp_path / source.name).mkdir(exist_ok=True)
            for file, content in files.items():
                (tmp_path / source.name / file).write_text(content, encoding="utf-8")
                digests[file] = hashlib.sha256(content.encode()).hexdigest()
            monkeypatch.setattr(sentiment, name, replace(source, files=digests))

    write()
    return write


def test_every_node_of_a_tree_is_a_phrase():
    assert subtrees("(3 (2 It) (4 (4 shines) (2 !)))") == [
        (("it",), 2),
        (("shines",), 4),
        (("!",), 2),
        (("shines", "!"), 4),
        (("it", "shines", "!"), 3),
    ]


@pytest.mark.parametrize("line", ["", "(3 (2 a)", "(3 (2 a)))", "word", "(2 )", "(3 a) (2"])
def test_what_is_no_tree_is_refused(line):
    with pytest.raises(DataError, match="not a tree") as caught:
        subtrees(line)
    assert "\n" not in str(caught.value)


def test_phrases_are_distinct_and_have_the_label_that_they_got_most_often():
    trees = ["(3 (2 so) (3 so))", "(1 (2 so) (4 good))"]
    phrases, dropped = phrases_of(trees, held_out={("good",), ("never", "seen")})
    assert phrases == (
        Text(("so",), None, pytest.approx(7 / 12)),  # two of its three labels are neutral
        Text(("so", "so"), 1, 0.75),
        Text(("so", "good"), 0, 0.25),
    )
    assert dropped == 1


def test_a_line_without_a_label_is_refused(tmp_path):
    (tmp_path / "a").write_text("1 good\n2 odd\n")
    with pytest.raises(
        DataError, match=r"line 2 of .*a must be a label \(0 or 1\) and .*, got '2 odd"
    ):
        read_sentences(tmp_path / "a")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("It's great, isn't it?", "it 's great , is n't it ?"),
        ("A U.S. film. Not bad.", "a u.s. film . not bad ."),
        ("He said “Mr. Smith can't act (at all).”", None),
        ("Well... you cannot—it costs 1,000!", "well ... you can not -- it costs 1,000 !"),
        ("By J. Doe vs. a star-studded cast", "by j. doe vs. a star-studded cast"),
        ("  ", ""),
    ],
)
def test_a_typed_sentence_as_the_treebank_writes_it(typed, words):
    said = "he said `` mr. smith ca n't act -lrb- at all -rrb- . ''"
    assert " ".join(words_of(typed)) == (said if words is None else words)


def test_the_files_are_read_and_cut(write):
    data = sentiment.load()
    assert data.train[1] == Text(("a", "bad/dull", "film"), 0, 0.25)
    assert data.test[0] == Text(("8\u00a01/2", "bad"), 0, 0.0)
    assert {name: len(texts) for name, texts in data.splits.items()} == {
        "train": 2, "valid": 1, "test": 2,
    }  # fmt: skip
    phrases = {text.words: text.label for text in data.phrases}
    assert phrases[("a", "fine", "film")] == 1
    assert phrases[("bad/dull", "film")] == 0
    assert phrases[("film",)] is None
    # The word of the validation sentence stands in a tree, but is not learned as a text.
    assert ("fine",) not in phrases
    assert data.dropped == 2  # and a training sentence that the test has too
    write([*TREES, "(4 (4 validation) (4 tree))"])
    assert sentiment.load().phrases == data.phrases
    figures, said = sets.describe("sentiment")
    assert figures["phrases"] == len(phrases)
    assert said.splitlines()[0] == "train       2 sentences, 1 of them positive, 6 words"


def test_what_is_to_be_learned(write):
    data = sentiment.load()
    counts = [len(learned(data, what)) for what in ("sentences", "phrases", "neutral")]
    neutral = sum(text.label is None for text in data.phrases)
    assert counts == [2, 2 + len(data.phrases) - neutral, 2 + len(data.phrases)]
    task = make_sentiment_task(ClassifyConfig(), data)
    assert task.train.targets.sum(1).tolist() == [1.0] * counts[2]
    assert [0.5, 0.5] in task.train.targets.tolist()


def test_nothing_that_is_fitted_comes_from_what_is_judged(write):
    shared, fitted = FILES["test"].split("\n")[0], []  # which is dropped from training
    for judged in ({}, {"test": f"{shared}\n1 wholly other words\n", "dev": "0 fine\n"}):
        write(**judged)
        task = make_sentiment_task(ClassifyConfig())
        assert not {"unseen", "wonder", "wholly", "other"} & set(task.own["vocabulary"])
        fitted.append((task.own, [ids.tolist() for ids in task.train.inputs], task.train.targets))
    assert fitted[0][:2] == fitted[1][:2]
    assert (fitted[0][2] == fitted[1][2]).all()


@pytest.mark.corpus
def test_the_published_counts():
    data = sentiment.load()
    assert {name: len(texts) for name, texts in data.splits.items()} == {
        "train": 6917, "valid": 872, "test": 1821,
    }  # fmt: skip
    assert len(data.phrases) == 156_815
    assert sum(text.label is not None for text in data.phrases) == 76_956
    assert data.dropped == 5  # three training sentences and two phrases
    held_out = {text.words for text in (*data.valid, *data.test)}
    assert not held_out & {text.words for text in (*data.phrases, *data.train)}
    # Every training sentence is a tree, and its label that of the tree's root.
    labels = {text.words: text.label for text in data.phrases}
    assert all(labels[text.words] is not None for text in data.train)
