"""Dynamic evaluation against a literal loop, and where it is refused."""

import io
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console

from lstm_jax.configs import text as recipe
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.train import fit, loop
from lstm_jax.train.evaluate import EvaluateOptions, measure
from lstm_jax.train.scope import Scope
from lstm_jax.train.tasks.text import dynamic
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.dynamic import Rule, adapted, score_dynamic
from lstm_jax.train.tasks.text.evaluate import perplexity
from lstm_jax.train.tasks.text.look import look_at_texts
from lstm_jax.train.tasks.text.score import score_texts

pytestmark = pytest.mark.usefixtures("compile_fast")
SYMBOLS = Vocabulary.from_counts(dict.fromkeys("abc ", 9), min_count=1)
LEARNED, TEXTS = ("abc abc abc cab cab abca",), ("aabb ccab", "bca acb c")
RULE = Rule(rate=0.3, decay=0.2, segment=4)


@pytest.fixture(scope="module")
def model():
    network = CharLM(len(SYMBOLS), CharLMConfig(3, 4, 1), rngs=nnx.Rngs(0))
    return LanguageModel(network, SYMBOLS, {})


def in_numpy(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), nnx.to_pure_dict(tree))


def segments_of(model, texts, length):
    """Inputs and targets of each segment; the first symbol is read after END."""
    ids = np.concatenate([model.encode(text) for text in texts])
    before = np.concatenate([[model.vocabulary.end_id], ids[:-1]])
    return [(before[i : i + length], ids[i : i + length]) for i in range(0, len(ids), length)]


def literal(model, rule):
    """Segment by segment, each symbol by one call of the model: nats of each, and the weights."""
    graph, trained = nnx.split(model.network, nnx.Param)

    @jax.jit
    def nats_of(params, carry, inputs, targets):
        network, total = nnx.merge(graph, params), 0.0
        for one, target in zip(inputs, targets, strict=True):
            carry, logits = network.step(carry, one[None])
            total -= jax.nn.log_softmax(logits[0])[target]
        return total / len(targets), carry

    gradient = jax.value_and_grad(nats_of, has_aux=True)
    zero = model.network.initial_state(1)
    squares = [
        in_numpy(gradient(trained, zero, *map(jnp.asarray, one))[1])
        for one in segments_of(model, LEARNED, rule.segment)
    ]
    sizes = jax.tree.map(lambda *gs: np.sqrt(np.mean([g**2 for g in gs], axis=0)), *squares)
    mean = np.concatenate([s.ravel() for s in jax.tree.leaves(sizes)]).mean()
    start, params, carry, found = in_numpy(trained), trained, zero, []
    for inputs, targets in segments_of(model, TEXTS, rule.segment):
        (nats, carry), g = gradient(params, carry, jnp.asarray(inputs), jnp.asarray(targets))
        found.append(float(nats) * len(targets))
        moved = jax.tree.map(
            lambda p, t, g, s: (
                p - rule.rate * g / (s + mean) + np.minimum(rule.decay * s / mean, 1) * (t - p)
            ),
            in_numpy(params), start, in_numpy(g), sizes,
        )  # fmt: skip
        leaves = map(jnp.float32, jax.tree.leaves(moved))
        params = jax.tree.unflatten(jax.tree.structure(params), list(leaves))
    return found


def test_it_is_the_literal_loop(model):
    nats = literal(model, RULE)
    before = jax.tree.map(jnp.copy, nnx.state(model.network, nnx.Param))
    score = score_dynamic(model, TEXTS, LEARNED, RULE)
    assert score.symbols == sum(map(len, TEXTS))
    assert score.nats == pytest.approx(sum(nats), rel=1e-5)
    static = score_texts(model, TEXTS, running=True)
    assert abs(score.nats - static.nats) > 0.01 * static.nats, "learning must be seen"
    assert nats[0] == pytest.approx(score_texts(model, [TEXTS[0][:4]], running=True).nats, rel=1e-5)
    after = nnx.state(model.network, nnx.Param)
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_what_comes_later_changes_nothing_of_what_was_scored(model):
    def nats(text):
        return score_dynamic(model, [text], LEARNED, RULE).nats

    whole, first = nats("abca" + "bbbb"), nats("abca")
    other = nats("abca" + "cccc")
    assert whole > first
    assert other > first
    # The loss of the first segment is that of the trained weights, whatever follows.
    assert first == pytest.approx(score_texts(model, ["abca"], running=True).nats, rel=1e-6)


