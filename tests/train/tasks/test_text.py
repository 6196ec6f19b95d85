"""A user's own texts: what is chosen, what is learned, and what is said of it."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import lstm_jax
from lstm_jax.configs import shakespeare as shakespeare_recipe
from lstm_jax.configs import text as recipe
from lstm_jax.errors import UserError
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train import fit, loop, problems
from lstm_jax.train.config import ConfigError, check
from lstm_jax.train.data import shakespeare, synthetic
from lstm_jax.train.data.download import DataError
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.look import is_open
from lstm_jax.train.tasks.text import ngram
from lstm_jax.train.tasks.text.look import look_at_texts
from lstm_jax.train.tasks.text.run import TextRun

pytestmark = pytest.mark.usefixtures("compile_fast")
VERSES = synthetic.verses(40, seed=0)
RUNNING = "\n\n".join(VERSES)
TINY = {
    "model": CharLMConfig(4, 5, 1), "rows": 4, "window": 16, "epochs": 1, "min_count": 1,
    "health_every": 0,
}  # fmt: skip
QUIET = Console(file=io.StringIO())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text(RUNNING, encoding="utf-8")
    return path


def own(*files, **fields):
    return replace(recipe.config, file=tuple(map(str, files)), **fields)


def train(config, folder, **how):
    look = look_at_texts(config)
    config = loop.prepare(folder, look.config, **{"resume": False, "overwrite": False, **how})
    return loop.train(config, folder, task=look.task, console=QUIET)


# --- the look ------------------------------------------------------------------------------------


def test_everything_is_chosen_that_training_needs(file):
    look = look_at_texts(own(file))
    check(look.config)
    config, model = look.config, look.config.model
    sizes = [config.rows, config.window, config.epochs, config.min_count]
    sizes += [model.embedding_features, model.hidden_features, model.num_layers]
    assert not any(map(is_open, sizes))
    assert (config.texts, config.valid, config.test) == ("file", 0.05, 0.05)
    assert config.file == (str(file.resolve()),)
    assert len(config.data_sha256) == 64
    assert {choice.field for choice in look.chose} == {
        "texts", "valid", "test", "min_count", "rows", "window", "epochs",
        "model.embedding_features", "model.hidden_features", "model.num_layers",
    }  # fmt: skip
    again = look_at_texts(config)
    assert (again.config, again.chose) == (config, ())


def test_what_is_in_the_texts_is_said(file):
    said = look_at_texts(own(file)).saw
    size = len(RUNNING)
    assert said[0] == f"{file}: {size:,} bytes, {size:,} characters"
    held = size - int(size * 0.95)
    cut = int(size * 0.9)
    assert said[1] == (
        f"continuous text, split by characters in order: {cut:,} for training, "
        f"{size - cut - held:,} for validation, {held:,} for testing"
    )
    assert said[2].endswith(" different characters: Latin 100%")
    assert said[-1].startswith("this is not much text: with fewer than 20,000 characters")


def test_what_is_odd_in_the_texts_is_said(tmp_path):
    texts = [f"the verse of number {number}, long enough" for number in range(60)]
    texts += [texts[0], texts[0], "\x07 bell \ufffd", "漢字 кириллица"]
    said = "\n".join(look_at_texts(own(), texts).saw)
    assert "2 texts are copies of others; equal texts are in the same part" in said
    assert "1 control characters, which are learned like any other" in said
    assert "1 characters are U+FFFD" in said
    assert "64 texts of " in said
    lines = [f"{text}\nmore of it, in a line that all of them have" for text in texts]
    said = "\n".join(look_at_texts(own(), lines).saw)
    assert "are also in the training texts, so that results on them are partly memory" in said


@pytest.mark.parametrize(
    ("symbols", "hidden", "rows"), [(20_000, 128, 4), (90_000, 192, 8), (1_000_000, 384, 16)]
)
def test_sizes_follow_the_text(symbols, hidden, rows):
    text = ("abcdefghi\n" * (symbols // 9))[: int(symbols / 0.9)]
    config = look_at_texts(own(texts="file"), [text]).config
    assert (config.model.hidden_features, config.rows) == (hidden, rows)


def test_rare_characters_of_a_large_script_are_unknown():
    text = "".join(chr(0x4E00 + i % 700) for i in range(5000))
    assert look_at_texts(own(), [text]).config.min_count == 2
    assert look_at_texts(own(), ["abc\n\n" * 500]).config.min_count == 1
    assert look_at_texts(own(unit="word"), ["abc cba\n\n" * 500]).config.min_count == 2


def test_every_byte_is_known():
    look = look_at_texts(own(unit="byte", min_count=3), ["abc\n\n" * 500])
    assert len(look.task.vocabulary) == 2 + 256
    assert look.task.vocabulary.encode("".join(map(chr, range(256)))).min() == 2


def test_texts_of_all_sizes_run_on_and_those_of_one_size_do_not():
    same = [f"{number} verses of it" for number in range(100, 140)]
    assert not look_at_texts(own(), same).task.running
    assert look_at_texts(own(), [*same, "long " * 5000]).task.running
    assert look_at_texts(own(), ["verse " * 100] * 9).task.running


@pytest.mark.parametrize(
    ("fields", "given", "said"),
    [
        ({}, None, "there are no texts to learn from: use --file"),
        ({}, ["few"], "3 characters are too few to set some aside for "),
        (
            {},
            ["few words " * 10],
            "the training part has 90 characters, but at least 200 are needed",
        ),
        ({"texts": "line"}, ["a\na\na"], "1 different texts are too few to set some aside for"),
        ({"file": ("a.txt",)}, ["a"], "files and texts cannot be combined"),
        ({"file": ("no*.txt",)}, None, r"there is no file 'no\*\.txt'"),
        ({"data_sha256": "0" * 64}, ["a"], "the texts have changed since the run was trained on"),
        ({"data_sha256": "0" * 64}, None, "the run was trained on texts from Python"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_line(fields, given, said):
    with pytest.raises(DataError, match=said) as caught:
        look_at_texts(
            own(**fields) if "file" not in fields else replace(recipe.config, **fields), given
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"valid": 0.0}, "--valid must be above 0 and below 1, got 0.0"),
        ({"test": 1.0}, "--test must be at least 0 and below 1, got 1.0"),
        ({"valid": 0.6, "test": 0.4}, "--test must be below 1 together with --valid, got 0.4"),
        ({"valid": 0.97}, "--test must be below 1 together with --valid"),
        ({"rows": -1}, "--rows must be at least 0, got -1"),
        ({"data": "tang"}, "--epochs must be at least 1, got 0"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields, said):
    with pytest.raises(ConfigError, match=f"^{said}"):
        check(own(**fields))


# --- learning ------------------------------------------------------------------------------------


def test_a_file_is_learned_as_the_recipe_for_it_learns(tmp_path, monkeypatch):
    """The split, the vocabulary, the batches and the losses of `train shakespeare`, bit by bit."""
    text = RUNNING
    at = int(len(text) * 0.9)
    monkeypatch.setattr(shakespeare, "load", lambda: {"train": (text[:at],), "valid": (text[at:],)})
    path = tmp_path / "input.txt"
    path.write_text(text, encoding="utf-8")
    full = shakespeare_recipe.config
    small = replace(full.model, embedding_features=4, hidden_features=6)
    fields = {
        "model": small, "rows": 4, "window": 16, "epochs": 2, "log_every": 1, "health_every": 0,
        "min_count": full.min_count, "optimizer": full.optimizer,
    }  # fmt: skip
    train(replace(full, **fields), tmp_path / "of the package")
    train(own(path, valid=0.1, test=0.0, **fields), tmp_path / "own")
    lines = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("of the package", "own")
    ]
    assert len(lines[0]) == len(lines[1]) > 4
    for theirs, ours in zip(*lines, strict=True):
        kept = {name: value for name, value in theirs.items() if not name.endswith("per_second")}
        assert {name: ours[name] for name in kept} == kept
    weights = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("of the package", "own")]
    assert weights[0] == weights[1]


@pytest.fixture(scope="module", params=["character", "word", "byte"])
def run(request, tmp_path_factory):
    """A run on verses in a file, a line each."""
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "verses.txt"
    path.write_text("\n".join(verse.replace("a", "é") for verse in VERSES), encoding="utf-8")
    config = own(path, unit=request.param, texts="line", **TINY)
    train(config, folder / "run")
    return fit.load(folder / "run")


def test_the_run_is_what_fit_and_load_give(run):
    assert isinstance(run, TextRun)
    model = lstm_jax.load(run.folder)
    assert model.unit == run.language.unit == run.config.unit
    assert run.generate("", seed=1, max_length=9) == model.generate("", seed=1, max_length=9)
    np.testing.assert_array_equal(run.score("bé"), model.score("bé"))
    assert run.model is run.stored.network


def test_texts_are_read_and_written_by_the_unit(run):
    prompt = VERSES[0].replace("a", "é")[:5] if run.config.unit != "word" else ""
    model = run.language
    texts = model.generate(prompt, num=3, seed=2, max_length=20)
    assert all(text.startswith(prompt) for text in texts)
    pieces = list(model.stream([prompt] * 3, seed=2, max_length=20, chunk=3))
    joined = [prompt + "".join(row) for row in zip(*pieces, strict=True)]
    assert joined == texts, "a character whose bytes two pieces share is in neither by half"
    symbols = {"character": 4, "byte": 5, "word": 2}[run.config.unit]
    assert run.score("bé, ").shape == ({"word": 3}.get(run.config.unit, symbols) + 1,)
    following = model.next_characters("")
    assert sum(following.values()) == pytest.approx(1, rel=1e-5)
    if run.config.unit == "byte":
        assert {"b", "\\xc3"} <= set(following)


def test_an_evaluation_stands_beside_n_grams(run):
    figures, said = measure(EvaluateOptions(str(run.folder), split="valid"))
    assert figures["perplexity"] == pytest.approx(run.card["valid_perplexity"], rel=1e-5)
    bits = figures["nats_per_symbol"] * figures["symbols"] / np.log(2) / figures["characters"]
    assert figures["bits_per_character"] == pytest.approx(bits)
    assert bits == pytest.approx(run.card["valid_bits_per_character"], rel=1e-5)
    five = figures["baselines"]["5-gram"]
    assert five["perplexity"] == pytest.approx(run.card["valid_5gram_perplexity"])
    assert five["nats_per_symbol"] < figures["baselines"]["unigram"]["nats_per_symbol"]
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["the", "5-gram", "unigram"]
    assert lines[5].startswith("the model is worse than the 5-gram, by ")


def test_a_run_evaluates_itself(run):
    assert run.evaluate("test")["on"] == "own test"
    assert run.evaluate("test")["symbols"] > 0


def test_another_file_is_read_as_the_run_reads_its_own(run, tmp_path):
    path = tmp_path / "others.txt"
    path.write_text("\r\n".join(synthetic.verses(3, seed=7)), encoding="utf-8-sig")
    figures = run.evaluate(file=path)
    assert (figures["texts"], figures["on"]) == (3, str(path))
    assert figures["baselines"].keys() == {"5-gram", "unigram"}


def test_texts_that_changed_are_not_evaluated_and_others_are_without_n_grams(file, tmp_path):
    train(own(file, **TINY), tmp_path / "run")
    run = fit.load(tmp_path / "run")
    file.write_text(RUNNING + "more", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"^the texts have changed since the run was trained on them"
    ):
        run.evaluate()
    figures, said = measure(EvaluateOptions(str(run.folder), file=file))
    assert figures["baselines"] == {}
    assert "because the training texts are not available" in said
    file.unlink()
    with pytest.raises(DataError, match=r"^there is no file "):
        run.evaluate()


def test_a_model_that_is_better_than_counting_is_called_that(file, tmp_path, monkeypatch):
    train(own(file, **TINY), tmp_path / "run")
    # What a tiny model of a second learns beats counting where there is nothing to count.
    monkeypatch.setattr("lstm_jax.train.tasks.text.beside.mean_nats", lambda *_, **__: 9.0)
    _, said = measure(EvaluateOptions(str(tmp_path / "run")))
    assert "\nthe model is better than the 5-gram, by " in said


def test_a_running_text_is_judged_without_ends(file, tmp_path):
    train(own(file, **TINY), tmp_path / "run")
    figures = fit.load(tmp_path / "run").evaluate()
    assert figures["symbols"] == figures["characters"] == len(RUNNING) - int(len(RUNNING) * 0.95)


def test_a_split_that_was_not_held_out_is_refused(file, tmp_path):
    train(own(file, test=0.0, **TINY), tmp_path / "run")
    with pytest.raises(
        UserError, match="the run has no test split; --split must be train or valid"
    ):
        fit.load(tmp_path / "run").evaluate("test")


def test_a_run_goes_on_with_the_same_texts_and_no_others(file, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(own(file, **TINY), whole)
    assert not train(own(file, max_steps=7, **TINY), parts).finished
    file.write_text(RUNNING.replace("b", "d", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^the data have changed since the run in .* began"):
        train(own(file, **TINY), parts, resume=True)
    file.write_text(RUNNING, encoding="utf-8")
    assert train(own(file, **TINY), parts, resume=True).finished
    names = ("model.safetensors", "model.json")
    assert [(whole / n).read_bytes() for n in names] == [(parts / n).read_bytes() for n in names]
    assert problems.make_task(problems.load(parts / "config.json")).identity["data"]


# --- from Python ---------------------------------------------------------------------------------


def test_texts_from_python_are_learned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = fit.text(texts=VERSES, **TINY)
    assert run.folder.as_posix() == "runs/text"
    assert run.evaluate()["on"] == "own test"
    assert "40 texts" in capsys.readouterr().out
    with pytest.raises(DataError, match="texts from Python, which are not saved: pass them again"):
        fit.load("text").evaluate()
    assert fit.load("text").evaluate(given=list(VERSES)) == run.evaluate()


def test_texts_from_python_are_cut_as_asked(file, tmp_path):
    run = fit.text(file, cut="line", test=0, out=tmp_path / "run", **TINY)
    assert (run.config.texts, run.config.test) == ("line", 0)
    whole = fit.text(texts=VERSES[:9], cut="file", out=tmp_path / "whole", **TINY)
    assert whole.config.texts == "file"


@pytest.mark.parametrize("several", [True, False])
def test_files_from_python_are_learned(file, tmp_path, several):
    run = fit.text([file, str(file)] if several else file, out=tmp_path / "run", **TINY)
    assert run.config.file == (str(file.resolve()),)
    assert run.config.texts == "file"


def test_n_grams_know_what_the_model_knows(file):
    """The same vocabulary, split and symbols, to the last."""
    task = look_at_texts(own(file, texts="paragraph", **TINY)).task
    found = ngram.count(task.train, size=len(task.vocabulary), end_id=0)
    assert found.probabilities(task.valid).shape == (sum(map(len, task.valid)) + len(task.valid),)


def test_files_of_nothing_beside_others_are_named(tmp_path):
    for name, content in (("a", RUNNING), ("b", " \n")):
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
    said = look_at_texts(own(tmp_path / "*.txt")).saw
    assert said[0].startswith(f"2 files: {len(RUNNING) + 2:,} bytes")
    empty = tmp_path / "b.txt"
    assert said[1] == f"left out 1 of the files, which are empty, the first: {empty}"
