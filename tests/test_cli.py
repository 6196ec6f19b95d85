"""The command line: a mistake is one line and exit code 2, and what it prints can be relied on."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from lstm_jax import cli, completion
from lstm_jax.configs import copy, smoke
from lstm_jax.errors import UserError
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.page.command import PageOptions
from lstm_jax.recipes import recipes, table
from lstm_jax.text import command as sampling
from lstm_jax.text import verse
from lstm_jax.text.forms import Order
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.train import problems, sets
from lstm_jax.train.data import synthetic
from lstm_jax.train.evaluate import EvaluateOptions
from lstm_jax.train.run.meter import DivergedError
from lstm_jax.train.run.processes import PeerError
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import MemoryTask

pytestmark = pytest.mark.usefixtures("compile_fast")
FOLDER = Path(__file__).parent.parent / "configs"
RECIPES = ", ".join(sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__"))
HAN = "，。看著山水雲乾坤風馬車門見長東飛鳥語學"


@pytest.fixture
def call(capsys):
    """(exit code, stdout, stderr) of a command, run in this process."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return call


@pytest.fixture
def refused(call):
    """Calls a command that is to be refused, and returns the one line that says why."""

    def refused(*arguments):
        code, out, err = call(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert err.startswith("lstm-jax: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "Traceback" not in err
        assert "---" not in err, "a rule of tyro's box"
        return err

    return refused


def make_model(folder, characters, data, seed=0):
    vocabulary = Vocabulary(tuple(characters))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(seed))
    # Sharper than at its start, so that greedy and sampled texts differ and texts vary.
    network.embedding[...] = 6 * network.embedding[...]
    LanguageModel(network, vocabulary, {"data": data}).save(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model whose card says that it learned verses."""
    return make_model(tmp_path_factory.mktemp("model"), "abcdefgh", "verses")


@pytest.fixture(scope="module")
def poet(tmp_path_factory):
    """A model of traditional characters, whose card says that it learned Tang poems."""
    return make_model(tmp_path_factory.mktemp("poet"), HAN, "tang")


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("compose", f"no command 'compose'; there are {', '.join(sorted(cli.COMMANDS))}\n"),
        ("trian tang", "no command 'trian'; did you mean 'train'?\n"),
        ("train opera", f"no recipe 'opera'; there are {RECIPES}"),
        ("train shakespear", "no recipe 'shakespear'; did you mean 'shakespeare'?\n"),
        ("sample --tempertaure 1", "no option --tempertaure; did you mean '--temperature'? (see "),
        ("train tang --modle.hidden-features 1", "did you mean '--model.hidden-features'? (see"),
        ("release frm", "no release command 'frm'; did you mean 'form'?\n"),
        ("release form --modle x", "there is no option --modle (see lstm-jax release form --help)"),
        ("completion fish", "no shell 'fish'; there are bash, zsh\n"),
        ("train adding --problem parity", "invalid choice 'parity' for argument '--problem'"),
        ("train adding --rows 3", "--rows"),
        ("train smoke --model.hidden 3", "--model.hidden"),
        ("train smoke --epoch 3", "--epoch"),
        ("train smoke stray", "stray"),
        ("train smoke --epochs many", "--epochs: invalid literal for int() with base 10: 'many'"),
        ("train smoke --epochs", "Missing value for argument '--epochs'"),
        ("train smoke --optimizer.learning-rate fast", "--optimizer.learning-rate"),
        ("train smoke --data prose", "invalid choice 'prose' for argument '--data'"),
        ("sample --temperature warm", "--temperature"),
        ("sample --top-k 2.5", "--top-k"),
        ("sample one two", "Unrecognized options: two"),
        ("sample --num 0", "--num must be from 1 to 10,000, got 0"),
        ("sample --num 99999999999999999999", "--num must be from 1 to 10,000, got 9999"),
        ("sample --best-of 0", "--best-of must be from 1 to 10,000, got 0"),
        ("sample --form 5by4", "the form must be CxL, L lines of C characters, such as 5x4"),
        ("sample --form 5x4 --acrostic qQ", "the model does not know 'qQ', in the acrostic 'qQ'"),
        ("sample --form 6x4 --tones", "the form 6x4 has no tone pattern"),
        ("sample --mood qQ", "the model does not know 'qQ', in the mood 'qQ'"),
        ("sample --seed -1", "seed must be an integer in [0, 2**32), got -1"),
        ("evaluate --split dev", "Expected one of ('train', 'valid', 'test')"),
        ("evaluate --rows 0", "--rows must be at least 1, got 0"),
        ("data", "NAME"),
        ("data prose", "there is no data set 'prose'; there are sensor, sentiment, "),
        ("data shakspeare", "there is no data set 'shakspeare'; did you mean 'shakespeare'?\n"),
        (
            "evaluate tagn",
            "it is neither a folder nor a released model (tang, tang-2026-11); "
            "did you mean 'tang'?\n",
        ),
    ],
)
def test_a_mistake_in_the_arguments(arguments, said, refused):
    assert said in refused(*arguments.split())


def test_a_model_is_exported(call, refused, model, tmp_path):
    path = tmp_path / "model.safetensors"
    code, out, err = call("export", model, "--to", path)
    assert (code, err) == (0, "")
    assert out.startswith(f"wrote {path}, ")
    assert out.count("\n") == 1
    assert "already exists" in refused("export", model, "--to", path)
    assert "must end in .onnx or .safetensors" in refused("export", model, "--to", tmp_path / "m")
    assert "--to" in refused("export", model)
    assert "invalid choice" in refused("export", model, "--to", path, "--layout", "mxnet")


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--epochs", 0), ("--max-steps", 0), ("--model.layer-dropout", 1.0), ("--optimizer.b1", 2.0)],
)
def test_a_value_out_of_range(flag, value, refused, tmp_path):
    said = refused("train", "smoke", flag, value, "--out", tmp_path / "run")
    assert f"{flag} must be " in said
    assert f"got {value}" in said
    assert list(tmp_path.iterdir()) == []


def test_a_narrow_terminal_does_not_matter(refused, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    said = refused("train", "smoke", "--data", "prose")
    assert "Expected one of ('tang', 'shakespeare', 'verses', 'own')" in said


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--temperature", "-1", "temperature"),
        ("--temperature", "nan", "temperature"),
        ("--temperature", "inf", "temperature"),
        ("--top-p", "0", "top_p"),
        ("--top-p", "1.01", "top_p"),
        ("--top-p", "nan", "top_p"),
        ("--top-k", "0", "top_k"),
        ("--max-length", "0", "max_length"),
    ],
)
def test_a_setting_of_the_sampler_out_of_range(flag, value, said, model, refused):
    assert said in refused("sample", "--model", model, flag, value)


@pytest.mark.parametrize("prompt", ["abxay", "a\nb", "李"])
def test_unknown_characters_in_a_prompt(prompt, model, refused):
    said = refused("sample", prompt, "--model", model)
    assert "the model does not know" in said
    assert repr("".join(c for c in dict.fromkeys(prompt) if c not in "ab")) in said


def test_unknown_characters_on_a_terminal_write_nothing_before_they_are_refused(
    model, refused, monkeypatch
):
    terminal(monkeypatch)
    refused("sample", "abx", "--model", model)


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_model_that_is_not_there(command, refused, tmp_path):
    flag = ["--model"] if command == "sample" else []
    assert "there is no model" in refused(command, *flag, tmp_path / "nowhere")
    assert "has no model.json" in refused(command, *flag, tmp_path)


def alter_weights(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def lose_weights(folder):
    (folder / "model.safetensors").unlink()


def cut_description(folder):
    path = folder / "model.json"
    path.write_text(path.read_text()[:50])


def edit(**changes):
    def alter(folder):
        path = folder / "model.json"
        description = {**json.loads(path.read_text()), **changes}
        kept = {name: value for name, value in description.items() if value is not None}
        path.write_text(json.dumps(kept | {"digest": storage._digest(kept)}))

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        alter_weights,
        cut_weights,
        lose_weights,
        cut_description,
        edit(format=99),
        edit(kind="GPT"),
        edit(sha256=None),
        edit(vocabulary=None),
        edit(vocabulary="abcdefg"),
        edit(vocabulary="aabcdefg"),
        edit(config={"hidden_features": 6}),
        edit(config={"colour": "red"}),
        edit(card=None),
    ],
)
def test_an_altered_model(alter, model, refused, tmp_path):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    alter(folder)
    assert str(folder) in refused("sample", "--model", folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "holds no text"),
        (b" \n\n", "holds no text"),
        (b"abc\xff\xfe", "line 1, is not UTF-8 text (byte 0xff)"),
    ],
)
def test_a_file_that_cannot_be_evaluated(content, said, model, refused, tmp_path):
    file = tmp_path / "texts.txt"
    if content is not None:
        file.write_bytes(content)
    line = refused("evaluate", model, "--file", file)
    assert str(file) in line
    assert said in line


@pytest.mark.parametrize("data", [None, "prose", ["tang"]])
def test_a_model_of_data_that_is_not_in_the_package(data, model, refused, tmp_path):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    edit(card={"data": data})(folder)
    assert "use --file for texts" in refused("evaluate", folder)


@pytest.fixture(scope="module")
def adder(tmp_path_factory):
    """A sequence model whose card says that it learned to add."""
    config = MemoryConfig(steps=24, model=SequenceModelConfig(hidden_features=3))
    network = MemoryTask(config).model(nnx.Rngs(0))
    folder = tmp_path_factory.mktemp("adder")
    MemoryTask(config).save(network, folder, {"data": "adding", "config": problems.to_dict(config)})
    return folder


def test_evaluate_judges_a_sequence_model_by_fresh_sequences(adder, call):
    code, out, err = call("evaluate", adder)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"adding test, T = 24: 2,\d+ of 2,560 held-out .* loss 0\.\d+\n", out)
    code, out, err = call("evaluate", adder, "--split", "valid", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["on"], found["steps"], found["sequences"]) == ("adding valid", 24, 2560)
    assert 1000 < found["wrong"] < 2560


def test_what_a_sequence_model_cannot_do_is_one_line(adder, refused, tmp_path):
    assert "must be a CharLM, got a SequenceModel" in refused("sample", "--model", adder)
    assert "which was not trained on files" in refused("evaluate", adder, "--file", "texts.txt")
    assert "--split must be valid or test for" in refused("evaluate", adder, "--split", "train")
    other = Path(shutil.copytree(adder, tmp_path / "other"))
    edit(card={"data": "stocks"})(other)
    assert "does not name a problem of this package" in refused("evaluate", other)
    edit(card={"config": {"kind": "stocks"}})(other)
    assert "unknown kind 'stocks'" in refused("evaluate", other)
    alter_weights(other)
    assert "is incomplete or was altered" in refused("evaluate", other)


@pytest.fixture
def empty_mirror(tmp_path, monkeypatch):
    (tmp_path / "mirror" / "tang").mkdir(parents=True)
    monkeypatch.setenv("LSTM_JAX_DATA", str(tmp_path / "mirror"))


@pytest.mark.parametrize("arguments", ["data tang", "evaluate MODEL --split valid"])
def test_data_that_is_missing_from_the_mirror(arguments, refused, poet, empty_mirror):
    said = refused(*arguments.replace("MODEL", str(poet)).split())
    assert "is missing from" in said
    assert "LSTM_JAX_DATA" in said


def test_training_on_data_that_is_missing(refused, empty_mirror, tmp_path):
    assert "is missing from" in refused("train", "tang", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Runs


TINY = [
    "--model.embedding-features", "4", "--model.hidden-features", "5", "--model.num-layers", "1",
    "--rows", "3", "--window", "24", "--min-count", "1", "--epochs", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def few_verses():
    verses = synthetic.verses
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(synthetic, "verses", lambda count, *, seed: verses(4, seed=seed))
        yield


@pytest.fixture(scope="module")
def trained(few_verses, tmp_path_factory):
    """A run of two steps of a recipe; and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "a run"
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as caught,
    ):
        cli.main(["train", "smoke", *TINY, "--out", str(folder), "--max-steps", "2"])
    assert not caught.value.code
    return folder, out.getvalue(), err.getvalue()


def digest(folder):
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(f"{path.relative_to(folder)}".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def test_training_says_how_to_go_on_and_the_line_is_not_broken(trained):
    folder, out, err = trained
    assert err == ""
    first, compiling, last = out.splitlines()
    assert first.startswith("verses: 4 texts, vocabulary ")
    assert compiling == "compiling the first step"
    assert last == (
        "stopped and saved after step 2; resume with lstm-jax train smoke "
        + " ".join(TINY)
        + f" --out '{folder}' --resume"
    )
    config = problems.load(folder / "config.json")
    assert config.model == CharLMConfig(4, 5, 1)
    assert config.max_steps == 2
    assert config.optimizer == smoke.config.optimizer, "what no flag names is the recipe's"


def test_what_is_said_last_goes_on(trained, call, tmp_path):
    folder = Path(shutil.copytree(trained[0], tmp_path / "run"))
    code, out, err = call("train", "smoke", *TINY, "--out", folder, "--resume")
    assert (code, err) == (0, "")
    assert "resuming from step 2" in out
    assert f"done after 4 steps: {folder}" in out
    card = load(folder).card
    assert card["steps"] == 4
    assert card["command"].startswith("lstm-jax train smoke --model.embedding-features 4 ")


def test_a_folder_that_holds_a_run(trained, refused):
    folder, before = trained[0], digest(trained[0])
    said = refused("train", "smoke", *TINY, "--out", folder)
    assert "already holds a run; use --resume, --overwrite or another --out" in said
    said = refused("train", "smoke", *TINY, "--out", folder, "--resume", "--overwrite")
    assert "cannot be used together" in said
    said = refused("train", "smoke", *TINY, "--out", folder, "--resume", "--rows", "4")
    assert "has rows 3, not 4" in said
    said = refused("train", "smoke", "--out", folder, "--resume")
    assert "resume it with the same configuration" in said
    assert digest(folder) == before


def test_folders_that_cannot_take_a_run(refused, tmp_path):
    (tmp_path / "poem.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        assert "is not a run's folder" in refused("train", "smoke", "--out", tmp_path, *more)
    assert "cannot be used" in refused("train", "smoke", "--out", tmp_path / "poem.txt" / "run")
    assert "no run to resume" in refused("train", "smoke", "--out", tmp_path, "--resume")
    assert [path.name for path in tmp_path.iterdir()] == ["poem.txt"]


def break_manifest(latest):
    (latest / "manifest.json").unlink()


def break_array(latest):
    path = max((p for p in latest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])


def give_another_models(latest):
    import jax.numpy as jnp

    from lstm_jax.train.run import checkpoints

    checkpoints.save(latest, {"kernel": jnp.ones(3)}, metadata={})


@pytest.mark.parametrize("spoil", [break_manifest, break_array, give_another_models])
def test_a_checkpoint_that_cannot_be_resumed(spoil, trained, refused, tmp_path, capsys):
    folder = Path(shutil.copytree(trained[0], tmp_path / "run"))
    spoil(folder / "checkpoints" / "latest")
    arguments = ["train", "smoke", *TINY, "--out", folder, "--max-steps", "2", "--resume"]
    before = digest(folder)
    assert "latest" in refused(*arguments)
    assert digest(folder) == before


# Sampling


def sampled(call, *arguments):
    code, out, err = call("sample", *arguments, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"seed", "texts"}
    return found


def test_sample_prints_json(model, call):
    found = sampled(call, "ab", "--model", model, "--num", 3, "--seed", 5, "--max-length", 20)
    assert found["seed"] == 5
    assert len(found["texts"]) == 3
    assert len(set(found["texts"])) > 1
    for text in found["texts"]:
        assert text.startswith("ab")
        assert len(text) <= 22
        assert set(text) <= set("abcdefgh")
    again = sampled(call, "ab", "--model", model, "--num", 3, "--seed", 5, "--max-length", 20)
    assert again == found
    fewer = sampled(call, "ab", "--model", model, "--seed", 5, "--max-length", 20)
    assert fewer["texts"] == found["texts"][:1]


def test_a_seed_is_drawn_and_told(model, call):
    arguments = ["--model", model, "--num", 3, "--max-length", 20]
    found = sampled(call, *arguments)
    assert sampled(call, *arguments, "--seed", found["seed"]) == found
    assert sampled(call, *arguments)["seed"] != found["seed"]


def test_greedy_texts_do_not_depend_on_the_seed(model, call):
    arguments = ["--model", model, "--temperature", 0, "--max-length", 20]
    found = [sampled(call, *arguments, "--seed", seed)["texts"] for seed in (1, 2)]
    assert found[0] == found[1] == load(model).generate(temperature=0, max_length=20)
    # The most probable character is also the only one of the one most probable.
    assert sampled(call, *arguments[:2], *arguments[4:], "--top-k", 1)["texts"] == found[0]


def test_sample_prints_texts_with_a_line_between(model, call):
    arguments = ["a", "--model", model, "--num", 3, "--seed", 3, "--max-length", 20]
    code, out, err = call("sample", *arguments)
    assert (code, err) == (0, "")
    assert out == "\n\n".join(sampled(call, *arguments)["texts"]) + "\n"


def test_lines_break_after_full_stops(poet, call):
    arguments = ["看山。看水。", "--model", poet, "--seed", 1, "--max-length", 30]
    code, out, err = call("sample", *arguments)
    (text,) = sampled(call, *arguments)["texts"]
    assert text.startswith("看山。看水。")
    assert (code, err) == (0, "")
    assert out == text.replace("。", "。\n").removesuffix("\n") + "\n"


def test_simplified_in_and_out(poet, call):
    arguments = ["--model", poet, "--seed", 1, "--max-length", 30]
    found = sampled(call, "东飞鸟语", *arguments)
    assert found["texts"][0].startswith("東飛鳥語")
    assert found == sampled(call, "東飛鳥語", *arguments)
    shown = sampled(call, "东飞鸟语", *arguments, "--simplified")
    assert shown["texts"][0].startswith("东飞鸟语")
    assert not set(shown["texts"][0]) & set("東飛鳥語雲風馬車門見長學")


def test_a_model_of_any_texts_is_asked_in_the_script_that_it_knows(call, refused, tmp_path):
    folder = make_model(tmp_path, "東飛", "verses")
    assert sampled(call, "东", "--model", folder, "--seed", 1)["texts"][0].startswith("東")
    assert "'学'" in refused("sample", "学", "--model", folder)


def test_a_model_may_stand_before_the_prompt(model, call, tmp_path, monkeypatch):
    settings = ["--seed", 5, "--max-length", 20]
    expected = sampled(call, "ab", "--model", model, *settings)
    assert sampled(call, model, "ab", *settings) == expected
    assert sampled(call, model, *settings) == sampled(call, "--model", model, *settings)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "runs" / "mine")
    assert sampled(call, "mine", "ab", *settings) == expected


def test_a_word_alone_is_a_prompt_where_it_is_no_folder(model, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "runs" / "mine")
    assert "the model does not know 'mine', in the prompt 'mine'" in refused("sample", "mine")
    assert "Unrecognized options: b" in refused("sample", "a", "b")
    assert "Unrecognized options: b" in refused("sample", model, "a", "b")


def test_lines_are_broken_as_the_text_of_ones_own_breaks_them(call, tmp_path):
    characters = "ab。\n"
    for data, broken in (("own", False), ("tang", True)):
        folder = make_model(tmp_path / data, characters, data)
        arguments = ["a。b", "--model", folder, "--seed", 1, "--max-length", 20]
        (text,) = sampled(call, *arguments)["texts"]
        _, out, _ = call("sample", *arguments)
        assert (out == text.rstrip("\n") + "\n") is not broken


def test_an_ordered_poem_keeps_its_form_and_tells_its_cost(poet, call):
    order = ["--form", "3x4", "--acrostic", "东看山"]
    code, out, err = call("sample", "東", "--model", poet, "--seed", 1, "--json", *order)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"seed", "texts", "log_probabilities", "form_costs"}
    (text,) = found["texts"]
    assert [len(line) for line in verse.lines(text)] == [3] * 4
    assert [line[0] for line in verse.lines(text)[:3]] == ["東", "看", "山"]
    model = load(poet)
    costs = model.cost(text, prompt="東", form="3x4", acrostic="東看山")
    assert found["form_costs"] == [pytest.approx(costs.sum(), abs=1e-3)]
    assert found["log_probabilities"] == [pytest.approx(model.score(text)[1:].sum(), abs=1e-3)]


def test_a_report_is_on_poems(model, refused):
    said = refused("sample", "--model", model, "--report")
    assert "the report is for models trained on Tang poems, but" in said
    assert "was trained on verses" in said


def test_the_best_of_several_come_first(poet, call):
    arguments = ["--model", poet, "--seed", 1, "--max-length", 20]
    five = sampled(call, *arguments, "--num", 5)["texts"]
    best = sampled(call, *arguments, "--num", 2, "--best-of", 5)["texts"]
    model = load(poet)
    assert best == sorted(five, key=lambda text: -model.score(text).mean())[:2]


def terminal(monkeypatch):
    import sys

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)