def test_without_a_rate_it_is_the_plain_score(model):
    score = score_dynamic(model, TEXTS, LEARNED, RULE._replace(rate=0.0))
    assert score.nats == pytest.approx(score_texts(model, TEXTS, running=True).nats, rel=1e-5)


def test_the_way_back_is_never_longer_than_to_the_trained_weights():
    sizes = {"a": jnp.array([0.0, 1.0, 5.0])}
    trained, params = {"a": jnp.zeros(3)}, {"a": jnp.ones(3)}
    none = {"a": jnp.zeros(3)}
    found = adapted(params, trained, none, sizes, Rule(1.0, 0.8, 4))
    np.testing.assert_allclose(found["a"], [1.0, 1 - 0.8 * 0.5, 0.0], rtol=1e-6)


# --- the command ---------------------------------------------------------------------------------

TINY = {
    "model": CharLMConfig(4, 5, 1), "rows": 4, "window": 16, "epochs": 1, "min_count": 1,
    "health_every": 0,
}  # fmt: skip


def trained_on(content, folder, **fields):
    folder.mkdir()
    path = folder / "texts.txt"
    path.write_text(content, encoding="utf-8")
    look = look_at_texts(replace(recipe.config, file=(str(path),), **TINY, **fields))
    config = loop.prepare(folder / "run", look.config, resume=False, overwrite=False)
    loop.train(config, folder / "run", task=look.task, console=Console(file=io.StringIO()))
    return path, folder / "run"


def test_own_running_text_is_judged_with_and_without(tmp_path, monkeypatch):
    monkeypatch.setattr(dynamic, "SAMPLES", 5)
    path, run = trained_on("the cat sat on the mat. " * 100, tmp_path / "one")
    figures, said = measure(EvaluateOptions(str(run), dynamic=True))
    plain = fit.load(run).evaluate()
    assert {k: v for k, v in figures.items() if k not in ("dynamic", "model")} == plain
    assert set(figures["dynamic"]) == {"nats_per_symbol", "perplexity", "bits_per_character"}
    assert figures["dynamic"]["nats_per_symbol"] != figures["nats_per_symbol"]
    assert [line.split()[0] for line in said.splitlines()[2:4]] == ["the", "dynamic"]
    path.unlink()
    other = tmp_path / "other.txt"
    other.write_text("the mat sat. " * 20, encoding="utf-8")
    with pytest.raises(ModelError) as refused:
        measure(EvaluateOptions(str(run), file=other, dynamic=True))
    assert str(refused.value) == (
        "--dynamic measures gradients on the training texts, which are not available: restore "
        "them, or leave it out"
    )


def test_texts_of_their_own_are_refused(model, tmp_path):
    stored = Stored(
        model.network, {"vocabulary": list(SYMBOLS.characters), "card": {"data": "verses"}}
    )
    config = TextConfig(data="verses")
    with pytest.raises(ModelError) as refused:
        perplexity(stored, config, Scope("valid", dynamic=True))
    assert str(refused.value) == (
        "--dynamic applies to continuous text, but each text of verses is read from the empty "
        "state: leave it out"
    )
    lines = tmp_path / "lines.txt"
    lines.write_text("abc\nabc\n", encoding="utf-8")
    with pytest.raises(ModelError, match="each text of verses is read from the empty state"):
        perplexity(stored, config, Scope("valid", file=lines, dynamic=True))


def test_own_texts_that_do_not_run_on_are_refused(tmp_path):
    content = "\n\n".join(
        f"the {word} sat on a mat and slept" for word in "abcdefghijklmnopqrstuvw"
    )
    _, run = trained_on(content, tmp_path / "two", texts="paragraph")
    with pytest.raises(
        ModelError, match=r"^--dynamic applies to continuous text, but each of these texts"
    ):
        measure(EvaluateOptions(str(run), dynamic=True))
