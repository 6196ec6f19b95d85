"""Your own texts, in any script: a file, several, or a pattern in quotes.

    lstm-jax train text --file 'novels/*.txt'
    lstm-jax train text --file names.txt --texts line --unit byte --out runs/names
    lstm-jax evaluate runs/text
    lstm-jax sample runs/text "It was"

Sizes, split and epochs are chosen from what is in the files, and told before anything is trained;
with --dry-run that is all. What is 0 here is left open for that.

Measured on 2 cores of a shared x86-64 CPU, with these defaults, in seconds of the processor's time.
Nats are those of the held-out test part, a symbol; a 5-gram is beside them, modified Kneser-Ney on
the same split and vocabulary.

    the first 100 kB of tinyshakespeare, a running text    1.5068   5-gram 1.5682    151 s
    the same in words (--unit word)                        3.7603   5-gram 3.9172     53 s
    683 Tang poems, 100 kB, a line each                    5.3887   5-gram 5.5790     61 s
    all of tinyshakespeare (--valid 0.1 --test 0)          1.4529   5-gram 1.5612    about 1,000 s

The first of these took 90 seconds by the clock. The last is on the validation part, by which its
best epoch was chosen, with 2.0 M parameters; the recipe `shakespeare` has 1.5227 there with 10.8 M
after reading half as much, and nanoGPT 1.4697. Its first validation was far off, 3.80 nats, and the
second 1.61: three of the sixteen rows, which begin in the middle of the text, led the state to
where it stayed for thousands of characters.

Files of 64 MB and more are read from the disk as they are needed, and smaller ones with
`--stream True`: `pip install "lstm_jax[scale]"`. The first time they are counted and copied to the
cache, which takes minutes for gigabytes; later runs find them there. An epoch is then a part of the
text, of at most 5,000 steps: a model is judged and kept after each.

With the sizes, the optimizer and the split of `configs/shakespeare.py` (--valid 0.1 --test 0) it
gives the losses of `lstm-jax train shakespeare`, bit by bit.
"""

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.tasks.text.config import TextConfig

about = {
    "what": "a language model of your own texts",
    "time": "minutes",
    "size": "from the data",
    "data": "yours",
}

config = TextConfig(
    data="own",
    model=CharLMConfig(
        embedding_features=0,
        hidden_features=0,
        num_layers=0,
        embedding_dropout=0.2,
        layer_dropout=0.3,
        output_dropout=0.4,
    ),
    optimizer=OptimizerConfig(learning_rate=4e-3, warmup_steps=50, weight_decay=0.02),
    epochs=0,
    rows=0,
    window=0,
    min_count=0,
    patience=4,
)
