import hashlib
import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import lstm_jax
from lstm_jax import LanguageModel, ModelError, Vocabulary
from lstm_jax.models import storage
from lstm_jax.models.storage import DESCRIPTION, WEIGHTS, released

pytestmark = pytest.mark.usefixtures("compile_fast")
ALPHABET = tuple("abcdefghij")


def make(num_layers=2, end=0.0, unknown=5.0):
    """A random model; `end` and `unknown` are the biases of the two symbols."""
    config = lstm_jax.CharLMConfig(4, 5, num_layers)
    network = lstm_jax.CharLM(len(ALPHABET) + 2, config, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    state = nnx.state(network)
    nnx.update(
        network,
        jax.tree.map(lambda a: jnp.asarray(0.8 * rng.normal(size=a.shape), jnp.float32), state),
    )
    network.output_bias[...] = network.output_bias[...].at[:2].set(jnp.array([end, unknown]))
    return LanguageModel(network, Vocabulary(ALPHABET), {"data": "made up", "figure": 1.5})


MODEL = make()
ENDLESS = make(end=-1e9)


def one_line(error):
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


@jax.jit(static_argnames="graph")
def call(graph, params, ids):
    return jax.nn.log_softmax(nnx.merge(graph, params)(ids)[1])


def log_probabilities(model, text):
    """ln p of whatever follows each prefix of the text, (len(text) + 1, V), from `__call__`."""
    ids = np.full((1, 160), model.vocabulary.end_id)  # one program, whatever the text
    ids[0, 1 : len(text) + 1] = model.vocabulary.encode(text)
    return np.array(call(*nnx.split(model.network), ids)[0, : len(text) + 1])


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "run"
    MODEL.save(folder)
    return folder


def describe(folder, **changes):
    """Change fields of the description; None deletes one."""
    path = folder / DESCRIPTION
    description = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {name: value for name, value in description.items() if value is not None}
    kept["digest"] = storage._digest(kept)
    path.write_text(json.dumps(kept), encoding="utf-8")


def rewrite(folder, change):
    """Change the tensors, and let the description agree with the file."""
    tensors = load_tensors((folder / WEIGHTS).read_bytes())
    weights = save_tensors(change(tensors))
    (folder / WEIGHTS).write_bytes(weights)
    describe(folder, sha256=hashlib.sha256(weights).hexdigest())


# --- save and load -------------------------------------------------------------------------------


@pytest.mark.parametrize("num_layers", [1, 11])  # 11: layers are not sorted as text
def test_a_saved_model_comes_back(tmp_path, num_layers):
    model = make(num_layers)
    model.save(tmp_path / "deep" / "run")
    back = lstm_jax.load(tmp_path / "deep" / "run")
    assert (back.vocabulary, back.card) == (model.vocabulary, model.card)
    assert back.network.config == model.network.config
    expected, actual = nnx.state(model.network), nnx.state(back.network)
    assert jax.tree.structure(nnx.to_pure_dict(actual)) == jax.tree.structure(
        nnx.to_pure_dict(expected)
    )
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_array_equal(a, b)


def test_a_loaded_model_gives_what_the_saved_one_gave(saved):
    back = lstm_jax.load(str(saved))
    np.testing.assert_allclose(back.score("abca"), MODEL.score("abca"), rtol=1e-6)
    assert back.generate("ab", num=4, seed=3) == MODEL.generate("ab", num=4, seed=3)


def test_weights_in_half_precision_come_back_rounded(tmp_path):
    MODEL.save(tmp_path, dtype=np.float16)
    tensors = load_tensors((tmp_path / WEIGHTS).read_bytes())
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    expected, actual = (nnx.state(m.network) for m in (MODEL, lstm_jax.load(tmp_path)))
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, rtol=2**-11, atol=2**-24)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.int16, np.float64])
def test_a_dtype_that_could_not_be_read_back_is_refused(tmp_path, dtype):
    with pytest.raises(ValueError, match="dtype must be float32, float16 or int8"):
        MODEL.save(tmp_path / "run", dtype=dtype)
    assert not (tmp_path / "run").exists()


def test_saving_again_replaces_and_leaves_nothing_else(saved):
    make(1).save(saved)
    assert sorted(path.name for path in saved.iterdir()) == [DESCRIPTION, WEIGHTS]
    assert lstm_jax.load(saved).network.config.num_layers == 1


