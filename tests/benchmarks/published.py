"""Figures that others have published, for the tables that compare them with ours."""

REVIEWS = (  # model, word vectors, validation, test: % right on SST-2
    ("convolution, sent-conv-torch", "learned", "", "83.5"),
    ("convolution, sent-conv-torch", "word2vec, static", "", "85.6"),
    ("bidirectional LSTM with attention, Flax's example", "learned", "85.2", ""),
)
LSTM_OF_1997 = {  # sequences until solved, by task and T (Hochreiter & Schmidhuber 1997)
    ("adding", 100): 74_000,
    ("adding", 500): 209_000,
    ("adding", 1000): 853_000,
    ("order", 100): 31_390,
}
NANOGPT = {"parameters": 10_650_000, "nats": 1.4697}
"""Loss on tinyshakespeare's last tenth, from its README; parameters as its program prints them."""