@pytest.mark.parametrize("more", [[], ["--num", 2], ["--simplified"], ["--simplified", "--num", 2]])
def test_a_terminal_sees_the_same_text_as_it_grows(more, poet, call, monkeypatch):
    # 乾坤 stays, 乾 alone is simplified: written character by character, it would come out wrong.
    arguments = ["看山。乾坤", "--model", poet, "--seed", 4, "--max-length", 40, *more]
    _, expected, _ = call("sample", *arguments)
    writes = []
    terminal(monkeypatch)
    write = sampling._write
    monkeypatch.setattr(sampling, "_write", lambda text: (writes.append(text), write(text)))
    code, out, err = call("sample", *arguments)
    assert (code, err) == (0, "")
    assert out == "".join(writes) == expected
    assert "乾坤" in out
    assert len([text for text in writes if text]) >= 3, "it must grow"


@pytest.mark.parametrize("prompt", ["乾", "", "看山。"])
def test_a_terminal_sees_phrases_over_the_end_of_the_prompt(prompt, poet, call, monkeypatch):
    class Fake:
        card = {"data": "tang"}  # noqa: RUF012

        def stream(self, prompts, **options):
            yield from ([c] for c in "坤，乾坤。看乾")

    monkeypatch.setattr("lstm_jax.text.language.load", lambda name: Fake())
    arguments = ["sample", prompt, "--simplified"]
    _, expected, _ = call(*arguments)
    terminal(monkeypatch)
    assert call(*arguments) == (0, expected, "")