def test_the_description_is_readable(tmp_path):
    vocabulary = Vocabulary(tuple("床前明月光,。地上霜"))
    LanguageModel(MODEL.network, vocabulary, MODEL.card).save(tmp_path)
    text = (tmp_path / DESCRIPTION).read_text(encoding="utf-8")
    assert '"vocabulary": "床前明月光,。地上霜"' in text
    assert json.loads(text)["card"] == MODEL.card
    assert lstm_jax.load(tmp_path).vocabulary == vocabulary


def test_altered_weights_are_refused(saved):
    content = bytearray((saved / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (saved / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match="altered") as error:
        lstm_jax.load(saved)
    assert WEIGHTS in one_line(error)


def test_missing_weights_are_refused(saved):
    (saved / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="cannot be read") as error:
        lstm_jax.load(saved)
    assert WEIGHTS in one_line(error)


def test_a_folder_without_a_description_is_refused(saved):
    (saved / DESCRIPTION).unlink()
    with pytest.raises(ModelError, match=f"has no {DESCRIPTION}") as error:
        lstm_jax.load(saved)
    one_line(error)


@pytest.mark.parametrize("name", ["nonexistent", "no/such/folder", "a\nb"])
def test_a_name_that_is_nothing_is_refused(name):
    with pytest.raises(ModelError, match="there is no model") as error:
        lstm_jax.load(name)
    assert repr(name) in one_line(error)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", b"\xff"])
def test_a_description_that_is_none_is_refused(saved, content):
    (saved / DESCRIPTION).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError) as error:
        lstm_jax.load(saved)
    assert str(saved) in one_line(error)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 3}, "'CharLM' in format 3"),
        ({"format": None}, "format None"),
        ({"kind": "Oracle"}, "describes 'Oracle'"),
        ({"sha256": None}, "sha256"),
        ({"config": None}, "'config'"),
        ({"vocabulary": None}, "'vocabulary'"),
        ({"card": None}, "'card'"),
        (
            {"config": {"hidden_features": 5, "heads": 8, "depth": 2}},
            "unknown configuration fields: depth, heads",
        ),
        ({"config": {"num_layers": "two"}}, DESCRIPTION),
        ({"config": {"num_layers": 0}}, "num_layers must be at least 1"),
        ({"config": [1]}, DESCRIPTION),
        ({"vocabulary": "aa"}, "must differ"),
        ({"vocabulary": 7}, DESCRIPTION),
    ],
)
def test_a_description_that_does_not_fit_is_refused(saved, changes, words):
    describe(saved, **changes)
    with pytest.raises(ModelError) as error:
        lstm_jax.load(saved)
    assert words in one_line(error)


def test_a_vocabulary_of_another_size_is_refused(saved):
    describe(saved, vocabulary="abc")
    with pytest.raises(ModelError, match=r"must be \(5,") as error:
        lstm_jax.load(saved)
    one_line(error)


def test_a_missing_tensor_is_refused(saved):
    rewrite(saved, lambda tensors: {k: v for k, v in tensors.items() if k != "projection"})
    with pytest.raises(ModelError, match=r"projection must be \(5, 4\), got nothing") as error:
        lstm_jax.load(saved)
    one_line(error)


def test_a_tensor_of_another_shape_is_refused(saved):
    rewrite(saved, lambda tensors: tensors | {"projection": tensors["projection"].T.copy()})
    with pytest.raises(ModelError, match=r"projection must be .*, got \(4, 5\)") as error:
        lstm_jax.load(saved)
    one_line(error)


def test_the_released_models_load():
    for name in released():
        assert len(lstm_jax.load(name).vocabulary) > 2


# --- generate and stream -------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_texts():
    one = MODEL.generate("ab", num=4, seed=1)
    assert len(one) == 4
    assert len(set(one)) > 1
    assert all(text.startswith("ab") for text in one)
    assert MODEL.generate("ab", num=4, seed=1) == one
    assert MODEL.generate("ab", num=4, seed=2) != one


def test_a_text_does_not_depend_on_how_many_are_asked_for():
    four = ENDLESS.generate("ab", num=4, seed=1)
    assert ENDLESS.generate("ab", num=1, seed=1) == four[:1]
    assert len(set(four)) == 4


def test_greedy_follows_the_argmax_whatever_the_seed():
    text, other = (ENDLESS.generate("a", temperature=0, seed=s, max_length=9)[0] for s in (0, 1))
    assert text == other
    scores = log_probabilities(ENDLESS, text)
    scores[:, 1] = -np.inf  # UNKNOWN is never written
    expected = ENDLESS.vocabulary.decode(scores[1:-1].argmax(axis=1))
    assert text[1:] == expected


