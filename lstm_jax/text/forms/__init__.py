"""Verse to order: forms, acrostics, rhymes and tones, as masks on the logits of a sampler.

Form, Order               the rules of a poem
make_plan                 an order for one vocabulary, as tables over line and column
open_patterns             the tone patterns that a prompt and an acrostic allow
Place, start, advance     the position of a poem in its plan
allowed, ruled            the symbols that may come next; a language model that keeps to them
masses_left               the probability that the masks leave of the model's distribution
Table, Readings, table    tones and rhymes of characters, from the Pingshui table
form_of, rhyme_share, tone_share   how well a poem keeps to a form, a rhyme, the tones
"""

from lstm_jax.text.forms.measures import form_of, rhyme_share, tone_share
from lstm_jax.text.forms.order import Form, Order, Wishes
from lstm_jax.text.forms.plan import Plan, make_plan, open_patterns
from lstm_jax.text.forms.readings import Readings, Table, table
from lstm_jax.text.forms.rules import Place, advance, allowed, begin, masses_left, ruled, start

__all__ = [
    "Form",
    "Order",
    "Place",
    "Plan",
    "Readings",
    "Table",
    "Wishes",
    "advance",
    "allowed",
    "begin",
    "form_of",
    "make_plan",
    "masses_left",
    "open_patterns",
    "rhyme_share",
    "ruled",
    "start",
    "table",
    "tone_share",
]
