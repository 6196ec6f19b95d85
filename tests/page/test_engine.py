"""What the page computes in JavaScript is what the package computes in JAX."""

import contextlib
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from node import ask, needs_node

import lstm_jax
from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.page.words import readings, words
from lstm_jax.text.filters import filter_logits
from lstm_jax.text.forms import Order, begin
from lstm_jax.text.forms.plan import CHARACTERS, make_plan
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.script import to_simplified, to_traditional

pytestmark = needs_node

POEMS = ["床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。", "春眠不覺曉，處處聞啼鳥。"]
PLAIN = {"prompt": "", "mood": "", "seed": 0, "temperature": 0.8, "topP": 1.0}
PLAIN |= {"form": "", "acrostic": "", "acrosticBy": "line", "rhyme": False, "tones": False}


@pytest.fixture(scope="module")
def poet():
    return lstm_jax.load("tang")


@pytest.fixture(scope="module")
def held():
    folder = storage.find("tang")
    description = storage.describe("tang")
    characters = description["vocabulary"]
    return {
        "weights": str(folder / storage.WEIGHTS),
        "config": description["config"],
        "words": {**words(characters), "readings": readings(characters)},
    }


def test_logits_are_those_of_jax(poet, held):
    for text, logits in zip(POEMS, ask("logits", texts=POEMS, **held), strict=True):
        ids = np.concatenate([[poet.vocabulary.end_id], poet.encode(text)])[None]
        _, wanted = poet.network(jnp.asarray(ids))
        np.testing.assert_allclose(np.array(logits), wanted[0], atol=1e-4, rtol=0)


def test_weights_of_a_byte_are_read_as_jax_reads_them(tmp_path):
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 80)))
    vocabulary = Vocabulary.from_counts(dict.fromkeys(characters, 9), min_count=1)
    network = CharLM(len(vocabulary), CharLMConfig(64, 64, 2), rngs=nnx.Rngs(0))
    # An embedding of unlike rows and kernels of unlike columns, so that both kinds of scales occur.
    network.embedding[...] *= jnp.linspace(0.01, 5, len(vocabulary))[:, None]
    for layer in network.lstm.layers:
        layer.input_kernel[...] *= jnp.linspace(0.01, 3, 256)
    LanguageModel(network, vocabulary, {}).save(tmp_path, dtype=np.int8)
    scales = safetensors.numpy.load_file(tmp_path / storage.WEIGHTS)
    assert scales["embedding.scale"].shape == (len(vocabulary), 1)
    assert scales["lstm.layers.0.input_kernel.scale"].shape == (1, 256)
    description = storage.describe(tmp_path)
    held = {
        "weights": str(tmp_path / storage.WEIGHTS),
        "config": description["config"],
        "words": words(description["vocabulary"]),
    }
    poet = lstm_jax.load(tmp_path)
    text = characters[3:60:7]
    [logits] = ask("logits", texts=[text], **held)
    ids = np.concatenate([[vocabulary.end_id], vocabulary.encode(text)])[None]
    np.testing.assert_allclose(np.array(logits), poet.network(jnp.asarray(ids))[1][0], atol=1e-4)


def test_a_model_that_the_page_cannot_compute_is_refused(held):
    config = held["config"] | {"connections": "residual"}
    with pytest.raises(AssertionError, match="no reader for layers with residual connections"):
        ask("logits", texts=[""], **held | {"config": config})


def test_random_numbers_are_those_of_jax():
    seeds, steps = [0, 7, 2**31 + 5, 2**32 - 1], [0, 1, 119]

    def uniform(seed, step):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 0), step)
        return float(jax.random.uniform(key))

    wanted = [[uniform(seed, step) for step in steps] for seed in seeds]
    assert ask("uniforms", seeds=seeds, steps=steps) == wanted


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(0.0, 1.0), (0.7, 1.0), (1.3, 0.9), (1.0, 0.3), (1.0, 1e-6)]
)
def test_masses_are_those_of_the_filters(temperature, top_p):
    logits = np.random.default_rng(0).normal(size=300).astype(np.float32) * 3
    logits[[5, 9, 40]] = logits.max()  # equals, among which the nucleus must choose
    logits[100] = -np.inf
    weights = filter_logits(logits, temperature=temperature, top_p=top_p)
    given = [float(x) if np.isfinite(x) else None for x in logits]
    masses = ask("masses", logits=given, temperature=temperature, topP=top_p)
    np.testing.assert_allclose(masses, np.exp(weights), rtol=1e-5)


WISHES = [
    {"seed": 1},
    {"seed": 7, "prompt": "春", "temperature": 1.0},
    {"seed": 3, "prompt": "明月", "temperature": 0.6, "top_p": 0.8},
    {"seed": 2**32 - 1, "temperature": 1.3},
    {"seed": 4, "form": "5x4", "prompt": "白日依山盡"},
    {"seed": 5, "form": "5x4", "acrostic": "春夏秋冬"},
    {"seed": 6, "acrostic": "山水", "acrostic_by": "couplet", "mood": "秋雨"},
    {"seed": 7, "form": "5x4", "rhyme": True, "tones": True, "prompt": "白日依山"},
    {"seed": 8, "form": "5x4", "rhyme": True, "tones": True, "mood": "秋雨"},
    {"seed": 9, "form": "5x4", "rhyme": True, "tones": True, "acrostic": "石看", "top_p": 0.9},
]


def settings_of(wishes):
    named = {"top_p": "topP", "acrostic_by": "acrosticBy"}
    return PLAIN | {named.get(name, name): value for name, value in wishes.items()}