@pytest.mark.parametrize(
    "options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-30}], ids=str
)
def test_the_narrowest_settings_are_greedy(options):
    greedy = ENDLESS.generate("a", temperature=0, max_length=9)
    assert ENDLESS.generate("a", max_length=9, **options) == greedy


def test_settings_that_exclude_nothing_change_nothing():
    expected = ENDLESS.generate("ab", num=4)
    for options in ({"top_k": 12}, {"top_k": 2**40}, {"top_p": 1}):
        assert ENDLESS.generate("ab", num=4, **options) == expected


def test_max_length_is_of_the_continuation():
    for length in (1, 16, 17):
        texts = ENDLESS.generate("ab", num=4, max_length=length)
        assert [len(text) for text in texts] == [2 + length] * 4
    texts = MODEL.generate("ab", num=4, max_length=5)
    assert max(len(text) for text in texts) <= 7
    longer = MODEL.generate("ab", num=4, max_length=40)
    assert [text[:7] for text in longer] == texts


def test_a_text_ends_where_the_model_ends_it():
    abrupt = make(end=1e9)
    assert abrupt.generate(["", "ab"]) == ["", "ab"]
    assert list(abrupt.stream(["", "ab"])) == [["", ""]]  # and nothing more is decoded


def test_an_empty_prompt_begins_a_text():
    texts = ENDLESS.generate(num=4)
    assert ENDLESS.generate("", num=4) == texts
    assert len({text[0] for text in texts}) > 1
    assert set("".join(texts)) <= set(ALPHABET)  # neither END nor UNKNOWN, for all its bias


def test_stream_joined_is_generate_whatever_the_chunk():
    expected = ENDLESS.generate("ab", num=4, seed=5, max_length=20)
    for chunk in (16, 7):
        parts = list(ENDLESS.stream(["ab"] * 4, seed=5, max_length=20, chunk=chunk))
        assert [len(part[0]) for part in parts] == ([16, 4] if chunk == 16 else [7, 7, 6])
        assert ["ab" + "".join(row) for row in zip(*parts, strict=True)] == expected


def test_prompts_of_different_lengths_are_each_as_alone():
    prompts = ["", "abc", "jihgfedcba", "a"]
    together = ENDLESS.generate(prompts, temperature=0, max_length=8)
    alone = [ENDLESS.generate(prompt, temperature=0, max_length=8)[0] for prompt in prompts]
    assert together == alone
    drawn = ENDLESS.generate(prompts, num=2, seed=3, max_length=8)
    assert [text[: len(p)] for text, p in zip(drawn[::2], prompts, strict=True)] == prompts
    assert ENDLESS.generate([prompts[0]] * 2 + ["a"] * 6, seed=3, max_length=8)[:2] == drawn[:2]


def test_a_long_prompt_is_read_whole():
    start = "abcdefghij" * 13
    text = ENDLESS.generate(start, temperature=0, max_length=3)[0]
    scores = log_probabilities(ENDLESS, text)
    scores[:, 1] = -np.inf
    assert text[130:] == ENDLESS.vocabulary.decode(scores[130:-1].argmax(axis=1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 2.5}, "top_k"),
        ({"max_length": 0}, "max_length"),
        ({"max_length": 1.5}, "max_length"),
        ({"num": 0}, "num"),
        ({"num": -1}, "num"),
        ({"prompts": []}, "prompt"),
    ],
)
def test_bad_settings_are_refused_in_one_line(options, words):
    with pytest.raises(ModelError) as error:
        MODEL.generate(**options)
    assert words in one_line(error)


@pytest.mark.parametrize("ask", [MODEL.generate, MODEL.next_characters])
def test_unknown_characters_are_named(ask):
    with pytest.raises(ModelError, match="does not know 'x\\\\nY'") as error:
        ask("ax\nbYx")
    one_line(error)


