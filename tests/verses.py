"""A small poet for tests: a random model with made-up tones and rhymes."""

import random

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from oracles.forms import may_follow

import lstm_jax
from lstm_jax import LanguageModel, Vocabulary
from lstm_jax.text.forms import Order, Table

CHARACTERS = "東風空紅中天年前仙邊水起里子雪月白石春夏秋冬山看"
SYMBOLS = CHARACTERS + "，。？！；：、"
# 看 and 空 have two tones, 月 and 石 two rhymes, 夏 no reading.
RHYMES = {
    "上平聲一東": "東風空紅中冬",
    "下平聲一先": "天年前仙邊看春秋山",
    "上聲四紙": "水起里子空",
    "去聲二": "看",
    "入聲九屑": "雪月白石",
    "入聲十": "月石",
}
TABLE = Table.of(RHYMES)


def make(end=0.0, seed=0):
    """Build a random model of `SYMBOLS`; `end` is the bias of END."""
    network = lstm_jax.CharLM(len(SYMBOLS) + 2, lstm_jax.CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    rng = np.random.default_rng(seed)
    state = jax.tree.map(
        lambda a: jnp.asarray(0.8 * rng.normal(size=a.shape), jnp.float32), nnx.state(network)
    )
    nnx.update(network, state)
    network.output_bias[...] = network.output_bias[...].at[:2].set(jnp.array([end, 3.0]))
    return LanguageModel(network, Vocabulary(tuple(SYMBOLS)), {"data": "made up"})


ORDERS = {
    "form": ({"form": "3x5"}, ""),
    "regulated": ({"form": "5x4", "tones": True}, ""),
    "rhyme": ({"form": "2x6", "rhyme": True}, ""),
    "all": ({"form": "5x8", "tones": True, "rhyme": True, "acrostic": "雪夏月"}, ""),
    "seven": ({"form": "7x4", "tones": True, "rhyme": True}, ""),
    "begun": ({"form": "5x4", "tones": True, "rhyme": True}, "春風白水夏，看"),
    "against": ({"form": "5x4", "tones": True, "acrostic": "白雪"}, "白石月雪雪！"),
    "free": ({"acrostic": "春夏秋冬"}, ""),
    "couplets": ({"acrostic": "山水", "acrostic_by": "couplet"}, "山風？"),
    "one": ({"form": "1x4", "rhyme": True, "acrostic": "東"}, ""),
}


def oracle(wishes, prompt):
    """Convert an order to the arguments of `may_follow`."""
    order = Order(**wishes)
    return {
        "form": order.shape and order.shape.characters,
        "heads": order.heads,
        "lines": order.lines,
        "rhyme": order.rhyme,
        "tones": order.tones,
        "known": prompt,
    }


def by_hand(wishes, prompt, seed):
    """Write a poem with the oracle alone, without any model."""
    rng = random.Random(seed)
    poem = prompt
    while symbol := rng.choice(sorted(may_follow(poem, SYMBOLS, RHYMES, **oracle(wishes, prompt)))):
        poem += symbol
    return poem
