"""A small writer of verse for tests: a random model of made-up characters, tones and rhymes."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import lstm_jax
from lstm_jax import LanguageModel, Vocabulary
from lstm_jax.text.forms import Table

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
    """A random model of `SYMBOLS`; `end` is the bias of END."""
    network = lstm_jax.CharLM(len(SYMBOLS) + 2, lstm_jax.CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    rng = np.random.default_rng(seed)
    state = jax.tree.map(
        lambda a: jnp.asarray(0.8 * rng.normal(size=a.shape), jnp.float32), nnx.state(network)
    )
    nnx.update(network, state)
    network.output_bias[...] = network.output_bias[...].at[:2].set(jnp.array([end, 3.0]))
    return LanguageModel(network, Vocabulary(tuple(SYMBOLS)), {"data": "made up"})
