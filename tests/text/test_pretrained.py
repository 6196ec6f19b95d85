"""The released model is what its card says, and the smoke recipe learns what its own says."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

import lstm_jax
from lstm_jax.models import storage
from lstm_jax.models.storage import WEIGHTS, released
from lstm_jax.text.verse import lines
from lstm_jax.train import loop
from lstm_jax.train.data import tang
from lstm_jax.train.release import form
from lstm_jax.train.tasks.text.score import score_texts


@pytest.fixture(scope="module")
def poet():
    return lstm_jax.load("tang")


def test_release_is_small_and_described(poet):
    folder = storage.find("tang")
    assert (folder / WEIGHTS).stat().st_size < 16e6
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    assert f"{poet.card['test_perplexity']}" in card
    assert poet.card["command"] == "lstm-jax train tang"
    assert poet.card["data_sha256"] == tang.tang_source().sha256
    assert len(poet.vocabulary) == poet.network.vocabulary_size == 7038


def test_the_earlier_release_is_still_there(poet):
    assert released() == ["tang", "tang-2026-11"]
    earlier = lstm_jax.load("tang-2026-11")
    assert poet.card["test_perplexity"] < earlier.card["test_perplexity"] == 101.5


def test_release_continues_poems_in_regular_lines(poet):
    poems = poet.generate(["春風", "白日", "山中", "故人"], num=4, temperature=0.7, seed=1)
    assert form.share(poems) >= 0.75
    assert all("\ufffd" not in poem for poem in poems)
    assert len(set(poems)) == len(poems)


def test_release_prefers_verse_to_its_shuffle(poet):
    verse, shuffled = "明月松間照，清泉石上流。", "照間月松明，流上泉石清。"
    assert poet.score(verse).sum() > poet.score(shuffled).sum() + 10


def test_release_is_not_ruled_unless_asked_to():
    """A poem of before there were forms."""
    poet = lstm_jax.load("tang-2026-11")
    written = "春風閶嶺去，樹樹落花生。江燕欲歸去，空山春復秋。"
    assert poet.generate("春", seed=7) == [written]


def test_release_writes_verse_to_order(poet):
    wishes = {"form": "7x4", "acrostic": "春夏秋冬"}
    (poem,) = poet.generate("", seed=1, **wishes)
    assert [(line[0], len(line)) for line in lines(poem)] == [(head, 7) for head in "春夏秋冬"]
    costs = poet.cost(poem, **wishes)
    assert costs[[8, 16, 24]].min() > 2  # the model had not begun the other lines so by itself
    assert np.median(costs) < 0.05


@pytest.mark.corpus
def test_release_reaches_its_cards_perplexity(poet):
    score = score_texts(poet, tang.load().test)
    assert score.symbols == 151_220
    assert score.perplexity == pytest.approx(poet.card["test_perplexity"], abs=0.02)
    assert score.perplexity < 135


@pytest.mark.slow
def test_smoke_recipe_learns(tmp_path):
    from lstm_jax.configs.smoke import config

    loop.prepare(tmp_path / "run", config, resume=False, overwrite=False)
    result = loop.train(config, tmp_path / "run", console=Console(file=io.StringIO()))
    # The rhyme and the harmony leave some 1.35 nats of pure chance; without them it is 2.
    assert result.finished
    assert math.exp(result.best_valid_loss) < 4
