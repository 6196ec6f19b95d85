"""A mistake is one line and exit code 2."""

import json
import shutil
from pathlib import Path

import pytest
from folders import RECIPES

from lstm_jax import cli
from lstm_jax.models import storage

pytestmark = pytest.mark.usefixtures("compile_fast")


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
        ("sample --rank rhyme", "--rank rhyme needs --best-of, the number of texts to rank"),
        ("train sine --health-exponents 8 --health-every 0", "--health-exponents must be left"),
        ("train adding --model.forget-bias 5", "--model.forget-bias must be left alone unless"),
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
    model, refused, on_a_terminal
):
    on_a_terminal()
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