# --- score and next_characters -------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "abcadef", "abcadefg"])  # the last two: a bucket's edge
def test_scores_are_those_of_the_network(text):
    scores = MODEL.score(text)
    assert (scores.shape, scores.dtype) == ((len(text) + 1,), np.float32)
    targets = [*MODEL.vocabulary.encode(text), MODEL.vocabulary.end_id]
    expected = log_probabilities(MODEL, text)[np.arange(len(text) + 1), targets]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_characters_outside_are_scored_as_unknown():
    expected = log_probabilities(MODEL, "axb")
    assert MODEL.score("axb")[1] == pytest.approx(expected[1, MODEL.vocabulary.unknown_id], 1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_the_next_characters_are_a_distribution(temperature):
    answer = MODEL.next_characters("abc", temperature=temperature)
    assert sum(answer.values()) == pytest.approx(1, rel=1e-5)
    assert list(answer.values()) == sorted(answer.values(), reverse=True)
    assert set(answer) == {"", *ALPHABET}
    weights = np.exp(log_probabilities(MODEL, "abc")[-1] / temperature)
    weights[1] = 0
    expected = dict(zip(["", "\ufffd", *ALPHABET], weights / weights.sum(), strict=True))
    assert answer == pytest.approx({name: expected[name] for name in answer}, rel=1e-4)


def test_the_coldest_temperature_leaves_the_most_probable():
    first = next(iter(MODEL.next_characters("abc")))
    assert MODEL.next_characters("abc", temperature=1e-40) == {first: 1.0}


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf")])
def test_next_characters_wants_a_positive_temperature(temperature):
    with pytest.raises(ModelError, match="temperature must be positive") as error:
        MODEL.next_characters("a", temperature=temperature)
    one_line(error)


WORDS = ("床前", "明月光", "a b", "ab", "c", "")


@pytest.mark.parametrize(
    "characters", [WORDS, tuple("\ud83d\ude00\udcff\u2028b\n") , ALPHABET], ids=repr
)  # fmt: skip
def test_every_vocabulary_is_saved_and_loaded(tmp_path, characters):
    network = lstm_jax.CharLM(len(characters) + 2, lstm_jax.CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    model = LanguageModel(network, Vocabulary(characters), {"from": "\udcff"})
    model.save(tmp_path / "run")
    back = lstm_jax.load(tmp_path / "run")
    assert back.vocabulary == model.vocabulary
    assert back.vocabulary.digest == model.vocabulary.digest
    assert back.card == model.card
    np.testing.assert_array_equal(back.score(characters[:2]), model.score(characters[:2]))


def test_characters_are_stored_as_they_always_were(saved):
    description = json.loads((saved / DESCRIPTION).read_text(encoding="utf-8"))
    assert description["vocabulary"] == "".join(ALPHABET)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_whole_numbers_of_numpy_are_seeds(kind):
    assert MODEL.generate("ab", seed=kind(3)) == MODEL.generate("ab", seed=3)


@pytest.mark.parametrize("seed", [True, np.True_, 1.0, np.float32(1), "1", None, -1, np.int64(-1)])
def test_what_is_no_whole_number_is_no_seed(seed):
    with pytest.raises(ModelError, match=r"seed must be an integer in \[0, 2\*\*32\)"):
        MODEL.generate("ab", seed=seed)


def test_lone_surrogates_are_characters_that_the_model_does_not_know():
    with pytest.raises(ModelError, match=r"does not know '\\udce4'"):
        MODEL.generate("a\udce4")
    assert np.isfinite(MODEL.score("a\udce4")).all()


def test_generate_gives_ln_p_of_what_it_wrote():
    settings = {"num": 3, "seed": 2, "max_length": 12, "temperature": 0.7}
    texts, found = MODEL.generate(["ab", ""], return_log_probabilities=True, **settings)
    assert texts == MODEL.generate(["ab", ""], **settings)
    lengths = []
    for text, prompt, own in zip(texts, ["ab"] * 3 + [""] * 3, found, strict=True):
        scores = MODEL.score(text)[len(prompt) :]  # of each symbol, and of the end
        written = len(text) - len(prompt)
        ended = written < 12
        np.testing.assert_array_equal(own, scores if ended else scores[:-1])
        lengths.append(ended)
    assert any(lengths)
    _, [cut] = ENDLESS.generate("a", max_length=4, return_log_probabilities=True)
    assert cut.shape == (4,)  # no end was drawn


def test_the_best_come_with_their_ln_p():
    settings = {"num": 2, "best_of": 4, "seed": 1, "max_length": 8}
    texts, found = MODEL.generate(["a", "b"], return_log_probabilities=True, **settings)
    assert texts == MODEL.generate(["a", "b"], **settings)
    for text, own in zip(texts, found, strict=True):
        np.testing.assert_array_equal(own, MODEL.score(text)[1 : 1 + len(own)])
    # What was not drawn, such as the end of a text that was cut, does not count.
    for first, second in (found[:2], found[2:]):
        assert first.mean() >= second.mean()
