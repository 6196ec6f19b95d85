"""Your own texts, in any script: a file, several files, or a pattern in quotes.

    lstm-jax train text --file 'novels/*.txt'
    lstm-jax train text --file names.txt --texts line --unit byte --out runs/names
    lstm-jax evaluate runs/text
    lstm-jax sample runs/text "It was"

Sizes, split and epochs are chosen from the files, and printed before training starts; --dry-run
stops there. Options that are 0 here are chosen in this way.

The table shows nats per symbol on the held-out test split, beside those of a 5-gram (modified
Kneser-Ney, with the same split and vocabulary), and the CPU time on 2 cores of a shared x86-64 CPU,
all with the default settings.

    the first 100 kB of tinyshakespeare, a running text    1.5068   5-gram 1.5682    151 s
    the same in words (--unit word)                        3.7603   5-gram 3.9172     53 s
    683 Tang poems, 100 kB, a line each                    5.3887   5-gram 5.5790     61 s
    all of tinyshakespeare (--valid 0.1 --test 0)          1.4529   5-gram 1.5612    about 1,000 s

The first of these took 90 seconds by the clock. The last was measured on the validation split, by
which the best epoch was chosen too, with 2.0 M parameters; there nanoGPT reaches 1.4697 with
10.65 M. Its first validation was poor, 3.80 nats, and its second was 1.61: three of the sixteen
rows, which begin in the middle of the text, had driven the state to a point where it stayed for
thousands of characters. The recipe `shakespeare` is the same model with a lower rate and a longer
warm-up; its first validations are 1.68 to 1.70, and its last 1.444 to 1.449.

Files of 64 MB or more are read from the disk as needed, and so are smaller files with `--stream
True`: `pip install "lstm_jax[scale]"`. The first run counts the symbols and copies the files to the
cache, which takes minutes for gigabytes; later runs reuse the copies. An epoch is then a part of
the text, of at most 5,000 steps, and the model is validated and saved after each.

With the sizes, optimizer and split of `configs/shakespeare.py` (--valid 0.1 --test 0), it has
exactly the losses of `lstm-jax train shakespeare`, bit for bit.
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