def test_the_same_seed_gives_the_same_poem(poet, held):
    answer = ask("poems", settings=[settings_of(wishes) for wishes in WISHES], **held)
    wanted = [poet.generate(wishes.get("prompt", ""), **_free(wishes))[0] for wishes in WISHES]
    assert answer["poems"] == wanted
    assert answer["rate"] > 20  # characters a second of the processor


@pytest.mark.slow
def test_fifty_poems_and_their_logits(poet, held):
    kinds = (
        ("", 0.8, 1.0),
        ("春", 1.0, 1.0),
        ("明月", 0.6, 0.9),
        ("山中", 1.2, 0.95),
        ("江", 0.8, 1.0),
    )
    names = ("prompt", "temperature", "top_p")
    wishes = [
        {"seed": seed, **dict(zip(names, kind, strict=True))}
        for seed in range(10)
        for kind in kinds
    ]
    poems = ask("poems", settings=[settings_of(one) for one in wishes], **held)["poems"]
    assert poems == [poet.generate(one["prompt"], **_free(one))[0] for one in wishes]
    for poem in poems:
        [logits] = ask("logits", texts=[poem], **held)
        ids = np.concatenate([[poet.vocabulary.end_id], poet.encode(poem)])[None]
        _, wanted = poet.network(jnp.asarray(ids))
        np.testing.assert_allclose(np.array(logits), wanted[0], atol=1e-4, rtol=0)


def _free(wishes):
    return {name: value for name, value in wishes.items() if name != "prompt"}


def test_characters_are_those_of_the_plan(poet):
    plan = make_plan(Order(form="5x4"), poet.vocabulary)
    symbols = ["", "", *poet.vocabulary.characters]
    wanted = np.asarray(plan.classes[CHARACTERS]).tolist()
    assert ask("characters", symbols=symbols) == wanted


REFUSALS = [
    ({"form": "5x4"}, "白日依山盡，黃河", None),
    ({"form": "0x4"}, "", "fault.form"),
    ({"form": "<b>"}, "", "fault.form"),
    ({"form": "30x30"}, "", "fault.long"),
    ({"form": "5x4", "acrostic": "春夏秋冬日"}, "", "fault.heads"),
    ({"form": "5x4", "acrostic": "春夏秋", "acrostic_by": "couplet"}, "", "fault.heads"),
    ({"acrostic": "春，"}, "", "fault.head"),
    ({"form": "5x1"}, "白日依山盡。黃", "fault.lines"),
    ({"form": "5x4"}, "白日依山盡黃", "fault.line"),
    ({"form": "5x4"}, "白日，", "fault.line"),
    ({"acrostic": "春"}, "，", "fault.line"),
    ({"form": "5x4", "acrostic": "春"}, "白日", "fault.begins"),
    ({"form": "5x4", "rhyme": True, "tones": True}, "白日", None),
    ({"rhyme": True}, "", "fault.noForm"),
    ({"tones": True, "acrostic": "春夏秋冬"}, "", "fault.noForm"),
    ({"form": "5x3", "rhyme": True}, "", "fault.noRhyme"),
    ({"form": "5x6", "tones": True}, "", "fault.noPattern"),
]


def test_what_python_refuses_the_page_refuses(poet, held):
    orders = [settings_of({**wishes, "prompt": prompt}) for wishes, prompt, _ in REFUSALS]
    faults = ask("faults", orders=orders, words=held["words"])
    for found, (wishes, prompt, fault) in zip(faults, REFUSALS, strict=True):
        assert found == fault, wishes
        order = Order(**wishes)
        with contextlib.nullcontext() if fault is None else pytest.raises(ModelError):
            order.check(120)
            begin(order, poet.vocabulary, [prompt], skip=1)


def test_a_link_may_have_any_temperature_and_no_inherited_name():
    links = ["#temperature=0.777", "#temperature=0.3&three=0", "#acrosticBy=constructor&three=no"]
    any_of, alone, refused = ask("links", links=links)
    assert any_of["temperatures"] == [0.48, 0.777, 1.08]  # the chosen one is among them
    assert alone["temperatures"] == [0.3]
    assert (refused["settings"], refused["refused"]) == ({}, ["acrosticBy", "three"])


def test_scripts_are_converted_as_by_opencc(held):
    texts = ["床前明月光", "白日依山尽，黄河入海流。", "白日依山盡，黃河入海流。", "<b>", ""]
    texts += ["皇后后来", "梦里不知", "头发", "旋轉乾坤", "深沈沈醉"]  # pairs, and not pairs
    wanted = [[to_traditional(text), to_simplified(text)] for text in texts]
    assert ask("scripts", texts=texts, words=held["words"]) == wanted


def test_forecasts_of_the_sine_are_those_of_jax():
    with resources.as_file(resources.files("lstm_jax.page") / "sine") as folder:
        stored = storage.load(folder)
        weights = str(folder / storage.WEIGHTS)
    values, turn = np.sin(np.arange(70) / 10).tolist(), 60
    said = ask("sine", weights=weights, description=stored.description, values=values, turn=turn)
    (mean,), (scale,) = (stored.description["scaler"][name] for name in ("mean", "scale"))
    (low,), (high,) = (stored.description["target_scaler"][name] for name in ("mean", "scale"))
    assert said[:50] == [None] * 50
    read = list(values)
    for at in range(50, 70):
        window = (np.array(read[at - 50 : at], np.float32) - mean) / scale
        wanted = float(stored.network(window[None, :, None])[0, 0, 0]) * high + low
        assert said[at] == pytest.approx(wanted, abs=1e-5)
        if at >= turn:
            read[at] = wanted
    np.testing.assert_allclose(said[50:], values[50:], atol=0.02)