# Measuring


def test_evaluate_prints_json(model, call, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\ufeffabc\n\n  hag x\nabba\n", encoding="utf-8")
    code, out, err = call("evaluate", model, "--file", file, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    expected = [load(model).score(text) for text in ("abc", "hag x", "abba")]
    assert found["on"] == str(file)
    assert found["model"] == str(model)
    assert found["texts"] == 3
    assert found["symbols"] == 15
    assert found["unknown"] == 2, "the space and the x; not a byte order mark"
    nats = -float(np.concatenate(expected).mean(dtype=np.float64))
    assert found["nats_per_symbol"] == pytest.approx(nats, rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(nats), rel=1e-5)


def test_evaluate_says_what_it_measured(model, call, few_verses):
    code, out, err = call("evaluate", model, "--split", "valid", "--rows", 3)
    assert (code, err) == (0, "")
    assert out.startswith("verses valid: perplexity ")
    assert "nats per symbol) over 192 symbols of 4 texts" in out
    assert "unknown characters" in out
    assert out.count("\n") == 1


# Help


def test_the_commands(call):
    for arguments in ([], ["-h"], ["--help"]):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        for command in cli.COMMANDS:
            assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("sample", [field for field in fields(sampling.SampleOptions) if field.name != "order"]),
        ("sample", [None, *fields(Order)]),
        ("evaluate", fields(EvaluateOptions)),
        ("data", fields(sets.DataOptions)),
        ("page", fields(PageOptions)),
    ],
)
def test_help_lists_the_options(command, options, call):
    code, out, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert f"usage: lstm-jax {command}" in out
    # The first field is positional.
    for field in options[1:]:
        assert f"--{field.name.replace('_', '-')} " in out


