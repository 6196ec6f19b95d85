"""Recordings of one's own, from a folder to an answer, on the command line and from Python."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from flax import nnx
from made_up import sound, sound_folder

from lstm_jax.configs import sounds as recipe
from lstm_jax.models import storage
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train import fit
from lstm_jax.train.config import ConfigError, OptimizerConfig, check
from lstm_jax.train.data.audio import AudioError, Header, Mel, log_mel
from lstm_jax.train.data.download import DataError
from lstm_jax.train.problems import from_dict
from lstm_jax.train.tasks.sounds import choices
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.own import load, look_at_own

pytestmark = pytest.mark.usefixtures("compile_fast")
SMALL = {
    "model": SequenceClassifierConfig(4, 4, pooling="max"),
    "optimizer": OptimizerConfig(learning_rate=3e-2, warmup_steps=0),
    "batch": 8,
    "epochs": 3,
    "log_every": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sound_folder(tmp_path_factory.mktemp("data") / "tones", speakers=("ada", "bob", "eve"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return fit.sounds(folder, out=tmp_path_factory.mktemp("runs") / "mine", **SMALL)


# What is seen and chosen


def test_it_says_what_it_saw_and_chose_and_stops(folder, call):
    code, out, err = call("train", "sounds", "--folder", folder, "--dry-run")
    assert (code, err) == (0, "")
    assert out == (
        f"{folder}: 48 recordings\n"
        "0.12 to 0.12 seconds each, median 0.12; 0.1 minutes in total; 8,000 Hz; 1 channel\n"
        "2 classes: high 24, low 24\n"
        "parts: train 32, valid 8, test 8\n"
        "chosen:\n"
        "  --rate 8000                 0 of 48 recordings have 16,000 or more samples per second\n"
        "  --longest 0.12              no recording is longer\n"
        "  --valid 0.15                of 48 recordings\n"
        "  --test 0.15                 of 48 recordings\n"
        "  --batch 16                  32 training recordings\n"
        "  --model.hidden-features 32  32 training recordings\n"
        "  --model.num-layers 1        32 training recordings\n"
        "  --epochs 50                 50 passes of 2 batches\n"
        "  --patience 16               a third of 50 epochs, at least 8\n"
        "  --class-weights none        the largest class has 16 examples, the smallest 16: "
        "the ratio is at most 5\n"
        "  --model.layer-dropout 0     it acts between layers, and there is only one\n"
        f"{folder}: 32 training recordings; dry run, nothing trained\n"
    )


def test_one_layer_has_no_dropout_between_layers(folder):
    seen = look_at_own(replace(recipe.config, folder=str(folder)))
    seen.task.model(nnx.Rngs(0))  # a warning would be an error
    two = replace(recipe.config.model, num_layers=2)
    seen = look_at_own(replace(recipe.config, folder=str(folder), model=two))
    assert seen.config.model.layer_dropout == two.layer_dropout > 0


def test_rate_and_length_follow_the_recordings():
    wide, narrow = Header(44_100, 2, 7.0), Header(8_000, 1, 1.234)
    for found, rate, longest in (
        ([wide, wide, narrow], 16_000, 5.0),
        ([wide, narrow, narrow], 8_000, 5.0),
        ([narrow], 8_000, 1.24),
    ):
        assert [choice.value for choice in choices.of_sounds(found)] == [rate, longest]


@pytest.mark.parametrize("count", [20, 299, 300, 2_000, 20_000])
def test_sizes_grow_with_the_recordings_and_steps_stay_within_minutes(count):
    config, made = choices.fill(recipe.config, [40] * count)
    hidden, layers = config.model.hidden_features, config.model.num_layers
    batch, epochs, patience = config.batch, config.epochs, config.patience
    assert {choice.field.split(".")[-1] for choice in made} == {
        "batch", "epochs", "patience", "hidden_features", "num_layers"
    }  # fmt: skip
    assert (batch >= 32) == (hidden == 64) == (layers == 2) == (count >= 300)
    assert 12 <= epochs <= 50
    assert 8 <= patience <= epochs
    assert epochs * -(-count // batch) <= max(1_000, 12 * count // batch + 12)


def test_the_epochs_depend_on_what_a_user_said():
    said = replace(recipe.config, batch=100, validations=3)
    config, made = choices.fill(said, [40] * 1_000)
    assert config.epochs == 3 * 50  # passes of 10 batches
    assert config.patience == 50
    assert "50 passes of 10 batches" in [choice.why for choice in made]
    config, _ = choices.fill(replace(said, epochs=30), [40] * 1_000)
    assert (config.epochs, config.patience) == (30, 10)


def test_fields_for_other_recordings_are_refused(folder, call):
    for options, said in (
        (["--folder", folder, "--group", "speaker"], "--group must be left alone unless --file"),
        (["--folder", folder, "--left-out", "theo"], "--left-out must be left alone unless --data"),
    ):
        code, _, err = call("train", "sounds", *options, "--dry-run")
        assert (code, err.count("\n")) == (2, 1)
        assert said in err
    code, _, err = call("train", "speech", "--longest", "0.3", "--dry-run")
    assert code == 2
    assert "--longest must be left alone unless --data is own" in err


def test_what_a_user_said_stays(folder):
    config = replace(recipe.config, folder=str(folder), rate=16_000, bands=24, epochs=7, test=0.25)
    look = look_at_own(config)
    assert (look.config.rate, look.config.bands, look.config.epochs) == (16_000, 24, 7)
    assert not {"rate", "epochs", "test"} & {choice.field for choice in look.chose}
    assert {one.shape for one in look.task.train.inputs} == {(7, 24)}
    assert "parts: train 28, valid 8, test 12" in look.saw


def test_features_are_scaled_by_what_is_learned_from_alone(folder):
    look = look_at_own(replace(recipe.config, folder=str(folder)))
    steps = np.concatenate(look.task.train.inputs)
    np.testing.assert_allclose(steps.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(steps.std(0), 1, rtol=1e-3)
    assert abs(np.concatenate(look.task.valid.inputs).mean(0)).max() > 1e-3


# Splits


def test_speakers_and_equal_sounds_stay_together(tmp_path):
    sound_folder(tmp_path, speakers=("ada", "bob", "eve", "zoe"), takes=6)
    (tmp_path / "low" / "ada_9.wav").write_bytes((tmp_path / "low" / "bob_1.wav").read_bytes())
    config = replace(recipe.config, folder=str(tmp_path), group_pattern=r"(\w+)_")
    _, data, _ = load(config)
    assert "1 of the recordings repeat others; equal ones are kept in the same part" in data.saw
    assert "4 groups, each kept in one part" in data.saw
    sizes = {name: len(part.truth) for name, part in data.parts.items()}
    # The sound that is ada's and bob's joins the two.
    assert sizes == {"train": 25, "valid": 12, "test": 12}


def test_each_class_has_its_share_in_each_part(folder):
    _, data, _ = load(replace(recipe.config, folder=str(folder)))
    counts = {name: np.bincount(part.truth).tolist() for name, part in data.parts.items()}
    assert counts == {"train": [16, 16], "valid": [4, 4], "test": [4, 4]}


def test_a_table_is_split_by_its_groups(folder, tmp_path):
    rows = [f"{path},{path.parent.name},{path.name[:3]}" for path in folder.glob("*/*.wav")]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,word,who", *rows]))
    config = replace(recipe.config, file=str(table), path="file", label="word", group="who")
    _, data, _ = load(config)
    assert {name: len(part.truth) for name, part in data.parts.items()} == {
        "train": 16, "valid": 16, "test": 16,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ({}, ConfigError, "^the recordings must be named by --folder, a folder"),
        ({"folder": "a", "file": "b.csv"}, ConfigError, "^--folder and --file cannot be combined"),
        ({"file": "."}, ConfigError, "is a folder: use --folder"),
        ({"folder": "nowhere"}, DataError, "there is no folder .*nowhere"),
    ],
)
def test_data_that_are_not_named_are_asked_for(values, kind, said):
    with pytest.raises(kind, match=said):
        look_at_own(replace(recipe.config, **values))


def test_one_class_is_refused(folder, tmp_path):
    (tmp_path / "low").symlink_to(folder / "low")
    with pytest.raises(DataError, match="has only one class, 'low', but a classifier"):
        look_at_own(replace(recipe.config, folder=str(tmp_path)))


# Runs


def test_a_run_learns_and_stands_beside_what_costs_nothing(run, folder):
    assert run.card["valid_accuracy"] == 1
    assert run.card["data_sha256"] == run.config.data_sha256
    figures = run.evaluate()
    assert figures["on"] == "tones test"
    assert (figures["recordings"], figures["accuracy"]) == (8, 1)
    assert figures["classes"] == ["high", "low"]
    assert figures["baselines"]["majority"]["accuracy"] == 0.5
    assert figures["baselines"]["nearest mean spectrum"]["accuracy"] == 1
    assert figures["temperature"] == run.card["temperature"]


def test_a_model_that_is_no_better_than_a_mean_is_called_that(run, call):
    code, out, err = call("evaluate", run.folder, "--split", "valid")
    assert (code, err) == (0, "")
    assert "the LSTM is only as accurate as nearest mean spectrum" in out


def test_its_features_are_those_of_its_description(run):
    description = run.stored.description
    assert Mel(**description["mel"]) == Mel(8_000, 32, 20, 40)
    assert description["longest"] == 0.12
    assert description["classes"] == ["high", "low"]


def test_a_sound_is_recognised_from_a_file_and_from_samples(run, folder, tmp_path):
    path = sorted((folder / "low").glob("*"))[0]
    found = run.predict(path)
    assert found.prediction == "low"
    assert found.probability == found.probabilities["low"] > 0.5
    assert sum(found.probabilities.values()) == pytest.approx(1)
    samples, rate = soundfile.read(path)
    again, whole, stereo = run.predict(
        [
            samples,
            np.round(samples * 2**15).astype(np.int16),
            np.stack([samples, samples], 1).astype("f4"),
        ],
        rate=rate,
    )
    for other in (again, whole, stereo):
        assert other.prediction == "low"
        assert other.probability == pytest.approx(found.probability, abs=1e-4)
    assert run.predict(sound(300, 3.0, rate=44_100), rate=44_100).prediction == "low"
    assert run.predict([]) == []


@pytest.mark.parametrize(
    ("sounds", "rate", "said"),
    [
        (np.zeros(999), None, "samples must have a rate"),
        (np.zeros(999), 8000, "the sound is silent from start to end"),
        (np.array(["a"]), 8000, "samples must be numbers"),
        (np.zeros((2, 3, 4)), 8000, "samples must be numbers"),
        (np.zeros((0, 2)), 8000, "the sound has 0 samples"),
        ("nowhere.wav", None, "nowhere.wav cannot be read as a sound"),
    ],
)
def test_what_is_no_sound_is_one_line(run, sounds, rate, said):
    with pytest.raises(AudioError, match=said):
        run.predict(sounds, rate=rate)


def test_several_files_are_recognised_at_once(run, folder, tmp_path, call):
    low, high = (sorted((folder / word).glob("*"))[0] for word in ("low", "high"))
    (tmp_path / "no.wav").write_text("no sound")
    code, out, err = call("predict", run.folder, low, tmp_path / "no.wav", high)
    assert code == 0
    assert re.fullmatch(
        rf"{low}: low, \d+\.\d%  \(then high \d+\.\d%\)\n"
        rf"{high}: high, \d+\.\d%  \(then low \d+\.\d%\)\n",
        out,
    )
    assert err == f"{tmp_path}/no.wav cannot be read as a sound: Format not recognised.\n"
    _, out, _ = call("predict", run.folder, low, tmp_path / "no.wav", "--json")
    first, second = json.loads(out)["files"]
    assert (first["file"], first["label"]) == (str(low), "low")
    assert second["error"].endswith("Format not recognised.")
    _, out, _ = call("predict", run.folder, low, "--json")
    assert json.loads(out)["label"] == "low"
    code, _, err = call("predict", run.folder, tmp_path / "no.wav", tmp_path / "none.wav")
    assert code == 2
    assert err.startswith(f"lstm-jax: {tmp_path}/no.wav cannot be read")


def test_it_is_judged_on_other_recordings(run, tmp_path, call):
    sound_folder(tmp_path / "new", takes=2, speakers=("zoe",), rate=16_000)
    figures = run.evaluate(file=tmp_path / "new")
    assert (figures["on"], figures["recordings"]) == (str(tmp_path / "new"), 4)
    assert set(figures["baselines"]) == {"majority", "nearest mean spectrum"}
    (tmp_path / "new" / "low").rename(tmp_path / "new" / "middle")
    with pytest.raises(DataError, match="the class 'middle' is not one of the training classes"):
        run.evaluate(file=tmp_path / "new")
    with pytest.raises(DataError, match="must be a folder with one folder per class"):
        run.evaluate(file=tmp_path / "new.csv")


def test_groups_that_are_scaled_apart_are_named(folder):
    config = replace(recipe.config, folder=str(folder), scale_groups=True)
    with pytest.raises(ConfigError, match=r"^--scale-groups needs the group of every recording"):
        load(config)
    with pytest.raises(ConfigError, match=r"--warp must be 0 with --scale-groups, got 0.1"):
        check(replace(config, warp=0.1))
    _, data, _ = load(replace(config, group_pattern=r"(\w+)_"))
    for part in data.parts.values():  # each has one of the three speakers
        np.testing.assert_allclose(np.concatenate(part.inputs).mean(0), 0, atol=1e-5)


def test_new_speakers_are_scaled_apart_too(folder, tmp_path, call):
    who = {"scale_groups": True, "group_pattern": r"(\w+)_"}
    run = fit.sounds(folder, out=tmp_path / "run", **who, **SMALL)
    assert run.stored.description["scale_groups"] is True
    new = sound_folder(tmp_path / "new", speakers=("zoe", "max"))
    assert run.evaluate(file=new)["recordings"] == 32

    def answers(pattern):
        paths = sorted(new.glob(pattern))
        return dict(zip(paths, run.predict(paths), strict=True))

    both, zoe, max_ = answers("*/*"), answers("*/zoe_*"), answers("*/max_*")
    logs = [np.log(each.probabilities[path.parent.name]) for path, each in (zoe | max_).items()]
    assert run.evaluate(file=new)["nats"] == pytest.approx(-np.mean(logs), abs=1e-3)
    assert any(abs(both[path].probability - zoe[path].probability) > 1e-3 for path in zoe)
    note = "the model scales all recordings of a speaker together: pass 10 or more"
    for paths, noted in (([next(iter(zoe))], True), (zoe, False)):
        code, _, err = call("predict", run.folder, *paths)
        assert (code, note in err) == (0, noted)


def test_a_picture_is_drawn(run, tmp_path):
    assert run.plot("valid", tmp_path / "a.png") == tmp_path / "a.png"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_other_recordings_than_those_it_learned_from_are_said(folder, tmp_path):
    data = sound_folder(tmp_path / "data")
    run = fit.sounds(data, out=tmp_path / "run", **{**SMALL, "epochs": 1})
    (data / "low" / "ada_0.wav").unlink()
    with pytest.raises(DataError, match="have changed since the model was trained on them"):
        run.evaluate()
    with pytest.raises(ConfigError, match=r"^the data have changed since the run in"):
        fit.sounds(data, out=tmp_path / "run", resume=True, **{**SMALL, "epochs": 1})
    figures = run.evaluate(file=data)
    assert figures["baselines"] == {}
    assert storage.load(tmp_path / "run").card["data"] == "own"


def test_a_frame_of_files_is_learned_from(folder, tmp_path):
    import pandas

    paths = sorted(folder.glob("*/*.wav"))
    frame = pandas.DataFrame({"file": map(str, paths), "word": [p.parent.name for p in paths]})
    columns = {"path": "file", "label": "word"}
    run = fit.sounds(frame, out=tmp_path / "run", **columns, **{**SMALL, "epochs": 1})
    assert run.evaluate()["recordings"] == 8
    with pytest.raises(ConfigError, match="the recordings must be named by"):
        fit.load(tmp_path / "run").evaluate()


# Spoken digits


def test_runs_of_spoken_digits_are_of_this_kind():
    assert from_dict({"kind": "speech", "masks": 2}) == SoundsConfig(data="speech", masks=2)


def test_features_of_spoken_digits_are_what_they_were():
    """The defaults of the features are those of the recipe, which has them from before."""
    config = SoundsConfig()
    assert config.mel == Mel() == Mel(8_000, 32, 20, 40)
    np.testing.assert_array_equal(log_mel(sound(440)), log_mel(sound(440), config.mel))
