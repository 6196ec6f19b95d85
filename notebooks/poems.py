# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A poet in fourteen megabytes
#
# `lstm_jax` comes with a character model of Tang poems: two LSTM layers that read one character
# at a time and say, for each of some seven thousand characters, how probable it is that it comes
# next. Everything below runs on a laptop's CPU, without a network.

# %%
import os

from rich import print
from rich.table import Table

import lstm_jax

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests

poet = lstm_jax.load("tang")
facts = ("parameters", "steps", "valid_perplexity", "test_perplexity")
print({fact: poet.card.get(fact) for fact in facts})

# %% [markdown]
# ## Continue a line
#
# The model reads the prompt, then writes one character after another: each is drawn from its
# distribution and read in turn, until the model itself ends the poem. The same seed gives the
# same poem, and poem *i* does not depend on how many are asked for.

# %%
for poem in poet.generate("春", num=1 if SHORT else 3, temperature=0.8, seed=7):
    print(poem)

# %% [markdown]
# ## Temperature
#
# The logits are divided by the temperature τ before the softmax, $p_v \propto e^{z_v/\tau}$. At 0
# the most probable character always wins, and the poet becomes a civil servant; well above 1 it
# gets drunk. In between lies what people call creativity.

# %%
table = Table("τ", "the poem", title="One prompt, one seed, five temperatures")
for temperature in [0, 0.7] if SHORT else [0, 0.4, 0.7, 1.0, 1.5]:
    [poem] = poet.generate("明月", temperature=temperature, seed=3, max_length=62)
    table.add_row(str(temperature), poem)
print(table)

# %% [markdown]
# ## What comes next?
#
# The distribution itself is more interesting than any draw from it. After 春 many characters are
# possible. After a line of five characters without a mark nearly nothing is but a comma: nobody
# told the model the rules of regulated verse, it counts.


# %%
def show_next(text, top=8):
    distribution = poet.next_characters(text)
    table = Table("next", "probability", "", title=f"after {text}")
    for character, probability in list(distribution.items())[:top]:
        bar = "█" * round(40 * probability)
        table.add_row(character or "(end)", f"{probability:.3f}", bar)
    print(table)


show_next("春")
show_next("白日依山盡")

# %% [markdown]
# ## How surprised is it?
#
# `score` gives $\ln p$ of each character given those before it, and of the end. A line in its
# natural order is far more probable than the same characters shuffled.

# %%
for text in ["明月松間照，清泉石上流。", "照間月松明，流上泉石清。"]:
    per_character = poet.score(text)[:-1]
    print(f"{text}  {per_character.sum():.1f} nats")

# %% [markdown]
# Most famous poems are among the training texts, this one perhaps too: a low surprise can be
# memory rather than skill. The test perplexity in the first cell is of poems that share no
# lines with those it was trained on.