def test_help_of_train_lists_recipes(call):
    for arguments in (["train"], ["train", "--help"]):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        listed = re.findall(r"^  (\w+) .*\S", out, re.MULTILINE)
        assert listed == ["recipe", *RECIPES.split(", ")]


def test_every_recipe_says_what_it_takes():
    extras = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    for name, about in recipes().items():
        assert all(about[:4]), name
        assert about.extra in ("", *extras["optional-dependencies"]), name
        assert max(map(len, about)) < 50, name
    assert [len(line) for line in table(recipes()).splitlines() if len(line) > 120] == []


def flags(config, prefix=""):
    for field in fields(config):
        value = getattr(config, field.name)
        name = field.name.replace("_", "-")
        yield from flags(value, f"{prefix}{name}.") if is_dataclass(value) else [f"{prefix}{name}"]


FILLED_IN = {"data-sha256"}  # by the look at the data: no option


@pytest.mark.parametrize(("recipe", "default"), [(smoke, "96"), (copy, "128")])
def test_help_of_a_recipe_lists_every_field(recipe, default, call):
    code, out, err = call("train", recipe.__name__.split(".")[-1], "--help")
    assert (code, err) == (0, "")
    for name in [*(set(flags(recipe.config)) - FILLED_IN), "out", "resume", "overwrite"]:
        room, _, last = name.rpartition(".")
        off = f"{room}.no-{last}" if room else f"no-{last}"  # of a switch that is on
        assert f" --{name} " in out or f" --{off} " in out, name
    assert f"(default: {default})" in out, "defaults are the recipe's"


def test_version(call):
    from importlib.metadata import version

    assert call("--version") == (0, version("lstm_jax") + "\n", "")
    assert call("version") == (0, version("lstm_jax") + "\n", "")


def test_help_tells_the_exit_codes(call):
    _, out, _ = call("--help")
    codes = [int(code) for code in re.findall(r"^  (\d+) ", out, re.MULTILINE)]
    assert {0, 1, 130, 141} | {error.code for error in (UserError, DivergedError, PeerError)} == {
        *codes
    }


def test_a_checkout_runs_where_it_lies():
    """Python finds the folder lstm_jax/ there first, which has neither train/ nor configs/."""
    program = (
        "import runpy, sys\n"
        "sys.meta_path[:] = [one for one in sys.meta_path if 'editable' not in one.__module__]\n"
        "sys.argv[1:] = ['train']\n"
        "runpy.run_module('lstm_jax', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  smoke " in done.stdout


# Completion


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """What bash completes at the end of a line."""
    path = tmp_path_factory.mktemp("shell") / "completion.bash"
    path.write_text(cli.completion_script("bash"))
    program = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lstm_jax; echo "${COMPREPLY[@]}"'
    )

    def completed(*words):
        done = subprocess.run(
            ["bash", "-c", program, path, "lstm-jax", *words], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return completed


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_shell_completes_the_whole_program(completed):
    assert completed("") == list(cli.COMMANDS)
    assert completed("tr") == ["train"]
    assert completed("train", "") == RECIPES.split(", ")
    assert completed("train", "smoke", "--model.h") == ["--model.hidden-features"]
    assert completed("train", "smoke", "--precision", "b") == ["bfloat16"]
    assert completed("train", "smoke", "--epochs", "3", "--over") == ["--overwrite"]
    assert completed("sample", "春", "--rank", "") == ["probability", "rhyme"]
    assert completed("release", "report", "--o") == ["--out"]
    assert completed("doctor", "--") == ["--help", "--json"]
    assert completed("nothing", "--") == []


def test_zsh_reads_the_same_through_its_own_functions():
    bash, zsh = (completion.script(shell, {}, {"train": ["smoke"]}) for shell in ("bash", "zsh"))
    assert zsh.endswith(bash)
    assert "bashcompinit" in zsh
